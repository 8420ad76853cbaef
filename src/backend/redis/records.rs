//! Records: each has one row.

use async_trait::async_trait;
use redis::Value;

use super::super::effect::Effect::{Reads, Writes};
use super::super::many::concurrently;
use super::super::ownership::{Ownership, SeenRevision, revision};
use super::super::{
    Backend, Changes, Created, Error, Expiry, Generation, Key, Outcome, Owners, Record, Revision,
    Scan, Stored,
};
use super::client::{Client, Operation};
use super::errors::{invalid_record, odd_answer};
use super::rows::{Row, left_until, rest_of};
use super::scripts::{CREATE, LOAD, LOAD_MANY, REMOVE, SWAP, Script, TOUCH};
use super::{Redis, check_size};

/// The number of records that one script loads. It delays all other commands by a few milliseconds.
pub(super) const KEYS_AT_ONCE: usize = 1_000;

/// The answer of a script that writes.
enum Written {
    Done,
    Gone,
    /// There is a row with another mark. If it has an owner and the servers are a cluster, the
    /// script does not know whether it is live.
    Other(Box<OtherRow>),
}

struct OtherRow {
    mark: [u8; 16],
    ownership: Option<Ownership>,
}

impl Written {
    fn of(answer: &Value) -> Result<Self, Error> {
        let parts = answer.as_sequence().unwrap_or_default();
        match (parts.first(), parts.get(1)) {
            (Some(Value::BulkString(status)), None) => match status.as_slice() {
                b"done" => Ok(Written::Done),
                b"gone" => Ok(Written::Gone),
                b"corrupt" => Err(invalid_record()),
                _ => Err(odd_answer(Writes)),
            },
            (Some(Value::BulkString(_)), Some(Value::BulkString(head))) => {
                let Row {
                    mark, ownership, ..
                } = Row::parse(head)?;
                Ok(Written::Other(Box::new(OtherRow { mark, ownership })))
            }
            _ => Err(odd_answer(Writes)),
        }
    }
}

impl Redis {
    /// Returns the arguments that all scripts begin with.
    pub(super) fn common(&self) -> [&[u8]; 2] {
        match self.0.client.is_cluster() {
            true => [b"", b""],
            false => [
                self.0.owners.owners.as_bytes(),
                self.0.owners.lists.as_bytes(),
            ],
        }
    }

    /// Writes the row under `key` that was seen.
    async fn write_seen(
        &self,
        operation: &Operation<'_>,
        script: &Script,
        key: &Key,
        arguments: &[&[u8]],
    ) -> Result<Outcome<()>, Error> {
        let key = self.0.records.of(key);
        let answer = operation.run(script, &[&key], arguments).await?;
        match Written::of(&answer)? {
            Written::Done => Ok(Outcome::Done(())),
            Written::Gone => Ok(Outcome::Gone),
            Written::Other(row) => match self.lets_live(operation, row.ownership.as_ref()).await? {
                true => Ok(Outcome::Conflict),
                false => Ok(Outcome::Gone),
            },
        }
    }
}

/// Runs a script that reads many rows. Returns one answer for each, and the server's time.
pub(super) async fn load_rows(
    client: &Client,
    script: &Script,
    keys: &[Vec<u8>],
    arguments: &[&[u8]],
) -> Result<(Vec<Value>, i64), Error> {
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    match client.operation().run(script, &keys, arguments).await? {
        Value::Array(answer) => match <[Value; 2]>::try_from(answer) {
            Ok([Value::Array(rows), Value::Int(now)]) if rows.len() == keys.len() => {
                Ok((rows, now))
            }
            _ => Err(odd_answer(Reads)),
        },
        _ => Err(odd_answer(Reads)),
    }
}

