//! [`CookieOptions`]: the name of a session's cookie and its attributes, checked
//! before any cookie is sent, and the Set-Cookie text made of them.
//!
//! The text is our own, not a cookie library's: what does not change from cookie to
//! cookie is written once, when the store is built.
//!
//! Sources: RFC 6265bis (draft-ietf-httpbis-rfc6265bis) for attributes and the
//! prefixes `__Host-` and `__Secure-`; draft-ietf-httpbis-layered-cookies for
//! `__Http-` and `__Host-Http-`; CHIPS for Partitioned.

use std::time::Duration;

use crate::codec;

use super::{Error, Refusal};

/// When a browser sends the cookie with requests that other sites cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Never: also not when a link from elsewhere is followed.
    Strict,
    /// When a link from elsewhere is followed. The default.
    #[default]
    Lax,
    /// Always. Needs Secure.
    None,
}

/// The name and the attributes of a session's cookie: gorilla's `Options`, safe by
/// default.
///
/// By default it is `__Host-id; Path=/; HttpOnly; Secure; SameSite=Lax`, and it is
/// gone when the browser closes unless the session is
/// [remembered](super::Session::remember).
///
/// What is wrong by itself is refused when it is set; what does not go together, when
/// a store is built with it.
///
/// ```
/// use silverback::session::{CookieOptions, SameSite};
///
/// let options = CookieOptions::new().name("__Secure-shop")?.domain("example.com")?.path("/shop")?
///     .same_site(SameSite::Strict);
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "Options")]
pub struct CookieOptions {
    name: String,
    scope: Scope,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    insecure_http: InsecureHttp,
    former_scopes: Vec<Scope>,
    removes_not_valid: bool,
    /// None: what the store's dialect has.
    persistent: Option<bool>,
}

/// Where a browser sends a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    path: String,
    domain: Option<String>,
}

/// Whether cookies may travel without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InsecureHttp {
    No,
    OnLoopback,
    Everywhere,
}

impl CookieOptions {
    /// `__Host-id; Path=/; HttpOnly; Secure; SameSite=Lax`, without Domain or Max-Age.
    #[must_use]
    pub fn new() -> Self {
        CookieOptions {
            name: "__Host-id".to_owned(),
            scope: Scope {
                path: "/".to_owned(),
                domain: None,
            },
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            insecure_http: InsecureHttp::No,
            former_scopes: Vec::new(),
            removes_not_valid: false,
            persistent: None,
        }
    }

    /// The cookie's name, which is the session's name too. It is part of what is
    /// signed.
    ///
    /// The prefixes bind what else is set, in any case of letters: `__Secure-` wants
    /// Secure; `__Host-` also Path=/ and no Domain; `__Http-` wants Secure and
    /// HttpOnly; `__Host-Http-` all of that.
    ///
    /// # Errors
    /// Usage, if it is no token of RFC 7230.
    pub fn name(mut self, name: impl Into<String>) -> Result<Self, Error> {
        self.name = name.into();
        codec::check_name(&self.name).map_err(|error| Error::usage(error.to_string()))?;
        Ok(self)
    }

    /// The path below which the browser sends the cookie. Default: `/`.
    ///
    /// If the site has set the cookie with another path before, name that as a
    /// [former scope](CookieOptions::former_scope).
    ///
    /// # Errors
    /// Usage, if it does not begin with `/`, holds `;` or a byte outside printable
    /// ASCII, or has more than 1024 bytes, beyond which browsers ignore it.
    pub fn path(mut self, path: impl Into<String>) -> Result<Self, Error> {
        self.scope.path = checked_path(path.into())?;
        Ok(self)
    }

    /// The domain whose hosts, all of them, get the cookie. Default: none, which is
    /// the one host that set it.
    ///
    /// If the site has set the cookie without this domain before, name that as a
    /// [former scope](CookieOptions::former_scope).
    ///
    /// # Errors
    /// Usage, if it is no domain name in ASCII with at least two labels (a single label
    /// is a public suffix, whose cookies browsers refuse). An IP address is none.
    pub fn domain(mut self, domain: impl Into<String>) -> Result<Self, Error> {
        self.scope.domain = Some(checked_domain(domain.into())?);
        Ok(self)
    }

