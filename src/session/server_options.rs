//! [`ServerOptions`]: how a [`ServerStore`](super::ServerStore) keeps its sessions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::UnixTime;

use super::events::{Events, Observer};
use super::setup::Clock;
use super::watcher::WATCH_INTERVAL;
use super::{CookieOptions, Lifetime};

/// The options of a [`ServerStore`](super::ServerStore). Each has a default. The options of the
/// bytes in cookies and rows are those of the [dialect](super::Dialect).
///
/// ```
/// use silverback::session::{CookieOptions, Lifetime, ServerOptions};
///
/// let options = ServerOptions::new()
///     .cookie(CookieOptions::new().name("__Host-shop")?)
///     .lifetime(Lifetime::new())
///     .max_sessions(5);
/// # Ok::<(), silverback::session::Error>(())
/// ```
///
/// # In a configuration file
///
/// With the feature `config`, these options, [`CookieOptions`], [`Lifetime`],
/// [`CodecOptions`](crate::codec::CodecOptions) and
/// [`ConnectOptions`](crate::backend::ConnectOptions) can be read by serde. The keys are the names of
/// their methods, and every key may be missing. Durations are texts with a unit. Unknown keys are
/// refused.
///
/// ```
/// # #[cfg(all(feature = "config", feature = "json"))] {
/// use silverback::session::ServerOptions;
///
/// let options: ServerOptions = serde_json::from_str(r#"{
///     "cookie": {"name": "__Host-shop", "same_site": "strict"},
///     "lifetime": {
///         "idle": "30m", "absolute": "12h",
///         "remembered_idle": "14d", "remembered_absolute": "30d"
///     },
///     "max_sessions": 5
/// }"#)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `idle` and `absolute` also take `"never"`, and `"remember": false` disables remembered sessions.
#[derive(Clone)]
pub struct ServerOptions {
    pub(super) cookie: CookieOptions,
    /// `None` for the dialect's lifetime.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) max_sessions: Option<usize>,
    pub(super) longest_request: Duration,
    pub(super) renewal_grace: Duration,
    pub(super) fails_when_gone: bool,
    pub(super) save_timeout: Duration,
    pub(super) max_concurrent_saves: usize,
    pub(super) watch_interval: Duration,
    pub(super) clock: Clock,
    pub(super) events: Events,
    #[cfg(feature = "dbsc")]
    pub(super) binding: Option<super::binding::BindingOptions>,
}

impl ServerOptions {
    /// Creates the default options: the cookie `__Host-id`, the lifetime of the
    /// [dialect](super::Dialect), and any number of sessions per owner.
    #[must_use]
    pub fn new() -> Self {
        ServerOptions {
            cookie: CookieOptions::new(),
            lifetime: None,
            max_sessions: None,
            longest_request: Duration::from_secs(60),
            renewal_grace: Duration::ZERO,
            fails_when_gone: false,
            save_timeout: Duration::from_secs(10),
            max_concurrent_saves: 1_024,
            watch_interval: WATCH_INTERVAL,
            clock: Arc::new(UnixTime::now),
            events: Events::default(),
            #[cfg(feature = "dbsc")]
            binding: None,
        }
    }

    /// Sets the cookie that carries the ID.
    #[must_use]
    pub fn cookie(self, cookie: CookieOptions) -> Self {
        ServerOptions { cookie, ..self }
    }

