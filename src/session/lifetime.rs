//! [`Lifetime`]: the limits on a session's idle time and on its total duration.

use std::time::Duration;

use crate::codec::UnixTime;

use super::Error;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest Max-Age that browsers apply (RFC 6265bis, section 5.5).
pub(super) const LONGEST_MAX_AGE: Duration = Duration::from_secs(400 * DAY);

/// The limits on how long sessions last: an idle limit, an absolute limit, and longer limits for
/// sessions that are [remembered](super::Session::remember). Both limits apply together, and are
/// checked whenever a session is loaded. They are in whole seconds.
///
/// | | idle | absolute | remembered: idle | absolute |
/// |---|---|---|---|---|
/// | [`new`](Lifetime::new) | 30 minutes | 12 hours | 14 days | 30 days |
/// | [`nist_aal1`](Lifetime::nist_aal1) | none | 30 days | none | 30 days |
/// | [`nist_aal2`](Lifetime::nist_aal2) | 30 minutes | 12 hours | never | |
/// | [`nist_aal3`](Lifetime::nist_aal3) | 15 minutes | 12 hours | never | |
///
/// A [`ServerStore`](super::ServerStore) keeps sessions without a login for a [shorter
/// time](super::NativeDialect::anonymous_idle).
///
/// Remembering a session never shortens it: if a usual limit is longer than the remembered one, the
/// usual limit applies to both.
///
/// ```
/// use std::time::Duration;
/// use silverback::session::Lifetime;
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
///
/// let bank = Lifetime::nist_aal3();
/// let forum = Lifetime::new().idle(Duration::from_secs(2 * 60 * 60)).remembered(60 * DAY, 90 * DAY);
/// let kiosk = Lifetime::new().without_remembering();
/// assert_eq!(kiosk, Lifetime::nist_aal2());
/// # assert_ne!(bank, forum);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    usual: Limits,
    remembered: Option<Limits>,
    /// The idle limit of sessions without a login, if that is shorter.
    anonymous_idle: Option<Duration>,
}

/// The limits of one kind of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    idle: Option<Duration>,
    absolute: Option<Duration>,
}

/// The limits of remembered sessions, unless the application sets others.
const REMEMBERED: Limits = Limits::of_secs(14 * DAY, 30 * DAY);

impl Limits {
    const fn of_secs(idle: u64, absolute: u64) -> Self {
        Limits {
            idle: Some(Duration::from_secs(idle)),
            absolute: Some(Duration::from_secs(absolute)),
        }
    }

    /// Combines two sets of limits: each limit is the longer of the two.
    fn longest(self, other: Limits) -> Self {
        Limits {
            idle: longer(self.idle, other.idle),
            absolute: longer(self.absolute, other.absolute),
        }
    }

    /// Returns whether a session last used at `seen` has exceeded the idle limit.
    pub(super) fn is_idle(&self, seen: UnixTime, now: UnixTime) -> bool {
        self.idle
            .is_some_and(|idle| now.saturating_duration_since(seen) >= idle)
    }

    /// Returns when a session last used at `seen` exceeds the idle limit, or `None` for never.
    pub(super) fn idle_end(&self, seen: UnixTime) -> Option<UnixTime> {
        let idle = self.idle?.as_secs();
        Some(UnixTime::from_secs(seen.as_secs().saturating_add(idle)))
    }

    /// Returns the last use of a session that exceeds the idle limit at `end`, or `None` without an
    /// idle limit.
    pub(super) fn last_seen(&self, end: UnixTime) -> Option<UnixTime> {
        let idle = self.idle?.as_secs();
        Some(UnixTime::from_secs(end.as_secs().saturating_sub(idle)))
    }

    /// Returns whether a tenth of the idle limit has passed, so that a new use is noted.
    pub(super) fn wants_touch(&self, seen: UnixTime, now: UnixTime) -> bool {
        self.idle
            .is_some_and(|idle| now.saturating_duration_since(seen) >= idle / 10)
    }

    /// Returns when a session began if its absolute limit ends at `deadline`.
    pub(super) fn began(&self, deadline: UnixTime) -> Option<UnixTime> {
        let absolute = self.absolute?.as_secs();
        Some(UnixTime::from_secs(
            deadline.as_secs().saturating_sub(absolute),
        ))
    }

