//! [`Table`]: the operations of a backend, once for all SQL servers. Only this module distinguishes
//! a conflict from a record that is gone.
//!
//! Each operation is one statement, applied whole or not at all, even if the caller stops waiting.
//! A second one runs only to find out why a write changed no row, or for a key that an expired row
//! still has.

use std::collections::{BTreeSet, HashMap};

use crate::backend::layout::plain_key;
use crate::backend::moves::taken;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Login, Outcome, OwnerName, Page, Purged,
    Record, Revision, Stored,
};

use super::engine::Engine;
use super::rows::{
    Columns, generation_of, invalid_record, key_of, loaded_key_of, login_of, packed_keys, page_of,
    revision_of,
};
use super::statements::{OwnerStatements, Parameters, RevisionSource, Statement, Statements};
use crate::backend::effect::Effect::{Reads, Writes};

/// The number of keys that one statement loads. The server packs their rows into one answer.
const KEYS_AT_ONCE: usize = 1_000;

/// The rows of one table, in the database of an [`Engine`].
pub(super) struct Table<E> {
    pub(super) engine: E,
}

/// [`Backend`](crate::backend::Backend).
impl<E: Engine> Table<E> {
    pub(super) fn new(engine: E) -> Self {
        Table { engine }
    }

    pub(super) fn layout(&self) -> Layout {
        self.engine.layout()
    }

