//! [`TracingEvents`]: events in the log.

use std::fmt;

use crate::codec::HashKey;

use super::super::SessionId;
use super::{Event, Observer};

/// An observer that writes each event as a `tracing` event. Its target begins with
/// `silverback::session::events`, for filters.
///
/// | field | contents |
/// |---|---|
/// | `event` | the [name](super::EventKind::name) |
/// | `cookie` | the name of the cookie |
/// | `session` | a fingerprint of the session, if the session is known |
/// | `reason` | of a refused cookie, or the text of an error |
///
/// [Failures](super::EventKind::is_failure) are warnings, `touched` and `saved` are debug events, and
/// all others are info events. The fingerprint is an HMAC of the public ID under your salt: it lets an
/// operator follow a session through the log, and a reader of the log cannot look the session up.
///
/// ```
/// use silverback::backend::Memory;
/// use silverback::codec::{HashKey, KeyPairs};
/// use silverback::session::{ServerOptions, ServerStore, events::TracingEvents};
///
/// let salt = HashKey::generate()?; // the same in all processes, and not one of the cookies' keys
/// let options = ServerOptions::new().observer(TracingEvents::new(&salt));
/// let store = ServerStore::with_options(KeyPairs::generate(1)?, Memory::new(), options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TracingEvents {
    salt: HashKey,
}

impl TracingEvents {
    /// Creates the observer. The salt is a secret of its own: with it, a reader of the log can find
    /// out which public ID a fingerprint stands for.
    #[must_use]
    pub fn new(salt: &HashKey) -> Self {
        TracingEvents { salt: salt.clone() }
    }

    /// Returns the fingerprint of a session, for spans of your own: 16 hex digits.
    #[must_use]
    pub fn fingerprint(&self, id: &SessionId) -> String {
        let mac = self.salt.hmac_sha256(id.as_str().as_bytes());
        let (first, _) = mac.split_at(8);
        first.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Observer for TracingEvents {
    fn observe(&self, event: &Event<'_>) {
        let session = event.session_id().map(|id| self.fingerprint(&id));
        let reason = match (event.refusal(), event.error()) {
            (Some(refusal), _) => Some(refusal.to_string()),
            (None, error) => error.map(ToString::to_string),
        };
        let (kind, cookie) = (event.kind(), event.cookie_name());
        macro_rules! write_at {
            ($level:ident) => {
                tracing::$level!(event = kind.name(), cookie, session, reason)
            };
        }
        match kind {
            _ if kind.is_failure() => write_at!(warn),
            super::EventKind::Touched | super::EventKind::Saved => write_at!(debug),
            _ => write_at!(info),
        }
    }
}

/// Shows no salt.
impl fmt::Debug for TracingEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TracingEvents")
    }
}
