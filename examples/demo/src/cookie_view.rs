//! The cookie on a page: its value, parts, name, attributes and size, before and after.

use super::Keys;
use super::cookie::{self, Change, LONGEST, NAME, Parts};
use super::keys::KeyFacts;
use super::view::{Note, ago, escaped};

/// The cookie of one request and its response.
pub(crate) enum Exchange {
    /// The browser has no cookie.
    Absent,
    /// The browser has this cookie.
    Present(Cookie),
    /// The browser had a cookie of an older key, and now has one of the newest.
    Renewed { before: String, after: Cookie },
    /// The server refuses the cookie.
    Refused {
        received: String,
        /// A valid cookie that differs in the one character that tampering changes.
        valid: Option<String>,
        is_removed: bool,
    },
}

/// A cookie that the browser has once the response is there.
pub(crate) struct Cookie {
    value: String,
    attributes: String,
    key: KeyFacts,
}

impl Exchange {
    pub(crate) fn new(
        keys: &Keys,
        received: Option<String>,
        change: Change,
        is_remembered: bool,
    ) -> Self {
        let is_removed = matches!(change, Change::Removed);
        if let Change::Set { value, attributes } = change
            && let Some(key) = keys.key_of(&value)
        {
            let after = Cookie {
                value,
                attributes,
                key,
            };
            let is_older = |value: &String| keys.key_of(value).is_some_and(|key| key.is_older);
            return match received.filter(is_older) {
                Some(before) => Exchange::Renewed { before, after },
                None => Exchange::Present(after),
            };
        }
        let Some(received) = received else {
            return Exchange::Absent;
        };
        match keys.key_of(&received) {
            Some(key) if !is_removed => Exchange::Present(Cookie {
                value: received,
                attributes: earlier_attributes(is_remembered),
                key,
            }),
            _ => {
                let valid = cookie::tampered(&received);
                Exchange::Refused {
                    valid: keys.key_of(&valid).map(|_| valid),
                    received,
                    is_removed,
                }
            }
        }
    }

    pub(crate) fn note(&self) -> Option<Note> {
        let text = "The keys were rotated. Your cookie was signed by an older key. The response \
                    replaced it with one that is signed by the newest key. The session is the same.";
        let is_renewed = matches!(self, Exchange::Renewed { .. });
        is_renewed.then(|| Note::Good(text.to_owned()))
    }

    /// Draws the part of the page that shows the cookie.
    pub(crate) fn html(&self) -> String {
        let (title, body) = match self {
            Exchange::Absent => ("No cookie yet", format!("<p>{ABSENT}</p>")),
            Exchange::Present(cookie) => {
                let value = row("Value", &code(&cookie.value));
                ("Your cookie", cookie.html(&value))
            }
            Exchange::Renewed { before, after } => {
                let before = row("Before", &(code(before) + &hint(OLDER)));
                let values = before + &row("After", &(code(&after.value) + &hint(NEWEST)));
                ("Your cookie, before and after", after.html(&values))
            }
            Exchange::Refused {
                received,
                valid,
                is_removed,
            } => {
                let end = if *is_removed { REMOVED } else { LEFT };
                let (title, rows, reason) = match valid {
                    Some(valid) => {
                        let rows = row("Before", &marked(valid)) + &row("After", &marked(received));
                        ("Your cookie, before and after", rows, TAMPERED)
                    }
                    None => ("Your cookie was refused", row("Value", &code(received)), ""),
                };
                (title, format!("<dl>{rows}</dl><p>{reason} {end}</p>"))
            }
        };
        format!("<section id=cookie><h2>{title}</h2>{body}</section>")
    }
}

const ABSENT: &str = "Your browser has no cookie of this site. It gets one when you log in.";
const OLDER: &str = "Signed by an older key, which is still accepted.";
const NEWEST: &str = "Signed by the newest key.";
const TAMPERED: &str = "One character differs, so the signature does not match: the server does \
                        not read the rest of the cookie.";
const REMOVED: &str = "This response has removed the cookie from your browser.";
const LEFT: &str = "The next login replaces the cookie.";

impl Cookie {
    /// Draws the cookie, whose value is in `values`.
    fn html(&self, values: &str) -> String {
        let name = code(NAME)
            + &hint("Over HTTPS it is __Host-id: browsers then accept it from this host alone.");
        let size = NAME.len() + self.value.len();
        let size = format!(
            "{} of {} bytes <meter min=0 max={LONGEST} value={size} aria-label=Size></meter>",
            grouped(size),
            grouped(LONGEST)
        );
        let rows = [
            row("Name", &name),
            values.to_owned(),
            self.parts().unwrap_or_default(),
            row("Attributes", &self.attributes()),
            row("Size", &size),
        ];
        format!("<dl>{}</dl>", rows.concat())
    }

