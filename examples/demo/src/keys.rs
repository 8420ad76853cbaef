//! Keys that rotate while they are in use.

use std::sync::{Arc, Mutex, PoisonError};

use silverback::codec::{
    Codec, Error, HashKey, KeyPair, KeyPairs, KeyRing, KeyRingOptions, KeySource, Opened,
    SecureCookies, Serializer, UnixTime,
};

use super::cookie::NAME;

/// The variable whose keys outlive the program.
const VARIABLE: &str = "SILVERBACK_KEYS";

/// The keys, newest first, and a way to add one while cookies are in use. A service would read its
/// keys from a file, with `KeyRing::from_file`.
#[derive(Clone)]
pub(crate) struct Keys {
    ring: KeyRing,
    pairs: Arc<Mutex<KeyPairs>>,
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
        let pairs = Arc::new(Mutex::new(pairs));
        let of_ring = pairs.clone();
        let source = KeySource::function(move || Ok(current(&of_ring)));
        let ring = KeyRing::with_options(source, KeyRingOptions::new())?;
        Ok(Keys { ring, pairs })
    }

    /// Adds a new key, for all cookies from now on. The older keys still open their cookies.
    pub(crate) fn rotate(&self, encrypts: bool) -> Result<(), Error> {
        let new = match encrypts {
            true => KeyPair::generate()?,
            false => KeyPair::sign_only(HashKey::generate()?),
        };
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        *pairs = KeyPairs::new(std::iter::once(new).chain(pairs.iter().cloned()))?;
        drop(pairs);
        self.ring.reload().map(drop)
    }

    pub(crate) fn count(&self) -> usize {
        current(&self.pairs).len()
    }

    /// Returns whether the newest key encrypts.
    pub(crate) fn encrypt(&self) -> bool {
        let pairs = current(&self.pairs);
        pairs
            .iter()
            .next()
            .is_some_and(|pair| pair.block().is_some())
    }

    /// Returns the facts about the key that opens a cookie's value, or `None` if no key does.
    pub(crate) fn key_of(&self, value: &str) -> Option<KeyFacts> {
        let opened = self.ring.open(NAME, value).ok()?;
        let pairs = current(&self.pairs);
        // Keys are counted from 1.
        let pair = pairs.iter().nth(opened.key() - 1)?;
        Some(KeyFacts {
            encrypts: pair.block().is_some(),
            is_older: opened.is_stale(),
        })
    }
}

fn current(pairs: &Mutex<KeyPairs>) -> KeyPairs {
    let pairs = pairs.lock().unwrap_or_else(PoisonError::into_inner);
    pairs.clone()
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
        self.ring.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.ring.open_into(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.ring.serializer()
    }

    /// Returns the codecs of this moment. A store derives the keys of its rows from them, and
    /// derives them again after a rotation.
    fn secure_cookies(&self) -> SecureCookies {
        self.ring.secure_cookies()
    }
}
