//! Owners: each has one item, which the owner's records name.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::super::effect::Effect::Reads;
use super::super::owner_state::{OwnerChange, OwnerState};
use super::super::ownership::Ownership;
use super::super::{Error, Expiry, Generation, Generations, Key, Login, Owner, OwnerName, Owners};
use super::DynamoDb;
use super::errors::invalid_record;
use super::items::{Attributes, Ids, Item, bytes, count, text, time, time_to_live};
use super::recent;
use super::requests::{Operation, Refusal, names_in, passing};
use super::writes::{Changes, Check, Values, Write};

impl Ownership {
    pub(super) fn of(owner: &Owner, ids: &Ids) -> Result<Self, Error> {
        Ok(Ownership {
            id: ids.of_owner(&owner.name)?,
            login: owner.login,
        })
    }

    /// Reads the owner from a record's item. Returns `None` for a record without an owner.
    pub(super) fn in_item(item: &Item) -> Result<Option<Self>, Error> {
        match item.optional_text("owner")? {
            None => Ok(None),
            Some(id) => Ok(Some(Ownership {
                id: id.to_owned(),
                login: item.login()?,
            })),
        }
    }

    pub(super) fn owner(&self, ids: &Ids) -> Result<Owner, Error> {
        Ok(Owner {
            name: ids.owner_in(&self.id)?,
            login: self.login,
        })
    }

    pub(super) fn id(&self) -> AttributeValue {
        text(&self.id)
    }

    pub(super) fn generation(&self) -> AttributeValue {
        bytes(self.login.generation.as_bytes())
    }

    pub(super) fn number(&self) -> AttributeValue {
        count(self.login.number)
    }

    /// Returns the check that the login is live.
    pub(super) fn check(self) -> Check {
        const OWNER_IS_LIVE: &str = "#expiry > :now AND (#generation = :generation \
            OR (#kept_generation = :generation AND #kept_login = :login))";
        let values = [
            (":now", time(Expiry::now())),
            (":generation", self.generation()),
            (":login", self.number()),
        ];
        Check {
            id: self.id,
            condition: OWNER_IS_LIVE.to_owned(),
            values: Values::from(values.map(|(name, value)| (name.to_owned(), value))),
        }
    }
}

/// The contents of an owner's item.
struct OwnerItem {
    state: OwnerState,
    /// The keys of the latest logins.
    recent: Vec<Key>,
}

impl OwnerItem {
    fn of(item: &Item) -> Result<Self, Error> {
        Ok(OwnerItem {
            state: OwnerState {
                generation: item.generation()?,
                logins: item.count("logins")?,
                kept: item.kept()?,
                expiry: item.expiry()?,
            },
            recent: recent::keys_in(item)?,
        })
    }

    /// Returns the owner's item, or `None` if there is none or it has expired. An expired one is
    /// still in the table, and can be replaced.
    async fn read(operation: &Operation<'_>, id: &str) -> Result<Option<Self>, Error> {
        let item = operation.get(id).await?;
        let found = item.as_ref().map(OwnerItem::of).transpose()?;
        Ok(found.filter(OwnerItem::is_live))
    }

    fn is_live(&self) -> bool {
        self.state.is_live(Expiry::now())
    }
}

/// The owners that an operation has read, each of them once. An owner is read after its record: an
/// owner that was read before the record was created may lack the record's generation.
#[derive(Default)]
pub(super) struct OwnerCache(HashMap<String, Option<OwnerItem>>);

impl OwnerCache {
    /// Reads the owners of these records together. An owner whose item is not valid is left out.
    pub(super) async fn read_for<'i>(
        &mut self,
        operation: &Operation<'_>,
        records: impl Iterator<Item = &'i Item>,
    ) -> Result<(), Error> {
        let live = records.filter(|item| item.is_unexpired().unwrap_or(false));
        let owners = live.filter_map(|item| Some(Ownership::in_item(item).ok()??.id));
        let ids: HashSet<String> = owners.collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let items = operation.get_many(&ids).await?;
        for id in ids {
            match items.get(&id).map(OwnerItem::of).transpose() {
                Ok(owner) => self.0.insert(id, owner.filter(OwnerItem::is_live)),
                Err(_) => None,
            };
        }
        Ok(())
    }

    /// Returns whether the record in that item is live: it has not expired, and its login is not
    /// revoked.
    pub(super) async fn is_live(
        &mut self,
        operation: &Operation<'_>,
        item: &Item,
    ) -> Result<bool, Error> {
        if !item.is_unexpired()? {
            return Ok(false);
        }
        let Some(record) = Ownership::in_item(item)? else {
            return Ok(true);
        };
        if !self.0.contains_key(&record.id) {
            let owner = OwnerItem::read(operation, &record.id).await?;
            self.0.insert(record.id.clone(), owner);
        }
        let owner = self.0.get(&record.id).and_then(Option::as_ref);
        Ok(owner.is_some_and(|owner| owner.state.lets_live(&record.login)))
    }
}

