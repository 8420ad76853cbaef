//! [`CookieLife`]: how long a client keeps a session's cookie, and the date in the cookie.
//!
//! [`Lifetime`] defines how long the session itself lasts.

use std::time::Duration;

use crate::codec::UnixTime;

use super::Lifetime;
use super::lifetime::LONGEST_MAX_AGE;
use super::metadata::{Metadata, earlier};

/// The end of a persistent cookie, if its session has no end.
const NEVER: UnixTime = UnixTime::from_secs(u64::MAX);

/// The rules for how long clients keep the cookies of one store.
#[derive(Clone)]
pub(super) struct CookieLife {
    pub(super) lifetime: Lifetime,
    /// True if clients keep every cookie when the browser closes, not only those of remembered
    /// sessions.
    pub(super) persists: bool,
    /// True if a cookie ends with the row's expiry, as the cookies of Go's stores do. A cookie that
    /// Go has set also ends then, so each new expiry needs a new cookie.
    pub(super) ends_with_row: bool,
    /// True if the codec has a `max_age`, and so refuses older cookies.
    pub(super) codec_expires: bool,
}

impl CookieLife {
    pub(super) fn new(lifetime: Lifetime, persists: bool) -> Self {
        CookieLife {
            lifetime,
            persists,
            ends_with_row: false,
            codec_expires: false,
        }
    }

    /// Returns when the client drops the cookie, or `None` if it does so when the browser closes.
    pub(super) fn end(&self, metadata: &Metadata) -> Option<UnixTime> {
        let limits = metadata.limits(&self.lifetime);
        let end = match metadata.deadline {
            Some(deadline) if !self.ends_with_row => Some(deadline),
            deadline => earlier(deadline, limits.idle_end(metadata.seen)),
        };
        let persists = self.persists || metadata.remembered;
        persists.then(|| end.unwrap_or(NEVER))
    }

    /// Returns the cookie's Max-Age at `now`, or `None` if the cookie ends when the browser closes.
    pub(super) fn max_age(&self, metadata: &Metadata, now: UnixTime) -> Option<Duration> {
        Some(
            self.end(metadata)?
                .saturating_duration_since(now)
                .min(LONGEST_MAX_AGE),
        )
    }

    /// Returns whether cookies, and rows that the codec seals, are dated at the last noted use, not
    /// at the session's beginning. Without an absolute limit, the codec would refuse the first date
    /// while the session is still in use.
    pub(super) fn redates(&self, metadata: &Metadata) -> bool {
        self.codec_expires && metadata.limits(&self.lifetime).slides()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn at(seconds: u64) -> Option<UnixTime> {
        Some(UnixTime::from_secs(seconds))
    }

    fn metadata(deadline: Option<UnixTime>, remembered: bool) -> Metadata {
        Metadata {
            deadline,
            remembered,
            ..Metadata::new(&Lifetime::new(), NOW)
        }
    }

    fn hour_idle() -> Lifetime {
        Lifetime::new().idle(Duration::from_secs(3_600))
    }

    #[test]
    fn only_remembered_sessions_have_persistent_cookies_by_default() {
        let some = CookieLife::new(hour_idle(), false);
        let all = CookieLife::new(hour_idle(), true);
        let deadline = at(9_000);
        assert_eq!(some.end(&metadata(deadline, false)), None);
        assert_eq!(some.end(&metadata(deadline, true)), deadline);
        assert_eq!(all.end(&metadata(deadline, false)), deadline);
        let left = Some(Duration::from_secs(8_000));
        assert_eq!(all.max_age(&metadata(deadline, false), NOW), left);
    }

    #[test]
    fn a_cookie_ends_with_its_session() {
        let lifetime = hour_idle().without_absolute();
        let store = CookieLife::new(lifetime.clone(), true);
        assert_eq!(store.end(&metadata(None, false)), at(4_600));
        let mut go = store.clone();
        assert_eq!(store.end(&metadata(at(9_000), false)), at(9_000));
        go.ends_with_row = true;
        assert_eq!(go.end(&metadata(at(9_000), false)), at(4_600));
        assert_eq!(go.end(&metadata(at(2_000), false)), at(2_000));
        // Without any limit, the cookie lasts as long as browsers keep one.
        let endless = CookieLife::new(lifetime.without_idle(), true);
        let max_age = endless.max_age(&metadata(None, false), NOW);
        assert_eq!(max_age, Some(LONGEST_MAX_AGE));
    }

    #[test]
    fn a_cookie_gets_a_new_date_only_if_the_codec_would_refuse_the_old_one() {
        let redates = |lifetime: Lifetime, codec_expires| {
            let life = CookieLife {
                codec_expires,
                ..CookieLife::new(lifetime, true)
            };
            life.redates(&metadata(None, false))
        };
        assert!(redates(hour_idle().without_absolute(), true));
        assert!(!redates(hour_idle().without_absolute(), false));
        assert!(!redates(hour_idle(), true));
        assert!(!redates(
            Lifetime::new().without_absolute().without_idle(),
            true
        ));
    }
}
