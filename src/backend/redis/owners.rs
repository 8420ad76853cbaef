//! Owners: each has a hash, and a list of the keys of its records.
//!
//! | field of the hash | contents |
//! |---|---|
//! | `generation` | the current one, 16 bytes |
//! | `logins` | the number of logins that have begun |
//! | `kept` | the login that the last revocation kept, or nothing |
//! | `expiry` | milliseconds since 1970-01-01T00:00:00Z, by the server's clock |
//!
//! The list is a sorted set of keys. Its scores are the times until which the keys are listed: a minute
//! or two after the expiries of the records, so that most saves change nothing in the list.

use async_trait::async_trait;
use redis::Value;
use tokio::task::JoinSet;

use super::super::effect::Effect::{Reads, Writes};
use super::super::owner_state::{OwnerChange, OwnerState, owners_by_state};
use super::super::ownership::Ownership;
use super::super::{Error, Expiry, Generation, Generations, Key, Login, OwnerName, Owners};
use super::Redis;
use super::client::Operation;
use super::errors::{invalid_record, odd_answer};
use super::owner_keys::id_of;
use super::rows::{Row, digits, expiry_in, left_until, login_bytes, login_in};
use super::scripts::{CHANGE_OWNER, LIST, LOGIN, PEEK, READ_OWNER};

/// The number of records of an owner that are read at the same time.
const READ_AT_ONCE: usize = 64;

impl Redis {
    /// Returns whether the login is live, or whether the script will check that.
    pub(super) async fn lets_live(
        &self,
        operation: &Operation<'_>,
        owner: Option<&Ownership>,
    ) -> Result<bool, Error> {
        match owner {
            Some(owner) if self.0.client.is_cluster() => {
                self.check_login(operation, owner, &[], Expiry::now()).await
            }
            _ => Ok(true),
        }
    }

    /// In a cluster, lists the key of a record that is about to be written, and returns whether its
    /// login is live. Otherwise the script that writes does both.
    pub(super) async fn list_in_cluster(
        &self,
        operation: &Operation<'_>,
        owner: Option<&Ownership>,
        key: &Key,
        until: Expiry,
    ) -> Result<bool, Error> {
        match owner {
            Some(owner) if self.0.client.is_cluster() => {
                let key = self.0.records.of(key);
                self.check_login(operation, owner, &key, until).await
            }
            _ => Ok(true),
        }
    }

    async fn check_login(
        &self,
        operation: &Operation<'_>,
        owner: &Ownership,
        listed: &[u8],
        until: Expiry,
    ) -> Result<bool, Error> {
        let keys = &self.0.owners;
        let (owner_key, list) = (keys.of_owner(&owner.id), keys.of_list(&owner.id));
        let (login, left) = (login_bytes(&owner.login), left_until(until));
        let [owners, lists] = self.common();
        let arguments = [owners, lists, &login, listed, left.as_bytes()];
        let keys = [owner_key.as_bytes(), list.as_bytes()];
        match operation.run(&LOGIN, &keys, &arguments).await? {
            Value::Int(is_live) => Ok(is_live == 1),
            _ => Err(odd_answer(Reads)),
        }
    }

    /// In a cluster, removes the key of a record that was removed from its owner's list. If that
    /// fails, the key stays there until a minute or two after the record would have expired.
    pub(super) async fn delist_in_cluster(
        &self,
        operation: &Operation<'_>,
        owner: Option<&Ownership>,
        key: &Key,
    ) {
        if let Some(owner) = owner.filter(|_| self.0.client.is_cluster()) {
            let keys = &self.0.owners;
            let mut command = redis::cmd("ZREM");
            command
                .arg(keys.of_list(&owner.id))
                .arg(self.0.records.of(key));
            let _ = operation.read(&command).await;
        }
    }

    pub(super) async fn live_owner(&self, name: &OwnerName) -> Result<Option<OwnerState>, Error> {
        let key = self.0.owners.of_owner(&id_of(name));
        let [owners, lists] = self.common();
        let arguments = [owners, lists, b"read"];
        let operation = self.0.client.operation();
        match operation
            .run(&READ_OWNER, &[key.as_bytes()], &arguments)
            .await?
        {
            Value::Nil => Ok(None),
            answer => state_in(&answer).map(Some),
        }
    }

