//! [`GorillaSettings`]: the settings that the stores for gorilla/sessions share.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::codec::{CodecOptions, Codecs, KeyPairs};
use crate::session::{CookieOptions, Dialect, Error, Lifetime, ServerOptions, ServerStore};

#[derive(Clone, Debug)]
pub(super) struct GorillaSettings {
    keys: KeyPairs,
    /// The lifetime of a session after its last save or use.
    lifetime: Duration,
    /// True if `lifetime` also limits the age of cookies and of the rows' texts: Go's `MaxAge` is
    /// not 0.
    has_max_age: bool,
    pub(super) max_length: usize,
    pub(super) cookie: CookieOptions,
    pub(super) known_types: Vec<String>,
}

impl GorillaSettings {
    /// Returns the defaults of those stores: 30 days, and 4096 bytes.
    pub(super) fn new(keys: KeyPairs) -> Self {
        GorillaSettings {
            keys,
            lifetime: Duration::from_secs(86_400 * 30),
            has_max_age: true,
            max_length: 4096,
            cookie: CookieOptions::new(),
            known_types: Vec::new(),
        }
    }

    pub(super) fn max_age(self, max_age: Duration) -> Self {
        GorillaSettings {
            lifetime: max_age,
            has_max_age: true,
            ..self
        }
    }

    /// Sets Go's `MaxAge` to 0: `lifetime` does not limit the age of cookies and of the rows'
    /// texts.
    pub(super) fn without_max_age(self, lifetime: Duration) -> Self {
        GorillaSettings {
            lifetime,
            has_max_age: false,
            ..self
        }
    }

    /// Returns the store of the sessions under `name` in `backend`.
    pub(super) fn store(
        &self,
        name: impl Into<String>,
        backend: Arc<dyn Backend>,
    ) -> Result<ServerStore, Error> {
        let cookie = self.cookie.clone().name(name)?;
        let (max_age, cookie) = match self.has_max_age {
            true => (self.lifetime, cookie),
            false => (Duration::ZERO, cookie.persistent(false)),
        };
        let codec = CodecOptions::new()
            .max_age(max_age)
            .max_length(self.max_length);
        let codecs = Codecs::from_pairs_with(self.keys.clone(), &codec)?;
        let options = ServerOptions::new()
            .cookie(cookie)
            .lifetime(Lifetime::sliding(self.lifetime));
        let dialect = Dialect::gorilla(codecs).known_types(self.known_types.iter().cloned());
        ServerStore::with_options(dialect, backend, options)
    }
}
