//! The session's own data: its beginning, its last use, its absolute end, and its owner.
//!
//! It is stored among the values, as one string under a reserved key. Go programs that share the
//! cookie can keep such a string.

use std::time::Duration;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::credentials::CredentialsHash;
use super::factors::Factors;
use super::key_binding::KeyBinding;
use super::lifetime::Limits;
use super::login::Login;
use super::{Error, Lifetime, Refusal};

/// The last use of a session that a Go program wrote, since its row does not hold this time.
pub(super) const NEVER_SEEN: UnixTime = UnixTime::from_secs(0);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) created: UnixTime,
    pub(super) seen: UnixTime,
    /// The absolute end, or `None` for never.
    pub(super) deadline: Option<UnixTime>,
    /// True if the program set the deadline, so that other limits can only shorten it.
    pub(super) own_deadline: bool,
    pub(super) remembered: bool,
    /// True if the client still needs a cookie that lasts as long as the session.
    pub(super) owes_cookie: bool,
    /// True if the row is a copy of a row in another store. While that row is live, this one opens
    /// nothing. Each save of the session clears the flag.
    pub(super) is_copy: bool,
    /// True if an older key has sealed the row. The next use is then noted in the row itself, which
    /// the newest key seals. It is not stored.
    pub(super) is_stale: bool,
    pub(super) login: Option<Login>,
    /// The owner's credentials at the login, if the program has bound them. `None` without a login.
    pub(super) credentials: Option<CredentialsHash>,
    /// The factors of the login that the program has recorded. Empty without a login.
    pub(super) factors: Factors,
    /// The binding of the login to the client's device. `None` without a login.
    pub(super) binding: Option<KeyBinding>,
}

impl Metadata {
    /// Creates the metadata of a session that begins at `now`.
    pub(super) fn new(lifetime: &Lifetime, now: UnixTime) -> Self {
        Metadata {
            created: now,
            seen: now,
            deadline: lifetime.limits(false).deadline(now),
            own_deadline: false,
            remembered: false,
            owes_cookie: false,
            is_copy: false,
            is_stale: false,
            login: None,
            credentials: None,
            factors: Factors::default(),
            binding: None,
        }
    }

    /// Applies the limits of sessions that are remembered, or that are not. If both are the same,
    /// the deadline stays.
    pub(super) fn remember(&mut self, remembered: bool, lifetime: &Lifetime) {
        self.remembered = remembered;
        if lifetime.limits(true) == lifetime.limits(false) {
            return;
        }
        let limit = lifetime.limits(remembered).deadline(self.created);
        self.deadline = match self.own_deadline {
            true => earlier(self.deadline, limit),
            false => limit,
        };
    }

    /// Lets the limits count from `now`, as if the session began then. The login stays as old as it
    /// is.
    pub(super) fn restart(&mut self, lifetime: &Lifetime, now: UnixTime) {
        self.created = now;
        self.deadline = lifetime.limits(self.remembered).deadline(now);
        self.own_deadline = false;
    }

    /// Notes the credentials of the owner. Without a login, does nothing.
    pub(super) fn bind_credentials(&mut self, credentials: &[u8]) {
        self.credentials = self.hash_of(credentials);
    }

    /// Returns whether the owner is logged in, and these are the credentials that were bound.
    pub(super) fn has_credentials(&self, credentials: &[u8]) -> bool {
        let wanted = self.hash_of(credentials);
        wanted.is_some() && wanted == self.credentials
    }

    fn hash_of(&self, credentials: &[u8]) -> Option<CredentialsHash> {
        Some(CredentialsHash::new(self.owner()?, credentials))
    }

    /// Returns the owner, or `None` without a login.
    pub(super) fn owner(&self) -> Option<&OwnerName> {
        Some(&self.login.as_ref()?.owner)
    }

    /// Returns when the owner last gave a proof of identity: at the login, or by a factor since.
    pub(super) fn authenticated_at(&self) -> Option<UnixTime> {
        let login = self.login.as_ref()?;
        Some(
            self.factors
                .latest()
                .map_or(login.at, |at| at.max(login.at)),
        )
    }

    /// Returns the level of the login: the number of kinds of factors that were used in the time
    /// `age` before `now`, or ever. A login alone counts as one.
    pub(super) fn level(&self, age: Option<Duration>, now: UnixTime) -> u8 {
        let Some(login) = &self.login else {
            return 0;
        };
        let is_fresh = age.is_none_or(|age| now.saturating_duration_since(login.at) <= age);
        self.factors.kinds(age, now).max(u8::from(is_fresh))
    }

