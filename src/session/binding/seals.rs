//! [`Seals`]: the challenges and the bound cookies of a store. The codec chain seals both, so the
//! server stores neither.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::codec::{Codec, UnixTime};

use super::super::Error;
use super::super::key_binding::{BindingId, DeviceKey, KeyBinding};

/// Seals and opens the challenges and the bound cookies of a store.
#[derive(Clone)]
pub(super) struct Seals {
    codec: Arc<dyn Codec>,
    /// The name of the bound cookie, under which it is sealed.
    cookie: String,
    /// The name under which challenges are sealed. No cookie has it.
    challenge: String,
}

/// A text that a proof must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) id: BindingId,
    /// The number of the proof: 0 for a registration.
    pub(super) number: u64,
    pub(super) issued: UnixTime,
}

impl Seals {
    pub(super) fn new(codec: Arc<dyn Codec>, session: &str, cookie: &str) -> Self {
        Seals {
            codec,
            cookie: cookie.to_owned(),
            challenge: format!("{session}_challenge"),
        }
    }

    pub(super) fn cookie_name(&self) -> &str {
        &self.cookie
    }

    /// Returns the challenge for the next proof of a binding.
    pub(super) fn challenge(&self, binding: &KeyBinding, now: UnixTime) -> Result<String, Error> {
        let challenge = Challenge {
            id: binding.id,
            number: next_proof(binding.key.as_ref()),
            issued: now,
        };
        let sealed = self
            .codec
            .seal_at(&self.challenge, &challenge.to_bytes(), now);
        sealed.map_err(Error::of_codec)
    }

    /// Opens a challenge that is at most `life` old. Returns `None` for every other text.
    pub(super) fn open_challenge(
        &self,
        text: &str,
        life: Duration,
        now: UnixTime,
    ) -> Option<Challenge> {
        let mut payload = Vec::with_capacity(text.len());
        let opened = self
            .codec
            .open_into(&self.challenge, text, now, &mut payload);
        opened.ok()?;
        let challenge = Challenge::parse(&payload)?;
        let is_young = now.saturating_duration_since(challenge.issued) <= life;
        is_young.then_some(challenge)
    }

    /// Returns the value of a bound cookie that is good until `end`.
    pub(super) fn bound_cookie(
        &self,
        id: &BindingId,
        key: &DeviceKey,
        end: UnixTime,
        now: UnixTime,
    ) -> Result<String, Error> {
        let payload = [&tie(id, key)[..], &end.as_secs().to_be_bytes()].concat();
        let sealed = self.codec.seal_at(&self.cookie, &payload, now);
        sealed.map_err(Error::of_codec)
    }

    /// Returns whether a bound cookie is good for this key of this session.
    pub(super) fn is_bound_cookie(
        &self,
        value: &str,
        id: &BindingId,
        key: &DeviceKey,
        now: UnixTime,
    ) -> bool {
        let mut payload = Vec::with_capacity(value.len());
        let opened = self.codec.open_into(&self.cookie, value, now, &mut payload);
        if opened.is_err() {
            return false;
        }
        let Some((of, end)) = payload.split_first_chunk::<32>() else {
            return false;
        };
        let end = end.try_into().map(u64::from_be_bytes);
        let is_over = end.map_or(true, |end| now >= UnixTime::from_secs(end));
        let is_own: bool = of.ct_eq(&tie(id, key)).into();
        is_own && !is_over
    }
}

/// Returns the number of the next proof. The first one registers the key.
pub(super) fn next_proof(key: Option<&DeviceKey>) -> u64 {
    key.map_or(0, |key| key.proofs)
}

/// Returns a hash that ties a bound cookie to one key of one login.
fn tie(id: &BindingId, key: &DeviceKey) -> [u8; 32] {
    let hash = Sha256::new_with_prefix(b"silverback binding\0");
    hash.chain_update(id.as_bytes())
        .chain_update(key.point)
        .finalize()
        .into()
}

impl Challenge {
    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let parts = self.id.as_bytes().iter().copied();
        let parts = parts
            .chain(self.number.to_be_bytes())
            .chain(self.issued.as_secs().to_be_bytes());
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (number, issued) = rest.split_first_chunk::<8>()?;
        Some(Challenge {
            id: BindingId::from_slice(id)?,
            number: u64::from_be_bytes(*number),
            issued: UnixTime::from_secs(u64::from_be_bytes(issued.try_into().ok()?)),
        })
    }
}
