//! [`GorillaStore`]: the settings of Go's server stores for gorilla/sessions, and stores with these
//! settings.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::codec::{CodecOptions, Codecs, KeyPairs};
use crate::session::{CookieOptions, Dialect, Error, Lifetime, ServerOptions, ServerStore};

/// The sessions of a Go program that keeps them in a server, or in files, with gorilla/sessions.
/// Both programs use the same rows and may run at the same time.
///
/// | store of the Go program | ours |
/// |---|---|
/// | `FilesystemStore` of gorilla/sessions | [`GorillaStore::new`] with `backend::GorillaFiles` (feature `files`) |
/// | rafaelespinoza/pgstore, antonlindstrom/pgstore | `PgStore` (feature `postgres`) |
/// | pratikju/dynamostore | `DynamoStore` (feature `aws`) |
/// | another store with the same rows | [`GorillaStore::new`] with a backend of your own |
///
/// ```no_run
/// # #[cfg(feature = "files")]
/// # fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::backend::GorillaFiles;
/// use silverback::codec::KeyPairs;
/// use silverback::compat::GorillaStore;
///
/// // Go: sessions.NewFilesystemStore("/var/lib/shop/sessions", keys...)
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let files = GorillaFiles::open("/var/lib/shop/sessions")?;
/// let sessions = GorillaStore::new(files, keys).named("session-name")?; // for a SessionLayer
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewFilesystemStore(path, keyPairs...)` | [`GorillaStore::new`]; the keys are typed: [`KeyPairs`] |
/// | `store.Options` | [`options`](GorillaStore::options), with safe defaults |
/// | `store.MaxAge(age)` | [`max_age`](GorillaStore::max_age), set once: no request changes it for others |
/// | `store.MaxLength(l)` | [`max_length`](GorillaStore::max_length) |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](GorillaStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["k"]`, `session.Values["k"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)`, `store.Save(r, w, session)` | not needed: changes are saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`end`](crate::session::Session::end) |
///
/// # Differences from Go
///
/// This store is stricter:
/// - If the backend does not answer, the request gets an error, not a new session.
/// - A client's ID without a row is not reused: the next save makes a new ID.
/// - Each write compares the row with the one that was read. No update of ours is lost, and an
///   ended session stays ended, unless the Go program brings it back.
///
/// As in Go, a session and its cookie last [`max_age`](GorillaStore::max_age) from the last save.
/// Here a use renews them, too, if a tenth of that time has passed since the last renewal.
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias = "FilesystemStore")]
pub struct GorillaStore<B> {
    backend: Arc<B>,
    keys: KeyPairs,
    /// The lifetime of a session after its last save or use.
    lifetime: Duration,
    /// True if `lifetime` also limits the age of cookies and of the rows' texts: Go's `MaxAge` is
    /// not 0.
    has_max_age: bool,
    max_length: usize,
    cookie: CookieOptions,
    known_types: Vec<String>,
}

impl<B> GorillaStore<B> {
    /// Returns the defaults of the Go packages, 30 days and 4096 bytes, for the rows of `backend`.
    ///
    /// The rows must be gorilla's: see [`Backend::layout`].
    #[doc(alias = "NewFilesystemStore")]
    #[doc(alias = "NewPGStoreFromPool")]
    pub fn new(backend: B, keys: KeyPairs) -> Self {
        GorillaStore {
            backend: Arc::new(backend),
            keys,
            lifetime: Duration::from_secs(86_400 * 30),
            has_max_age: true,
            max_length: 4096,
            cookie: CookieOptions::new(),
            known_types: Vec::new(),
        }
    }

    /// Sets the lifetime of a session after its last save or use, in whole seconds. It also
    /// limits the age of a cookie and of a row's text. Default: 30 days.
    #[doc(alias = "MaxAge")]
    pub fn max_age(self, max_age: Duration) -> Self {
        GorillaStore {
            lifetime: max_age,
            has_max_age: true,
            ..self
        }
    }

    /// Keeps sessions in `backend` with Go's `MaxAge` of 0: `lifetime` does not limit the age of
    /// cookies and of the rows' texts.
    #[cfg(feature = "postgres")]
    pub(super) fn unlimited(self, backend: B, lifetime: Duration) -> Self {
        GorillaStore {
            backend: Arc::new(backend),
            lifetime,
            has_max_age: false,
            ..self
        }
    }

    /// Sets the maximum length of a row's text, in bytes. Zero means any length that the backend
    /// accepts. Default: 4096, as in Go. A Go program refuses longer texts unless it has the same
    /// setting.
    #[doc(alias = "MaxLength")]
    pub fn max_length(self, max_length: usize) -> Self {
        GorillaStore { max_length, ..self }
    }

    /// Sets the options of the cookies, except the name. Default: [`CookieOptions::new`]. Go's
    /// default is only `Path=/` and a `Max-Age`.
    #[doc(alias = "Options")]
    pub fn options(self, cookie: CookieOptions) -> Self {
        GorillaStore { cookie, ..self }
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.known_types.extend(names.into_iter().map(Into::into));
        self
    }

    /// Returns the backend of the rows.
    #[must_use]
    pub fn backend(&self) -> Arc<B> {
        self.backend.clone()
    }
}

impl<B: Backend + 'static> GorillaStore<B> {
    /// Returns the store of the sessions under `name`: the name of the cookie, under which Go
    /// also seals its rows.
    ///
    /// # Errors
    /// Returns a usage error if `name` is not a valid cookie name, if options contradict each
    /// other, or if the backend's rows are not gorilla's.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        let cookie = self.cookie.clone().name(name)?;
        let (max_age, cookie) = match self.has_max_age {
            true => (self.lifetime, cookie),
            false => (Duration::ZERO, cookie.persistent(false)),
        };
        let codec = CodecOptions::new()
            .max_age(max_age)
            .max_length(self.max_length);
        let codecs = Codecs::from_pairs_with(self.keys.clone(), &codec).map_err(Error::of_codec)?;
        let options = ServerOptions::new()
            .cookie(cookie)
            .lifetime(Lifetime::sliding(self.lifetime));
        let dialect = Dialect::gorilla(codecs).known_types(self.known_types.iter().cloned());
        ServerStore::with_options(dialect, self.backend(), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Memory;

    #[test]
    fn rows_that_are_not_gorillas_are_refused() {
        let keys = KeyPairs::generate(1).unwrap();
        let refused = GorillaStore::new(Memory::new(), keys).named("session");
        let refused = refused.err().unwrap();
        assert!(refused.is_usage(), "{refused}");
    }
}
