//! Help for your own tests: requests with a session, and the session that a response sets. It needs
//! no server and no framework.
//!
//! A store with [`insecure_http`](super::CookieOptions::insecure_http) sets cookies only for
//! loopback hosts: a request that a test builds itself needs `Host: localhost`.

use std::fmt;

use super::{Error, Session, Sessions, Stores};

/// A browser's cookies, simplified for tests. Only names count: paths, domains and flags are
/// ignored.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieStore, testing::Jar};
///
/// let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
/// let mut jar = Jar::with(store.clone(), |session| session.login("ape")).await?;
///
/// // Send `Cookie: {jar.cookie()}` to the application under test, and for each Set-Cookie:
/// jar.receive("theme=dark; Path=/");
///
/// assert_eq!(jar.session(store).await?.owner().as_deref(), Some("ape"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Jar(Vec<(String, String)>);

impl Jar {
    /// Creates a jar without cookies.
    #[must_use]
    pub fn new() -> Self {
        Jar::default()
    }

    /// Creates a jar with the cookie of a new session. The session belongs to the first of
    /// `stores`, and `fill` sets its data.
    ///
    /// # Errors
    /// Returns the errors of `fill` and of saving.
    pub async fn with(
        stores: impl Into<Stores>,
        fill: impl FnOnce(&Session) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut jar = Jar::new();
        let sessions = jar.sessions(stores);
        fill(&sessions.session().await?)?;
        let fields = sessions.finish().await?;
        jar.receive_all(fields.iter().flat_map(|fields| fields.set_cookies()));
        Ok(jar)
    }

    /// Returns the value of the Cookie field to send.
    #[must_use]
    pub fn cookie(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Applies a Set-Cookie: stores the cookie, or removes it (`Max-Age=0`).
    pub fn receive(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        match parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
            true => self.remove(name),
            false => self.set(name, value),
        }
    }

    /// Applies each Set-Cookie of a response: the values of its header fields with that name.
    pub fn receive_all<F: AsRef<[u8]>>(&mut self, set_cookies: impl IntoIterator<Item = F>) {
        for set_cookie in set_cookies {
            self.receive(&String::from_utf8_lossy(set_cookie.as_ref()));
        }
    }

    /// Returns the value of a cookie.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut cookies = self.0.iter();
        let found = cookies.find(|(of, _)| of == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a cookie, for example to tamper with it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a cookie.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(of, _)| of != name);
    }

    /// Returns the session of the first of `stores` in a request with these cookies.
    ///
    /// # Errors
    /// Returns the errors of [`Sessions::session`].
    pub async fn session(&self, stores: impl Into<Stores>) -> Result<Session, Error> {
        self.sessions(stores).session().await
    }

    /// Returns all sessions of a request with these cookies to a loopback host.
    pub fn sessions(&self, stores: impl Into<Stores>) -> Sessions {
        let cookie = self.cookie();
        let fields = (!cookie.is_empty()).then_some(cookie.as_bytes());
        Sessions::of_request(&stores.into(), fields, Some(b"localhost"), "/")
    }
}

/// Shows the names of the cookies, and no values.
impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}
