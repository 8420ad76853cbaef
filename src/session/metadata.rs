//! What a session knows of itself: when it began, when it was last used, until when
//! it lasts at most, whose it is.
//!
//! It travels among the values, as one string under a reserved key, since that is
//! what Go programs that share the cookie can carry along.

use crate::codec::UnixTime;

use super::lifetime::Limits;
use super::login::{Begun, Login, Order};
use super::{Epoch, Error, Lifetime, Refusal};

/// The last use of a session whose row tells none: a Go program wrote it.
pub(super) const NEVER_SEEN: UnixTime = UnixTime::from_secs(0);

/// Which form the text has; another one is no session of ours. Those with a login that is
/// numbered have the second one.
const FORM: &str = "1";
const NUMBERED_FORM: &str = "2";

/// What stands for a field that is not there.
const NONE: &str = "-";

/// The texts of `remembered`, `own_deadline` and `owes_cookie`.
const FLAGS: [(&str, (bool, bool, bool)); 8] = [
    (NONE, (false, false, false)),
    ("r", (true, false, false)),
    ("d", (false, true, false)),
    ("rd", (true, true, false)),
    ("c", (false, false, true)),
    ("rc", (true, false, true)),
    ("dc", (false, true, true)),
    ("rdc", (true, true, true)),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) created: UnixTime,
    pub(super) seen: UnixTime,
    /// The absolute limit; none, if the lifetime has none.
    pub(super) deadline: Option<UnixTime>,
    /// Whether the program set the deadline, so that other limits only shorten it.
    pub(super) own_deadline: bool,
    pub(super) remembered: bool,
    /// Whether the client has not been sent a cookie that is kept as long as it should be.
    pub(super) owes_cookie: bool,
    pub(super) login: Option<Login>,
}

impl Metadata {
    /// Of a session that begins at `now`.
    pub(super) fn new(lifetime: &Lifetime, now: UnixTime) -> Self {
        Metadata {
            created: now,
            seen: now,
            deadline: lifetime.limits(false).deadline(now),
            own_deadline: false,
            remembered: false,
            owes_cookie: false,
            login: None,
        }
    }

    /// Sets the limits of sessions that are remembered, or of those that are not. Where both
    /// are the same, the deadline stays.
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

    /// Ends the session at `deadline`, which is not after the limit.
    pub(super) fn set_deadline(
        &mut self,
        deadline: UnixTime,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        let limit = lifetime.limits(self.remembered).deadline(self.created);
        if limit.is_some_and(|limit| deadline > limit) {
            return Err(Error::usage(
                "the deadline is after the lifetime's absolute limit",
            ));
        }
        self.cut_deadline(deadline, lifetime);
        Ok(())
    }

    /// Ends the session at `deadline`, or at the limit if that is before.
    pub(super) fn cut_deadline(&mut self, deadline: UnixTime, lifetime: &Lifetime) {
        let limit = lifetime.limits(self.remembered).deadline(self.created);
        self.deadline = earlier(Some(deadline), limit);
        self.own_deadline = true;
    }

    /// What a session sealed at `date` knows of itself after a Go program, or another
    /// service with other limits, may have written it: used at `date` at least, and
    /// never past the limits that hold here.
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

    /// The limits that hold for it.
    pub(super) fn limits(&self, lifetime: &Lifetime) -> Limits {
        match self.login {
            Some(_) => lifetime.limits(self.remembered),
            None => lifetime.anonymous_limits(self.remembered),
        }
    }

    /// Refuses a session that is over.
    pub(super) fn check(&self, lifetime: &Lifetime, now: UnixTime) -> Result<(), Refusal> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Refusal::Expired);
        }
        if self.limits(lifetime).is_idle(self.seen, now) {
            return Err(Refusal::Idle);
        }
        Ok(())
    }

    /// Whether its use at `now` is worth noting.
    pub(super) fn wants_touch(&self, lifetime: &Lifetime, now: UnixTime) -> bool {
        self.limits(lifetime).wants_touch(self.seen, now)
    }

    /// When it will have been idle for too long; none without an idle limit.
    pub(super) fn idle_at(&self, lifetime: &Lifetime) -> Option<UnixTime> {
        self.limits(lifetime).idle_end(self.seen)
    }

    /// The text: form, created, seen, deadline, flags, and of a login the time, the epoch, if it
    /// is numbered the number and that of the login it replaces, and, last since it may hold
    /// spaces, the owner.
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
            text.push_str(login.epoch().map_or(NONE, Epoch::as_str));
            if let Some(Order { number, replaces }) = order {
                push(&mut text, Some(number));
                push(&mut text, replaces);
            }
            text.push(' ');
            text.push_str(&login.owner);
        }
        text
    }

    fn flags(&self) -> &'static str {
        let own = (self.remembered, self.own_deadline, self.owes_cookie);
        let found = FLAGS.iter().find(|(_, flags)| *flags == own);
        found.map_or(NONE, |(text, _)| text)
    }

    /// Reads the text; none, if it is another program's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_numbered, text) = match text.split_once(' ')? {
            (FORM, text) => (false, text),
            (NUMBERED_FORM, text) => (true, text),
            _ => return None,
        };
        let mut fields = text.splitn(if is_numbered { 9 } else { 7 }, ' ');
        let mut next = || fields.next();
        let created = time(next()?)?;
        let seen = time(next()?)?;
        let deadline = optional(next()?, time)?;
        let flags = next()?;
        let (remembered, own_deadline, owes_cookie) = *FLAGS
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
                        epoch: Epoch::parse(next()?).ok()?,
                        order: Some(Order {
                            number: next()?.parse().ok()?,
                            replaces: optional(next()?, |number| number.parse().ok())?,
                        }),
                    }),
                    false => {
                        optional(next()?, |epoch| Epoch::parse(epoch).ok())?.map(Begun::in_cookie)
                    }
                },
                owner: next()?.to_owned(),
            }),
        };
        Some(Metadata {
            created,
            seen,
            deadline,
            own_deadline,
            remembered,
            owes_cookie,
            login,
        })
    }
}

