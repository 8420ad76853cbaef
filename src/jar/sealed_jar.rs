//! [`SealedJar`]: a view of a `CookieJar` that seals and opens its cookies.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;

use cookie::{Cookie, CookieJar};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Error, Opened};

use super::CookieCodec;

/// Adds sealed views to [`CookieJar`], like its own `signed` and `private`.
pub trait CookieJarExt {
    /// Returns a view that opens the jar's cookies.
    fn sealed<C: Codec>(&self, codec: C) -> SealedJar<&Self, C>;

    /// Returns a view that opens the jar's cookies, and seals the cookies that are added to it.
    fn sealed_mut<C: Codec>(&mut self, codec: C) -> SealedJar<&mut Self, C>;
}

impl CookieJarExt for CookieJar {
    fn sealed<C: Codec>(&self, codec: C) -> SealedJar<&Self, C> {
        SealedJar { jar: self, codec }
    }

    fn sealed_mut<C: Codec>(&mut self, codec: C) -> SealedJar<&mut Self, C> {
        SealedJar { jar: self, codec }
    }
}

/// A view of a [`CookieJar`] that seals the cookies that are added, and opens those that are
/// asked for. [`CookieJarExt`] makes it.
///
/// ```
/// use cookie::CookieJar;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::jar::{CookieJarExt, safe_cookie};
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let mut jar = CookieJar::new();
/// jar.sealed_mut(&codecs).add(safe_cookie(("theme", "dark")))?;
///
/// let theme = jar.sealed(&codecs).get("theme")?.expect("just added");
/// assert_eq!(theme.value(), "dark");
/// assert!(jar.sealed(&codecs).get("absent")?.is_none());
///
/// jar.add_original(("theme", "forged"));
/// jar.reset_delta();
/// assert!(jar.sealed(&codecs).get("theme").is_err(), "refused, and not absent");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[must_use = "a view does nothing until one of its methods is called"]
pub struct SealedJar<J, C> {
    jar: J,
    codec: C,
}

impl<J: Borrow<CookieJar>, C: Codec> SealedJar<J, C> {
    /// Returns the text that the cookie under `name` contains, or `None` if the jar has no such
    /// cookie. The result also holds the cookie's age and key: if it [is
    /// stale](Opened::is_stale), add it again, so that the current key seals it.
    ///
    /// A jar holds one cookie of a name. If a request has two, the framework that filled the jar
    /// has chosen one: see [`SealedCookies`](super::SealedCookies).
    ///
    /// # Errors
    /// Returns an error with [`Error::is_decode`] if the cookie is refused, as
    /// [`CookieCodec::open_cookie`] does.
    pub fn get(&self, name: &str) -> Result<Option<Opened<String>>, Error> {
        self.get_value(name)
    }

    /// Returns the value that the cookie under `name` contains, or `None` if the jar has no such
    /// cookie.
    ///
    /// # Errors
    /// Returns an error with [`Error::is_decode`] if the cookie is refused, or its value is not a
    /// `T`.
    pub fn get_value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Opened<T>>, Error> {
        let cookie = self.jar.borrow().get(name);
        cookie
            .map(|cookie| self.codec.open_value(cookie))
            .transpose()
    }
}

impl<J: BorrowMut<CookieJar>, C: Codec> SealedJar<J, C> {
    /// Seals the cookie's value, and adds the cookie to the jar.
    ///
    /// # Errors
    /// Returns the errors of [`CookieCodec::seal_cookie`]. The jar is then unchanged.
    pub fn add(&mut self, cookie: impl Into<Cookie<'static>>) -> Result<(), Error> {
        let sealed = self.codec.seal_cookie(cookie)?;
        self.jar.borrow_mut().add(sealed);
        Ok(())
    }

    /// Seals `value`, and adds the cookie with it to the jar. The cookie brings the name and the
    /// attributes: `add_value(safe_cookie("cart"), &cart)`.
    ///
    /// # Errors
    /// Returns the errors of [`CookieCodec::seal_value`]. The jar is then unchanged.
    pub fn add_value<T: Serialize + ?Sized>(
        &mut self,
        cookie: impl Into<Cookie<'static>>,
        value: &T,
    ) -> Result<(), Error> {
        let sealed = self.codec.seal_value(cookie, value)?;
        self.jar.borrow_mut().add(sealed);
        Ok(())
    }

    /// Seals the cookie's value, and adds the cookie as one that the client already has: it is not
    /// in the jar's `delta`. This is for tests.
    ///
    /// # Errors
    /// Returns the errors of [`CookieCodec::seal_cookie`]. The jar is then unchanged.
    pub fn add_original(&mut self, cookie: impl Into<Cookie<'static>>) -> Result<(), Error> {
        let sealed = self.codec.seal_cookie(cookie)?;
        self.jar.borrow_mut().add_original(sealed);
        Ok(())
    }

    /// Removes the cookie of that name from the jar. If the client has the cookie, the jar's
    /// `delta` then contains its removal. The path and the domain must be those with which the
    /// cookie was set.
    pub fn remove(&mut self, cookie: impl Into<Cookie<'static>>) {
        self.jar.borrow_mut().remove(cookie.into());
    }
}

/// Shows the number of changed cookies, and no value.
impl<J: Borrow<CookieJar>, C> fmt::Debug for SealedJar<J, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.jar.borrow().delta().count();
        write!(f, "SealedJar({changed} changed cookies)")
    }
}
