//! The session's own data: its beginning, its last use, its absolute end, and its owner.
//!
//! It is stored among the values, as one string under a reserved key. Go programs that share the
//! cookie can keep such a string.

use std::fmt::Write as _;
use std::num::NonZeroU64;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::lifetime::Limits;
use super::login::{Begun, Login, Order};
use super::{Error, Lifetime, Refusal};

/// The last use of a session that a Go program wrote, since its row does not hold this time.
pub(super) const NEVER_SEEN: UnixTime = UnixTime::from_secs(0);

/// The version of the text's form. A text with another version is not ours. The second version is
/// for sessions with a numbered login.
const FORM: &str = "1";
const NUMBERED_FORM: &str = "2";

/// The text of a missing field.
const NONE: &str = "-";

/// The flags: `remembered`, `own_deadline`, `owes_cookie` and `is_copy`.
type Flags = (bool, bool, bool, bool);

/// The texts of the flags.
const FLAGS: [(&str, Flags); 16] = [
    (NONE, (false, false, false, false)),
    ("r", (true, false, false, false)),
    ("d", (false, true, false, false)),
    ("rd", (true, true, false, false)),
    ("c", (false, false, true, false)),
    ("rc", (true, false, true, false)),
    ("dc", (false, true, true, false)),
    ("rdc", (true, true, true, false)),
    ("m", (false, false, false, true)),
    ("rm", (true, false, false, true)),
    ("dm", (false, true, false, true)),
    ("rdm", (true, true, false, true)),
    ("cm", (false, false, true, true)),
    ("rcm", (true, false, true, true)),
    ("dcm", (false, true, true, true)),
    ("rdcm", (true, true, true, true)),
];

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

    /// Returns the owner, or `None` without a login.
    pub(super) fn owner(&self) -> Option<&OwnerName> {
        Some(&self.login.as_ref()?.owner)
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

    /// Writes the metadata as text: form, created, seen, deadline, flags. For a login, its time and
    /// generation follow. If the login is numbered, its number and the number of the login that it
    /// replaces follow. The owner comes last, since it may contain spaces.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(64);
        let order = self.login.as_ref().and_then(Login::order);
        text.push_str(order.map_or(FORM, |_| NUMBERED_FORM));
        push(&mut text, Some(self.created.as_secs()));
        push(&mut text, Some(self.seen.as_secs()));
        push(&mut text, self.deadline.map(UnixTime::as_secs));
        text.push(' ');
        text.push_str(self.flags());
        if let Some(login) = &self.login {
            push(&mut text, Some(login.at.as_secs()));
            text.push(' ');
            let _ = match login.generation() {
                Some(generation) => write!(text, "{generation}"),
                None => text.write_str(NONE),
            };
            if let Some(order) = order {
                push(&mut text, Some(order.number));
                push(&mut text, order.replaces);
                push(&mut text, order.place.map(NonZeroU64::get));
            }
            text.push(' ');
            text.push_str(login.owner.as_str());
        }
        text
    }

    fn flags(&self) -> &'static str {
        let own = (
            self.remembered,
            self.own_deadline,
            self.owes_cookie,
            self.is_copy,
        );
        let found = FLAGS.iter().find(|(_, flags)| *flags == own);
        found.map_or(NONE, |(text, _)| text)
    }

    /// Returns whether a text that cannot be parsed is metadata all the same: that of a later
    /// version, or one with a mark or an owner that this version refuses. Its session may have been
    /// revoked, so it must not open as a session without a login.
    pub(super) fn is_unreadable(text: &str) -> bool {
        let is_number = |field: &str| field.parse::<u64>().is_ok();
        let is_field = |field: &str| field == NONE || is_number(field);
        let fields: Vec<&str> = text.split(' ').take(5).collect();
        match *fields {
            [form, created, seen, deadline, _] => {
                let has_times = is_number(created) && is_number(seen) && is_field(deadline);
                is_number(form) && has_times && Metadata::parse(text).is_none()
            }
            _ => false,
        }
    }

    /// Parses the text. Returns `None` if another program wrote it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_numbered, text) = match text.split_once(' ')? {
            (FORM, text) => (false, text),
            (NUMBERED_FORM, text) => (true, text),
            _ => return None,
        };
        let mut fields = text.splitn(if is_numbered { 10 } else { 7 }, ' ');
        let mut next = || fields.next();
        let created = time(next()?)?;
        let seen = time(next()?)?;
        let deadline = optional(next()?, time)?;
        let flags = next()?;
        let (remembered, own_deadline, owes_cookie, is_copy) = *FLAGS
            .iter()
            .find(|(text, _)| *text == flags)
            .map(|(_, of)| of)?;
        let login = match next() {
            None if is_numbered => return None,
            None => None,
            Some(at) => Some(Login {
                at: time(at)?,
                begun: match is_numbered {
                    true => Some(Begun {
                        generation: next()?.parse().ok()?,
                        order: Some(Order {
                            number: next()?.parse().ok()?,
                            replaces: optional(next()?, |number| number.parse().ok())?,
                            place: optional(next()?, |place| place.parse().ok())?,
                        }),
                    }),
                    false => optional(next()?, |mark| mark.parse().ok())?.map(Begun::in_cookie),
                },
                owner: OwnerName::new(next()?).ok()?,
            }),
        };
        Some(Metadata {
            created,
            seen,
            deadline,
            own_deadline,
            remembered,
            owes_cookie,
            is_copy,
            is_stale: false,
            login,
        })
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

