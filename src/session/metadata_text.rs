//! The text of a session's [`Metadata`], as it is stored among the values.

use std::num::NonZeroU64;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::credentials::CredentialsHash;
use super::factors::Factors;
use super::key_binding::KeyBinding;
use super::login::{Begun, Login, Order};
use super::metadata::Metadata;

/// A form of the text: the fields that it has before the owner's.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    /// True if the login has a number.
    is_numbered: bool,
    /// True if the text has a hash of the owner's credentials.
    has_credentials: bool,
    /// True if the text has the factors of the login.
    has_factors: bool,
    /// True if the text has the binding of the login to a device.
    has_binding: bool,
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
    /// Writes the metadata as text: form, created, seen, deadline, flags. For a login follow the
    /// parts that [`Form`] names, and then the time and the generation. If the login is numbered, its
    /// number and the number of the login that it replaces follow. The owner comes last, since it may
    /// contain spaces.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(64);
        let form = Form::of_metadata(self);
        text.push_str(form.number());
        push(&mut text, Some(self.created.as_secs()));
        push(&mut text, Some(self.seen.as_secs()));
        push(&mut text, self.deadline.map(UnixTime::as_secs));
        push_text(&mut text, self.flags());
        let Some(login) = &self.login else {
            return text;
        };
        if form.names_its_parts() {
            push_text(&mut text, &form.parts());
        }
        if let Some(credentials) = self.credentials {
            push_text(&mut text, &credentials.to_string());
        }
        if form.has_factors {
            push_text(&mut text, &self.factors.to_string());
        }
        if let Some(binding) = &self.binding {
            push_text(&mut text, &binding.to_string());
        }
        push(&mut text, Some(login.at.as_secs()));
        match login.generation() {
            Some(generation) => push_text(&mut text, &generation.to_string()),
            None => push_text(&mut text, NONE),
        }
        if let Some(order) = login.order() {
            push(&mut text, Some(order.number));
            push(&mut text, order.replaces);
            push(&mut text, order.place.map(NonZeroU64::get));
        }
        push_text(&mut text, login.owner.as_str());
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
        let mut fields = Fields(Some(text));
        let number = fields.next()?;
        let created = time(fields.next()?)?;
        let seen = time(fields.next()?)?;
        let deadline = optional(fields.next()?, time)?;
        let flags = fields.next()?;
        let (remembered, own_deadline, owes_cookie, is_copy) = *FLAGS
            .iter()
            .find(|(text, _)| *text == flags)
            .map(|(_, of)| of)?;
        let form = Form::parse(number, &mut fields)?;
        let credentials = form
            .has_credentials
            .then(|| CredentialsHash::parse(fields.next()?));
        let factors = form.has_factors.then(|| Factors::parse(fields.next()?));
        let binding = form.has_binding.then(|| KeyBinding::parse(fields.next()?));
        let login = match fields.next() {
            None if form.has_login() => return None,
            None => None,
            Some(at) => Some(parse_login(at, form.is_numbered, fields)?),
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
            credentials: present(credentials)?,
            factors: present(factors)?.unwrap_or_default(),
            binding: present(binding)?,
        })
    }
}

impl Form {
    /// The letters of the parts, in the order of the fields.
    const LETTERS: [char; 4] = ['n', 'h', 'f', 'k'];

    fn of_metadata(metadata: &Metadata) -> Self {
        let Some(login) = &metadata.login else {
            return Form::of_parts([false; 4]);
        };
        Form {
            is_numbered: login.order().is_some(),
            has_credentials: metadata.credentials.is_some(),
            has_factors: !metadata.factors.is_empty(),
            has_binding: metadata.binding.is_some(),
        }
    }

    fn of_parts([is_numbered, has_credentials, has_factors, has_binding]: [bool; 4]) -> Self {
        Form {
            is_numbered,
            has_credentials,
            has_factors,
            has_binding,
        }
    }

    /// Parses the number of a form, and the names of its parts if it has them.
    fn parse(number: &str, fields: &mut Fields<'_>) -> Option<Self> {
        let (is_numbered, has_credentials) = match number {
            "1" => (false, false),
            "2" => (true, false),
            "3" => (false, true),
            "4" => (true, true),
            "5" => {
                let letters = fields.next()?;
                let form = Form::of_parts(Form::LETTERS.map(|letter| letters.contains(letter)));
                let is_whole = form.names_its_parts() && form.parts() == letters;
                return is_whole.then_some(form);
            }
            // Another program wrote it, or a later version.
            _ => return None,
        };
        Some(Form::of_parts([is_numbered, has_credentials, false, false]))
    }