    /// Returns whether each use postpones the session's end: there is only an idle limit.
    pub(super) fn slides(&self) -> bool {
        self.idle.is_some() && self.absolute.is_none()
    }

    /// Returns the absolute end of a session that began at `created`.
    pub(super) fn deadline(&self, created: UnixTime) -> Option<UnixTime> {
        let absolute = self.absolute?.as_secs();
        Some(UnixTime::from_secs(
            created.as_secs().saturating_add(absolute),
        ))
    }
}

impl Lifetime {
    /// Creates the default limits: 30 minutes idle and 12 hours in all. Remembered sessions have 14
    /// days idle and 30 days in all.
    #[must_use]
    pub const fn new() -> Self {
        Lifetime {
            usual: Limits::of_secs(30 * MINUTE, 12 * HOUR),
            remembered: Some(REMEMBERED),
            anonymous_idle: None,
        }
    }

    /// Creates a lifetime that ends only after `idle` without use, remembered or not: gorilla's
    /// `MaxAge`.
    pub(crate) const fn sliding(idle: Duration) -> Self {
        Lifetime::new()
            .idle(idle)
            .without_absolute()
            .remembered_as_usual()
    }

    /// Creates the limits of authenticator assurance level 1 in NIST SP 800-63B: 30 days in all,
    /// remembered or not.
    #[must_use]
    pub const fn nist_aal1() -> Self {
        Lifetime {
            usual: Limits {
                idle: None,
                absolute: Some(Duration::from_secs(30 * DAY)),
            },
            remembered: Some(REMEMBERED),
            anonymous_idle: None,
        }
    }

    /// Creates the limits of authenticator assurance level 2 in NIST SP 800-63B: 30 minutes idle,
    /// 12 hours in all. These are the stricter limits of revision 3; revision 4 allows an hour and
    /// a day. No session is remembered.
    #[must_use]
    pub const fn nist_aal2() -> Self {
        Lifetime::new().without_remembering()
    }

    /// Creates the limits of authenticator assurance level 3 in NIST SP 800-63B: 15 minutes idle,
    /// 12 hours in all. No session is remembered.
    #[must_use]
    pub const fn nist_aal3() -> Self {
        Lifetime {
            usual: Limits::of_secs(15 * MINUTE, 12 * HOUR),
            remembered: None,
            anonymous_idle: None,
        }
    }

