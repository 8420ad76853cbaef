//! Keys that rotate while they are in use.

use std::sync::{Arc, PoisonError, RwLock};

use silverback::codec::{
    Codec, Codecs, Error, KeyPair, KeyPairs, Opened, SecureCookie, Serializer, UnixTime,
};

/// The variable whose keys outlive the program.
const VARIABLE: &str = "SILVERBACK_KEYS";

/// The chain of keys, and a way to put a new one in front while cookies are in use. A
/// service that reads its keys from a file would build its chain once, at the start.
#[derive(Clone)]
pub(crate) struct Keys {
    /// The chain as it was at the start.
    first: Codecs,
    now: Arc<RwLock<(Vec<KeyPair>, Codecs)>>,
}

impl Keys {
    pub(crate) fn are_in_env() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// The keys in the environment, or else new ones.
    pub(crate) fn from_env() -> Result<Self, Error> {
        match Keys::are_in_env() {
            true => Keys::new(KeyPairs::from_env(VARIABLE)?),
            false => Keys::new(KeyPairs::generate(1)?),
        }
    }

    pub(crate) fn new(pairs: KeyPairs) -> Result<Self, Error> {
        let pairs: Vec<KeyPair> = pairs.into_iter().collect();
        let first = Codecs::from_pairs(pairs.clone())?;
        let now = Arc::new(RwLock::new((pairs, first.clone())));
        Ok(Keys { first, now })
    }

    pub(crate) fn rotate(&self) -> Result<(), Error> {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let mut pairs = now.0.clone();
        pairs.insert(0, KeyPair::generate()?);
        let codecs = Codecs::from_pairs(pairs.clone())?;
        *now = (pairs, codecs);
        Ok(())
    }

    fn codecs(&self) -> Codecs {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.1.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.codecs().openings().len() + 1
    }

    /// Which key sealed the cookie that came, if it is not key 1, the newest, which seals now.
    pub(crate) fn older_key_of(&self, cookie: Option<&str>) -> Option<usize> {
        let opened = self.codecs().open("id", cookie?).ok()?;
        opened.is_stale().then(|| opened.key())
    }
}

/// The store sees one codec, whatever its keys are at the moment.
impl Codec for Keys {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.codecs().seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.codecs().open_into(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.first.serializer()
    }

    /// Where sessions live in a server, the keys of their rows are derived from these. Those
    /// stay, so that rows are read however often the cookies' keys rotate.
    fn secure_cookies(&self) -> Vec<&SecureCookie> {
        self.first.secure_cookies()
    }
}
