//! [`SealedCookies`]: the sealed cookies of one request, and the changes for its response.

use std::fmt::{self, Write};

use cookie::{Cookie, CookieJar};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Codec, Codecs, Opened, UnixTime};
use crate::cookie_header::{CookieHeader, TooMany};

use super::{CookieCodec, Error};

/// The sealed cookies of a request, with the changes for its response.
///
/// In axum and actix-web it is an extractor (features `cookie`, and `axum` or `actix`). It takes the
/// codec from the router's state, or from the application's `web::Data`. Return it with the
/// response, in actix-web by `add_to`: otherwise the changes are lost.
///
/// ```
/// # #[cfg(not(feature = "axum"))] fn main() {}
/// # #[cfg(feature = "axum")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, extract::FromRef, routing::get};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::jar::{Error, SealedCookies, safe_cookie};
///
/// #[derive(Clone)]
/// struct AppState { codecs: Codecs }
///
/// impl FromRef<AppState> for Codecs {
///     fn from_ref(state: &AppState) -> Codecs { state.codecs.clone() }
/// }
///
/// async fn visit(cookies: SealedCookies) -> Result<(SealedCookies, String), Error> {
///     let visits: u32 = match cookies.get_value("visits") {
///         Ok(visits) => visits.map_or(0, |visits| visits.into_value()),
///         Err(error) if error.is_refused() => 0,
///         Err(error) => return Err(error),
///     };
///     let cookies = cookies.add_value(safe_cookie("visits"), &(visits + 1))?;
///     Ok((cookies, format!("visit {}", visits + 1)))
/// }
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
/// let app = Router::new().route("/", get(visit)).with_state(AppState { codecs });
/// # let mut cookie = String::new();
/// # for expected in ["visit 1", "visit 2"] {
/// #     let request = axum::http::Request::builder().header("cookie", &cookie);
/// #     let request = request.body(axum::body::Body::empty())?;
/// #     let response = tower_service::Service::call(&mut app.clone(), request).await?;
/// #     assert_eq!(response.headers()["cache-control"], "no-store");
/// #     let set_cookie = response.headers()["set-cookie"].to_str()?;
/// #     cookie = set_cookie.split(';').next().unwrap().to_owned();
/// #     assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, expected);
/// # }
/// # Ok(())
/// # }
/// ```
///
/// # Several cookies of one name
///
/// Another host of the same domain can set a cookie under your cookie's name, with a value that
/// this application sealed for another client. If two different valid cookies of one name arrive,
/// both are refused as [`Error::Ambiguous`]. A refused cookie never hides a valid one. If the
/// planted cookie arrives alone, it is the cookie: use a name that begins with `__Host-`, which only
/// the host itself can set.
///
/// # Responses and caches
///
/// A response that is returned with these cookies gets `Vary: Cookie` and a `Cache-Control` that
/// keeps it out of shared caches, as [responses with a session](crate::web#header-fields-of-a-response)
/// do. So return the cookies also if the page only reads them. In axum, put them right before the
/// body, as in `(fields, cookies, body)`: axum adds the parts of a response in their order, and
/// fields that come later replace these. A response that does not depend on the cookies can be
/// declared [`Public`](crate::web::Public).
#[must_use = "return it with the response: otherwise its changes are lost"]
#[derive(Clone)]
pub struct SealedCookies<C = Codecs> {
    codec: C,
    header: CookieHeader,
    /// Only its `delta` is used: the added cookies and the removals.
    changes: CookieJar,
}

impl<C> SealedCookies<C> {
    /// Returns the cookies of a request. `fields` are the values of its Cookie fields. This is for
    /// frameworks that have no extractor.
    ///
    /// ```
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::jar::{SealedCookies, safe_cookie};
    ///
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let cookies = SealedCookies::of_request(codecs, [&b"theme=..; lang=en"[..]]);
    /// assert!(cookies.get("theme").is_err(), "it is not sealed");
    /// let cookies = cookies.add(safe_cookie(("theme", "dark")))?;
    /// for set_cookie in cookies.set_cookies()? {
    ///     // Add a field `Set-Cookie` with this value, and `Cache-Control: no-store`.
    ///     assert!(set_cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"));
    /// }
    /// # Ok::<(), silverback::jar::Error>(())
    /// ```
    pub fn of_request<'f>(codec: C, fields: impl IntoIterator<Item = &'f [u8]>) -> Self {
        SealedCookies {
            codec,
            header: CookieHeader::new(fields),
            changes: CookieJar::new(),
        }
    }

    /// Adds the removal of a cookie to the response, whether the request has such a cookie or not.
    /// The path, the domain and the flags must be those with which it was set:
    /// `remove(safe_cookie("theme"))`.
    ///
    /// A response has one change of a name: a later call replaces an earlier one, also if their
    /// paths or domains differ.
    pub fn remove(mut self, cookie: impl Into<Cookie<'static>>) -> Self {
        let cookie = cookie.into();
        // A jar drops a removal unless the client has the cookie.
        self.changes.add_original(cookie.name().to_owned());
        self.changes.remove(cookie);
        self
    }

    /// Returns the values of the response's Set-Cookie fields, in no particular order. They are not
    /// percent-encoded: Go programs do not decode cookies.
    ///
    /// # Errors
    /// Returns a usage error if a name, a path or a domain contains characters that are not possible
    /// there.
    pub fn set_cookies(&self) -> Result<Vec<String>, Error> {
        self.changes.delta().map(set_cookie).collect()
    }

    /// Returns the change to the cookie of that name: `Some(None)` if it was removed.
    fn changed(&self, name: &str) -> Option<Option<&Cookie<'static>>> {
        let is_changed = self.changes.delta().any(|cookie| cookie.name() == name);
        is_changed.then(|| self.changes.get(name))
    }
}

