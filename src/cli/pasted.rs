//! [`Pasted`]: the value of a cookie in the text that a person copied from a browser, a log or a
//! header field.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A cookie's value, and what was around it.
#[derive(Clone, Default)]
pub(super) struct Pasted {
    pub(super) value: String,
    /// The name, if the text has it.
    pub(super) name: Option<String>,
    /// What was taken away from the text, in order: one sentence each.
    pub(super) steps: Vec<String>,
}

impl Pasted {
    /// Takes the value out of the text. If the text has several cookies, the first one with one of
    /// these names counts, and otherwise the first one.
    pub(super) fn read(text: &str, names: &[&str]) -> Self {
        let all = Pasted::all(text, names);
        all.into_iter().next().unwrap_or_default()
    }

    /// Returns the value of each cookie of the same name, in order; at least one.
    pub(super) fn all(text: &str, names: &[&str]) -> Vec<Self> {
        let mut whole = Pasted {
            value: text.to_owned(),
            ..Pasted::default()
        };
        whole.take_white_space();
        whole.take_field();
        whole.take_quotes();
        let mut all = whole.pairs(names);
        for pasted in &mut all {
            pasted.take_quotes();
            pasted.take_percents();
            pasted.take_quotes();
        }
        all
    }

    fn replace(&mut self, value: impl Into<String>, step: impl Into<String>) {
        self.value = value.into();
        self.steps.push(step.into());
    }

    fn take_white_space(&mut self) {
        let trimmed = self.value.trim().to_owned();
        if trimmed != self.value {
            self.replace(trimmed, "white space is around the value");
        }
    }

    /// Takes away the name of a header field.
    fn take_field(&mut self) {
        for field in ["Set-Cookie:", "Cookie:"] {
            let start = self.value.get(..field.len());
            if start.is_some_and(|start| start.eq_ignore_ascii_case(field)) {
                let rest = self.value.get(field.len()..).unwrap_or_default();
                let step = format!("the whole {} field is given", field.trim_end_matches(':'));
                self.replace(rest.trim().to_owned(), step);
                return;
            }
        }
    }

    /// Takes the values out of `name=value; name=value`, or of `name=value; Path=/`.
    fn pairs(self, names: &[&str]) -> Vec<Self> {
        let parts: Vec<&str> = self.value.split(';').map(str::trim).collect();
        let is_named = |part: &&str| split(part).is_some_and(|(name, _)| names.contains(&name));
        let mut chosen: Vec<&str> = parts.iter().copied().filter(is_named).collect();
        let count = chosen.len();
        if chosen.is_empty() {
            chosen.extend(parts.first());
        }
        let all = chosen.into_iter().map(|part| {
            let mut pasted = self.clone();
            match split(part).filter(|(name, value)| names.contains(name) || !is_padding(value)) {
                Some((name, value)) => {
                    pasted.name = Some(name.to_owned());
                    pasted.replace(value, "the value has its name in front of it");
                }
                None if parts.len() > 1 => pasted.replace(part, "attributes follow the value"),
                None => {}
            }
            if count > 1 {
                pasted
                    .steps
                    .push(format!("there are {count} cookies of this name"));
            }
            pasted
        });
        all.collect()
    }

    fn take_quotes(&mut self) {
        for quote in ['"', '\''] {
            let inner = self.value.strip_prefix(quote);
            if let Some(inner) = inner.and_then(|inner| inner.strip_suffix(quote)) {
                self.replace(inner.to_owned(), "the value is in quotes");
                return;
            }
        }
    }

    fn take_percents(&mut self) {
        if let Ok(decoded) = percent_decode_str(&self.value).decode_utf8()
            && let Cow::Owned(decoded) = decoded
            && decoded != self.value
        {
            self.replace(decoded, "the value is percent-encoded");
        }
    }
}

/// Returns the name, a token of RFC 9110, and the value of a pair.
fn split(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_token)).then_some((name, value))
}

/// Returns whether this follows the first `=` at the end of base64.
fn is_padding(value: &str) -> bool {
    value.trim_matches('=').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_taken_out_of_what_is_around_it() {
        let cookie = "MTcwMDAwMDAwMHw=";
        for (text, name) in [
            ("MTcwMDAwMDAwMHw=", None),
            (" MTcwMDAwMDAwMHw=\r\n", None),
            ("\"MTcwMDAwMDAwMHw=\"", None),
            ("MTcwMDAwMDAwMHw%3D", None),
            ("MTcwMDAwMDAwMHw=; Path=/", None),
            ("sid=MTcwMDAwMDAwMHw=", Some("sid")),
            ("Cookie: a=b; sid=MTcwMDAwMDAwMHw=; c=d", Some("sid")),
            (
                "set-cookie:sid=\"MTcwMDAwMDAwMHw%3d\"; Path=/; HttpOnly",
                Some("sid"),
            ),
        ] {
            let pasted = Pasted::read(text, &["other", "sid"]);
            assert_eq!(pasted.value, cookie, "{text}");
            assert_eq!(pasted.name.as_deref(), name, "{text}");
            assert_eq!(pasted.steps.is_empty(), text == cookie, "{text}");
        }
    }

    #[test]
    fn each_cookie_of_the_name_is_there() {
        let values = |text| {
            let all = Pasted::all(text, &["sid"]);
            all.into_iter()
                .map(|pasted| pasted.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(values("sid=old; a=b; sid=\"new\""), ["old", "new"]);
        assert_eq!(values("sid=; a=b"), [""]);
        assert_eq!(values("a=b; c=d"), ["b"]);
    }

    #[test]
    fn other_text_stays() {
        for text in ["", "a", "==", "100%", "%zz", "\"", "ä"] {
            assert_eq!(Pasted::read(text, &[]).value, text);
        }
    }
}
