//! [`ServerOptions`]: how a [`ServerStore`](super::ServerStore) keeps its sessions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, UnixTime};

use super::store::Clock;
use super::{CookieOptions, Dialect, Error, Lifetime};

/// How long a session without a login may go unused by default.
const ANONYMOUS_IDLE: Duration = Duration::from_secs(10 * 60);

/// How many bytes a session's row has at most by default.
const MAX_ROW_SIZE: usize = 64 * 1024;

/// What a [`ServerStore`](super::ServerStore) can be told: all has a default.
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
    /// None: that of the dialect.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) store_name: String,
    pub(super) row_codec: Option<Arc<dyn Codec>>,
    pub(super) at_most: Option<usize>,
    /// None: the default, where the dialect has one.
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
    /// Sets the defaults: the cookie `__Host-id`, 30 minutes idle (10 without a login) and 12
    /// hours in all, rows of 64 KiB, any number of sessions of an owner.
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

    /// Whose bytes the cookie and the rows are, to share sessions with a Go program: it must
    /// be that of the backend's [layout](crate::backend::Layout).
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        ServerOptions { dialect, ..self }
    }

    /// The types that the Go program which shares the sessions registers itself
    /// (`gob.Register`), by the names that Go gives them: `time.Time`,
    /// `map[string]interface {}`, `main.User` or `example.com/shop.User` for a struct. The
    /// fields of a struct must be of the types that Go's has.
    ///
    /// Without it, values must be of the types that Go knows by itself: the basic ones, slices
    /// of them, with gorilla/sessions `[]interface {}`, and what is in the session already.
    /// Others are refused when they are inserted, since a Go program could not read the
    /// session any more. For [dialects](ServerOptions::dialect) that Go programs share.
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

    /// Sets how long a session without a login may go unused, in whole seconds. Default: 10
    /// minutes. It is never longer than the idle limit of the
    /// [lifetime](ServerOptions::lifetime), so a long one lifts it.
    ///
    /// Anyone can begin anonymous sessions, by the million. The shorter they are kept, the fewer
    /// rows a backend has to hold. A page that asks for no session costs no row; a form with a
    /// token in an anonymous session must be sent within this time.
    ///
    /// A [remembered](super::Session::remember) session has the limits of remembered sessions
    /// with or without a login, since the application asked for those: remember an anonymous
    /// session only for a client that has done something robots do not.
    ///
    /// For the native [dialect](Dialect) alone: the others have the lifetimes of their Go
    /// packages.
    #[must_use]
    pub fn anonymous_idle(self, idle: Duration) -> Self {
        ServerOptions {
            anonymous_idle: Some(idle),
            ..self
        }
    }

    /// Limits the bytes of a session's row, sealed as it is stored. Default: 65,536, for about
    /// 36,000 bytes of values. Zero lifts the limit, and only that of the backend is left.
    ///
    /// Saving a larger session is an error that gives both figures
    /// ([too large](super::Error::is_too_large)), and the row stays as it was. A larger row that
    /// is there already is read: a lower limit logs nobody out.
    ///
    /// For the native [dialect](Dialect) alone: the codec's `max_length` bounds the rows of
    /// gorilla and dynastore, and scs has no limit.
    #[must_use]
    pub fn max_row_size(self, bytes: usize) -> Self {
        ServerOptions {
            max_row_size: Some(bytes),
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

    /// Limits the sessions of one owner: once all logins are answered, the sessions of the latest
    /// logins are left, exactly so many or as many as there were, also of logins at the same
    /// moment and on several machines. A login is answered even if it is not among the latest by
    /// then.
    ///
    /// A login lists the owner's sessions once its own is there, and ends those before which there
    /// are so many later ones. If its process dies or its backend fails just then, the owner's next
    /// login ends them. A browser that logs in anew counts once. The backend must know owners.
    #[must_use]
    pub fn at_most(self, sessions: usize) -> Self {
        ServerOptions {
            at_most: Some(sessions),
            ..self
        }
    }

    /// Sets how long a request may take. Default: 60 seconds. A part of a second counts as a
    /// whole one.
    ///
    /// The store remembers for at least that long that a session has ended or has a new ID, and
    /// for less than a second more. A longer
    /// request brings no ended session back either, but a logout in it does not find a session
    /// that another request renewed.
    #[must_use]
    pub fn longest_request(self, time: Duration) -> Self {
        ServerOptions {
            longest_request: time,
            ..self
        }
    }

    /// Lets a request that arrives with the ID from before a
    /// [renewal](super::Session::renew) read the session, for `grace` after the renewal and less
    /// than a second more. Default: none. A part of a second counts as a whole one.
    ///
    /// Requests that a page sends in parallel with a renewal carry the old ID. Without a grace
    /// they see an anonymous session whose [refusal](super::Session::refusal) is
    /// [`Moved`](super::Refusal::Moved). With one they see the session as it is now, read-only:
    /// the refusal is the same, what they write is not kept, and they set no cookie. It holds
    /// for sessions with a login, and for renewals only: never across a login, a logout, a
    /// revocation, or a change of the owner.
    ///
    /// The price: for so long, a stolen ID that the renewal was to make worthless reads the
    /// session. Prefer a few seconds.
    ///
    /// A store refuses a grace longer than its [longest request](ServerOptions::longest_request).
    #[must_use]
    pub fn renewal_grace(self, grace: Duration) -> Self {
        ServerOptions {
            renewal_grace: grace,
            ..self
        }
    }

    /// Answers 409 to a request whose changes could not be saved because its session had ended,
    /// instead of the handler's response without a cookie. Default: off.
    ///
    /// An API whose clients act on a 200 wants it on; a page that counts its visitors does not.
    /// Whatever the setting, [`save`](super::Session::save) and
    /// [`transact`](super::Session::transact) return the error to the handler, and a request
    /// that asked for [`destroy_others`](super::Session::destroy_others) in vain gets 409.
    #[must_use]
    pub fn fail_when_gone(self) -> Self {
        ServerOptions {
            fails_when_gone: true,
            ..self
        }
    }

    /// Sets how long a save may take until its last write begins. Default: 10 seconds.
    ///
    /// Requests of one process that save the same session at the same time wait for each other,
    /// and are written together. Writes of other processes are conflicts: the save then reads the
    /// session again, and retries with pauses that grow. After `timeout` a save that waits or
    /// retries fails: the error is [overloaded](super::Error::is_overloaded), the answer 503, and
    /// nothing was saved. A write that has begun is never abandoned; the backend's own timeouts
    /// bound it.
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

    /// Limits the saves that are in flight in this store at the same time, those that wait
    /// included. Default: 1,024.
    ///
    /// A save beyond the limit fails at once: the error is
    /// [overloaded](super::Error::is_overloaded), the answer 503 with `Retry-After: 1`, and
    /// nothing was saved. A quarter of the limit may wait to save one session, so that one client
    /// never takes the room of all. Logouts are never refused. A request that only reads is
    /// answered even so; its use of the session is noted by a later request.
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

/// What holds for sessions that strangers begin.
pub(super) struct Bounds {
    /// None in the dialects of Go packages, which have lifetimes of their own.
    pub(super) anonymous_idle: Option<Duration>,
    pub(super) max_row_size: Option<usize>,
}

impl ServerOptions {
    /// The bounds that hold in the options' dialect.
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
