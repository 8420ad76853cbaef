//! [`StoreBinding`]: the checked binding of a store: its seals, its bound cookie, and the texts of its
//! header fields.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::{Codec, UnixTime};

use super::super::cookie_writer::CookieWriter;
use super::super::key_binding::{DeviceKey, KeyBinding};
use super::super::{CookieOptions, Error};
use super::options::BindingOptions;
use super::seals::Seals;

/// The name of the field that carries a challenge.
pub(super) const CHALLENGE: &str = "secure-session-challenge";
/// The name of the field that offers a binding.
pub(super) const REGISTRATION: &str = "secure-session-registration";
/// How long a browser may take to make a key.
const REGISTRATION_LIFE: Duration = Duration::from_secs(300);
/// How much longer than the bound cookie a challenge is good.
const CHALLENGE_ROOM: Duration = Duration::from_secs(300);

/// The binding of a store, checked.
#[derive(Clone)]
pub(in super::super) struct StoreBinding {
    pub(super) options: BindingOptions,
    pub(super) seals: Seals,
    cookie: CookieWriter,
}

/// The two endpoints of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Registration,
    Refresh,
}

impl StoreBinding {
    /// Checks the options. `session` are the options of the session's cookie.
    pub(super) fn new(
        options: BindingOptions,
        codec: Arc<dyn Codec>,
        session: &CookieOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        if session.scope.domain.is_some() {
            return Err(Error::usage(
                "a device binding covers one host, and the session's cookie has a domain: remove the \
                 domain",
            ));
        }
        let root = session.scope.path.trim_end_matches('/');
        let below = options.path.strip_prefix(root);
        if !below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
            return Err(Error::usage(
                "the path of the device binding is outside of the path of the session's cookie, so \
                 that browsers would not send the cookie there: choose a path below it",
            ));
        }
        let cookie = session.bound()?;
        Ok(StoreBinding {
            seals: Seals::new(codec, &session.name, &cookie.name),
            cookie: CookieWriter::new(cookie)?,
            options,
        })
    }

    /// Returns whether both bindings have the same endpoints.
    pub(in super::super) fn has_path_of(&self, other: &Self) -> bool {
        self.options.path == other.options.path
    }

    /// Returns the endpoint at a path.
    pub(super) fn step_at(&self, path: &str) -> Option<Step> {
        match path.strip_prefix(self.options.path.as_str())? {
            "/registration" => Some(Step::Registration),
            "/refresh" => Some(Step::Refresh),
            _ => None,
        }
    }

    /// Returns whether a session with a key stays closed without its bound cookie.
    pub(super) fn is_required(&self) -> bool {
        self.options.is_required()
    }

    /// Returns whether a user logs in at that path.
    pub(super) fn is_login(&self, path: &str) -> bool {
        let logins = self.options.required.iter().flatten();
        logins.into_iter().any(|login| login == path)
    }

    /// Returns whether a client can bind a session: browsers register keys over TLS only.
    pub(super) fn is_possible(&self) -> bool {
        self.cookie.is_secure()
    }

    /// Returns how old the challenge of a step may be.
    pub(super) fn challenge_life(&self, step: Step) -> Duration {
        match step {
            Step::Registration => REGISTRATION_LIFE,
            Step::Refresh => self.options.cookie_life.saturating_add(CHALLENGE_ROOM),
        }
    }

    /// Returns the Set-Cookie of the bound cookie.
    pub(super) fn set_cookie(
        &self,
        binding: &KeyBinding,
        key: &DeviceKey,
        now: UnixTime,
    ) -> Result<String, Error> {
        let life = self.options.cookie_life;
        let on_the_way = (life / 10).max(Duration::from_secs(1));
        let end = now + life.saturating_add(on_the_way);
        let value = self.seals.bound_cookie(&binding.id, key, end, now)?;
        Ok(self.cookie.set(&value, Some(life)))
    }

    /// Returns the Set-Cookies that remove the bound cookie.
    pub(super) fn removals(&self) -> impl Iterator<Item = &String> {
        self.cookie.removals()
    }

    /// Returns the name of the bound cookie.
    pub(in super::super) fn cookie_name(&self) -> &str {
        self.seals.cookie_name()
    }

    /// Returns whether one of the request's bound cookies is good for the key of a session.
    pub(super) fn is_proven(
        &self,
        binding: &KeyBinding,
        key: &DeviceKey,
        cookies: &[&str],
        now: UnixTime,
    ) -> bool {
        let is_good = |value: &&str| self.seals.is_bound_cookie(value, &binding.id, key, now);
        cookies.iter().any(is_good)
    }

    /// Returns the field `Secure-Session-Registration`, which offers a binding.
    pub(super) fn registration_field(
        &self,
        binding: &KeyBinding,
        now: UnixTime,
    ) -> Result<String, Error> {
        let path = self.options.registration_path();
        let challenge = self.seals.challenge(binding, now)?;
        Ok(format!("(ES256);path=\"{path}\";challenge=\"{challenge}\""))
    }

    /// Returns the field `Secure-Session-Challenge`, which the next proof must answer.
    pub(super) fn challenge_field(
        &self,
        binding: &KeyBinding,
        now: UnixTime,
    ) -> Result<String, Error> {
        let challenge = self.seals.challenge(binding, now)?;
        Ok(format!("\"{challenge}\";id=\"{}\"", binding.id))
    }

    /// Returns the session instructions that answer a registration.
    pub(super) fn instructions(&self, binding: &KeyBinding) -> String {
        let exclude = |path| serde_json::json!({"type": "exclude", "domain": "*", "path": path});
        let rules: Vec<_> = self.options.excluded.iter().map(exclude).collect();
        serde_json::json!({
            "session_identifier": binding.id.to_string(),
            "refresh_url": self.options.refresh_path(),
            "scope": {"include_site": false, "scope_specification": rules},
            "credentials": [{
                "type": "cookie",
                "name": self.cookie.name(),
                "attributes": self.cookie.attributes(),
            }],
        })
        .to_string()
    }
}