    /// Takes over the deadline of another session if it is later, and with it that session's
    /// beginning, from which the limits count. If one of the two is remembered, this one is. A login
    /// lasts no longer because of a session without a login.
    pub(super) fn last_as_long_as(&mut self, other: &Self) {
        if self.login.is_some() && self.owner() != other.owner() {
            return;
        }
        self.remembered |= other.remembered;
        if is_later(other.deadline, self.deadline) {
            self.deadline = other.deadline;
            self.own_deadline = other.own_deadline;
            self.created = self.created.max(other.created);
        }
    }

    /// Ends the session at `deadline`. Refuses one after [`Metadata::latest_deadline`].
    pub(super) fn set_deadline(
        &mut self,
        deadline: UnixTime,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        if is_later(Some(deadline), self.latest_deadline(lifetime)) {
            return Err(Error::usage(
                "the deadline is after the lifetime's absolute limit: choose an earlier one",
            ));
        }
        self.cut_deadline(deadline, lifetime);
        Ok(())
    }

    /// Ends the session at `deadline`, or at [`Metadata::latest_deadline`] if that is earlier.
    pub(super) fn cut_deadline(&mut self, deadline: UnixTime, lifetime: &Lifetime) {
        self.deadline = earlier(Some(deadline), self.latest_deadline(lifetime));
        self.own_deadline = true;
    }

    /// Returns the absolute limit. If a Go program has set a deadline after it, as scs can do,
    /// returns that deadline: a session may always get a shorter one. `None` is no limit.
    fn latest_deadline(&self, lifetime: &Lifetime) -> Option<UnixTime> {
        let limit = lifetime.limits(self.remembered).deadline(self.created);
        match is_later(self.deadline, limit) {
            true => self.deadline,
            false => limit,
        }
    }

    /// Returns the metadata of a session that was sealed at `date`. A Go program, or a service with
    /// other limits, may have written it. So its last use is `date` or later, and its deadline is
    /// never later than this store's limits allow.
    pub(super) fn loaded(carried: Option<Self>, date: UnixTime, lifetime: &Lifetime) -> Self {
        let mut metadata = carried.unwrap_or_else(|| Metadata::new(lifetime, date));
        metadata.seen = metadata.seen.max(date);
        metadata.remembered &= lifetime.remembers();
        let limit = lifetime
            .limits(metadata.remembered)
            .deadline(metadata.created);
        metadata.deadline = earlier(metadata.deadline, limit);
        metadata
    }

    /// Returns the limits that apply to the session.
    pub(super) fn limits(&self, lifetime: &Lifetime) -> Limits {
        match self.login {
            Some(_) => lifetime.limits(self.remembered),
            None => lifetime.anonymous_limits(self.remembered),
        }
    }

    /// Refuses a session that has passed a limit.
    pub(super) fn check(&self, lifetime: &Lifetime, now: UnixTime) -> Result<(), Refusal> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Refusal::Expired);
        }
        if self.limits(lifetime).is_idle(self.seen, now) {
            return Err(Refusal::Idle);
        }
        Ok(())
    }

    /// Returns whether a use at `now` is to be noted.
    pub(super) fn wants_touch(&self, lifetime: &Lifetime, now: UnixTime) -> bool {
        self.limits(lifetime).wants_touch(self.seen, now)
    }

    /// Returns when the session passes the idle limit, or `None` without an idle limit.
    pub(super) fn idle_at(&self, lifetime: &Lifetime) -> Option<UnixTime> {
        self.limits(lifetime).idle_end(self.seen)
    }
}

/// Returns whether one deadline is later than the other. A missing deadline is the latest.
pub(super) fn is_later(one: Option<UnixTime>, other: Option<UnixTime>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one > other,
        (one, other) => one.is_none() && other.is_some(),
    }
}

