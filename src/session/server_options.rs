//! [`ServerOptions`]: how a [`ServerStore`](super::ServerStore) keeps its sessions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, UnixTime};

use super::setup::Clock;
use super::{CookieOptions, Dialect, Error, Lifetime};

/// The default idle limit of a session without a login.
const ANONYMOUS_IDLE: Duration = Duration::from_secs(10 * 60);

/// The default limit on the bytes of a session's row.
const MAX_ROW_SIZE: usize = 64 * 1024;

/// The options of a [`ServerStore`](super::ServerStore). Each has a default.
///
/// ```
/// use silverback::session::{CookieOptions, Lifetime, ServerOptions};
///
/// let options = ServerOptions::new()
///     .cookie(CookieOptions::new().name("__Host-shop")?)
///     .lifetime(Lifetime::new())
///     .at_most(5);
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone)]
pub struct ServerOptions {
    pub(super) cookie: CookieOptions,
    /// `None` for the dialect's lifetime.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) store_name: String,
    pub(super) row_codec: Option<Arc<dyn Codec>>,
    pub(super) at_most: Option<usize>,
    /// `None` for the default, if the dialect has one.
    pub(super) anonymous_idle: Option<Duration>,
    pub(super) max_row_size: Option<usize>,
    pub(super) longest_request: Duration,
    pub(super) renewal_grace: Duration,
    pub(super) fails_when_gone: bool,
    pub(super) save_timeout: Duration,
    pub(super) max_concurrent_saves: usize,
    pub(super) clock: Clock,
    pub(super) dialect: Dialect,
    pub(super) known_types: Vec<String>,
}

impl ServerOptions {
    /// Creates the default options: the cookie `__Host-id`, 30 minutes idle (10 without a login)
    /// and 12 hours in all, rows of up to 64 KiB, and any number of sessions per owner.
    #[must_use]
    pub fn new() -> Self {
        ServerOptions {
            cookie: CookieOptions::new(),
            lifetime: None,
            store_name: String::new(),
            row_codec: None,
            at_most: None,
            anonymous_idle: None,
            max_row_size: None,
            longest_request: Duration::from_secs(60),
            renewal_grace: Duration::ZERO,
            fails_when_gone: false,
            save_timeout: Duration::from_secs(10),
            max_concurrent_saves: 1_024,
            clock: Arc::new(UnixTime::now),
            dialect: Dialect::Native,
            known_types: Vec::new(),
        }
    }

