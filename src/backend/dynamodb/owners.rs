//! Whose records are whose: an item per owner, which the records of the owner name.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;

use super::super::{Error, Expiry, Generation, Key, Owner, Owners, Revision};
use super::DynamoDb;
use super::errors::Effect::Reads;
use super::errors::no_record;
use super::items::{Attributes, Ids, Item, bytes, text, time, time_to_live};
use super::requests::{Operation, Refusal, names_in, passing};
use super::writes::{Changes, Check, Values, Written};

/// How many bytes of a revision are the random mark, and how many a generation.
const MARK: usize = 16;

/// Whose a record is, and of which generation.
#[derive(Clone)]
pub(super) struct Ownership {
    /// The owner's item.
    id: String,
    generation: Generation,
}

impl Ownership {
    pub(super) fn of(owner: &Owner, ids: &Ids) -> Result<Self, Error> {
        Ok(Ownership {
            id: ids.of_owner(&owner.name)?,
            generation: owner.generation,
        })
    }

    /// As the item of a record says; none for one of nobody.
    pub(super) fn in_item(item: &Item) -> Result<Option<Self>, Error> {
        match item.optional_text("owner")? {
            None => Ok(None),
            Some(id) => Ok(Some(Ownership {
                id: id.to_owned(),
                generation: item.generation()?,
            })),
        }
    }

    pub(super) fn owner(&self, ids: &Ids) -> Result<Owner, Error> {
        Ok(Owner {
            name: ids.owner_in(&self.id)?,
            generation: self.generation,
        })
    }

    pub(super) fn id(&self) -> AttributeValue {
        text(&self.id)
    }

    pub(super) fn generation(&self) -> AttributeValue {
        bytes(self.generation.as_bytes())
    }

    /// How many bytes it takes in an item.
    pub(super) fn size(&self) -> usize {
        self.id.len() + MARK
    }

    /// That the owner lets the record of that ID live, as a condition.
    pub(super) fn check(self, record: &str) -> Check {
        let values = [
            (":now", time(Expiry::now())),
            (":generation", self.generation()),
            (":record", text(record)),
        ];
        Check {
            id: self.id,
            condition: "#expiry > :now AND (#generation = :generation OR #kept = :record)"
                .to_owned(),
            values: Values::from(values.map(|(name, value)| (name.to_owned(), value))),
        }
    }
}

/// What a revision says: a random mark, and whose the record was, so that a write asks for
/// nothing before it.
pub(super) struct Seen<'r> {
    pub(super) mark: &'r [u8],
    pub(super) ownership: Option<Ownership>,
}

impl<'r> Seen<'r> {
    pub(super) fn of(revision: &'r Revision) -> Result<Self, Error> {
        let foreign = || Error::usage("the revision is another backend's");
        let (mark, owner) = revision
            .as_bytes()
            .split_at_checked(MARK)
            .ok_or_else(foreign)?;
        let ownership = match owner.split_first_chunk::<MARK>() {
            None => None,
            Some((generation, id)) => Some(Ownership {
                id: String::from_utf8(id.to_vec()).map_err(|_| foreign())?,
                generation: Generation::from_bytes(*generation),
            }),
        };
        Ok(Seen { mark, ownership })
    }
}

