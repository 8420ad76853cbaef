//! The text of a session's [`Metadata`], as it is stored among the values.

use std::num::NonZeroU64;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::credentials::CredentialsHash;
use super::login::{Begun, Login, Order};
use super::metadata::Metadata;

/// A form of the text.
#[derive(Clone, Copy)]
struct Form {
    /// True if the login has a number.
    is_numbered: bool,
    /// True if a hash of the owner's credentials comes after the flags.
    has_credentials: bool,
}

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

impl Metadata {
    /// Writes the metadata as text: form, created, seen, deadline, flags. For a login, the hash of the
    /// credentials follows if there is one, and then the time and the generation. If the login is
    /// numbered, its number and the number of the login that it replaces follow. The owner comes
    /// last, since it may contain spaces.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(64);
        let order = self.login.as_ref().and_then(Login::order);
        let credentials = self.credentials.filter(|_| self.login.is_some());
        let form = Form {
            is_numbered: order.is_some(),
            has_credentials: credentials.is_some(),
        };
        text.push_str(form.text());
        push(&mut text, Some(self.created.as_secs()));
        push(&mut text, Some(self.seen.as_secs()));
        push(&mut text, self.deadline.map(UnixTime::as_secs));
        push_text(&mut text, self.flags());
        if let Some(login) = &self.login {
            if let Some(credentials) = credentials {
                push_text(&mut text, &credentials.to_string());
            }
            push(&mut text, Some(login.at.as_secs()));
            match login.generation() {
                Some(generation) => push_text(&mut text, &generation.to_string()),
                None => push_text(&mut text, NONE),
            }
            if let Some(order) = order {
                push(&mut text, Some(order.number));
                push(&mut text, order.replaces);
                push(&mut text, order.place.map(NonZeroU64::get));
            }
            push_text(&mut text, login.owner.as_str());
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
        let (form, text) = text.split_once(' ')?;
        let form = Form::of(form)?;
        let mut fields = text.splitn(form.most_fields(), ' ');
        let mut next = || fields.next();
        let created = time(next()?)?;
        let seen = time(next()?)?;
        let deadline = optional(next()?, time)?;
        let flags = next()?;
        let (remembered, own_deadline, owes_cookie, is_copy) = *FLAGS
            .iter()
            .find(|(text, _)| *text == flags)
            .map(|(_, of)| of)?;
        let credentials = match form.has_credentials {
            true => Some(CredentialsHash::parse(next()?)?),
            false => None,
        };
        let login = match next() {
            None if form.has_login() => return None,
            None => None,
            Some(at) => Some(parse_login(at, form.is_numbered, &mut next)?),
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
            credentials,
        })
    }
}

impl Form {
    fn of(text: &str) -> Option<Self> {
        let (is_numbered, has_credentials) = match text {
            "1" => (false, false),
            "2" => (true, false),
            "3" => (false, true),
            "4" => (true, true),
            // Another program wrote it, or a later version.
            _ => return None,
        };
        Some(Form {
            is_numbered,
            has_credentials,
        })
    }

    fn text(self) -> &'static str {
        match (self.is_numbered, self.has_credentials) {
            (false, false) => "1",
            (true, false) => "2",
            (false, true) => "3",
            (true, true) => "4",
        }
    }

    /// Returns whether the text must have a login.
    fn has_login(self) -> bool {
        self.is_numbered || self.has_credentials
    }

    /// Returns the number of fields after the form, with a login.
    fn most_fields(self) -> usize {
        let numbers = if self.is_numbered { 3 } else { 0 };
        7 + numbers + usize::from(self.has_credentials)
    }
}

/// Parses the fields of a login, of which `at` is the first.
fn parse_login<'t>(
    at: &str,
    is_numbered: bool,
    next: &mut impl FnMut() -> Option<&'t str>,
) -> Option<Login> {
    let at = time(at)?;
    let begun = match is_numbered {
        true => Some(Begun {
            generation: next()?.parse().ok()?,
            order: Some(Order {
                number: next()?.parse().ok()?,
                replaces: optional(next()?, |number| number.parse().ok())?,
                place: optional(next()?, |place| place.parse().ok())?,
            }),
        }),
        false => optional(next()?, |mark| mark.parse().ok())?.map(Begun::in_cookie),
    };
    let owner = OwnerName::new(next()?).ok()?;
    Some(Login { owner, at, begun })
}

fn push(text: &mut String, number: Option<u64>) {
    match number {
        Some(number) => push_text(text, itoa::Buffer::new().format(number)),
        None => push_text(text, NONE),
    }
}

fn push_text(text: &mut String, field: &str) {
    text.push(' ');
    text.push_str(field);
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
                    let mut metadata = Metadata {
                        created: at(7),
                        seen: at(8),
                        deadline,
                        own_deadline,
                        remembered,
                        owes_cookie,
                        is_copy,
                        is_stale: false,
                        login: login.clone(),
                        credentials: None,
                    };
                    assert_eq!(
                        Metadata::parse(&metadata.to_text()).as_ref(),
                        Some(&metadata)
                    );
                    metadata.bind_credentials(b"hash of a password");
                    assert_eq!(metadata.credentials.is_some(), login.is_some());
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
            "3 7 8 9 r MARK 10 - ape",
            "4 7 8 9 r MARK 10 MARK 1 - - ape",
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
            "3 7 8 9 r MARK",
            "3 7 8 9 r - 10 - ape",
            "3 7 8 9 r 10 - ape",
            "3 7 8 9 r MARKMARK 10 - ape",
            "3 7 8 9 r 0123456789ABCDEF0123456789abcdef 10 - ape",
            "4 7 8 9 r MARK 10 - ape",
            "5 7 8 9 r",
            "1 -7 8 9 r",
            "1 7  9 r",
        ] {
            assert_eq!(Metadata::parse(&text(wrong)), None, "{wrong}");
        }
    }
}