/// Returns the earlier of two deadlines. Either may be missing.
pub(super) fn earlier(one: Option<UnixTime>, other: Option<UnixTime>) -> Option<UnixTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    /// The program sets a deadline while the longer limits apply.
    #[test]
    fn a_custom_deadline_never_exceeds_the_limits_after_forgetting() {
        let lifetime = Lifetime::new();
        let mut metadata = Metadata::new(&lifetime, at(100));
        metadata.remember(true, &lifetime);
        let month = 30 * 86_400;
        assert_eq!(metadata.deadline, Some(at(100 + month)));
        assert!(metadata.set_deadline(at(101 + month), &lifetime).is_err());
        metadata.set_deadline(at(100 + month), &lifetime).unwrap();
        metadata.set_deadline(at(100_000), &lifetime).unwrap();
        metadata.remember(false, &lifetime);
        assert_eq!(metadata.deadline, Some(at(100 + 43_200)));
        // A deadline before the limits stays, and remembering does not bring the former one back.
        metadata.set_deadline(at(5_000), &lifetime).unwrap();
        for remembered in [true, false] {
            metadata.remember(remembered, &lifetime);
            assert_eq!(metadata.deadline, Some(at(5_000)));
        }
        // The same applies when other requests' changes are made again.
        metadata.cut_deadline(at(999_999), &lifetime);
        assert_eq!(metadata.deadline, Some(at(100 + 43_200)));
    }

    /// scs's `MergeSession` takes over the deadline of another session.
    #[test]
    fn a_deadline_that_go_set_after_the_limit_can_be_shortened_and_not_prolonged() {
        let lifetime = Lifetime::new().remembered_as_usual();
        let limit = Metadata::new(&lifetime, at(100)).deadline.unwrap();
        let later = at(limit.as_secs() + 600);
        for (in_go, refused) in [(Some(later), Some(at(later.as_secs() + 1))), (None, None)] {
            let mut metadata = Metadata::new(&lifetime, at(100));
            metadata.deadline = in_go;
            if let Some(deadline) = refused {
                assert!(metadata.set_deadline(deadline, &lifetime).is_err());
            }
            for deadline in [
                later,
                at(limit.as_secs() + 60),
                at(limit.as_secs() - 60),
                limit,
            ] {
                metadata.set_deadline(deadline, &lifetime).unwrap();
                assert_eq!(metadata.deadline, Some(deadline));
            }
            assert!(metadata.set_deadline(later, &lifetime).is_err());
        }
    }

    #[test]
    fn the_deadline_stays_if_remembered_sessions_last_no_longer() {
        let lifetime = Lifetime::new().remembered_as_usual();
        let mut metadata = Metadata::new(&lifetime, at(100));
        for deadline in [Some(at(999_999)), None] {
            metadata.deadline = deadline;
            for remembered in [true, false] {
                metadata.remember(remembered, &lifetime);
                assert_eq!(
                    (metadata.deadline, metadata.remembered),
                    (deadline, remembered)
                );
            }
        }
    }

    #[test]
    fn limits_apply_from_their_second_on() {
        let lifetime = Lifetime::new();
        let metadata = Metadata::new(&lifetime, at(1_000));
        let check = |now| metadata.check(&lifetime, at(now));
        assert_eq!(check(1_000 + 1_799), Ok(()));
        assert_eq!(check(1_000 + 1_800), Err(Refusal::Idle));
        assert_eq!(check(1_000 + 43_200), Err(Refusal::Expired));
        let used = Metadata {
            seen: at(44_000),
            ..metadata
        };
        assert_eq!(used.check(&lifetime, at(44_199)), Ok(()));
        assert_eq!(used.check(&lifetime, at(44_200)), Err(Refusal::Expired));
        assert!(!used.wants_touch(&lifetime, at(44_000 + 179)));
        assert!(used.wants_touch(&lifetime, at(44_000 + 180)));
    }

    #[test]
    fn an_anonymous_session_has_its_own_idle_limit_unless_remembered() {
        let login = |owner: &str| Login {
            owner: OwnerName::new(owner).unwrap(),
            at: at(0),
            begun: None,
        };
        let idle = |lifetime: &Lifetime, login, remembered| {
            let metadata = Metadata {
                login,
                remembered,
                ..Metadata::new(lifetime, at(0))
            };
            metadata.idle_at(lifetime).map(UnixTime::as_secs)
        };
        let minutes = |minutes: u64| std::time::Duration::from_secs(60 * minutes);
        let lifetime = Lifetime::new().with_anonymous_idle(minutes(10));
        assert_eq!(idle(&lifetime, None, false), Some(600));
        assert_eq!(idle(&lifetime, None, true), Some(14 * 86_400));
        assert_eq!(idle(&lifetime, Some(login("ape")), false), Some(1_800));
        // Nothing is remembered if remembering is disabled.
        let lifetime = lifetime.without_remembering();
        assert_eq!(idle(&lifetime, None, true), Some(600));
        // It is never longer than the idle limit, and applies even without an idle limit.
        let lifetime = lifetime.idle(minutes(5));
        assert_eq!(idle(&lifetime, None, false), Some(300));
        let lifetime = lifetime.without_idle();
        assert_eq!(idle(&lifetime, None, false), Some(600));
        assert_eq!(idle(&lifetime, Some(login("ape")), false), None);
    }

    #[test]
    fn a_deadline_never_exceeds_the_limits_of_this_store() {
        let lifetime = Lifetime::new().without_remembering();
        let loaded = |text| {
            let carried = Metadata::parse(text);
            assert!(carried.is_some());
            Metadata::loaded(carried, at(1_000), &lifetime)
        };
        assert_eq!(
            loaded("1 100 200 999999 -").deadline,
            Some(at(100 + 43_200))
        );
        assert_eq!(loaded("1 100 200 - -").deadline, Some(at(100 + 43_200)));
        assert_eq!(loaded("1 100 200 5000 -").deadline, Some(at(5_000)));
        // Nothing is remembered here, and the cookie's date is later than the last use in the text.
        let loaded = loaded("1 100 200 999999 r");
        assert!(!loaded.remembered && loaded.seen == at(1_000));
    }
}