    /// Returns the number. The first four have no factors and no binding, so that versions of this
    /// crate that do not know these read them.
    fn number(self) -> &'static str {
        match (self.is_numbered, self.has_credentials) {
            _ if self.names_its_parts() => "5",
            (false, false) => "1",
            (true, false) => "2",
            (false, true) => "3",
            (true, true) => "4",
        }
    }

    /// Returns whether the text names its parts after the flags.
    fn names_its_parts(self) -> bool {
        self.has_factors || self.has_binding
    }

    /// Returns the names of the parts, one letter for each.
    fn parts(self) -> String {
        let parts = [
            self.is_numbered,
            self.has_credentials,
            self.has_factors,
            self.has_binding,
        ];
        let letters = Form::LETTERS.into_iter().zip(parts);
        letters
            .filter_map(|(letter, is_there)| is_there.then_some(letter))
            .collect()
    }

    /// Returns whether the text must have a login.
    fn has_login(self) -> bool {
        self != Form::of_parts([false; 4])
    }
}

/// The fields of a text that are not read yet. `None` after the last one.
struct Fields<'t>(Option<&'t str>);

impl<'t> Fields<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let (field, rest) = match self.0?.split_once(' ') {
            Some((field, rest)) => (field, Some(rest)),
            None => (self.0?, None),
        };
        self.0 = rest;
        Some(field)
    }

    /// Returns the last field, which may contain spaces.
    fn last(self) -> Option<&'t str> {
        self.0
    }
}

/// Returns a part that may be missing. The outer `None` is a part that cannot be read.
#[expect(clippy::option_option)]
fn present<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

/// Parses the fields of a login, of which `at` is the first.
fn parse_login(at: &str, is_numbered: bool, mut fields: Fields<'_>) -> Option<Login> {
    let at = time(at)?;
    let begun = match is_numbered {
        true => Some(Begun {
            generation: fields.next()?.parse().ok()?,
            order: Some(Order {
                number: fields.next()?.parse().ok()?,
                replaces: optional(fields.next()?, |number| number.parse().ok())?,
                place: optional(fields.next()?, |place| place.parse().ok())?,
            }),
        }),
        false => {
            optional(fields.next()?, |generation| generation.parse().ok())?.map(Begun::in_cookie)
        }
    };
    let owner = OwnerName::new(fields.last()?).ok()?;
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
    use crate::session::Factor;

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
                        factors: Factors::default(),
                        binding: None,
                    };
                    let check = |metadata: &Metadata| {
                        assert_eq!(
                            Metadata::parse(&metadata.to_text()).as_ref(),
                            Some(metadata)
                        );
                    };
                    check(&metadata);
                    metadata.bind_credentials(b"hash of a password");
                    assert_eq!(metadata.credentials.is_some(), login.is_some());
                    check(&metadata);
                    if login.is_none() {
                        continue;
                    }
                    metadata.factors.note(Factor::Otp, at(5));
                    check(&metadata);
                    metadata.binding = Some(KeyBinding::begin().unwrap());
                    check(&metadata);
                    metadata.credentials = None;
                    check(&metadata);
                    metadata.factors = Factors::default();
                    check(&metadata);
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
            "5 7 8 9 r f pwd@1 10 - ape",
            "5 7 8 9 r nhf MARK pwd@1,otp@2 10 MARK 1 - - ape ape",
            "5 7 8 9 r k AAAAAAAAAAAAAAAAAAAAAA 10 - ape",
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
            "5 7 8 9 r f",
            "5 7 8 9 r  10 - ape",
            "5 7 8 9 r n 10 MARK 1 - - ape",
            "5 7 8 9 r nh MARK 10 MARK 1 - - ape",
            "5 7 8 9 r f pwd@1",
            "5 7 8 9 r f - 10 - ape",
            "5 7 8 9 r fh MARK pwd@1 10 - ape",
            "5 7 8 9 r ff pwd@1 10 - ape",
            "5 7 8 9 r fx pwd@1 10 - ape",
            "5 7 8 9 r k AAAAAAAAAAAAAAAAAAAAA 10 - ape",
            "6 7 8 9 r",
            "1 -7 8 9 r",
            "1 7  9 r",
        ] {
            assert_eq!(Metadata::parse(&text(wrong)), None, "{wrong}");
        }
    }
}