    /// Draws the three parts of the value.
    fn parts(&self) -> Option<String> {
        let parts = Parts::of(&self.value)?;
        let date = format!("Seconds since 1970: {}.", ago(parts.date));
        let fits = format!(
            "{} bytes, made from the name, the date, the contents and the server's key.",
            parts.signature.len()
        );
        let rows = [
            row(
                "Its date",
                &(code(&parts.date.as_secs().to_string()) + &hint(&date)),
            ),
            row("Its contents", &self.contents(&parts.contents)),
            row(
                "Its signature",
                &(code(&cookie::hex(&parts.signature)) + &hint(&fits)),
            ),
        ];
        Some(rows.concat())
    }

    fn contents(&self, bytes: &[u8]) -> String {
        let length = bytes.len();
        if self.key.encrypts {
            return format!("{length} bytes")
                + &hint("Encrypted and signed: only the server can read or change them.");
        }
        let values = cookie::values(bytes);
        let lines = values.iter();
        let lines = lines.map(|(name, value)| format!("<li>{} {}", code(name), code(value)));
        let lines: String = lines.collect();
        let effect = format!(
            "{length} bytes, signed and not encrypted: anyone with the cookie can read them, but \
             only the server can change them."
        );
        let of_session = match values.iter().any(|(name, _)| name == "_session") {
            true => hint("_session holds the times of the session and the user's name."),
            false => String::new(),
        };
        format!("<ul class=values>{lines}</ul>{of_session}{}", hint(&effect))
    }

    /// Draws the attributes, with the effect of each.
    fn attributes(&self) -> String {
        let attributes = self.attributes.split("; ");
        let lines = attributes.filter_map(|attribute| {
            let name = attribute.split('=').next()?;
            let (_, effect) = EFFECTS.iter().find(|(known, _)| *known == name)?;
            Some(format!("<li>{} {effect}", code(attribute)))
        });
        format!("<ul class=attributes>{}</ul>", lines.collect::<String>())
    }
}

/// Returns the attributes of a cookie that an earlier response has set.
fn earlier_attributes(is_remembered: bool) -> String {
    let max_age = if is_remembered { "; Max-Age" } else { "" };
    format!("Path=/; HttpOnly; SameSite=Lax{max_age}")
}

const EFFECTS: [(&str, &str); 4] = [
    ("Path", "Sent with each request to this site."),
    ("HttpOnly", "Scripts on the page cannot read it."),
    (
        "SameSite",
        "Not sent with forms and scripts of other sites.",
    ),
    (
        "Max-Age",
        "Kept for a time in seconds, also when the browser closes.",
    ),
];

fn row(title: &str, html: &str) -> String {
    format!("<dt>{title}<dd>{html}\n")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

fn hint(text: &str) -> String {
    format!("<p class=hint>{text}</p>")
}

/// Highlights the character that tampering changes.
fn marked(value: &str) -> String {
    let place = cookie::tampered_at(value);
    let parts = value.split_at_checked(place).and_then(|(before, rest)| {
        let mut rest = rest.chars();
        Some((before, rest.next()?, rest.as_str()))
    });
    match parts {
        Some((before, changed, after)) => format!(
            "<code>{}<mark>{}</mark>{}</code>",
            escaped(before),
            escaped(&changed.to_string()),
            escaped(after)
        ),
        None => code(value),
    }
}

/// Writes a number below a million with its thousands apart.
fn grouped(number: usize) -> String {
    match number {
        ..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use silverback::codec::{Codec, KeyPairs, UnixTime};

    use super::*;

    fn keys_and_cookie() -> (Keys, String) {
        let keys = Keys::new(KeyPairs::generate(1).unwrap()).unwrap();
        let mut value = String::new();
        let sealed = keys.seal_into(NAME, b"contents", UnixTime::now(), &mut value);
        sealed.unwrap();
        (keys, value)
    }

    #[test]
    fn a_tampered_cookie_is_shown_with_the_valid_one_and_another_is_not() {
        let (keys, valid) = keys_and_cookie();
        let received = cookie::tampered(&valid);
        let page = Exchange::new(&keys, Some(received.clone()), Change::Removed, false).html();
        assert!(page.contains(&marked(&valid)) && page.contains(&marked(&received)));
        let page = Exchange::new(&keys, Some("forged".to_owned()), Change::Removed, false).html();
        assert!(page.contains("forged") && !page.contains("<mark>"));
    }

    #[test]
    fn a_cookie_of_an_older_key_is_shown_before_and_after() {
        let (keys, value) = keys_and_cookie();
        keys.rotate(true).unwrap();
        let mut renewed = String::new();
        let sealed = keys.seal_into(NAME, b"contents", UnixTime::now(), &mut renewed);
        sealed.unwrap();
        let set = Change::Set {
            value: renewed.clone(),
            attributes: "Path=/; Max-Age=60".to_owned(),
        };
        let exchange = Exchange::new(&keys, Some(value.clone()), set, false);
        let page = exchange.html();
        assert!(exchange.note().is_some());
        for part in [&value, &renewed, "Max-Age=60"] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn what_a_client_sends_is_escaped() {
        let (keys, _) = keys_and_cookie();
        let page = |change| Exchange::new(&keys, Some("<script>".to_owned()), change, false).html();
        for change in [Change::None, Change::Removed] {
            assert!(!page(change).contains("<script>"));
        }
    }
}