    /// When a browser sends the cookie with requests that other sites cause.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Lets scripts in the page read the cookie. A script that an attacker brings in
    /// can then steal the session.
    #[must_use]
    pub fn readable_by_scripts(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// Keeps the cookie apart for each site the page is embedded in (CHIPS).
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Whether every cookie is kept when the browser closes, by a Max-Age that lasts as long as
    /// the session, as with gorilla's `Options.MaxAge` over 0 and scs's `Cookie.Persist`. If
    /// not, only [remembered](super::Session::remember) sessions have one. Default: false;
    /// true in the [dialects](super::Dialect) of Go's packages, which have it so.
    ///
    /// On a computer that people share, a persistent cookie leaves the session to the next of
    /// them.
    #[must_use]
    #[doc(alias = "Persist")]
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }

    pub(super) fn is_persistent(&self, by_default: bool) -> bool {
        self.persistent.unwrap_or(by_default)
    }

    /// For development over plain HTTP: no Secure, and no prefix before the name, which
    /// would need it (so the name is part of the signature in another form, and cookies
    /// of the two worlds are not mixed up).
    ///
    /// Such cookies are set only in answers to requests for a loopback host
    /// (`localhost`, `*.localhost`, `127.0.0.0/8`, `[::1]`); for others, and for those that a
    /// proxy [forwards](super::client_host) for another host, saving is an error. In debug
    /// builds its page says what to do.
    ///
    /// Browsers send a host's cookies to all of its ports (RFC 6265, section 8.5). So two
    /// applications on `localhost` take each other's cookies for invalid ones and replace
    /// them, which logs their users out by turns: give each a name of its own, or a host of
    /// its own such as `shop.localhost`.
    ///
    /// ```
    /// use silverback::session::CookieOptions;
    ///
    /// let options = CookieOptions::new().insecure_http().name("shop-3000")?;
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    #[must_use]
    pub fn insecure_http(mut self) -> Self {
        self.insecure_http = InsecureHttp::OnLoopback;
        self.without_secure()
    }

    /// [`insecure_http`](CookieOptions::insecure_http) for any host. Anyone who can read the
    /// network then has the sessions.
    #[must_use]
    pub fn insecure_http_everywhere(mut self) -> Self {
        self.insecure_http = InsecureHttp::Everywhere;
        self.without_secure()
    }

    fn without_secure(mut self) -> Self {
        self.secure = false;
        self.name.drain(..prefix(&self.name).len());
        self
    }

    /// Names another path and domain that this cookie once had, or that another program sets
    /// it with.
    ///
    /// A browser keeps a cookie for each path and domain, and sends both; a request does not
    /// say which is which. So while the scope of a running site changes, each response that
    /// sets or removes the cookie removes it from its former scopes, too, if the client sent
    /// one: sessions go on, a logout leaves no copy behind, and no browser is stuck with two.
    /// Once all cookies of the former scope have expired, the call can go.
    ///
    /// ```
    /// # use silverback::session::CookieOptions;
    /// // The cookie of one host becomes that of all hosts of the domain.
    /// let options = CookieOptions::new().name("sid")?
    ///     .domain("example.com")?.former_scope("/", None)?;
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`path`](CookieOptions::path) and [`domain`](CookieOptions::domain).
    pub fn former_scope(mut self, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        self.former_scopes.push(Scope {
            path: checked_path(path.to_owned())?,
            domain: domain
                .map(|domain| checked_domain(domain.to_owned()))
                .transpose()?,
        });
        Ok(self)
    }

    /// Removes cookies that are [not valid](super::Refusal::NotValid), too. Default: no, since
    /// during a rolling deploy of keys a cookie that one machine refuses is good on another.
    ///
    /// Cookies of sessions that have ended or expired are removed whatever this says.
    #[must_use]
    pub fn remove_not_valid(mut self) -> Self {
        self.removes_not_valid = true;
        self
    }

    /// Refuses what does not go together.
    fn check(&self) -> Result<(), Error> {
        if self.same_site == SameSite::None && !self.secure {
            return Err(Error::usage("SameSite=None needs Secure"));
        }
        if self.partitioned && !self.secure {
            return Err(Error::usage("Partitioned needs Secure"));
        }
        let prefix = prefix(&self.name);
        if self.name.is_empty() {
            return Err(Error::usage("the cookie name is nothing but a prefix"));
        }
        if prefix.is_empty() {
            return Ok(());
        }
        let broken = |rule: &str| Err(Error::usage(format!("a {prefix} cookie {rule}")));
        if !self.secure {
            return broken("needs Secure");
        }
        if is_http_prefix(prefix) && !self.http_only {
            return broken("is out of reach of scripts");
        }
        if is_host_prefix(prefix) {
            if self.scope.domain.is_some() {
                return broken("has no Domain: give it another name");
            }
            if self.scope.path != "/" {
                return broken("has the path /: give it another name");
            }
            if !self.former_scopes.is_empty() {
                return broken("never had another path or domain");
            }
        }
        Ok(())
    }
}

