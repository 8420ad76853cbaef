//! What happens to sessions, for operators: an [`Observer`] gets an [`Event`] for each save, end,
//! refused cookie and outage.
//!
//! - Count events: [`MetricsEvents`], for the crate `metrics` (feature `metrics`).
//! - Write events to the log: [`TracingEvents`].
//! - Alert on refused cookies, or write an audit log: an [`Observer`] of your own.
//!
//! ```
//! use silverback::codec::KeyPairs;
//! use silverback::session::{CookieStore, events::{Event, EventKind}};
//!
//! let store = CookieStore::new(KeyPairs::generate(1)?)?.observer(|event: &Event<'_>| {
//!     if event.kind() == EventKind::LoggedIn {
//!         println!("{} logged in", event.owner().unwrap_or_default());
//!     }
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For a `ServerStore`, use [`ServerOptions::observer`](super::ServerOptions::observer).
//!
//! # Which events there are
//!
//! Each save and each end of a session gives exactly one *outcome*. A request that only reads gives
//! none, unless its use is noted (`touched`).
//!
//! | name | [`EventKind`] | outcome | meaning |
//! |---|---|---|---|
//! | `created` | `Created` | yes | a session without a login was saved for the first time |
//! | `logged_in` | `LoggedIn` | yes | a session with a new login was saved |
//! | `renewed` | `Renewed` | yes | a session got a new ID |
//! | `saved` | `Saved` | yes | changes were saved |
//! | `touched` | `Touched` | yes | only the use of the session was noted |
//! | `ended` | `Ended` | yes | a session ended: by a logout, by `end`, or by another call of the program |
//! | `gone` | `Gone` | yes | nothing was saved or ended: another request had ended or moved the session |
//! | `conflict` | `Conflict` | yes | nothing was saved: other requests kept renewing the session |
//! | `overloaded` | `Overloaded` | yes | nothing was saved: too many saves were in flight |
//! | `unavailable` | `Unavailable` | yes | nothing was saved: the server did not answer |
//! | `outcome_unknown` | `OutcomeUnknown` | yes | the server did not answer a write, which may have been applied |
//! | `abandoned` | `Abandoned` | yes | the request was dropped before its save began |
//! | `failed` | `Failed` | yes | nothing was saved: the session is too large, or the program has a fault |
//! | `refused` | `Refused` | no | a cookie opened no session, with the [`Refusal`] as the reason |
//! | `stale_key` | `StaleKey` | no | an older key opened a cookie |
//! | `load_failed` | `LoadFailed` | no | a session could not be loaded: the server did not answer |
//! | `replaced` | `Replaced` | no | a session ended because a login, or a new session after a logout, took its place; the outcome of the new session follows |
//! | `revoked` | `Revoked` | no | all sessions of an owner were ended, or all others |
//!
//! Names and labels of metrics are stable.
//!
//! # Rules
//!
//! An event holds no value, no key, no ID and no cookie. [`Event::session_id`] returns the public ID,
//! which opens nothing. An observer runs in the task of the request, or in the one that saves its session,
//! within the request's `tracing` span. It must be quick and never wait. If it panics, the panic is caught and dropped. Without an observer, nothing is computed.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Event`], [`EventKind`], [`Observer`] |
//! | `tracing_events.rs`, `metrics_events.rs` | the adapters |

#[cfg(feature = "metrics")]
mod metrics_events;
mod tracing_events;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::backend::OwnerName;

use super::{Error, Refusal, SessionId};

#[cfg(feature = "metrics")]
pub use metrics_events::MetricsEvents;
pub use tracing_events::TracingEvents;

/// Gets the events of a store's sessions. Closures are observers, and so are pairs of them.
///
/// The [module](self) has an example, and the rules for observers.
pub trait Observer: Send + Sync + 'static {
    /// Is called for each event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Both get each event.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }
}