impl<C: Codec> SealedCookies<C> {
    /// Returns the text that the cookie under `name` contains, or `None` if the request has no such
    /// cookie. A cookie that was added or removed before counts as such.
    ///
    /// The result also holds the cookie's age and key: if it [is stale](Opened::is_stale), add it
    /// again, so that the current key seals it.
    ///
    /// # Errors
    /// Returns an error with [`Error::is_refused`] if the cookie is refused. The client may then have
    /// a good cookie later: do not lock it out.
    pub fn get(&self, name: &str) -> Result<Option<Opened<String>>, Error> {
        self.get_value(name)
    }

    /// Returns the value that the cookie under `name` contains, like [`get`](SealedCookies::get).
    ///
    /// # Errors
    /// Returns an error with [`Error::is_refused`] if the cookie is refused, or its value is not a
    /// `T`.
    pub fn get_value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Opened<T>>, Error> {
        if let Some(changed) = self.changed(name) {
            let opened = changed.map(|cookie| self.codec.open_value(cookie));
            return Ok(opened.transpose()?);
        }
        let Some(opened) = self.open_only(name)? else {
            return Ok(None);
        };
        let value = opened.serializer().deserialize(opened.value())?;
        Ok(Some(opened.with(value)))
    }

    /// Seals the cookie's value, and adds the cookie to the response.
    ///
    /// # Errors
    /// Returns the errors of [`CookieCodec::seal_cookie`].
    #[expect(clippy::should_implement_trait, reason = "the name that jars give it")]
    pub fn add(mut self, cookie: impl Into<Cookie<'static>>) -> Result<Self, Error> {
        self.changes.add(self.codec.seal_cookie(cookie)?);
        Ok(self)
    }

    /// Seals `value`, and adds the cookie with it to the response. The cookie brings the name and
    /// the attributes: `add_value(safe_cookie("cart"), &cart)`.
    ///
    /// # Errors
    /// Returns the errors of [`CookieCodec::seal_value`].
    pub fn add_value<T: Serialize + ?Sized>(
        mut self,
        cookie: impl Into<Cookie<'static>>,
        value: &T,
    ) -> Result<Self, Error> {
        self.changes.add(self.codec.seal_value(cookie, value)?);
        Ok(self)
    }

    /// Opens the only valid cookie of the name. If there is none, returns the first refusal.
    fn open_only(&self, name: &str) -> Result<Option<Opened<Vec<u8>>>, Error> {
        let now = UnixTime::now();
        let values = self.header.values(name).map_err(|TooMany| Error::TooMany)?;
        let (mut valid, mut refused) = (None, None);
        for value in values {
            match self.codec.open_at(name, value, now) {
                Ok(_) if valid.is_some() => return Err(Error::Ambiguous),
                Ok(opened) => valid = Some(opened),
                // A cookie that could not be examined may be a second valid one.
                Err(error) if !error.is_decode() => return Err(error.into()),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match (valid, refused) {
            (None, Some(refusal)) => Err(refusal.into()),
            (valid, _) => Ok(valid),
        }
    }
}

/// Returns the text of a Set-Cookie field. The crate `cookie` writes names, paths and domains as
/// they are: a semicolon in one would begin another attribute, and a line feed another field.
fn set_cookie(cookie: &Cookie<'static>) -> Result<String, Error> {
    codec::check_name(cookie.name())?;
    let is_possible = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b';';
    for attribute in [cookie.path(), cookie.domain()].into_iter().flatten() {
        if !attribute.bytes().all(is_possible) {
            let message = "the path or the domain of a cookie contains a semicolon, or is not \
                           printable ASCII";
            return Err(codec::Error::usage(message).into());
        }
    }
    let mut text = String::new();
    let written = write!(text, "{cookie}");
    written.map_err(|_| codec::Error::usage("the expiry of a cookie cannot be written"))?;
    Ok(text)
}

/// Shows the number of changed cookies, and no value.
impl<C> fmt::Debug for SealedCookies<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.changes.delta().count();
        write!(f, "SealedCookies({changed} changed cookies)")
    }
}
