//! [`Pasted`]: the value of a cookie in the text that a person copied from a browser, a log or a
//! header field.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A cookie's value, and what was around it.
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
        let mut pasted = Pasted {
            value: text.to_owned(),
            name: None,
            steps: Vec::new(),
        };
        pasted.take_white_space();
        pasted.take_field();
        pasted.take_pair(names);
        pasted.take_quotes();
        pasted.take_percents();
        pasted
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
            let is_field = self
                .value
                .get(..field.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(field));
            if is_field {
                let rest = self.value.get(field.len()..).unwrap_or_default();
                let step = format!("the whole {} field is given", field.trim_end_matches(':'));
                self.replace(rest.trim().to_owned(), step);
                return;
            }
        }
    }

    /// Takes the value out of `name=value; name=value`, or of `name=value; Path=/`.
    fn take_pair(&mut self, names: &[&str]) {
        let value = self.value.clone();
        let parts: Vec<&str> = value.split(';').map(str::trim).collect();
        let is_named = |part: &&&str| pair(part).is_some_and(|(name, _)| names.contains(&name));
        let chosen = parts.iter().find(is_named).or(parts.first());
        if let Some((name, value)) = chosen.copied().and_then(pair) {
            self.name = Some(name.to_owned());
            self.replace(value, "the value has its name in front of it");
        } else if let Some((value, _)) = value.split_once(';') {
            self.replace(value.trim(), "attributes follow the value");
        }
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

/// Returns the name, a token of RFC 9110, and the value of a pair. The `=` at the end of base64 does not follow a name.
fn pair(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    let is_padding = value.trim_matches('=').is_empty();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    (is_name && !is_padding).then_some((name, value))
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
    fn other_text_stays() {
        for text in ["", "a", "==", "100%", "%zz", "\"", "ä"] {
            assert_eq!(Pasted::read(text, &[]).value, text);
        }
    }
}