/// What has happened. The [module](self#which-events-there-are) explains each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table of the module")]
pub enum EventKind {
    Created,
    LoggedIn,
    Renewed,
    Saved,
    Touched,
    Ended,
    Gone,
    Conflict,
    Overloaded,
    Unavailable,
    OutcomeUnknown,
    Abandoned,
    Failed,
    Refused(Refusal),
    StaleKey,
    LoadFailed,
    Replaced,
    Revoked,
}

impl EventKind {
    /// Returns the name, as it is in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Created => "created",
            EventKind::LoggedIn => "logged_in",
            EventKind::Renewed => "renewed",
            EventKind::Saved => "saved",
            EventKind::Touched => "touched",
            EventKind::Ended => "ended",
            EventKind::Gone => "gone",
            EventKind::Conflict => "conflict",
            EventKind::Overloaded => "overloaded",
            EventKind::Unavailable => "unavailable",
            EventKind::OutcomeUnknown => "outcome_unknown",
            EventKind::Abandoned => "abandoned",
            EventKind::Failed => "failed",
            EventKind::Refused(_) => "refused",
            EventKind::StaleKey => "stale_key",
            EventKind::LoadFailed => "load_failed",
            EventKind::Replaced => "replaced",
            EventKind::Revoked => "revoked",
        }
    }

    /// Returns whether the event is the outcome of a save or an end.
    #[must_use]
    pub fn is_outcome(self) -> bool {
        !matches!(
            self,
            EventKind::Refused(_)
                | EventKind::StaleKey
                | EventKind::LoadFailed
                | EventKind::Replaced
                | EventKind::Revoked
        )
    }

    /// Returns whether the service needs attention: a server does not answer or has too much to do,
    /// or the program has a fault.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            EventKind::Overloaded
                | EventKind::Unavailable
                | EventKind::OutcomeUnknown
                | EventKind::Failed
                | EventKind::LoadFailed
        )
    }

    /// Returns the kind of an error of a save.
    pub(super) fn of_error(error: &Error) -> Self {
        match () {
            () if error.is_gone() => EventKind::Gone,
            () if error.is_conflict() => EventKind::Conflict,
            () if error.is_of_dropped_caller() => EventKind::Abandoned,
            () if error.is_overloaded() => EventKind::Overloaded,
            () if error.is_outcome_unknown() => EventKind::OutcomeUnknown,
            () if error.is_unavailable() => EventKind::Unavailable,
            () => EventKind::Failed,
        }
    }
}

/// One event. It is valid only during the call of the observer.
pub struct Event<'e> {
    pub(super) kind: EventKind,
    pub(super) cookie_name: &'e str,
    /// Computes the public ID, only if the observer asks for it.
    pub(super) session_id: &'e dyn Fn() -> Option<SessionId>,
    pub(super) owner: Option<&'e OwnerName>,
    pub(super) error: Option<&'e Error>,
}

impl Event<'_> {
    /// Returns what has happened.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the name of the session's cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.cookie_name
    }

    /// Returns the session's public ID, which opens nothing. Returns `None` for sessions in their
    /// cookies, and where no session is known.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        (self.session_id)()
    }

    /// Returns the user who is logged in to the session, if one is. Decide whether to log
    /// it: the adapters never do.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        Some(self.owner?.as_str())
    }

    /// Returns the error of a failed load, save or end.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error
    }

    /// Returns the reason of a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self.kind {
            EventKind::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// Shows the kind and the cookie's name, and neither the session nor its owner.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("cookie", &self.cookie_name())
            .finish_non_exhaustive()
    }
}

/// The observer of a store, if it has one.
#[derive(Clone, Default)]
pub(super) struct Events(Option<Arc<dyn Observer>>);

impl Events {
    pub(super) fn new(observer: impl Observer) -> Self {
        Events(Some(Arc::new(observer)))
    }

    /// Returns whether an observer is set.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn emit(&self, event: &Event<'_>) {
        if let Some(observer) = &self.0 {
            // A panic would end the task that saves the session.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.observe(event)));
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "on" } else { "off" })
    }
}