impl Default for CookieOptions {
    fn default() -> Self {
        CookieOptions::new()
    }
}

/// Checked options, with what is the same in each Set-Cookie written already.
#[derive(Clone, Debug)]
pub(super) struct CookieWriter {
    name: String,
    attributes: String,
    removals: Vec<String>,
    insecure_http: InsecureHttp,
    removes_not_valid: bool,
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
            // Expires is for what does not know Max-Age.
            format!(
                "{}={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                options.name
            )
        });
        Ok(CookieWriter {
            attributes: attributes(&options, &options.scope),
            removals: removals.collect(),
            insecure_http: options.insecure_http,
            removes_not_valid: options.removes_not_valid,
            name: options.name,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The Set-Cookie that keeps `value`, for `max_age` or until the browser closes.
    pub(super) fn set(&self, value: &str, max_age: Option<Duration>) -> String {
        let room = self.name.len() + value.len() + self.attributes.len() + 32;
        let mut text = String::with_capacity(room);
        for part in [&self.name, "=", value, &self.attributes] {
            text.push_str(part);
        }
        if let Some(max_age) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(itoa::Buffer::new().format(max_age.as_secs()));
        }
        text
    }

    /// The Set-Cookies that remove the cookie: first the one that removes what
    /// [`set`](CookieWriter::set) set, then those of its former scopes.
    pub(super) fn removals(&self) -> impl Iterator<Item = &String> {
        self.removals.iter()
    }

    /// The Set-Cookies that remove the cookie from its former scopes.
    pub(super) fn former_removals(&self) -> impl Iterator<Item = &String> {
        self.removals().skip(1)
    }

    /// Whether a cookie that was refused for this is removed from the client.
    pub(super) fn removes(&self, refusal: Refusal) -> bool {
        self.removes_not_valid && refusal == Refusal::NotValid
    }

    /// Refuses to send a cookie that anybody could read on the way.
    pub(super) fn check_host(&self, is_loopback: bool) -> Result<(), Error> {
        match self.insecure_http {
            InsecureHttp::OnLoopback if !is_loopback => Err(Error::usage(
                "the request is not for a loopback host, where alone insecure_http() sets cookies: \
                 open the site as http://localhost or http://127.0.0.1; or serve it over TLS and \
                 leave insecure_http() out; or say insecure_http_everywhere(), and anyone who reads \
                 the network has the sessions",
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

/// Browsers know them in any case of letters. The longest comes first.
const PREFIXES: [&str; 4] = ["__Host-Http-", "__Host-", "__Http-", "__Secure-"];

/// The prefix of a cookie name that binds its attributes; empty if there is none.
fn prefix(name: &str) -> &str {
    let has = |prefix: &&str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let prefix = PREFIXES.iter().find(|prefix| has(prefix));
    prefix.map_or("", |prefix| name.get(..prefix.len()).unwrap_or_default())
}

fn is_host_prefix(prefix: &str) -> bool {
    prefix.to_ascii_lowercase().starts_with("__host-")
}

fn is_http_prefix(prefix: &str) -> bool {
    prefix.to_ascii_lowercase().ends_with("http-")
}

/// Whether a cookie's value is made of nothing else (RFC 6265, section 4.1.1). All bytes
/// are looked at, since that is faster than to stop at the first wrong one.
pub(super) fn is_cookie_value(value: &str) -> bool {
    let is_wrong =
        |byte: u8| !matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    !value.bytes().fold(false, |any, byte| any | is_wrong(byte))
}

fn checked_path(path: String) -> Result<String, Error> {
    let is_fine = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b';';
    if !path.starts_with('/') || path.ends_with(' ') || !path.bytes().all(is_fine) {
        return Err(Error::usage(
            "the cookie path begins with / and is printable ASCII without ;",
        ));
    }
    if path.len() > 1024 {
        return Err(Error::usage("the cookie path has more than 1024 bytes"));
    }
    Ok(path)
}

fn checked_domain(domain: String) -> Result<String, Error> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let labels = domain.split('.');
    let top = labels.clone().next_back().unwrap_or_default();
    let is_address = top.bytes().all(|byte| byte.is_ascii_digit());
    if labels.clone().count() < 2
        || domain.len() > 253
        || is_address
        || !labels.clone().all(is_label)
    {
        return Err(Error::usage(
            "the cookie domain is no domain name like example.com (IDNs in their ASCII form, no \
             leading dot)",
        ));
    }
    Ok(domain)
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
    fn the_prefixes_rules_hold_in_any_case() {
        let named = |name: &str| CookieOptions::new().name(name).unwrap();
        let refused = |options: CookieOptions| CookieWriter::new(options).is_err();
        for host in ["__Host-a", "__HOST-a", "__Host-Http-a", "__host-HTTP-a"] {
            assert!(!refused(named(host)), "{host}");
            assert!(
                refused(named(host).domain("example.com").unwrap()),
                "{host}"
            );
            assert!(refused(named(host).path("/a").unwrap()), "{host}");
        }
        for http in ["__Http-a", "__hTTP-a", "__Host-Http-a"] {
            assert!(refused(named(http).readable_by_scripts()), "{http}");
        }
        for free in ["__Secure-a", "__Http-a", "a", "__Hosta", "_Host-a"] {
            let wide = named(free)
                .domain("example.com")
                .unwrap()
                .path("/a")
                .unwrap();
            assert!(!refused(wide), "{free}");
        }
        assert!(!refused(named("__Host-a").readable_by_scripts()));
        // A name set after the prefix was dropped brings it back.
        for name in PREFIXES {
            let options = CookieOptions::new().insecure_http().name(name).unwrap();
            assert!(refused(options), "{name}");
        }
    }

    #[test]
    fn a_host_cookie_has_no_former_scopes() {
        let options = CookieOptions::new().former_scope("/old", None).unwrap();
        assert!(CookieWriter::new(options.clone()).is_err());
        let options = options.name("id").unwrap();
        let twice = options.former_scope("/old", None).unwrap();
        let all = twice.former_scope("/", None).unwrap();
        assert_eq!(
            CookieWriter::new(all).unwrap().removals().count(),
            2,
            "each once"
        );
    }

    #[test]
    fn a_name_is_more_than_a_prefix() {
        let options = CookieOptions::new().name("__Host-").unwrap();
        assert!(CookieWriter::new(options.insecure_http()).is_err());
    }

    #[test]
    fn a_cookie_value_is_made_of_what_rfc_6265_says() {
        assert!(is_cookie_value("") && is_cookie_value("!#$%&'()*+-./:<=>?@[]^_`{|}~aZ09"));
        for wrong in [
            "\"", ",", ";", "\\", " ", "\r", "\n", "\0", "\x7f", "\u{e4}",
        ] {
            assert!(!is_cookie_value(&format!("a{wrong}b")), "{wrong:?}");
        }
    }

    #[test]
    fn none_and_partitioned_need_secure() {
        let open = CookieOptions::new().insecure_http_everywhere();
        assert!(CookieWriter::new(open.clone().same_site(SameSite::None)).is_err());
        assert!(CookieWriter::new(open.clone().partitioned()).is_err());
        assert!(CookieWriter::new(open.same_site(SameSite::Strict)).is_ok());
    }

    #[test]
    fn what_is_wrong_by_itself_is_refused_when_set() {
        let options = CookieOptions::new;
        for name in ["", "a b", "a=b", "a;b", "ä", "a\r\nSet-Cookie: b"] {
            assert!(options().name(name).unwrap_err().is_usage(), "{name:?}");
        }
        for path in ["", "a", "/a;b", "/a\n", "/ä", "/a "] {
            assert!(options().path(path).unwrap_err().is_usage(), "{path:?}");
        }
        assert!(options().path("/".repeat(1025)).is_err());
        for domain in [
            "",
            "com",
            ".example.com",
            "example.com.",
            "a..b",
            "-a.com",
            "a_b.com",
            "1.2.3.4",
            "[::1]",
            "a.com; Secure",
            "ä.com",
        ] {
            assert!(
                options().domain(domain).unwrap_err().is_usage(),
                "{domain:?}"
            );
        }
        for domain in ["example.com", "a-b.example.co.uk", "xn--bcher-kva.example"] {
            assert!(options().domain(domain).is_ok(), "{domain:?}");
        }
        assert!(options().former_scope("a", None).is_err());
        assert!(options().former_scope("/", Some("com")).is_err());
    }
}