/// The earlier of two deadlines, of which either may be missing.
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

/// None outside is a text that is wrong; none inside a field that is not there.
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
                owner: owner.to_owned(),
                at: at(9),
                begun,
            })
        };
        let in_cookie = |epoch: Epoch| Some(Begun::in_cookie(epoch));
        let in_backend = |number: u64, replaces: Option<u64>| {
            let generation = backend::Generation::random().unwrap();
            let login = backend::Login { generation, number };
            Some(Begun::in_backend(login, replaces))
        };
        let logins = [
            None,
            login("", None),
            login("-", None),
            login(
                "two words  and - more ",
                in_cookie(Epoch::random().unwrap()),
            ),
            login("ünï\ncode", in_cookie(Epoch::parse("--").unwrap())),
            login("two words  and - more ", in_backend(1, None)),
            login("", in_backend(u64::MAX, Some(0))),
        ];
        for login in logins {
            for deadline in [None, Some(at(0)), Some(at(u64::MAX))] {
                for (_, (remembered, own_deadline, owes_cookie)) in FLAGS {
                    let metadata = Metadata {
                        created: at(7),
                        seen: at(8),
                        deadline,
                        own_deadline,
                        remembered,
                        owes_cookie,
                        login: login.clone(),
                    };
                    assert_eq!(Metadata::parse(&metadata.to_text()), Some(metadata));
                }
            }
        }
    }

    #[test]
    fn any_other_text_is_no_metadata() {
        for whole in ["1 7 8 9 r 10 - ape", "2 7 8 9 r 10 x 1 - ape"] {
            assert!(Metadata::parse(whole).is_some(), "{whole}");
        }
        for wrong in [
            "",
            "1",
            "2 7 8 9 r",
            "1 7 8 9",
            "1 7 8 9 x",
            "1 7 8 9 r 10",
            "1 7 8 9 r 10 -",
            "2 7 8 9 r",
            "2 7 8 9 r 10 - ape",
            "2 7 8 9 r 10 - 1 - ape",
            "2 7 8 9 r 10 x y - ape",
            "2 7 8 9 r 10 x 1 y ape",
            "2 7 8 9 r 10 x 1 -",
            "3 7 8 9 r",
            "1 -7 8 9 r",
            "1 7  9 r",
        ] {
            assert_eq!(Metadata::parse(wrong), None, "{wrong}");
        }
    }

    /// A deadline that a program set while longer limits held.
    #[test]
    fn a_deadline_of_its_own_is_never_past_the_limits_once_not_remembered() {
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
        // It stays, where it is before the limits; and no remembering brings it back.
        metadata.set_deadline(at(5_000), &lifetime).unwrap();
        for remembered in [true, false] {
            metadata.remember(remembered, &lifetime);
            assert_eq!(metadata.deadline, Some(at(5_000)));
        }
        // Of others' changes made again, too.
        metadata.cut_deadline(at(999_999), &lifetime);
        assert_eq!(metadata.deadline, Some(at(100 + 43_200)));
    }

    #[test]
    fn where_remembered_sessions_live_no_longer_the_deadline_stays() {
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
    fn limits_end_at_their_second() {
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
    fn a_session_without_a_login_has_an_idle_limit_of_its_own_unless_remembered() {
        let login = |owner: &str| Login {
            owner: owner.to_owned(),
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
        // Nothing is remembered where nothing can be.
        let lifetime = lifetime.without_remember_me();
        assert_eq!(idle(&lifetime, None, true), Some(600));
        // Never longer than the idle limit, and there where that is not.
        let lifetime = lifetime.idle(minutes(5));
        assert_eq!(idle(&lifetime, None, false), Some(300));
        let lifetime = lifetime.without_idle();
        assert_eq!(idle(&lifetime, None, false), Some(600));
        assert_eq!(idle(&lifetime, Some(login("ape")), false), None);
    }

    #[test]
    fn a_deadline_is_never_past_the_limits_of_here() {
        let lifetime = Lifetime::new().without_remember_me();
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
        // Nothing is remembered here, and the cookie's date is later than its last use.
        let loaded = loaded("1 100 200 999999 r");
        assert!(!loaded.remembered && loaded.seen == at(1_000));
    }
}
