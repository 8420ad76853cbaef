//! Owners: each has one item. Its records are not listed.

use async_trait::async_trait;

use super::super::envelope::OwnerEnvelope;
use super::super::owner_state::{OwnerChange, OwnerState, owners_by_state};
use super::super::{Error, Expiry, Generation, Generations, Key, Login, Owner, OwnerName, Owners};
use super::Memcached;
use super::client::{If, Operation, Written};
use super::errors::invalid_record;

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

    /// Reads the owner's item, live or not, and its number.
    async fn read_owner(
        &self,
        operation: &Operation<'_>,
        name: &OwnerName,
    ) -> Result<Option<(OwnerState, u64)>, Error> {
        let Some(item) = operation.get(&self.0.keys.of_owner(name)).await? else {
            return Ok(None);
        };
        match OwnerEnvelope::parse(&item.value) {
            Some(owner) if owner.name == *name => Ok(Some((owner.state, item.cas))),
            _ => Err(invalid_record()),
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
