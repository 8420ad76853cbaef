//! [`Sessions`]: what the stores for gorilla/sessions are told alike.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::codec::{CodecOptions, Codecs, KeyPairs};
use crate::session::{CookieOptions, Dialect, Error, Lifetime, ServerOptions, ServerStore};

/// The longest that browsers keep a cookie.
const LONGEST_REMEMBERED: Duration = Duration::from_secs(86_400 * 400);

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    keys: KeyPairs,
    pub(super) max_age: Duration,
    pub(super) max_length: usize,
    pub(super) cookie: CookieOptions,
}

impl Sessions {
    /// With the defaults of those stores: 30 days, and 4096 bytes.
    pub(super) fn sealed_by(keys: KeyPairs) -> Self {
        Sessions {
            keys,
            max_age: Duration::from_secs(86_400 * 30),
            max_length: 4096,
            cookie: CookieOptions::new(),
        }
    }

    /// Those of that name in that backend.
    pub(super) fn named(
        &self,
        name: impl Into<String>,
        backend: Arc<dyn Backend>,
    ) -> Result<ServerStore, Error> {
        let codec = CodecOptions::new()
            .max_age(self.max_age)
            .max_length(self.max_length);
        let codecs = Codecs::from_pairs_with(self.keys.clone(), &codec).map_err(Error::of_codec)?;
        let remembered = self.max_age.min(LONGEST_REMEMBERED);
        let lifetime = Lifetime::new()
            .idle(self.max_age)
            .absolute(self.max_age)
            .remember_me(remembered, remembered);
        let options = ServerOptions::new()
            .cookie(self.cookie.clone().name(name)?)
            .lifetime(lifetime)
            .dialect(Dialect::Gorilla);
        ServerStore::with_options(codecs, backend, options)
    }
}
