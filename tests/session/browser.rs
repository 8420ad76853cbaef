//! A model of a browser's cookies after RFC 6265 and its successor: the cookies that a host may
//! set, the place of each, and the requests that carry it.

use silverback::session::{Error, Refusal, Session, Sessions, Stores};

/// A browser that keeps the cookies of many hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: Vec<Cookie>,
    /// Domains with hosts that may not share cookies, in addition to those of one label.
    pub(crate) public_suffixes: Vec<String>,
    /// True for an older browser, which ignores Partitioned.
    pub(crate) knows_no_partitions: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: CookiePlace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookiePlace {
    /// The host that set it, or the domain of the hosts that get it.
    pub(crate) domain: String,
    pub(crate) is_host_only: bool,
    pub(crate) path: String,
    pub(crate) is_partitioned: bool,
}

/// The result of a request: the reason for a refusal of the cookies, and the owner of the session.
pub(crate) type RequestResult = (Option<Refusal>, Option<String>);

impl Browser {
    /// Stores the cookie that a host sets.
    pub(crate) fn receive(&mut self, host: &str, set_cookie: &str) {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<(&str, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let get = |name: &str| {
            let found = attributes.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| *value)
        };
        let is_suffix = |domain: &str| {
            !domain.contains('.') || self.public_suffixes.iter().any(|of| of == domain)
        };
        let domain = match get("Domain") {
            Some(domain) if is_suffix(domain) && domain == host => None,
            Some(domain) if is_suffix(domain) || !domain_matches(host, domain) => return,
            domain => domain,
        };
        let place = CookiePlace {
            domain: domain.unwrap_or(host).to_owned(),
            is_host_only: domain.is_none(),
            path: get("Path").unwrap_or("/").to_owned(),
            is_partitioned: get("Partitioned").is_some() && !self.knows_no_partitions,
        };
        let is_bound = name.starts_with("__Host-");
        if is_bound && !(place.is_host_only && place.path == "/" && get("Domain").is_none()) {
            return;
        }
        let needs_secure = name.starts_with("__") || get("Partitioned").is_some();
        if needs_secure && get("Secure").is_none() {
            return;
        }
        let is_there = |cookie: &Cookie| cookie.name == name && cookie.place == place;
        self.cookies.retain(|cookie| !is_there(cookie));
        if get("Max-Age") != Some("0") {
            self.cookies.push(Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                place,
            });
        }
    }

    /// Returns the Cookie field of a request: longer paths come first.
    pub(crate) fn field(&self, host: &str, path: &str) -> String {
        let is_sent = |cookie: &&Cookie| cookie.place.matches(host, path);
        let mut sent: Vec<&Cookie> = self.cookies.iter().filter(is_sent).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.place.path.len()));
        let pairs = sent
            .iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Runs a whole request, which applies `change` to its session.
    pub(crate) async fn visit(
        &mut self,
        stores: &Stores,
        (host, path): (&str, &str),
        change: fn(&Session) -> Result<(), Error>,
    ) -> RequestResult {
        let field = self.field(host, path);
        let fields = (!field.is_empty()).then_some(field.as_bytes());
        let sessions = Sessions::of_request(stores, fields, Some(host.as_bytes()), path);
        let session = sessions.session().await.unwrap();
        let found = (session.refusal(), session.owner());
        let fields = match change(&session) {
            Ok(()) => sessions
                .finish()
                .await
                .unwrap_or_else(|_| sessions.abandon()),
            Err(_) => sessions.abandon(),
        };
        for set_cookie in fields.iter().flat_map(|fields| fields.set_cookies()) {
            self.receive(host, set_cookie);
        }
        found
    }
}

impl CookiePlace {
    fn matches(&self, host: &str, path: &str) -> bool {
        let is_of_host = match self.is_host_only {
            true => host == self.domain,
            false => domain_matches(host, &self.domain),
        };
        is_of_host && path_matches(path, &self.path)
    }
}

/// RFC 6265, section 5.1.3.
fn domain_matches(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// RFC 6265, section 5.1.4.
fn path_matches(path: &str, of: &str) -> bool {
    let after = path.strip_prefix(of);
    after.is_some_and(|after| after.is_empty() || of.ends_with('/') || after.starts_with('/'))
}