#[async_trait]
impl Backend for Redis {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let operation = self.0.client.operation();
        let key = self.0.records.of(key);
        let answer = operation.run(&LOAD, &[&key], &self.common()).await?;
        let (bytes, now) = match answer.as_sequence().unwrap_or_default() {
            [Value::BulkString(bytes), Value::Int(now)] => (bytes, *now),
            [] if answer == Value::Nil => return Ok(None),
            _ => return Err(odd_answer(Reads)),
        };
        let row = Row::parse(bytes)?;
        match self.lets_live(&operation, row.ownership.as_ref()).await? {
            true => row.into_stored(now).map(Some),
            false => Ok(None),
        }
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        // In a cluster, the records are in as many slots.
        if self.0.client.is_cluster() {
            return concurrently(self, keys).await;
        }
        let mut loaded = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let keys: Vec<Vec<u8>> = keys.iter().map(|key| self.0.records.of(key)).collect();
            let (rows, now) = load_rows(&self.0.client, &LOAD_MANY, &keys, &self.common()).await?;
            loaded.extend(rows.iter().map(|row| match row {
                Value::Nil => Ok(None),
                Value::BulkString(bytes) => Row::parse(bytes)?.into_stored(now).map(Some),
                _ => Err(invalid_record()),
            }));
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        check_size(record)?;
        let operation = self.0.client.operation();
        let mark = Generation::random()?;
        let left = left_until(record.expiry());
        let (rest, ownership) = rest_of(record);
        self.list_in_cluster(&operation, ownership.as_ref(), key, record.expiry())
            .await?;
        let row = self.0.records.of(key);
        let [owners, lists] = self.common();
        // The mark of a row whose login was revoked, if the script cannot know that.
        let mut dead = None;
        loop {
            let replaced = dead.as_ref().map_or(&[][..], |mark: &[u8; 16]| mark);
            let mark = mark.as_bytes();
            let arguments = [owners, lists, mark, left.as_bytes(), &rest, replaced];
            let answer = operation.run(&CREATE, &[&row], &arguments).await?;
            match Written::of(&answer)? {
                Written::Done => {
                    return Ok(Created::Saved(revision(mark, ownership.as_ref())));
                }
                Written::Gone => return Err(odd_answer(Writes)),
                Written::Other(row) => {
                    if self.lets_live(&operation, row.ownership.as_ref()).await? {
                        return Ok(Created::Exists);
                    }
                    dead = Some(row.mark);
                }
            }
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        check_size(record)?;
        let operation = self.0.client.operation();
        let seen = SeenRevision::<16>::of(seen)?;
        let mark = Generation::random()?;
        let left = left_until(record.expiry());
        let (rest, ownership) = rest_of(record);
        let listed = self.list_in_cluster(&operation, ownership.as_ref(), key, record.expiry());
        let mut is_live = listed.await?;
        if seen.ownership != ownership {
            is_live = self.lets_live(&operation, seen.ownership.as_ref()).await?;
        }
        if !is_live {
            return Ok(Outcome::Gone);
        }
        let [owners, lists] = self.common();
        let mark = mark.as_bytes();
        let arguments = [owners, lists, &seen.mark, mark, left.as_bytes(), &rest];
        let written = self.write_seen(&operation, &SWAP, key, &arguments).await?;
        Ok(written.map(|()| revision(mark, ownership.as_ref())))
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let operation = self.0.client.operation();
        let SeenRevision {
            mark: seen,
            ownership,
        } = SeenRevision::<16>::of(seen)?;
        let mark = Generation::random()?;
        if !self
            .list_in_cluster(&operation, ownership.as_ref(), key, until)
            .await?
        {
            return Ok(Outcome::Gone);
        }
        let left = left_until(until);
        let [owners, lists] = self.common();
        let mark = mark.as_bytes();
        let arguments = [owners, lists, &seen, mark, left.as_bytes()];
        let written = self.write_seen(&operation, &TOUCH, key, &arguments).await?;
        Ok(written.map(|()| revision(mark, ownership.as_ref())))
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let operation = self.0.client.operation();
        let seen = SeenRevision::<16>::of(seen)?;
        if !self.lets_live(&operation, seen.ownership.as_ref()).await? {
            return Ok(Outcome::Gone);
        }
        let [owners, lists] = self.common();
        let arguments = [owners, lists, &seen.mark];
        let removed = self
            .write_seen(&operation, &REMOVE, key, &arguments)
            .await?;
        if removed == Outcome::Done(()) {
            self.delist_in_cluster(&operation, seen.ownership.as_ref(), key)
                .await;
        }
        Ok(removed)
    }

    async fn ping(&self) -> Result<(), Error> {
        let operation = self.0.client.operation();
        operation
            .run(&LOAD, &[b"silverback-ping"], &self.common())
            .await
            .map(drop)
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.0.client.reports_changes().then_some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}
