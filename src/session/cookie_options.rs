//! [`CookieOptions`]: the name and the attributes of a session's cookie, checked before any cookie
//! is sent.
//!
//! Sources: RFC 6265bis (draft-ietf-httpbis-rfc6265bis) for attributes and the prefixes `__Host-`
//! and `__Secure-`; draft-ietf-httpbis-layered-cookies for `__Http-` and `__Host-Http-`; CHIPS for
//! Partitioned.

use crate::codec;

use super::Error;

/// The cases in which a browser sends the cookie with requests that other sites cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(rename_all = "lowercase"))]
#[doc(alias = "CSRF")]
pub enum SameSite {
    /// Never, not even if the user follows a link from another site. The page that the link leads to
    /// has no session. If that request writes to its session, a new cookie replaces the real one.
    Strict,
    /// Only if the user follows a link from another site. The default.
    #[default]
    Lax,
    /// Always. Needs Secure.
    None,
}

/// The name and the attributes of a session's cookie: gorilla's `Options`, safe by default.
///
/// The default is `__Host-id; Path=/; HttpOnly; Secure; SameSite=Lax`. The browser drops the cookie
/// when it closes, unless the session is [remembered](super::Session::remember).
///
/// A value that is invalid by itself is refused by its setter. Values that do not fit together are
/// refused when a store is built with them.
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
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) partitioned: bool,
    pub(crate) insecure_http: InsecureHttp,
    pub(crate) former_scopes: Vec<Scope>,
    pub(crate) removes_not_valid: bool,
    /// `None` selects the default of the store's dialect.
    persistent: Option<bool>,
}

/// The hosts and paths to which a browser sends a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
}

/// The hosts for which cookies may travel without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsecureHttp {
    No,
    OnLoopback,
    Everywhere,
}

impl CookieOptions {
    /// Sets `__Host-id; Path=/; HttpOnly; Secure; SameSite=Lax`, without Domain or Max-Age.
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

    /// Sets the cookie's name, which is also the session's name. The name is part of what is
    /// signed.
    ///
    /// The prefix `__Host-` proves that the host itself set the cookie. Use it if only one host
    /// needs the cookie. Under any other name, each host of the same domain can plant a cookie. If
    /// a planted cookie arrives together with the real one, it is
    /// [removed](super::Refusal::Ambiguous). If it arrives alone, it is the session.
    ///
    /// The prefixes restrict other options. Their letters can be in any case:
    /// - `__Secure-` requires Secure.
    /// - `__Host-` requires Secure, Path=/ and no Domain.
    /// - `__Http-` requires Secure and HttpOnly.
    /// - `__Host-Http-` requires all of these.
    ///
    /// # Errors
    /// Returns a usage error if the name is not a token of RFC 7230.
    pub fn name(mut self, name: impl Into<String>) -> Result<Self, Error> {
        self.name = name.into();
        codec::check_name(&self.name).map_err(|error| Error::usage(error.to_string()))?;
        Ok(self)
    }

    /// Sets the path below which the browser sends the cookie. Default: `/`.
    ///
    /// If the site used another path for the cookie before, name it as a [former
    /// scope](CookieOptions::former_scope).
    ///
    /// # Errors
    /// Returns a usage error if the path does not begin with `/`, if it contains `;` or a byte
    /// outside printable ASCII, or if it ends with a space. Also if it has more than 1024 bytes:
    /// browsers ignore such a path.
    pub fn path(mut self, path: impl Into<String>) -> Result<Self, Error> {
        self.scope.path = checked_path(path.into())?;
        Ok(self)
    }

    /// Sets a domain. The browser then sends the cookie to all hosts of that domain. By default
    /// there is no domain, and the browser sends the cookie only to the host that set it.
    ///
    /// Each host of the domain can replace the cookie by the cookie of another session.
    ///
    /// If the site set the cookie without this domain before, name that as a [former
    /// scope](CookieOptions::former_scope).
    ///
    /// # Errors
    /// Returns a usage error if the text is not an ASCII domain name with at least two labels. A
    /// single label is a public suffix, and browsers refuse its cookies. An IP address is refused
    /// too.
    pub fn domain(mut self, domain: impl Into<String>) -> Result<Self, Error> {
        self.scope.domain = Some(checked_domain(domain.into())?);
        Ok(self)
    }

    /// Sets in which cases a browser sends the cookie with requests that other sites cause.
    #[must_use]
    #[doc(alias = "CSRF")]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Lets scripts in the page read the cookie. If an attacker can inject a script into the page,
    /// that script can steal the session.
    #[must_use]
    #[doc(alias = "http_only")]
    #[doc(alias = "HttpOnly")]
    pub fn readable_by_scripts(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// Makes browsers store a separate cookie for each site that the page is embedded in (CHIPS).
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Sets whether browsers keep every session's cookie when they close.
    ///
    /// If true, every cookie has a Max-Age that lasts as long as the session, as with gorilla's
    /// `Options.MaxAge` over 0 and scs's `Cookie.Persist`. If false, only the cookies of
    /// [remembered](super::Session::remember) sessions have one. The default is false, but true in
    /// the [dialects](super::Dialect) of Go's packages, because they do so too.
    ///
    /// On a shared computer, a persistent cookie gives the session to the next user.
    #[must_use]
    #[doc(alias = "Persist")]
    #[doc(alias = "MaxAge")]
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }

    /// Returns the options to remove a cookie that another program of this host has set for all
    /// paths.
    pub(super) fn of_other_program(&self, name: &str) -> Result<Self, Error> {
        let options = CookieOptions {
            secure: self.secure,
            insecure_http: self.insecure_http,
            ..CookieOptions::new()
        };
        options.name(name)
    }