    /// Applies the change to the owner's hash, and returns the owner after it.
    async fn change_owner(
        &self,
        name: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<OwnerState, Error> {
        let (change, keep): (&[u8], _) = match change {
            OwnerChange::Extend => (b"extend", None),
            OwnerChange::Begin => (b"begin", None),
            OwnerChange::Revoke { keep } => (b"revoke", keep),
        };
        let keep = keep.as_ref().map_or_else(Vec::new, login_bytes);
        let key = self.0.owners.of_owner(&id_of(name));
        let (fresh, left) = (Generation::random()?, left_until(until));
        let [owners, lists] = self.common();
        let fresh = fresh.as_bytes();
        let arguments = [owners, lists, change, left.as_bytes(), fresh, &keep];
        let operation = self.0.client.operation();
        match operation
            .run(&CHANGE_OWNER, &[key.as_bytes()], &arguments)
            .await?
        {
            Value::Nil => Err(odd_answer(Writes)),
            answer => state_in(&answer),
        }
    }

    /// Returns whether the listed key has a live record of the owner, or one that has lost its owner:
    /// such a record may name the key that it moved to.
    async fn has_record(&self, id: &str, owner: &OwnerState, key: &[u8]) -> Result<bool, Error> {
        let operation = self.0.client.operation();
        let Some(peeked) = self.peek(&operation, key).await? else {
            return Ok(false);
        };
        let row = Row::parse(&peeked.head)?;
        let may_live = row
            .ownership
            .as_ref()
            .is_none_or(|record| record.id == id && owner.lets_live(&record.login));
        Ok(may_live && !row.has_expired(peeked.now))
    }

    /// Reads the head of the row under that key in Redis.
    pub(super) async fn peek(
        &self,
        operation: &Operation<'_>,
        key: &[u8],
    ) -> Result<Option<Peeked>, Error> {
        let answer = operation.run(&PEEK, &[key], &self.common()).await?;
        match answer.as_sequence().unwrap_or_default() {
            [Value::BulkString(_), Value::Int(0), Value::Int(_)] => Ok(None),
            [Value::BulkString(head), Value::Int(length), Value::Int(now)] => {
                let length = usize::try_from(*length).unwrap_or_default();
                Ok(Some(Peeked {
                    head: head.clone(),
                    unread: length.saturating_sub(head.len()),
                    now: *now,
                }))
            }
            _ => Err(odd_answer(Reads)),
        }
    }
}

/// The beginning of a row, at least its head.
pub(super) struct Peeked {
    pub(super) head: Vec<u8>,
    /// The number of bytes that follow in the row.
    pub(super) unread: usize,
    /// The time by the server's clock.
    pub(super) now: i64,
}

/// Reads an owner as the scripts return it.
fn state_in(answer: &Value) -> Result<OwnerState, Error> {
    let parts = answer.as_sequence().unwrap_or_default();
    let [
        Value::BulkString(generation),
        Value::BulkString(logins),
        Value::BulkString(kept),
        Value::BulkString(expiry),
        Value::Int(now),
    ] = parts
    else {
        return Err(invalid_record());
    };
    let state = || {
        let expiry = i64::try_from(digits(expiry)?).ok()?;
        Some(OwnerState {
            generation: Generation::from_bytes(generation.as_slice().try_into().ok()?),
            logins: digits(logins)?,
            kept: login_in(kept),
            expiry: expiry_in(expiry, *now),
        })
    };
    state().ok_or_else(invalid_record)
}

owners_by_state!(Redis {
    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let Some(state) = self.live_owner(owner).await? else {
            return Ok(Vec::new());
        };
        let id = id_of(owner);
        let list = self.0.owners.of_list(&id);
        let operation = self.0.client.operation();
        let answer = operation
            .run(&LIST, &[list.as_bytes()], &self.common())
            .await?;
        let mut listed = answer.as_sequence().unwrap_or_default().iter();
        let (mut reads, mut keys) = (JoinSet::new(), Vec::new());
        loop {
            while reads.len() < READ_AT_ONCE
                && let Some(Value::BulkString(key)) = listed.next()
            {
                let (backend, id, state, key) =
                    (self.clone(), id.clone(), state.clone(), key.clone());
                reads.spawn(async move {
                    let has_record = backend.has_record(&id, &state, &key).await?;
                    Ok(has_record
                        .then(|| backend.0.records.record_in(&key))
                        .flatten())
                });
            }
            match reads.join_next().await {
                Some(Ok(read)) => keys.extend(read?),
                Some(Err(_)) => return Err(odd_answer(Reads)),
                None => return Ok(keys),
            }
        }
    }
});