    pub(super) async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.check_key(key)?;
        let load = &self.engine.statements().await?.load;
        let parameters = Parameters::of_key(key);
        let rows = self.engine.rows(Reads, load, &parameters).await?;
        rows.first().map_or(Ok(None), Columns::stored)
    }

    pub(super) async fn load_many(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let mut found = HashMap::new();
        let valid: BTreeSet<&Key> = keys
            .iter()
            .filter(|key| self.check_key(key).is_ok())
            .collect();
        let valid: Vec<&Key> = valid.into_iter().collect();
        for batch in valid.chunks(KEYS_AT_ONCE) {
            let packed = packed_keys(batch.iter().copied());
            let parameters = Parameters {
                keys: Some(&packed),
                ..Parameters::default()
            };
            let load_many = &self.engine.statements().await?.load_many;
            for row in self.engine.rows(Reads, load_many, &parameters).await? {
                found.insert(loaded_key_of(&row)?, row);
            }
        }
        let answer = |key| {
            self.check_key(key)?;
            found.get(key).map_or(Ok(None), Columns::stored)
        };
        Ok(keys.iter().map(answer).collect())
    }

    pub(super) async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let all = self.engine.statements().await?;
        self.check(all, key, record)?;
        let new = all.choose_revision(record.owner().is_some())?;
        let parameters = Parameters {
            new: new.as_ref(),
            ..Parameters::of_key(key).with_record(record)
        };
        let create = for_record(record, &all.create, all.create_owned.as_ref());
        let created = match self.write(all, create, &parameters).await {
            Err(error) if E::is_taken(&error) => {
                self.create_over_dead(all, create, &parameters).await
            }
            created => created,
        };
        match created {
            Ok(Some(revision)) => Ok(Created::Saved(revision)),
            Ok(None) => Ok(Created::Exists),
            Err(error) if E::is_taken(&error) => Ok(Created::Exists),
            Err(error) => Err(error),
        }
    }

    /// Deletes the row that has the key if it is not live, and creates the row again. Deleting such
    /// a row changes nothing for other requests.
    async fn create_over_dead(
        &self,
        all: &Statements,
        create: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Revision>, Error> {
        let Some(remove_dead) = &all.remove_dead else {
            return Ok(None);
        };
        self.engine.written(remove_dead, parameters).await?;
        self.write(all, create, parameters).await
    }

    pub(super) async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let all = self.engine.statements().await?;
        self.check(all, key, record)?;
        let new = all.choose_revision(record.owner().is_some())?;
        let parameters = Parameters {
            seen: Some(seen),
            new: new.as_ref(),
            ..Parameters::of_key(key).with_record(record)
        };
        let swap = match all.unowned_at(seen) {
            Some(unowned) if record.owner().is_none() => &unowned.swap,
            _ => for_record(record, &all.swap, all.swap_owned.as_ref()),
        };
        let written = self.write(all, swap, &parameters).await?;
        self.outcome(all, key, written).await
    }

    pub(super) async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.check_key(key)?;
        let all = self.engine.statements().await?;
        let unowned = all.unowned_at(seen);
        let new = all.choose_revision(unowned.is_none())?;
        let parameters = Parameters {
            seen: Some(seen),
            new: new.as_ref(),
            until: Some(until),
            ..Parameters::of_key(key)
        };
        let touch = unowned.map_or(&all.touch, |unowned| &unowned.touch);
        let written = self.write(all, touch, &parameters).await?;
        self.outcome(all, key, written).await
    }

    pub(super) async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.check_key(key)?;
        let all = self.engine.statements().await?;
        let parameters = Parameters {
            seen: Some(seen),
            ..Parameters::of_key(key)
        };
        let written = self.engine.written(&all.remove, &parameters).await?;
        self.outcome(all, key, (written > 0).then_some(())).await
    }

    /// Writes one row. Returns its revision, or `None` if the statement changed no row.
    async fn write(
        &self,
        all: &Statements,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Revision>, Error> {
        match all.revisions {
            RevisionSource::Client => {
                let written = self.engine.written(statement, parameters).await?;
                Ok(parameters.new.filter(|_| written > 0).cloned())
            }
            RevisionSource::Server => {
                let rows = self.engine.rows(Writes, statement, parameters).await?;
                rows.first().map(revision_of).transpose()
            }
        }
    }

    /// Returns the outcome of a write that compared the seen revision.
    ///
    /// A revision is never used again. If the write changed no row, a live row is a conflict, and
    /// without a live row the record is gone.
    async fn outcome<T>(
        &self,
        all: &Statements,
        key: &Key,
        written: Option<T>,
    ) -> Result<Outcome<T>, Error> {
        if let Some(written) = written {
            return Ok(Outcome::Done(written));
        }
        let parameters = Parameters::of_key(key);
        let found = self.engine.rows(Reads, &all.find, &parameters).await?;
        Ok(match found.is_empty() {
            true => Outcome::Gone,
            false => Outcome::Conflict,
        })
    }

    /// Refuses keys that the rows of a Go package cannot have.
    fn check_key(&self, key: &Key) -> Result<(), Error> {
        match self.layout() {
            Layout::Native => Ok(()),
            _ => plain_key(key).map(drop),
        }
    }

    /// Refuses a record that no row can hold, before it is copied.
    fn check(&self, all: &Statements, key: &Key, record: &Record) -> Result<(), Error> {
        const REST: usize = 100; // revision, login, expiry, and the lengths of the parts
        self.check_key(key)?;
        let owner = record.owner().map_or(0, |owner| owner.name.as_str().len());
        let size = key.as_bytes().len() + owner + record.value().len() + REST;
        let largest = self.engine.largest();
        if size > largest {
            return Err(Error::too_large(size, largest));
        }
        match all.longest_value {
            Some(longest) if record.value().len() > longest => {
                Err(Error::too_large(record.value().len(), longest))
            }
            _ => Ok(()),
        }
    }
}

fn for_record<'s>(
    record: &Record,
    plain: &'s Statement,
    owned: Option<&'s Statement>,
) -> &'s Statement {
    owned.filter(|_| record.owner().is_some()).unwrap_or(plain)
}

/// [`Owners`](crate::backend::Owners).
impl<E: Engine> Table<E> {
    async fn owners(&self) -> Result<&OwnerStatements, Error> {
        let owners = self.engine.statements().await?.owners.as_ref();
        owners.ok_or_else(|| {
            Error::usage(
                "the table has no owners: use a backend that has them (see Backend::owners)",
            )
        })
    }

