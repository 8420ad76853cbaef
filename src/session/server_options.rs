//! [`ServerOptions`]: how a [`ServerStore`](super::ServerStore) keeps its sessions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, UnixTime};

use super::store::Clock;
use super::{CookieOptions, Dialect, Lifetime};

/// What a [`ServerStore`](super::ServerStore) can be told: all has a default.
///
/// ```
/// use silverback::session::{CookieOptions, Lifetime, ServerOptions};
///
/// let options = ServerOptions::new()
///     .cookie(CookieOptions::new().name("__Host-shop")?)
///     .lifetime(Lifetime::new().remember_me())
///     .at_most(5);
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone)]
pub struct ServerOptions {
    pub(super) cookie: CookieOptions,
    /// None: that of the dialect.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) store_name: String,
    pub(super) row_codec: Option<Arc<dyn Codec>>,
    pub(super) at_most: Option<usize>,
    pub(super) longest_request: Duration,
    pub(super) clock: Clock,
    pub(super) dialect: Dialect,
}

impl ServerOptions {
    /// The defaults: the cookie `__Host-id`, 30 minutes idle and 12 hours in all, as many
    /// sessions of an owner as there are.
    #[must_use]
    pub fn new() -> Self {
        ServerOptions {
            cookie: CookieOptions::new(),
            lifetime: None,
            store_name: String::new(),
            row_codec: None,
            at_most: None,
            longest_request: Duration::from_secs(60),
            clock: Arc::new(UnixTime::now),
            dialect: Dialect::Native,
        }
    }

    /// Whose bytes the cookie and the rows are, to share sessions with a Go program: it must
    /// be that of the backend's [layout](crate::backend::Layout).
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        ServerOptions { dialect, ..self }
    }

    /// The cookie that the ID travels in.
    #[must_use]
    pub fn cookie(self, cookie: CookieOptions) -> Self {
        ServerOptions { cookie, ..self }
    }

    /// How long sessions live. Default: that of the [dialect](Dialect), which is
    /// [`Lifetime::new`] for the native one.
    #[must_use]
    pub fn lifetime(self, lifetime: Lifetime) -> Self {
        ServerOptions {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// A name that rows are sealed to, besides the cookie's: stores with the same keys and
    /// cookie name (a staging and a production service, say) cannot be given each other's
    /// rows. The name of none is empty; sessions do not survive a change. Owners are the
    /// backend's, whatever the stores' names: revoking one ends its sessions in all of them.
    #[must_use]
    pub fn store_name(self, name: impl Into<String>) -> Self {
        ServerOptions {
            store_name: name.into(),
            ..self
        }
    }

    /// The codec that seals rows, in place of keys derived from the cookies'. It must know no
    /// `max_age`, `min_age` or `max_length` (zero lifts each), and must not be the cookies'.
    /// The [store name](ServerOptions::store_name) is not part of it.
    #[must_use]
    pub fn row_codec(self, codec: impl Codec + 'static) -> Self {
        ServerOptions {
            row_codec: Some(Arc::new(codec)),
            ..self
        }
    }

    /// How many sessions an owner has at most: a login ends those whose logins are the
    /// longest ago; or, if the backend fails just then, the next one does. The backend must
    /// know owners.
    #[must_use]
    pub fn at_most(self, sessions: usize) -> Self {
        ServerOptions {
            at_most: Some(sessions),
            ..self
        }
    }

    /// How long a request takes at most, in whole seconds: so long it is remembered that a
    /// session has ended or moved. 60 seconds unless said. A request that takes longer still
    /// brings no session back; but a logout in it does not find a session that was renewed
    /// meanwhile.
    #[must_use]
    pub fn longest_request(self, time: Duration) -> Self {
        ServerOptions {
            longest_request: time,
            ..self
        }
    }

    /// Takes the time from `clock` instead of the system: for tests of what happens when time
    /// passes. A backend has a clock of its own, and drops what is over by that.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        ServerOptions {
            clock: Arc::new(clock),
            ..self
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions::new()
    }
}

/// Nothing of keys.
impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("lifetime", &self.lifetime)
            .field("store_name", &self.store_name)
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}
