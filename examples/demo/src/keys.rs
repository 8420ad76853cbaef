//! Keys that rotate while they are in use.

use std::sync::{Arc, PoisonError, RwLock};

use silverback::codec::{
    Codec, Codecs, Error, HashKey, KeyPair, KeyPairs, Opened, SecureCookie, Serializer, UnixTime,
};

use super::cookie::NAME;

/// The variable whose keys outlive the program.
const VARIABLE: &str = "SILVERBACK_KEYS";

/// The keys, newest first, and a way to add one while cookies are in use. A service that reads
/// its keys from a file would build its `Codecs` once, at the start.
#[derive(Clone)]
pub(crate) struct Keys {
    at_start: Codecs,
    current: Arc<RwLock<(Vec<KeyPair>, Codecs)>>,
}

/// The key of a cookie.
#[derive(Clone, Copy)]
pub(crate) struct KeyFacts {
    /// True if the key encrypts as well as signs.
    pub(crate) encrypts: bool,
    /// True if there is a newer key.
    pub(crate) is_older: bool,
}

impl Keys {
    pub(crate) fn are_in_env() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// Reads the keys from the environment, or makes new ones if it has none.
    pub(crate) fn from_env() -> Result<Self, Error> {
        match Keys::are_in_env() {
            true => Keys::new(KeyPairs::from_env(VARIABLE)?),
            false => Keys::new(KeyPairs::generate(1)?),
        }
    }

    pub(crate) fn new(pairs: KeyPairs) -> Result<Self, Error> {
        let pairs: Vec<KeyPair> = pairs.into_iter().collect();
        let at_start = Codecs::from_pairs(pairs.clone())?;
        let current = Arc::new(RwLock::new((pairs, at_start.clone())));
        Ok(Keys { at_start, current })
    }

    /// Adds a new key, for all cookies from now on. The older keys still open their cookies.
    pub(crate) fn rotate(&self, encrypts: bool) -> Result<(), Error> {
        let new = match encrypts {
            true => KeyPair::generate()?,
            false => KeyPair::sign_only(HashKey::generate()?),
        };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut pairs = current.0.clone();
        pairs.insert(0, new);
        let codecs = Codecs::from_pairs(pairs.clone())?;
        *current = (pairs, codecs);
        Ok(())
    }

    fn current(&self) -> (Vec<KeyPair>, Codecs) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.current().0.len()
    }

    /// Returns whether the newest key encrypts.
    pub(crate) fn encrypt(&self) -> bool {
        let (pairs, _) = self.current();
        pairs.first().is_some_and(|pair| pair.block().is_some())
    }

    /// Returns the facts about the key that opens a cookie's value, or `None` if no key does.
    pub(crate) fn key_of(&self, value: &str) -> Option<KeyFacts> {
        let (pairs, codecs) = self.current();
        let opened = codecs.open(NAME, value).ok()?;
        // Keys are counted from 1.
        let pair = pairs.get(opened.key() - 1)?;
        Some(KeyFacts {
            encrypts: pair.block().is_some(),
            is_older: opened.is_stale(),
        })
    }
}

/// The store sees one codec, whose keys change.
impl Codec for Keys {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.current().1.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.current().1.open_into(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.at_start.serializer()
    }

    /// Returns the codecs of the start: a store derives the keys of its rows from them, and rows
    /// stay readable when the cookies' keys rotate.
    fn secure_cookies(&self) -> Vec<&SecureCookie> {
        self.at_start.secure_cookies()
    }
}