    pub(super) async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        let generation = &self.owners().await?.generation;
        let parameters = Parameters::of_owner(owner);
        let rows = self.engine.rows(Reads, generation, &parameters).await?;
        rows.first().map(generation_of).transpose()
    }

    pub(super) async fn begin(&self, owner: &OwnerName, until: Expiry) -> Result<Login, Error> {
        self.add_logins(owner, until, 1).await
    }

    pub(super) async fn extend(
        &self,
        owner: &OwnerName,
        until: Expiry,
    ) -> Result<Generation, Error> {
        Ok(self.add_logins(owner, until, 0).await?.generation)
    }

    /// Creates or extends the owner's row, and adds to its number of logins.
    async fn add_logins(
        &self,
        owner: &OwnerName,
        until: Expiry,
        logins: u64,
    ) -> Result<Login, Error> {
        let fresh = Generation::random()?;
        let parameters = Parameters {
            generation: Some(&fresh),
            until: Some(until),
            logins,
            ..Parameters::of_owner(owner)
        };
        let begin = &self.owners().await?.begin;
        let rows = self.engine.rows(Writes, begin, &parameters).await?;
        rows.first().map_or_else(|| Err(invalid_record()), login_of)
    }

    pub(super) async fn revoke(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error> {
        let fresh = Generation::random()?;
        let parameters = Parameters {
            generation: Some(&fresh),
            until: Some(until),
            kept: keep,
            ..Parameters::of_owner(owner)
        };
        let revoke = &self.owners().await?.revoke;
        self.engine.written(revoke, &parameters).await?;
        Ok(fresh)
    }

    pub(super) async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let keys = &self.owners().await?.keys;
        let parameters = Parameters::of_owner(owner);
        let rows = self.engine.rows(Reads, keys, &parameters).await?;
        rows.iter().map(key_of).collect()
    }
}

/// [`Moves`](crate::backend::Moves).
impl<E: Engine> Table<E> {
    pub(super) async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.check_key(key)?;
        let all = self.engine.statements().await?;
        self.check(all, to, record)?;
        let Some(move_to) = &all.move_to else {
            return Err(Error::usage(
                "the table cannot move rows (see Backend::moves)",
            ));
        };
        let new = all.choose_revision(record.owner().is_some())?;
        let parameters = Parameters {
            to: Some(to),
            seen: Some(seen),
            new: new.as_ref(),
            ..Parameters::of_key(key).with_record(record)
        };
        match self.write(all, move_to, &parameters).await {
            Err(error) if E::is_taken(&error) => Err(taken().with_source(error)),
            written => self.outcome(all, key, written?).await,
        }
    }
}

/// [`Scan`](crate::backend::Scan).
impl<E: Engine> Table<E> {
    pub(super) async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let page = &self.engine.statements().await?.page;
        let parameters = Parameters {
            key: after,
            limit,
            ..Parameters::default()
        };
        let rows = self.engine.rows(Reads, page, &parameters).await?;
        page_of(&rows, limit)
    }

    /// Purges all expired owners first. Their records then expire too.
    pub(super) async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let all = self.engine.statements().await?;
        if let Some(owners) = &all.owners {
            let batch = limit.max(1);
            while self.purge_batch(&owners.purge, batch).await? == batch {}
        }
        let removed = self.purge_batch(&all.purge, limit).await?;
        Ok(Purged::removed(removed))
    }

    async fn purge_batch(&self, statement: &Statement, limit: usize) -> Result<usize, Error> {
        let parameters = Parameters {
            limit,
            ..Parameters::default()
        };
        let removed = self.engine.written(statement, &parameters).await?;
        Ok(usize::try_from(removed).unwrap_or(limit))
    }
}
