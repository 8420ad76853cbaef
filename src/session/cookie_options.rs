//! [`CookieOptions`]: the name of a session's cookie and its attributes, checked
//! before any cookie is sent.
//!
//! Sources: RFC 6265bis (draft-ietf-httpbis-rfc6265bis) for attributes and the
//! prefixes `__Host-` and `__Secure-`; draft-ietf-httpbis-layered-cookies for
//! `__Http-` and `__Host-Http-`; CHIPS for Partitioned.

use crate::codec;

use super::Error;

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
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: SameSite,
    pub(super) partitioned: bool,
    pub(super) insecure_http: InsecureHttp,
    pub(super) former_scopes: Vec<Scope>,
    pub(super) removes_not_valid: bool,
    /// None: what the store's dialect has.
    persistent: Option<bool>,
}

/// Where a browser sends a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) path: String,
    pub(super) domain: Option<String>,
}

/// Whether cookies may travel without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InsecureHttp {
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
    /// The prefix `__Host-` proves that the host itself set the cookie; use it wherever the cookie
    /// is one host's. Under other names, each host of the same domain can plant a cookie: it is
    /// [removed](super::Refusal::Ambiguous) when it comes with the real one, and it is the session
    /// when it comes alone.
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
    /// the one host that set it. Each host of the domain can then replace the cookie, by one of a
    /// session of its own choice.
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

    /// True if browsers refuse a cookie of that name that scripts can read.
    pub(super) fn needs_http_only(&self) -> bool {
        is_http_prefix(prefix(&self.name))
    }

    /// True if the name proves that this host set the cookie. Older browsers know the prefix in
    /// these letters alone, so that it proves nothing in others.
    pub(super) fn is_host_bound(&self) -> bool {
        self.name.starts_with("__Host-")
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
    pub(super) fn check(&self) -> Result<(), Error> {
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
    use super::super::cookie_writer::CookieWriter;
    use super::*;

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
        assert!(options().path("/".repeat(1024)).is_ok());
        let of_labels = |lengths: &[usize]| {
            let labels = lengths.iter().map(|length| "a".repeat(*length));
            options().domain(labels.collect::<Vec<_>>().join("."))
        };
        assert!(of_labels(&[63, 2]).is_ok() && of_labels(&[64, 2]).is_err());
        assert!(of_labels(&[63, 63, 63, 61]).is_ok(), "253 in all");
        assert!(of_labels(&[63, 63, 63, 62]).is_err());
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