/// A write to an owner's item.
struct OwnerWrite<'w> {
    change: OwnerChange,
    /// The key under which a login that begins is to create its record.
    key: Option<&'w Key>,
    until: Expiry,
    /// The generation that a revocation sets and a new item gets.
    fresh: Generation,
}

/// The condition that the item is live, and that the write does not shorten its expiry.
const IS_LIVE: &str = "#expiry > :now AND #expiry <= :expiry";

/// The same condition, and that the kept login is live.
const IS_LIVE_WITH_KEPT_LOGIN: &str = "#expiry > :now AND #expiry <= :expiry \
    AND (#generation = :kept_generation \
    OR (#kept_generation = :kept_generation AND #kept_login = :kept_login))";

impl<'w> OwnerWrite<'w> {
    fn new(change: OwnerChange, until: Expiry) -> Result<Self, Error> {
        Ok(OwnerWrite {
            change,
            key: None,
            until,
            fresh: Generation::random()?,
        })
    }

    /// Also names the key of the login that begins.
    fn with_key(self, key: &'w Key) -> Self {
        OwnerWrite {
            key: Some(key),
            ..self
        }
    }

    /// Returns the write to a live item.
    fn to_live_item(&self, id: &str) -> Write {
        let changes = with_expiry(self.until);
        let (changes, condition) = match self.change {
            OwnerChange::Extend => (changes, IS_LIVE),
            OwnerChange::Begin => {
                let entries = self.key.into_iter().map(recent::entry);
                let changes = changes.increment("logins");
                (
                    entries.fold(changes, |changes, entry| changes.append("recent", entry)),
                    IS_LIVE,
                )
            }
            OwnerChange::Revoke { keep } => {
                let changes = with_kept(changes, keep.as_ref())
                    .set("generation", Some(bytes(self.fresh.as_bytes())));
                let condition = match keep {
                    Some(_) => IS_LIVE_WITH_KEPT_LOGIN,
                    None => IS_LIVE,
                };
                (changes, condition)
            }
        };
        changes.to(id.to_owned(), condition, [(":now", time(Expiry::now()))])
    }

    /// Returns the write for an owner without a live item. It replaces the expired item that was
    /// found, if there was one.
    fn to_missing_item(&self, id: &str, found: Option<&OwnerState>) -> Write {
        let now = Expiry::now();
        let new = OwnerState::after(self.change, None, self.until, self.fresh, now);
        let recent = self.key.into_iter().map(recent::entry).collect();
        let changes = with_kept(with_expiry(new.expiry), new.kept.as_ref())
            .set("generation", Some(bytes(new.generation.as_bytes())))
            .set("logins", Some(count(new.logins)))
            .set("recent", Some(AttributeValue::L(recent)));
        let id = id.to_owned();
        match found {
            None => changes.to(id, "attribute_not_exists(#id)", []),
            Some(found) => {
                let values = [
                    (":seen", bytes(found.generation.as_bytes())),
                    (":until", time(found.expiry)),
                ];
                changes.to(id, "#generation = :seen AND #expiry = :until", values)
            }
        }
    }

    /// Adapts the write to the live item that was found: it does not shorten the expiry, and keeps
    /// only a live login.
    fn adapt_to(&mut self, found: &OwnerState) {
        self.until = self.until.max(found.expiry);
        if let OwnerChange::Revoke { keep } = &mut self.change {
            *keep = keep.filter(|login| found.lets_live(login));
        }
    }
}

fn with_expiry(until: Expiry) -> Changes {
    Changes::default()
        .set("expiry", Some(time(until)))
        .set("ttl", time_to_live(until))
}

fn with_kept(changes: Changes, kept: Option<&Login>) -> Changes {
    changes
        .set(
            "kept_generation",
            kept.map(|login| bytes(login.generation.as_bytes())),
        )
        .set("kept_login", kept.map(|login| count(login.number)))
}