fn push(text: &mut String, number: Option<u64>) {
    text.push(' ');
    match number {
        Some(number) => text.push_str(itoa::Buffer::new().format(number)),
        None => text.push_str(NONE),
    }
}

fn time(text: &str) -> Option<UnixTime> {
    text.parse().ok().map(UnixTime::from_secs)
}

/// Parses a field that may be missing. The outer `None` is a wrong text, the inner one a missing
/// field.
#[expect(clippy::option_option)]
fn optional<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        NONE => Some(None),
        text => parse(text).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn every_metadata_comes_back_from_its_text() {
        let login = |owner: &str, begun: Option<Begun>| {
            Some(Login {
                owner: OwnerName::new(owner).unwrap(),
                at: at(9),
                begun,
            })
        };
        let in_cookie = |mark: u128| Some(Begun::in_cookie(mark.into()));
        let in_backend = |number: u64, replaces: Option<u64>, place: Option<u64>| {
            let place = place.and_then(NonZeroU64::new);
            let generation = backend::Generation::random().unwrap();
            let order = Order {
                number,
                replaces,
                place,
            };
            Some(Begun::in_backend(generation, order))
        };
        let logins = [
            None,
            login("a", None),
            login("-", None),
            login("two words  and - more ", in_cookie(u128::MAX)),
            login("ünï\ncode", in_cookie(0)),
            login("two words  and - more ", in_backend(1, None, None)),
            login("a", in_backend(u64::MAX, Some(0), Some(7))),
            login("ape", in_backend(2, None, Some(u64::MAX))),
        ];
        for login in logins {
            for deadline in [None, Some(at(0)), Some(at(u64::MAX))] {
                for (_, (remembered, own_deadline, owes_cookie, is_copy)) in FLAGS {
                    let metadata = Metadata {
                        created: at(7),
                        seen: at(8),
                        deadline,
                        own_deadline,
                        remembered,
                        owes_cookie,
                        is_copy,
                        is_stale: false,
                        login: login.clone(),
                    };
                    assert_eq!(Metadata::parse(&metadata.to_text()), Some(metadata));
                }
            }
        }
    }

    #[test]
    fn other_texts_are_no_metadata() {
        let mark = "0123456789abcdef0123456789abcdef";
        let text = |form: &str| form.replace("MARK", mark);
        for whole in [
            "1 7 8 9 r 10 - ape",
            "1 7 8 9 r 10 MARK ape",
            "2 7 8 9 r 10 MARK 1 - - ape",
        ] {
            assert!(Metadata::parse(&text(whole)).is_some(), "{whole}");
        }
        for wrong in [
            "",
            "1",
            "2 7 8 9 r",
            "1 7 8 9",
            "1 7 8 9 x",
            "1 7 8 9 r 10",
            "1 7 8 9 r 10 -",
            "1 7 8 9 r 10 - ",
            "1 7 8 9 r 10 x ape",
            "1 7 8 9 r 10 MARKMARK ape",
            "2 7 8 9 r 10 - ape",
            "2 7 8 9 r 10 - 1 - - ape",
            "2 7 8 9 r 10 MARK y - - ape",
            "2 7 8 9 r 10 MARK 1 y - ape",
            "2 7 8 9 r 10 MARK 1 - y ape",
            "2 7 8 9 r 10 MARK 1 -",
            "2 7 8 9 r 10 MARK 1 - -",
            "2 7 8 9 r 10 MARK 1 - - ",
            "3 7 8 9 r",
            "1 -7 8 9 r",
            "1 7  9 r",
        ] {
            assert_eq!(Metadata::parse(&text(wrong)), None, "{wrong}");
        }
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
            for deadline in refused {
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
