//! [`CookieCodec`]: seals and opens the value of one cookie.

use cookie::Cookie;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Error, Opened, UnixTime};

/// Seals and opens single cookies of the crate `cookie`. Every [`Codec`] has these methods.
///
/// Use it with jars that wrap the `CookieJar` of the crate `cookie`: those of axum-extra and Rocket.
///
/// ```
/// use cookie::Cookie;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::jar::CookieCodec;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let sealed = codecs.seal_cookie(Cookie::build(("theme", "dark")).path("/"))?;
/// assert_eq!(sealed.path(), Some("/"));
/// assert_ne!(sealed.value(), "dark");
/// assert_eq!(codecs.open_cookie(&sealed)?.value(), "dark");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub trait CookieCodec: Codec {
    /// Returns the cookie with its value sealed under its name. The attributes stay as they are.
    ///
    /// The value goes through the codec's serializer as a text: a Go program decodes it into a
    /// `string`.
    ///
    /// # Errors
    /// Returns the errors of [`Codec::encode`]: no cookie can have the name, or the sealed value is
    /// too long.
    fn seal_cookie(&self, cookie: impl Into<Cookie<'static>>) -> Result<Cookie<'static>, Error> {
        let cookie = cookie.into();
        let value = cookie.value().to_owned();
        self.seal_value(cookie, &value)
    }

    /// Returns the cookie with `value`, serialized and sealed, as its value. The value that the
    /// cookie had before is dropped.
    ///
    /// # Errors
    /// Returns the errors of [`Codec::encode`]: no cookie can have the name, the serializer cannot
    /// write the value, or the sealed value is too long.
    fn seal_value<T>(
        &self,
        cookie: impl Into<Cookie<'static>>,
        value: &T,
    ) -> Result<Cookie<'static>, Error>
    where
        T: Serialize + ?Sized,
    {
        let mut cookie = cookie.into();
        let sealed = Codec::encode(&self, cookie.name(), value)?;
        cookie.set_value(sealed);
        Ok(cookie)
    }

    /// Opens the text in a sealed cookie. One pair of double quotes around the value is ignored, as
    /// in Go's net/http.
    ///
    /// # Errors
    /// Returns an error with [`Error::is_decode`] if the cookie is refused: it was changed, moved
    /// from another name, or sealed by another key, it is too old, or it does not contain a text.
    fn open_cookie(&self, cookie: &Cookie<'_>) -> Result<Opened<String>, Error> {
        self.open_value(cookie)
    }

    /// Opens the value in a sealed cookie, like [`open_cookie`](CookieCodec::open_cookie).
    ///
    /// # Errors
    /// Returns an error with [`Error::is_decode`] if the cookie is refused, or its value is not a
    /// `T`.
    fn open_value<T: DeserializeOwned>(&self, cookie: &Cookie<'_>) -> Result<Opened<T>, Error> {
        let (name, value) = (cookie.name(), cookie.value_trimmed());
        Codec::decode_at(&self, name, value, UnixTime::now())
    }
}

impl<C: Codec + ?Sized> CookieCodec for C {}