    /// Sets the byte format of the cookie and the rows, to share sessions with a Go program. It
    /// must match the backend's [layout](crate::backend::Layout).
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        ServerOptions { dialect, ..self }
    }

    /// Adds types that the Go program which shares the sessions registers itself (`gob.Register`).
    /// Use the names that Go gives them: `time.Time`, `map[string]interface {}`, and `main.User` or
    /// `example.com/shop.User` for a struct. The fields of a struct must have the types of the
    /// fields in Go.
    ///
    /// Without this option, values must have types that Go knows by default: the basic types,
    /// slices of them, `[]interface {}` with gorilla/sessions, and the types already in the
    /// session. Inserting a value of any other type is an error, since a Go program could then no
    /// longer read the session. This option is for [dialects](ServerOptions::dialect) that Go
    /// programs share.
    ///
    /// ```
    /// use silverback::session::{Dialect, ServerOptions};
    ///
    /// let options = ServerOptions::new().dialect(Dialect::Scs).known_types(["time.Time"]);
    /// ```
    #[must_use]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.known_types.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the cookie that carries the ID.
    #[must_use]
    pub fn cookie(self, cookie: CookieOptions) -> Self {
        ServerOptions { cookie, ..self }
    }

    /// Sets the limits on how long sessions last. Default: the lifetime of the [dialect](Dialect),
    /// which is [`Lifetime::new`] for the native one.
    #[must_use]
    pub fn lifetime(self, lifetime: Lifetime) -> Self {
        ServerOptions {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// Sets how long a session without a login may go unused, in whole seconds. Default: 10
    /// minutes. It never exceeds the idle limit of the [lifetime](ServerOptions::lifetime), so a
    /// long value removes this extra limit.
    ///
    /// Anyone can begin millions of anonymous sessions. The shorter they are kept, the fewer rows a
    /// backend must hold. A page that asks for no session costs no row. A form with a token in an
    /// anonymous session must be sent within this time.
    ///
    /// A [remembered](super::Session::remember) session has the limits of remembered sessions, with
    /// or without a login, since the application asked for them. Therefore remember an anonymous
    /// session only if its client has done something that robots do not do.
    ///
    /// This option is only for the native [dialect](Dialect). The others have the lifetimes of
    /// their Go packages.
    #[must_use]
    pub fn anonymous_idle(self, idle: Duration) -> Self {
        ServerOptions {
            anonymous_idle: Some(idle),
            ..self
        }
    }

    /// Limits the bytes of a session's row, sealed as it is stored. Default: 65,536, for about
    /// 36,000 bytes of values. Zero removes the limit, so that only the backend's limit remains.
    ///
    /// Saving a larger session returns an error that gives both sizes ([too
    /// large](super::Error::is_too_large)), and the row stays unchanged. A larger row that already
    /// exists can still be read, so a lower limit logs out no user.
    ///
    /// This option is only for the native [dialect](Dialect). The codec's `max_length` limits the
    /// rows of gorilla and dynastore, and scs has no limit.
    #[must_use]
    pub fn max_row_size(self, bytes: usize) -> Self {
        ServerOptions {
            max_row_size: Some(bytes),
            ..self
        }
    }

    /// Sets a name to which rows are sealed, in addition to the cookie's name. Stores with the same
    /// keys and cookie name, such as a staging and a production service, then refuse each other's
    /// rows. Default: the empty name. Sessions do not survive a change of the name. Owners belong
    /// to the backend, regardless of store names: revoking an owner ends its sessions in all
    /// stores.
    #[must_use]
    pub fn store_name(self, name: impl Into<String>) -> Self {
        ServerOptions {
            store_name: name.into(),
            ..self
        }
    }

    /// Sets the codec that seals rows, instead of keys derived from the cookies' keys. It must have
    /// no `max_age`, `min_age` or `max_length` (zero removes each), and must not be the cookies'
    /// codec. It does not use the [store name](ServerOptions::store_name).
    #[must_use]
    pub fn row_codec(self, codec: impl Codec + 'static) -> Self {
        ServerOptions {
            row_codec: Some(Arc::new(codec)),
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
    pub fn at_most(self, sessions: usize) -> Self {
        ServerOptions {
            at_most: Some(sessions),
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
    /// gets 409 if it asked for [`destroy_others`](super::Session::destroy_others) and that failed
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
    /// limit it. The ends that a login causes under [`at_most`](ServerOptions::at_most) take their
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

/// The limits on sessions that any visitor can begin.
pub(super) struct Bounds {
    /// `None` in the dialects of Go packages, which have their own lifetimes.
    pub(super) anonymous_idle: Option<Duration>,
    pub(super) max_row_size: Option<usize>,
}

impl ServerOptions {
    /// Returns the limits in the options' dialect.
    pub(super) fn bounds(&self) -> Result<Bounds, Error> {
        if !self.dialect.is_shared() {
            let max_row_size = self.max_row_size.unwrap_or(MAX_ROW_SIZE);
            return Ok(Bounds {
                anonymous_idle: Some(self.anonymous_idle.unwrap_or(ANONYMOUS_IDLE)),
                max_row_size: (max_row_size > 0).then_some(max_row_size),
            });
        }
        if self.anonymous_idle.is_some() || self.max_row_size.is_some() {
            return Err(Error::usage(
                "only the native dialect has ServerOptions::anonymous_idle and max_row_size: the \
                 others have the lifetimes and limits of their Go packages",
            ));
        }
        Ok(Bounds {
            anonymous_idle: None,
            max_row_size: None,
        })
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
            .field("store_name", &self.store_name)
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}