    /// Returns the options of the bound cookie that accompanies a session's cookie: see
    /// [`binding`](super::binding).
    #[cfg(feature = "dbsc")]
    pub(super) fn bound(&self) -> Result<Self, Error> {
        let options = CookieOptions {
            former_scopes: Vec::new(),
            ..self.clone()
        };
        options.name(format!("{}_bound", self.name))
    }

    /// Returns true if browsers refuse a cookie of that name unless it is HttpOnly.
    pub(super) fn needs_http_only(&self) -> bool {
        is_http_prefix(prefix(&self.name))
    }

    /// Returns true if the name proves that this host set the cookie. Older browsers recognize the
    /// prefix only with exactly these letters. With other letters it proves nothing.
    pub(super) fn is_host_bound(&self) -> bool {
        self.name.starts_with("__Host-")
    }

    pub(crate) fn is_persistent(&self, by_default: bool) -> bool {
        self.persistent.unwrap_or(by_default)
    }

    /// Allows plain HTTP for development: the cookie is not Secure, and the prefix is removed from
    /// its name, because a prefix requires Secure. The name is part of the signature, so such a
    /// cookie is not valid under the name with the prefix.
    ///
    /// Such cookies are set only in responses to requests for a loopback host (`localhost`,
    /// `*.localhost`, `127.0.0.0/8`, `[::1]`). For any other host, saving is an error. The same
    /// holds if a proxy [forwards](super::client_host) a request for another host. In debug builds,
    /// the page of that error says what to do.
    ///
    /// Browsers send a host's cookies to all ports of that host (RFC 6265, section 8.5). So two
    /// applications on `localhost` see each other's cookies as invalid and replace them, which logs
    /// their users out. Give each application its own cookie name, or its own host such as
    /// `shop.localhost`.
    ///
    /// ```
    /// use silverback::session::CookieOptions;
    ///
    /// let options = CookieOptions::new().insecure_http().name("shop-3000")?;
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "secure")]
    #[doc(alias = "localhost")]
    pub fn insecure_http(mut self) -> Self {
        self.insecure_http = InsecureHttp::OnLoopback;
        self.without_secure()
    }

    /// Allows plain HTTP as [`insecure_http`](CookieOptions::insecure_http) does, but for any host.
    /// Anyone who can read the network can then steal the sessions.
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

    /// Adds a path and a domain that this cookie once had, or that another program uses for it.
    ///
    /// A browser stores a separate cookie for each path and domain, and sends all of them. A
    /// request does not show the path or domain of its cookies. So use this method while a running
    /// site changes its path or domain: if the client sent a cookie, each response that sets or
    /// removes the cookie also removes it from its former scopes. Sessions then continue, a logout
    /// leaves no copy behind, and no browser keeps two cookies. When all cookies of the former
    /// scope have expired, the call can be removed.
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
    /// Returns the errors of [`path`](CookieOptions::path) and [`domain`](CookieOptions::domain).
    pub fn former_scope(mut self, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        self.former_scopes.push(Scope {
            path: checked_path(path.to_owned())?,
            domain: domain
                .map(|domain| checked_domain(domain.to_owned()))
                .transpose()?,
        });
        Ok(self)
    }

    /// Removes cookies that are [not valid](super::Refusal::NotValid) from the client. By default
    /// they are not removed: while new keys are being deployed, one machine may refuse a cookie
    /// that is valid on another.
    ///
    /// Cookies of sessions that have ended or expired are always removed.
    #[must_use]
    pub fn remove_not_valid(mut self) -> Self {
        self.removes_not_valid = true;
        self
    }

    /// Refuses options that do not fit together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.same_site == SameSite::None && !self.secure {
            return Err(Error::usage(
                "SameSite=None needs Secure: use another SameSite, or leave out insecure_http",
            ));
        }
        if self.partitioned && !self.secure {
            return Err(Error::usage(
                "Partitioned needs Secure: leave out partitioned or insecure_http",
            ));
        }
        let prefix = prefix(&self.name);
        if self.name.is_empty() {
            return Err(Error::usage(
                "the cookie name is empty, or has nothing after its prefix",
            ));
        }
        if prefix.is_empty() {
            return Ok(());
        }
        let broken = |rule: &str| {
            Err(Error::usage(format!(
                "a cookie with the prefix {prefix} {rule}"
            )))
        };
        if !self.secure {
            return broken("must be Secure: use another name, or leave out insecure_http");
        }
        if is_http_prefix(prefix) && !self.http_only {
            return broken("must be HttpOnly: use another name, or leave out readable_by_scripts");
        }
        if is_host_prefix(prefix) {
            if self.scope.domain.is_some() {
                return broken("must have no Domain: use another name");
            }
            if self.scope.path != "/" {
                return broken("must have the path /: use another name");
            }
            if !self.former_scopes.is_empty() {
                return broken("cannot have a former scope: leave out former_scope");
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

/// Browsers accept these prefixes in any case of letters. The longest one comes first.
const PREFIXES: [&str; 4] = ["__Host-Http-", "__Host-", "__Http-", "__Secure-"];

/// Returns the prefix of a cookie name that restricts its attributes, or an empty text if it has no
/// such prefix.
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
            "the cookie path must begin with /, and be printable ASCII without ; and without a space \
             at the end",
        ));
    }
    if path.len() > 1024 {
        return Err(Error::usage(format!(
            "the cookie path has {} bytes; at most 1024 are possible",
            path.len()
        )));
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
            "the cookie domain must be a domain name like example.com (IDNs in their ASCII form, no \
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
    fn the_rules_of_prefixes_ignore_case() {
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
        // The prefix was dropped, and the name brings it back.
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
    fn a_wrong_option_is_refused_when_it_is_set() {
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