pub(super) fn revision(mark: Generation, ownership: Option<&Ownership>) -> Revision {
    let mut bytes = mark.as_bytes().to_vec();
    if let Some(Ownership { id, generation }) = ownership {
        bytes.extend_from_slice(generation.as_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    Revision::new(bytes)
}

/// An owner, as the item says.
struct OwnerItem {
    generation: Generation,
    expiry: Expiry,
    kept: Option<String>,
}

impl OwnerItem {
    /// None, if there is none: what has expired is there, to be replaced.
    async fn found(operation: &Operation<'_>, id: &str) -> Result<Option<Self>, Error> {
        let Some(item) = operation.get(id).await? else {
            return Ok(None);
        };
        Ok(Some(OwnerItem {
            generation: item.generation()?,
            expiry: item.expiry()?,
            kept: item.optional_text("kept")?.map(str::to_owned),
        }))
    }

    fn lives(&self) -> bool {
        self.expiry > Expiry::now()
    }

    async fn read(operation: &Operation<'_>, id: &str) -> Result<Option<Self>, Error> {
        let found = OwnerItem::found(operation, id).await?;
        Ok(found.filter(OwnerItem::lives))
    }

    fn lets_live(&self, record: &Ownership, id: &str) -> bool {
        self.generation == record.generation || self.kept.as_deref() == Some(id)
    }
}

/// Owners, each asked once, and after the records that are judged by what they say: one who was
/// asked before a record was made may know nothing of its generation yet.
#[derive(Default)]
pub(super) struct Asked(HashMap<String, Option<OwnerItem>>);

impl Asked {
    /// Whether the record in that item lives, which its owner may deny.
    pub(super) async fn lives(
        &mut self,
        operation: &Operation<'_>,
        item: &Item,
    ) -> Result<bool, Error> {
        if !item.has_time()? {
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
        let id = item.text("id")?;
        Ok(owner.is_some_and(|owner| owner.lets_live(&record, id)))
    }
}

/// Writes an owner's item in place of what was found there; false, if that has changed.
async fn replace(
    operation: &Operation<'_>,
    id: &str,
    found: Option<&OwnerItem>,
    owner: &OwnerItem,
) -> Result<bool, Error> {
    let OwnerItem {
        generation,
        expiry,
        kept,
    } = owner;
    let changes = Changes::default()
        .set("generation", Some(bytes(generation.as_bytes())))
        .set("expiry", Some(time(*expiry)))
        .set("ttl", time_to_live(*expiry))
        .set("kept", kept.as_deref().map(text));
    let id = id.to_owned();
    let write = match found {
        None => changes.to(id, "attribute_not_exists(#id)", []),
        Some(found) => {
            let values = [
                (":seen", bytes(found.generation.as_bytes())),
                (":until", time(found.expiry)),
            ];
            changes.to(id, "#generation = :seen AND #expiry = :until", values)
        }
    };
    Ok(matches!(operation.write(write, None).await?, Written::Done))
}

impl DynamoDb {
    /// The ID of a record that is to outlive a revocation, if it lives now and is the owner's.
    async fn kept(
        &self,
        operation: &Operation<'_>,
        owner: &str,
        now: Option<&OwnerItem>,
        keep: Option<&Key>,
    ) -> Result<Option<String>, Error> {
        let (Some(now), Some(key)) = (now.filter(|owner| owner.lives()), keep) else {
            return Ok(None);
        };
        let id = self.0.ids.of_session(key);
        let Some(item) = operation.get(&id).await? else {
            return Ok(None);
        };
        let lives = item.has_time()?
            && Ownership::in_item(&item)?
                .is_some_and(|record| record.id == owner && now.lets_live(&record, &id));
        Ok(lives.then_some(id))
    }

    async fn page_of(
        &self,
        operation: &Operation<'_>,
        owner: &str,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        const LIVING: &str = "#expiry > :now";
        const OWNED: &str = "#owner = :owner";
        let request = operation
            .client
            .query()
            .table_name(operation.table)
            .index_name(DynamoDb::OWNERS_INDEX)
            .key_condition_expression(OWNED)
            .filter_expression(LIVING)
            .set_expression_attribute_names(Some(names_in(&[OWNED, LIVING])))
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

#[async_trait]
impl Owners for DynamoDb {
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let owner = OwnerItem::read(&self.0.requests.operation(), &id).await?;
        Ok(owner.map(|owner| owner.generation))
    }

    async fn begin(&self, owner: &str, until: Expiry) -> Result<Generation, Error> {
        Owner::check_name(owner)?;
        let id = self.0.ids.of_owner(owner)?;
        let operation = self.0.requests.operation();
        loop {
            let found = OwnerItem::found(&operation, &id).await?;
            let begun = match found.as_ref().filter(|owner| owner.lives()) {
                Some(owner) if owner.expiry >= until => return Ok(owner.generation),
                Some(owner) => OwnerItem {
                    generation: owner.generation,
                    expiry: until,
                    kept: owner.kept.clone(),
                },
                None => OwnerItem {
                    generation: Generation::random()?,
                    expiry: until,
                    kept: None,
                },
            };
            if replace(&operation, &id, found.as_ref(), &begun).await? {
                return Ok(begun.generation);
            }
        }
    }

    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Key>,
    ) -> Result<Generation, Error> {
        Owner::check_name(owner)?;
        let id = self.0.ids.of_owner(owner)?;
        let operation = self.0.requests.operation();
        let generation = Generation::random()?;
        loop {
            let found = OwnerItem::found(&operation, &id).await?;
            let kept = self.kept(&operation, &id, found.as_ref(), keep).await?;
            let expiry = match found.as_ref().filter(|owner| owner.lives()) {
                Some(owner) => until.max(owner.expiry),
                None => until,
            };
            let revoked = OwnerItem {
                generation,
                expiry,
                kept,
            };
            if replace(&operation, &id, found.as_ref(), &revoked).await? {
                return Ok(generation);
            }
        }
    }

    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error> {
        let id = self.0.ids.of_owner(owner)?;
        let operation = self.0.requests.operation();
        let Some(owner) = OwnerItem::read(&operation, &id).await? else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        let mut from = None;
        loop {
            let (items, last) = self.page_of(&operation, &id, from).await?;
            for item in &items {
                let record = item.text("id")?;
                let ownership = Ownership::in_item(item)?.ok_or_else(no_record)?;
                if owner.lets_live(&ownership, record) {
                    keys.push(self.0.ids.key_in(record)?);
                }
            }
            from = last;
            if from.is_none() {
                return Ok(keys);
            }
        }
    }
}
