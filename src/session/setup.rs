//! [`Setup`]: the settings that all stores have.

use std::sync::Arc;

use crate::codec::{Codec, UnixTime};

use super::cookie_life::CookieLife;
use super::cookie_writer::CookieWriter;
use super::data_model::DataModel;
use super::events::Events;
use super::{CookieOptions, Error, Lifetime};

/// The settings that all stores have.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) cookie: CookieWriter,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    pub(super) model: DataModel,
    /// True if changes may have to be replayed after another request has saved the session.
    pub(super) replays: bool,
    /// True if a response fails when its changes could not be saved because the session ended
    /// during the request.
    pub(super) fails_when_gone: bool,
    /// True if the limits of a session count from its last renewal.
    pub(super) renewal_restarts: bool,
    pub(super) cookie_life: CookieLife,
    /// The old cookie of a Go package, which the store reads and removes, and never sets.
    pub(super) legacy_cookie: Option<CookieWriter>,
    pub(super) events: Events,
    #[cfg(feature = "dbsc")]
    pub(super) binding: Option<super::binding::StoreBinding>,
}

/// The source of the current time.
pub(super) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

impl Setup {
    /// Returns the settings of a store. `is_shared` is true if its sessions are in rows that Go
    /// programs use, too: cookies are then persistent by default, and end with the row.
    pub(super) fn new(
        cookie: CookieOptions,
        lifetime: Lifetime,
        model: DataModel,
        is_shared: bool,
    ) -> Result<Self, Error> {
        lifetime.check()?;
        Ok(Setup {
            cookie_life: CookieLife {
                ends_with_row: is_shared,
                ..CookieLife::new(lifetime.clone(), cookie.is_persistent(is_shared))
            },
            cookie: CookieWriter::new(cookie)?,
            lifetime,
            clock: Arc::new(UnixTime::now),
            model,
            replays: false,
            fails_when_gone: false,
            renewal_restarts: false,
            legacy_cookie: None,
            events: Events::default(),
            #[cfg(feature = "dbsc")]
            binding: None,
        })
    }

    pub(super) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Begins the binding of a new login: without the feature `dbsc`, there is none.
    #[cfg(not(feature = "dbsc"))]
    pub(super) fn begin_binding(&self) -> Result<Option<super::key_binding::KeyBinding>, Error> {
        Ok(None)
    }

    /// Refuses a codec if its cookies expire before the sessions do, or are not valid at once.
    pub(super) fn check_codec(&mut self, codec: &dyn Codec) -> Result<(), Error> {
        for secure_cookie in &codec.secure_cookies() {
            self.lifetime.check_max_age(secure_cookie.max_age())?;
            self.cookie_life.codec_expires |= !secure_cookie.max_age().is_zero();
            if !secure_cookie.min_age().is_zero() {
                return Err(Error::usage(
                    "the codec's min_age would refuse each new session until it has passed: set it to 0",
                ));
            }
        }
        Ok(())
    }
}
