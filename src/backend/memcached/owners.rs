//! Owners: each has one item. Its records are not listed.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;

use super::super::envelope::OwnerEnvelope;
use super::super::owner_state::{OwnerChange, OwnerState, owners_by_state};
use super::super::{Error, Expiry, Generation, Generations, Key, Login, Owner, OwnerName, Owners};
use super::Memcached;
use super::client::{If, Item, Operation, Written};
use super::errors::invalid_record;

/// The live states of owners; `None` for an owner without a live record.
pub(super) type OwnerStates = HashMap<OwnerName, Result<Option<OwnerState>, Error>>;

/// Reads an item, which must be the owner of that name.
fn state_in(name: &OwnerName, item: &Item) -> Result<OwnerState, Error> {
    match OwnerEnvelope::parse(&item.value) {
        Some(owner) if owner.name == *name => Ok(owner.state),
        _ => Err(invalid_record()),
    }
}

impl Memcached {
    /// Returns whether the owner's login is live.
    pub(super) async fn lets_live(
        &self,
        operation: &Operation<'_>,
        owner: &Owner,
    ) -> Result<bool, Error> {
        let found = self.read_owner(operation, &owner.name).await?;
        Ok(found.is_some_and(|(state, _)| {
            state.is_live(Expiry::now()) && state.lets_live(&owner.login)
        }))
    }

    /// Reads the live owners of many records, in one request to each server.
    pub(super) async fn owner_states<'n>(
        &self,
        operation: &Operation<'_>,
        names: impl Iterator<Item = &'n OwnerName>,
    ) -> Result<OwnerStates, Error> {
        let names: BTreeSet<&OwnerName> = names.collect();
        let keys: Vec<String> = names
            .iter()
            .map(|name| self.0.keys.of_owner(name))
            .collect();
        let items = operation.get_many(&keys).await?;
        let states = names.into_iter().zip(items).map(|(name, item)| {
            let state = item.and_then(|item| item.map(|item| state_in(name, &item)).transpose());
            let live = |state: &OwnerState| state.is_live(Expiry::now());
            (name.clone(), state.map(|state| state.filter(live)))
        });
        Ok(states.collect())
    }

    /// Reads the owner's item, live or not, and its number.
    async fn read_owner(
        &self,
        operation: &Operation<'_>,
        name: &OwnerName,
    ) -> Result<Option<(OwnerState, u64)>, Error> {
        match operation.get(&self.0.keys.of_owner(name)).await? {
            Some(item) => Ok(Some((state_in(name, &item)?, item.cas))),
            None => Ok(None),
        }
    }

    async fn live_owner(&self, name: &OwnerName) -> Result<Option<OwnerState>, Error> {
        let found = self.read_owner(&self.0.client.operation(), name).await?;
        let live = found.filter(|(state, _)| state.is_live(Expiry::now()));
        Ok(live.map(|(state, _)| state))
    }

    /// Changes the owner's item, and returns the owner after it.
    async fn change_owner(
        &self,
        name: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<OwnerState, Error> {
        let operation = self.0.client.operation();
        let fresh = Generation::random()?;
        loop {
            let found = self.read_owner(&operation, name).await?;
            let condition = match &found {
                None => If::Missing,
                Some((_, cas)) => If::Unchanged { cas: *cas },
            };
            let before = found.as_ref().map(|(state, _)| state);
            let state = OwnerState::after(change, before, until, fresh, Expiry::now());
            if before == Some(&state) {
                return Ok(state);
            }
            let envelope = OwnerEnvelope {
                name: name.clone(),
                state: state.clone(),
            };
            let (key, value) = (self.0.keys.of_owner(name), envelope.to_vec());
            let written = operation.set(&key, &value, state.expiry, condition).await?;
            if let Written::Done(_) = written {
                return Ok(state);
            }
        }
    }
}

owners_by_state!(Memcached {
    async fn keys(&self, _: &OwnerName) -> Result<Vec<Key>, Error> {
        Err(Error::usage(
            "Memcached cannot list the sessions of an owner: use another backend for that",
        ))
    }

    fn can_list(&self) -> bool {
        false
    }
});
