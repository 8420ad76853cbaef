//! [`CookieWriter`]: the Set-Cookie text of a session's cookie.
//!
//! The text is built here, not by a cookie library: the parts that are the same for each cookie are
//! written once, when the store is built.

use std::time::Duration;

use super::cookie_options::{CookieOptions, InsecureHttp, SameSite, Scope};
use super::{Error, Refusal};

/// Checked options, with the constant parts of each Set-Cookie already written.
#[derive(Clone, Debug)]
pub(super) struct CookieWriter {
    options: CookieOptions,
    attributes: String,
    /// The removals, one for each of the scopes.
    removals: Vec<String>,
    scopes: Vec<Scope>,
}

/// A place in a browser that can hold a cookie of the session's name.
#[derive(Clone, Copy)]
pub(super) struct Place<'r> {
    pub(super) path: &'r str,
    pub(super) domain: Option<&'r str>,
    pub(super) is_partitioned: bool,
}

impl CookieWriter {
    pub(super) fn new(options: CookieOptions) -> Result<Self, Error> {
        options.check()?;
        let mut scopes = vec![options.scope.clone()];
        for former in &options.former_scopes {
            if !scopes.contains(former) {
                scopes.push(former.clone());
            }
        }
        let removals = scopes.iter().map(|scope| {
            let attributes = attributes(&options, scope);
            // Expires is for clients that do not know Max-Age.
            format!(
                "{}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                options.name
            )
        });
        Ok(CookieWriter {
            attributes: attributes(&options, &options.scope),
            removals: removals.collect(),
            scopes,
            options,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.options.name
    }

    #[cfg(feature = "dbsc")]
    pub(super) fn options(&self) -> &CookieOptions {
        &self.options
    }

    /// Returns the attributes of the cookie, without Max-Age.
    #[cfg(feature = "dbsc")]
    pub(super) fn attributes(&self) -> &str {
        self.attributes.trim_start_matches("; ")
    }

    /// Returns whether no other host can have set a cookie of this name.
    pub(super) fn is_host_bound(&self) -> bool {
        self.options.is_host_bound()
    }

    pub(super) fn is_secure(&self) -> bool {
        self.options.secure
    }

    pub(super) fn is_partitioned(&self) -> bool {
        self.options.partitioned
    }

    /// Returns the scopes in which the application sets the cookie, or has set it before.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter()
    }

    /// Returns the Set-Cookie that stores `value` for `max_age`, or until the browser closes.
    pub(super) fn set(&self, value: &str, max_age: Option<Duration>) -> String {
        let room = self.name().len() + value.len() + self.attributes.len() + 32;
        let mut text = String::with_capacity(room);
        for part in [self.name(), "=", value, &self.attributes] {
            text.push_str(part);
        }
        if let Some(max_age) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(itoa::Buffer::new().format(max_age.as_secs()));
        }
        text
    }

    /// Returns whether a Set-Cookie is for a cookie of this name.
    pub(super) fn sets(&self, set_cookie: &str) -> bool {
        let rest = set_cookie.strip_prefix(self.name());
        rest.is_some_and(|rest| rest.starts_with('='))
    }

    /// Returns the Set-Cookies that remove the cookie: first from the scope in which
    /// [`set`](CookieWriter::set) stores it, then from its former scopes.
    pub(super) fn removals(&self) -> impl Iterator<Item = &String> {
        self.removals.iter()
    }

    /// Returns the Set-Cookies that remove the cookie from its former scopes.
    pub(super) fn former_removals(&self) -> impl Iterator<Item = &String> {
        self.removals().skip(1)
    }

    /// Returns the Set-Cookie that removes a cookie of this name from another place. A response may
    /// have many of them, so it is short: it has only the flags without which browsers ignore it.
    pub(super) fn removal_at(&self, place: Place<'_>) -> String {
        let mut text = format!("{}=; Path={}", self.name(), place.path);
        if let Some(domain) = place.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        let flags = [
            (self.options.needs_http_only(), "; HttpOnly"),
            (self.options.secure, "; Secure"),
            (self.options.same_site == SameSite::None, "; SameSite=None"),
            (place.is_partitioned, "; Partitioned"),
        ];
        let wanted = flags.iter().filter(|(is_wanted, _)| *is_wanted);
        text.extend(wanted.map(|(_, flag)| *flag));
        text + "; Max-Age=0"
    }

    /// Returns whether a cookie with this refusal is removed from the client.
    pub(super) fn removes(&self, refusal: Refusal) -> bool {
        self.options.removes_not_valid && refusal == Refusal::NotValid
    }

    /// Refuses to send a cookie over a connection that others can read.
    pub(super) fn check_host(&self, is_loopback: bool) -> Result<(), Error> {
        match self.options.insecure_http {
            InsecureHttp::OnLoopback if !is_loopback => Err(Error::usage(
                "insecure_http() sets cookies for loopback hosts only, and this request is for another \
                 host: open the site as http://localhost or http://127.0.0.1; or serve it over TLS \
                 without insecure_http(); or use insecure_http_everywhere(), which lets anyone who \
                 reads the network steal sessions",
            )),
            _ => Ok(()),
        }
    }
}

fn attributes(options: &CookieOptions, scope: &Scope) -> String {
    let mut text = format!("; Path={}", scope.path);
    if let Some(domain) = &scope.domain {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    if options.http_only {
        text.push_str("; HttpOnly");
    }
    if options.secure {
        text.push_str("; Secure");
    }
    text.push_str(match options.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    if options.partitioned {
        text.push_str("; Partitioned");
    }
    text
}

/// Returns whether a cookie's value has only allowed characters (RFC 6265, section 4.1.1). Checks
/// all bytes, since that is faster than stopping at the first wrong one.
pub(super) fn is_cookie_value(value: &str) -> bool {
    let is_wrong =
        |byte: u8| !matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    !value.bytes().fold(false, |any, byte| any | is_wrong(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(options: CookieOptions) -> String {
        CookieWriter::new(options).unwrap().set("v", None)
    }

    #[test]
    fn the_default_is_the_safest() {
        assert_eq!(
            set(CookieOptions::new()),
            "__Host-id=v; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            set(CookieOptions::new().insecure_http()),
            "id=v; Path=/; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_removal_repeats_name_scope_and_flags() {
        let options = CookieOptions::new()
            .name("sid")
            .and_then(|options| options.domain("example.com"))
            .and_then(|options| options.path("/shop"))
            .unwrap()
            .same_site(SameSite::None)
            .partitioned();
        let writer = CookieWriter::new(options).unwrap();
        let scope =
            "; Path=/shop; Domain=example.com; HttpOnly; Secure; SameSite=None; Partitioned";
        assert_eq!(writer.set("v", None), format!("sid=v{scope}"));
        let month = Duration::from_secs(2_592_000);
        assert_eq!(
            writer.set("v", Some(month)),
            format!("sid=v{scope}; Max-Age=2592000")
        );
        assert_eq!(
            writer.removals().next().unwrap(),
            &format!("sid={scope}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        );
    }

    #[test]
    fn a_cookie_value_has_the_characters_of_rfc_6265() {
        assert!(is_cookie_value("") && is_cookie_value("!#$%&'()*+-./:<=>?@[]^_`{|}~aZ09"));
        for wrong in [
            "\"", ",", ";", "\\", " ", "\r", "\n", "\0", "\x7f", "\u{e4}",
        ] {
            assert!(!is_cookie_value(&format!("a{wrong}b")), "{wrong:?}");
        }
    }
}
