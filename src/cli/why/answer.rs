//! [`Answer`]: the reason why a cookie is refused, as text.

use std::fmt;

use silverback::codec::Error;

use super::super::dates::format_date;
use super::super::frame::Frame;
use super::super::inspect::age;
use super::super::pasted::Pasted;
use super::super::payload::{self, Format};
use super::attempts::{Attempts, Match, Payload};
use super::foreign;

/// The reasons, and what would open the cookie: one sentence a line.
pub(super) struct Answer {
    opens: bool,
    reasons: Vec<String>,
    facts: Vec<String>,
}

impl Answer {
    pub(super) fn opens_as_given() -> Self {
        Answer {
            opens: true,
            reasons: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Begins the answer for a cookie that is refused, with what is around its value.
    pub(super) fn of_pasted(pasted: &Pasted) -> Self {
        Answer {
            opens: false,
            reasons: pasted.steps.clone(),
            facts: Vec::new(),
        }
    }

    pub(super) fn opens(&self) -> bool {
        self.opens
    }

    /// Returns the answer for programs.
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"opens": self.opens, "reasons": self.reasons, "facts": self.facts})
    }

    pub(super) fn note(&mut self, reason: Option<&str>) {
        self.reasons.extend(reason.map(str::to_owned));
    }

    fn fact(&mut self, fact: impl Into<String>) {
        self.facts.push(fact.into());
    }

    /// Explains a cookie whose MAC is right under some settings. `refusal` is the error under the
    /// settings as they were given.
    pub(super) fn explain_match(
        &mut self,
        found: &Match<'_>,
        attempts: &Attempts<'_>,
        refusal: Option<Error>,
    ) {
        let before = self.reasons.len();
        self.explain_mac(found, attempts);
        match &found.payload {
            Some(payload) => self.explain_payload(payload, found, attempts),
            None => self.note(Some(
                "the MAC is right, but the payload cannot be read: it is encrypted with another \
                 block key, or in a format that is not known here",
            )),
        }
        let is_explained = self.reasons.len() > before;
        if let Some(refusal) = refusal.filter(|refusal| !(refusal.is_not_valid() && is_explained)) {
            self.explain_refusal(&refusal);
        }
        let issued = found.issued_at;
        self.fact(format!(
            "sealed {}: {}",
            format_date(issued),
            age(issued, attempts.now)
        ));
        self.fact(format!("opened by {}", found.key.label));
    }

    /// Names the settings for the MAC that differ from those given.
    fn explain_mac(&mut self, found: &Match<'_>, attempts: &Attempts<'_>) {
        if attempts.names.first() != Some(&found.name) {
            let name = found.name;
            self.reasons
                .push(format!("it was sealed under another name: --name {name}"));
        }
        if found.hash.value != attempts.hash {
            let name = &found.hash.name;
            self.reasons
                .push(format!("its MAC has another hash function: --hash {name}"));
        }
        if !found.key.is_as_given {
            let label = &found.key.label;
            self.reasons.push(format!(
                "the keys are read in another form: {label} opens it"
            ));
        }
    }

    fn explain_payload(&mut self, payload: &Payload, found: &Match<'_>, attempts: &Attempts<'_>) {
        match &payload.cipher {
            Some(cipher) if cipher.value != attempts.cipher => {
                let name = &cipher.name;
                self.reasons
                    .push(format!("it is encrypted in another mode: --cipher {name}"));
            }
            None if found.key.is_as_given && found.key.encrypts() => self.note(Some(
                "it is only signed, but the key pair has a block key: give the pair without it",
            )),
            _ => {}
        }
        let format = &payload.format;
        if format.value != attempts.format {
            let name = &format.name;
            self.reasons.push(format!(
                "its payload has another format: --serializer {name}"
            ));
        }
        if let Some(contents) = contents(format.value, &payload.bytes) {
            self.fact(contents);
        }
    }

    fn explain_refusal(&mut self, refusal: &Error) {
        let remedy = match refusal {
            refusal if refusal.is_expired() => "see --max-age",
            refusal if refusal.is_too_new() => {
                "compare the clocks of both machines, and see --min-age"
            }
            refusal if refusal.is_too_long() => "see --max-length",
            _ => return self.reasons.push(refusal.to_string()),
        };
        self.reasons.push(format!("{refusal}: {remedy}"));
    }

    /// Explains a cookie of gorilla's form that no key opens.
    pub(super) fn explain_frame(&mut self, frame: &Frame) {
        if foreign::is_gorilla_csrf(frame) {
            self.note(Some(
                "it looks like the cookie of gorilla/csrf, which has its own name and key",
            ));
        } else if frame.date.len() < 9 || !frame.date.bytes().all(|byte| byte.is_ascii_digit()) {
            self.note(Some(
                "the value does not begin with a date: its beginning is missing, or was changed",
            ));
        } else if ![20, 32, 48, 64].contains(&frame.mac.len()) {
            self.reasons.push(format!(
                "the value is cut, or its end was changed: its MAC has {} bytes",
                frame.mac.len()
            ));
        } else {
            self.note(Some(
                "no given key sealed it under a given name, or it was changed: check the keys of the \
                 service that sealed it, and its name with --other-name",
            ));
        }
        self.fact(format!(
            "payload: {} bytes, {}",
            frame.payload.len(),
            frame.format()
        ));
        self.fact(format!(
            "MAC: {} bytes, {}",
            frame.mac.len(),
            frame.hashes()
        ));
    }

    /// Explains a text that is not of gorilla's form, as it was given and as its value was taken out
    /// of it. The cookies of some programs contain a `=`, and so look like a name and a value.
    pub(super) fn explain_text(&mut self, text: &str, value: &str) {
        if let Some(what) = foreign::recognize(text.trim()) {
            self.reasons = vec![what.to_owned()];
        } else if let Some(what) = foreign::recognize(value) {
            self.note(Some(what));
        } else {
            self.reasons.push(foreign::damage(value));
        }
    }
}

/// Describes what a cookie holds, without showing it.
fn contents(format: Format, payload: &[u8]) -> Option<String> {
    let json = payload::to_json(format, payload).ok()?;
    let value: serde_json::Value = serde_json::from_str(&json).ok()?;
    Some(match value {
        serde_json::Value::String(id) if [52, 103].contains(&id.len()) => {
            "it holds the ID of a session in a server".to_owned()
        }
        serde_json::Value::Object(map) if map.len() == 1 => {
            "it holds a session with 1 value".to_owned()
        }
        serde_json::Value::Object(map) => format!("it holds a session with {} values", map.len()),
        _ => return None,
    })
}

/// Prints the reasons, and then the facts.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.opens {
            return writeln!(f, "the cookie opens");
        }
        writeln!(f, "the cookie is refused:")?;
        for reason in &self.reasons {
            writeln!(f, "- {reason}")?;
        }
        for fact in &self.facts {
            writeln!(f, "  {fact}")?;
        }
        Ok(())
    }
}