    /// Sets the limits on how long sessions last. Default: the lifetime of the
    /// [dialect](super::Dialect), which is [`Lifetime::new`] for the native one.
    #[must_use]
    pub fn lifetime(self, lifetime: Lifetime) -> Self {
        ServerOptions {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// Limits the sessions of one owner. Once all logins have been answered, the sessions of the
    /// latest logins remain: exactly `sessions` of them, or fewer if there were fewer. This holds
    /// even for concurrent logins on several machines. A login is answered even if later logins
    /// have ended its session by then.
    ///
    /// After creating its own session, a login lists the owner's sessions. It ends each session for
    /// which `sessions` or more later ones exist. If its process dies or its backend fails in
    /// between, the owner's next login ends them. A repeated login in one browser counts once. The
    /// backend must support owners.
    #[must_use]
    pub fn max_sessions(self, sessions: usize) -> Self {
        ServerOptions {
            max_sessions: Some(sessions),
            ..self
        }
    }

    /// Sets how long a request may take. Default: 60 seconds. A part of a second counts as a full
    /// one.
    ///
    /// If a session has ended or has a new ID, the store remembers this for at least that long, and
    /// for less than a second more. Even a longer request cannot restore an ended session. But a
    /// logout in such a request does not find a session that another request has renewed.
    #[must_use]
    pub fn longest_request(self, time: Duration) -> Self {
        ServerOptions {
            longest_request: time,
            ..self
        }
    }

    /// Lets a request with an old ID read the session after a [renewal](super::Session::renew), for
    /// `grace` and less than a second more. Default: no grace. A part of a second counts as a full
    /// one.
    ///
    /// Requests that a page sends in parallel with a renewal carry the old ID. Without a grace,
    /// they see an anonymous session with the [refusal](super::Session::refusal)
    /// [`Moved`](super::Refusal::Moved). With a grace, they see the current session, read-only: the
    /// refusal is the same, their changes are not kept, and they set no cookie. The grace applies
    /// only to sessions with a login, and only to renewals. It never applies across a login, a
    /// logout, a revocation, or a change of the owner.
    ///
    /// The price: a renewal makes a stolen ID worthless only after the grace. Until then, the
    /// stolen ID reads the session. Prefer a few seconds.
    ///
    /// A store refuses a grace longer than its [longest request](ServerOptions::longest_request).
    #[must_use]
    pub fn renewal_grace(self, grace: Duration) -> Self {
        ServerOptions {
            renewal_grace: grace,
            ..self
        }
    }

    /// Answers 409 to a request if its changes could not be saved because its session had ended. By
    /// default, the client gets the handler's response without a cookie.
    ///
    /// Enable this for an API if its clients act on a 200. A page that only counts its visitors
    /// does not need it. In both cases, [`save`](super::Session::save) and
    /// [`transact`](super::Session::transact) return the error to the handler. A request always
    /// gets 409 if it asked for [`end_others`](super::Session::end_others) and that failed
    /// for this reason.
    #[must_use]
    pub fn fail_when_gone(self) -> Self {
        ServerOptions {
            fails_when_gone: true,
            ..self
        }
    }

    /// Limits how long a save waits for other saves of the session, and retries after conflicts.
    /// Default: 10 seconds.
    ///
    /// If requests of one process save the same session concurrently, they wait for each other and
    /// are written together. Writes of other processes are conflicts: the save then reads the
    /// session again, and retries with growing pauses. After `timeout`, a save that waits or
    /// retries fails. The error is [overloaded](super::Error::is_overloaded), the response is 503,
    /// and the session was not saved. (If the request was to end the owner's other sessions, they
    /// may have ended.) A write that has begun is never abandoned; the backend's own timeouts
    /// limit it. The ends that a login causes under [`max_sessions`](ServerOptions::max_sessions) take their
    /// own time.
    ///
    /// A store refuses a timeout of zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// use silverback::session::ServerOptions;
    ///
    /// let options = ServerOptions::new().save_timeout(Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn save_timeout(self, timeout: Duration) -> Self {
        ServerOptions {
            save_timeout: timeout,
            ..self
        }
    }

    /// Limits the saves in flight in this store, including those that wait. Default: 1,024.
    ///
    /// A save beyond the limit fails at once. The error is
    /// [overloaded](super::Error::is_overloaded), the response is 503 with `Retry-After: 1`, and
    /// nothing was saved. At most a quarter of the limit may wait to save one session, so that one
    /// client never uses up the limit. A request that only reads still gets its response; a later
    /// request notes the use of the session.
    ///
    /// Logins, renewals, and saves that end sessions have a limit of the same size of their own,
    /// and go before other saves of the session, so that a busy session can always be ended. A
    /// logout without a later write is never refused.
    ///
    /// A store refuses a limit of zero.
    ///
    /// ```
    /// use silverback::session::ServerOptions;
    ///
    /// let options = ServerOptions::new().max_concurrent_saves(256);
    /// ```
    #[must_use]
    pub fn max_concurrent_saves(self, limit: usize) -> Self {
        ServerOptions {
            max_concurrent_saves: limit,
            ..self
        }
    }

    /// Offers each login a [binding](super::binding) to the device of its client. Default: no
    /// binding. The store must be in the native [dialect](super::Dialect).
    #[cfg(feature = "dbsc")]
    #[must_use]
    pub fn binding(self, binding: super::binding::BindingOptions) -> Self {
        ServerOptions {
            binding: Some(binding),
            ..self
        }
    }

    /// Sets how often the store looks whether the sessions that
    /// [`Session::ended`](super::Session::ended) waits for have ended. Default: 5 seconds.
    ///
    /// A look is one call to the backend for all these sessions together
    /// ([`Backend::load_many`](crate::backend::Backend::load_many)). Without a waiting future there
    /// is none. The store also looks when it [hears](super::Session::ended) that one of them may have
    /// ended, at most 20 times a second. The interval is at most half of the [longest
    /// request](ServerOptions::longest_request), for which a renewal is remembered.
    ///
    /// A store refuses an interval of zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// use silverback::session::ServerOptions;
    ///
    /// let options = ServerOptions::new().watch_interval(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn watch_interval(self, interval: Duration) -> Self {
        ServerOptions {
            watch_interval: interval,
            ..self
        }
    }

    /// Sets the observer of [events](super::events): saves, logins, ends, refused cookies, outages.
    /// Default: none, which costs nothing.
    #[must_use]
    pub fn observer(self, observer: impl Observer) -> Self {
        ServerOptions {
            events: Events::new(observer),
            ..self
        }
    }

    /// Takes the time from `clock` instead of the system, for tests in which time passes. The
    /// backend has its own clock, and removes expired records by that clock.
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

/// Shows no keys.
impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("lifetime", &self.lifetime)
            .field("max_sessions", &self.max_sessions)
            .finish_non_exhaustive()
    }
}