    /// Sets how long a session may go unused.
    #[must_use]
    #[doc(alias = "MaxAge")]
    #[doc(alias = "IdleTimeout")]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.usual.idle = Some(idle);
        self
    }

    /// Removes the idle limit: a session may go unused for any time.
    #[must_use]
    pub const fn without_idle(mut self) -> Self {
        self.usual.idle = None;
        self
    }

    /// Sets how long a session may last in all. The time counts from the login, or from the
    /// session's beginning if there was no login. The codec's `max_age` must not be shorter.
    #[must_use]
    pub const fn absolute(mut self, absolute: Duration) -> Self {
        self.usual.absolute = Some(absolute);
        self
    }

    /// Removes the absolute limit: a session lasts as long as it is used. The codec's `max_age`
    /// must be zero, which removes that limit, or at least as long as the idle limit. Cookies then
    /// get a new date whenever a use is noted, as gorilla's do with each save.
    #[must_use]
    pub const fn without_absolute(mut self) -> Self {
        self.usual.absolute = None;
        self
    }

    /// Sets the limits of sessions that are [remembered](super::Session::remember). `absolute` is
    /// at most 400 days, since browsers drop a cookie after that time. The codec's `max_age` must
    /// not be shorter. Default: 14 days idle, 30 days in all.
    #[must_use]
    pub const fn remembered(mut self, idle: Duration, absolute: Duration) -> Self {
        self.remembered = Some(Limits {
            idle: Some(idle),
            absolute: Some(absolute),
        });
        self
    }

    /// Disables remembered sessions: [`remember(true)`](super::Session::remember) is then a usage
    /// error.
    #[must_use]
    pub const fn without_remembering(mut self) -> Self {
        self.remembered = None;
        self
    }

    /// Gives remembered sessions the usual limits. Remembering then affects only the cookie, as in
    /// scs.
    pub(crate) const fn remembered_as_usual(mut self) -> Self {
        self.remembered = Some(self.usual);
        self
    }

    /// Sets the longest idle time of a session without a login, unless it is remembered.
    pub(super) const fn with_anonymous_idle(mut self, idle: Duration) -> Self {
        self.anonymous_idle = Some(idle);
        self
    }

    /// Returns whether sessions can be remembered.
    pub(super) fn remembers(&self) -> bool {
        self.remembered.is_some()
    }

    /// Returns the limits of a session that is remembered or not. Without a login,
    /// [`anonymous_limits`](Lifetime::anonymous_limits) apply.
    pub(super) fn limits(&self, remembered: bool) -> Limits {
        match self.remembered.filter(|_| remembered) {
            Some(limits) => self.usual.longest(limits),
            None => self.usual,
        }
    }

    /// Returns the limits of a session without a login.
    pub(super) fn anonymous_limits(&self, remembered: bool) -> Limits {
        let limits = self.limits(remembered);
        let is_remembered = remembered && self.remembers();
        match self.anonymous_idle.filter(|_| !is_remembered) {
            Some(anonymous) => Limits {
                idle: Some(limits.idle.map_or(anonymous, |idle| idle.min(anonymous))),
                ..limits
            },
            None => limits,
        }
    }

    /// Returns the latest absolute end of a session that begins at `now`, or `None` for never.
    pub(super) fn longest_deadline(&self, now: UnixTime) -> Option<UnixTime> {
        let kinds = [false, true].map(|remembered| self.limits(remembered).deadline(now));
        let [usual, remembered] = kinds;
        Some(usual?.max(remembered?))
    }

    /// Returns whether every session ends by itself: at an idle or an absolute limit.
    #[cfg(feature = "json")]
    pub(super) fn ends(&self) -> bool {
        let ends = |limits: Limits| limits.idle.is_some() || limits.absolute.is_some();
        ends(self.usual) && self.remembered.is_none_or(ends)
    }

    /// Refuses limits that make no sense.
    pub(super) fn check(&self) -> Result<(), Error> {
        let anonymous = self.anonymous_idle.map(|idle| Limits {
            idle: Some(idle),
            absolute: None,
        });
        let kinds = [
            ("", Some(self.usual)),
            ("remembered ", self.remembered),
            ("anonymous ", anonymous),
        ];
        for (kind, limits) in kinds {
            let Some(Limits { idle, absolute }) = limits else {
                continue;
            };
            for (name, limit) in [("idle", idle), ("absolute", absolute)] {
                let Some(limit) = limit else { continue };
                if limit.subsec_nanos() != 0 || limit.is_zero() {
                    return Err(Error::usage(format!(
                        "the {kind}{name} limit is {limit:?}; it must be one or more whole seconds"
                    )));
                }
            }
        }
        match self.remembered.and_then(|limits| limits.absolute) {
            Some(absolute) if absolute > LONGEST_MAX_AGE => Err(Error::usage(
                "the remembered absolute limit is over 400 days, the longest that browsers keep cookies",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a codec if its cookies expire before their sessions.
    pub(super) fn check_max_age(&self, max_age: Duration) -> Result<(), Error> {
        if max_age.is_zero() {
            return Ok(());
        }
        let max_age = max_age.as_secs();
        let kinds = [(false, "the session's"), (true, "remembered sessions'")];
        for (remembered, whose) in kinds {
            let Limits { absolute, idle } = self.limits(remembered);
            let (name, limit) = match absolute {
                Some(absolute) => ("absolute", Some(absolute)),
                None => ("idle", idle),
            };
            match limit {
                Some(limit) if limit.as_secs() <= max_age => {}
                Some(limit) => {
                    let limit = limit.as_secs();
                    let remedy = match remembered {
                        true => "Lifetime::remembered or without_remembering",
                        false => "Lifetime::absolute or idle",
                    };
                    return Err(Error::usage(format!(
                        "the codec's max_age of {max_age} s is shorter than {whose} {name} limit \
                         of {limit} s: raise max_age, or lower the limit with {remedy}"
                    )));
                }
                None => {
                    return Err(Error::usage(format!(
                        "the codec's max_age of {max_age} s ends sessions that have no absolute \
                         limit: set it to zero"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Returns the longer of two limits. `None` is no limit, and so is the longest.
fn longer(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    Some(one?.max(other?))
}

impl Default for Lifetime {
    fn default() -> Self {
        Lifetime::new()
    }
}