/// Applies the write to the owner's item, and returns the item after it. This takes one request if
/// the owner has a live item whose expiry the write extends.
async fn write_owner(
    operation: &Operation<'_>,
    id: &str,
    mut write: OwnerWrite<'_>,
) -> Result<Item, Error> {
    loop {
        let living = write.to_live_item(id);
        let found = match operation.update(living, ReturnValue::AllNew).await? {
            Ok(item) => return Ok(item),
            Err(found) => found,
        };
        let owner = found.as_ref().map(OwnerItem::of).transpose()?;
        let state = owner.as_ref().map(|owner| &owner.state);
        match state.filter(|state| state.is_live(Expiry::now())) {
            Some(live) => {
                if let (OwnerChange::Extend, Some(item)) = (write.change, found) {
                    return Ok(item);
                }
                write.adapt_to(live);
            }
            None => {
                let fresh = write.to_missing_item(id, state);
                if let Ok(item) = operation.update(fresh, ReturnValue::AllNew).await? {
                    return Ok(item);
                }
            }
        }
    }
}

impl DynamoDb {
    /// Returns whether the key that a login named has a record: a live one of the owner, or one
    /// without an owner, such as a tombstone, which may name the key that the session moved to.
    async fn has_record(
        &self,
        operation: &Operation<'_>,
        id: &str,
        owner: &OwnerState,
        key: &Key,
    ) -> Result<bool, Error> {
        let Some(item) = operation.get(&self.0.ids.of_session(key)).await? else {
            return Ok(false);
        };
        let may_live = match Ownership::in_item(&item)? {
            None => true,
            Some(record) => record.id == id && owner.lets_live(&record.login),
        };
        Ok(may_live && item.is_unexpired()?)
    }

    async fn page_of(
        &self,
        operation: &Operation<'_>,
        owner: &str,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        const UNEXPIRED: &str = "#expiry > :now";
        const OWNED: &str = "#owner = :owner";
        let request = operation
            .client
            .query()
            .table_name(operation.table)
            .index_name(DynamoDb::OWNERS_INDEX)
            .key_condition_expression(OWNED)
            .filter_expression(UNEXPIRED)
            .set_expression_attribute_names(Some(names_in(&[OWNED, UNEXPIRED])))
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":now", time(Expiry::now()))
            .set_exclusive_start_key(from);
        let answer = operation
            .send(Reads, || request.clone().send(), passing)
            .await
            .map_err(Refusal::into_error)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }
}

impl DynamoDb {
    async fn change_owner(
        &self,
        owner: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<Generation, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let write = OwnerWrite::new(change, until)?;
        let item = write_owner(&self.0.requests.operation(), &id, write).await?;
        item.generation()
    }
}

#[async_trait]
impl Generations for DynamoDb {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let owner = OwnerItem::read(&self.0.requests.operation(), &id).await?;
        Ok(owner.map(|owner| owner.state.generation))
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.change_owner(owner, until, OwnerChange::Extend).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        let revoke = OwnerChange::Revoke { keep: None };
        self.change_owner(owner, until, revoke).await
    }
}

#[async_trait]
impl Owners for DynamoDb {
    async fn begin(&self, owner: &OwnerName, until: Expiry, key: &Key) -> Result<Login, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let operation = self.0.requests.operation();
        let write = OwnerWrite::new(OwnerChange::Begin, until)?.with_key(key);
        let item = write_owner(&operation, &id, write).await?;
        if let Some(write) = recent::removal_of_oldest(&id, &item) {
            // If this fails, a later login removes more entries.
            let _ = operation.write(write, None).await;
        }
        Ok(Login {
            generation: item.generation()?,
            number: item.count("logins")?,
        })
    }

    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error> {
        let revoke = OwnerChange::Revoke { keep: Some(*keep) };
        self.change_owner(owner, until, revoke).await
    }

    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let operation = self.0.requests.operation();
        let Some(owner) = OwnerItem::read(&operation, &id).await? else {
            return Ok(Vec::new());
        };
        let OwnerItem { state, recent } = owner;
        let mut keys = HashSet::new();
        let mut from = None;
        loop {
            let (items, last) = self.page_of(&operation, &id, from).await?;
            for item in &items {
                let ownership = Ownership::in_item(item)?.ok_or_else(invalid_record)?;
                if state.lets_live(&ownership.login) {
                    keys.insert(self.0.ids.key_in(item.text("id")?)?);
                }
            }
            from = last;
            if from.is_none() {
                break;
            }
        }
        for key in recent {
            if !keys.contains(&key) && self.has_record(&operation, &id, &state, &key).await? {
                keys.insert(key);
            }
        }
        Ok(keys.into_iter().collect())
    }
}
