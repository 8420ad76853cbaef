//! Seals bytes into the text of a signed or encrypted cookie, and opens that text again,
//! byte-compatible with gorilla/securecookie.
//!
//! - Seal and open a value: the [example](#seal-and-open-a-value) below.
//! - Rotate keys: [`Codecs`], and the page `guide::rotation`.
//! - Rotate keys without a restart, or drop a leaked one at once: [`KeyRing`].
//! - Read keys from a file or the environment: [`KeyPairs`], and the page `guide::keys`.
//! - Set ages, lengths, hash function, cipher or serializer: [`CodecOptions`].
//! - Read the age of a cookie, and learn which key opened it: [`Opened`].
//! - Seal and open at a given time: [`Codec::encode_at`], [`Codec::decode_at`].
//!
//! # Seal and open a value
//!
//! ```
//! use silverback::codec::{Codec, Codecs, KeyPairs};
//!
//! let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
//! let cookie = codecs.encode("sid", "silverback")?;
//! assert_eq!(codecs.decode::<String>("sid", &cookie)?, "silverback");
//! # Ok::<(), silverback::codec::Error>(())
//! ```
//!
//! # Compatible with gorilla, and stricter
//!
//! This codec opens every cookie that gorilla seals, except one dated more than a minute in
//! the future. gorilla opens every cookie that this codec seals, except an encrypted empty
//! payload and a cookie under an empty hash key. For each cookie, this codec accepts exactly
//! one text. The page `guide::from_gorilla` has the table of differences.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the trait [`Codec`]: two required methods, and every other form as a wrapper |
//! | `secure_cookie.rs` | [`SecureCookie`]: the codec of one key pair |
//! | `chain.rs`, `into_codec.rs` | [`Codecs`]: a chain of codecs, for key rotation; [`IntoCodec`] |
//! | `options.rs`, `config.rs` | [`CodecOptions`]: ages, lengths, hash function, cipher, serializer |
//! | `keys.rs`, `key_text.rs`, `key_pairs.rs`, `key_file.rs`, `other_reading.rs`, `fingerprint.rs` | typed keys, their text form, and their fingerprints |
//! | `key_ring/` | [`KeyRing`]: a chain that is replaced while the service runs |
//! | `secure_cookies.rs`, `derive.rs` | the codecs in a codec, and keys derived from them |
//! | `serializer/` | [`Serializer`]: turns typed values into bytes |
//! | `opened.rs`, `error.rs`, `time.rs` | the results of opening, and the time type |
//! | `frame.rs`, `base64_engine.rs`, `mac.rs`, `hmac_sha256.rs`, `cipher.rs`, `randomness.rs` | the wire format, private |
//! | `legacy.rs` | readers for unsafe formats (feature `legacy`) |
//!
//! This module has no HTTP and no async runtime. Its only I/O is reading the keys: a file, or the
//! output of a command. It reads the clock only for a [`KeyRing`] and in [`UnixTime::now`]: every
//! `_at` form takes `now` as an argument.

#![doc(alias = "securecookie")]

mod base64_engine;
mod chain;
mod cipher;
#[cfg(feature = "config")]
mod config;
#[cfg(feature = "session")]
mod derive;
mod error;
mod fingerprint;
mod frame;
mod hmac_sha256;
mod into_codec;
mod key_file;
mod key_pairs;
mod key_ring;
mod key_text;
mod keys;
#[cfg(feature = "legacy")]
pub mod legacy;
mod mac;
mod opened;
mod options;
mod other_reading;
mod randomness;
mod secure_cookie;
mod secure_cookies;
mod serializer;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use chain::{Codecs, Member, decode_multi, encode_multi};
#[cfg(feature = "session")]
pub(crate) use derive::DerivedCodec;
pub use error::Error;
pub use fingerprint::KeyFingerprint;
pub use into_codec::IntoCodec;
pub use key_file::{key_file_with_checksum, read_key_file};
pub use key_pairs::KeyPairs;
pub use key_ring::{KeyRing, KeyRingEvent, KeyRingOptions, KeyRingStatus, KeyRingWatch, KeySource};
pub use keys::{BlockKey, HashKey, KeyPair, generate_random_key};
pub use opened::Opened;
pub use options::{Cipher, CodecOptions, HashFunction};
pub use other_reading::OtherReading;
pub use secure_cookie::SecureCookie;
#[cfg(any(feature = "cookie", feature = "session"))]
pub(crate) use secure_cookie::check_name;
pub use secure_cookies::SecureCookies;
pub use serializer::{CustomSerializer, Serializer, erased_serde};
pub use time::UnixTime;

/// Seals bytes into cookie text under a name, and opens that text again.
///
/// Two methods are required. Both append to the caller's buffer, and leave the buffer
/// unchanged if they fail. Every other method is a wrapper around these two:
///
/// | | bytes | typed values |
/// |---|---|---|
/// | now | [`seal`](Codec::seal), [`open`](Codec::open) | [`encode`](Codec::encode), [`decode`](Codec::decode) |
/// | at a given time | [`seal_at`](Codec::seal_at), [`open_at`](Codec::open_at) | [`encode_at`](Codec::encode_at), [`decode_at`](Codec::decode_at) |
///
/// The trait is object-safe. `Box<dyn Codec>`, `Arc<dyn Codec>` and `&dyn Codec` are codecs
/// too, so the typed forms work on them. On a `&dyn Codec`, write `Codec::decode(&codec, ..)`:
/// the method syntax would select the unsized codec behind the reference.
///
/// # A codec of your own
///
/// ```
/// use silverback::codec::{Codec, Error, Opened, UnixTime};
///
/// /// Puts the name before the payload, and protects nothing.
/// struct Plain;
///
/// impl Codec for Plain {
///     fn seal_into(&self, name: &str, payload: &[u8], now: UnixTime, out: &mut String) -> Result<(), Error> {
///         let text = std::str::from_utf8(payload).map_err(|_| Error::usage("not text"))?;
///         out.push_str(&format!("{name}.{text}"));
///         Ok(())
///     }
///
///     fn open_into(&self, name: &str, cookie: &str, now: UnixTime, out: &mut Vec<u8>) -> Result<Opened, Error> {
///         let text = cookie.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
///         out.extend_from_slice(text.ok_or_else(Error::not_valid)?.as_bytes());
///         Ok(Opened::new(now, now))
///     }
/// }
///
/// let cookie = Plain.seal("sid", b"ape")?;
/// assert_eq!(Plain.open("sid", &cookie)?.value(), b"ape");
/// # Ok::<(), Error>(())
/// ```
pub trait Codec: Send + Sync {
    /// Appends the cookie that carries `payload` under `name`, dated `now`, to `out`.
    ///
    /// Allocates nothing if `out` has room and the cookie is within gorilla's 4096 bytes.
    ///
    /// # Errors
    /// Returns a usage error if no cookie can have this name or the payload is too long, and
    /// an internal error if the operating system has no randomness.
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error>;

    /// Appends the payload of `cookie`, sent under `name`, to `out`, if this codec sealed it
    /// and its age is permitted at `now`.
    ///
    /// Allocates nothing if `out` has room; `cookie.len()` bytes are always enough. Only a
    /// chain that refuses a cookie allocates, for the error of each key.
    ///
    /// # Errors
    /// Returns an error with [`Error::is_decode`] if the cookie is refused. A codec of your
    /// own may also return a usage or an internal error.
    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error>;

    /// Returns the serializer for the typed values that this codec seals.
    ///
    /// To open a value, use [`Opened::serializer`]: in a chain the serializer depends on the
    /// key. A codec that wraps another returns that codec's serializer.
    fn serializer(&self) -> Serializer {
        Serializer::default()
    }

    /// Returns the [`SecureCookie`]s that this codec uses now, so that a chain can refuse two
    /// members that share a hash key, and a store can derive keys.
    ///
    /// A codec that wraps another returns that codec's. The list is requested again for each use
    /// of derived keys: a codec whose keys change returns those of this moment. As long as the
    /// keys stay, return clones of the same codecs, so that no key is derived again.
    fn secure_cookies(&self) -> SecureCookies {
        SecureCookies::default()
    }

    /// Seals `payload` at the time `now`.
    ///
    /// # Errors
    /// Returns the errors of [`seal_into`](Codec::seal_into).
    fn seal_at(&self, name: &str, payload: &[u8], now: UnixTime) -> Result<String, Error> {
        let mut cookie = String::new();
        self.seal_into(name, payload, now, &mut cookie)?;
        Ok(cookie)
    }

    /// Seals `payload` now.
    ///
    /// # Errors
    /// Returns the errors of [`seal_into`](Codec::seal_into).
    #[doc(alias = "sign")]
    #[doc(alias = "encrypt")]
    fn seal(&self, name: &str, payload: &[u8]) -> Result<String, Error> {
        self.seal_at(name, payload, UnixTime::now())
    }

    /// Opens `cookie` at the time `now`.
    ///
    /// # Errors
    /// Returns the errors of [`open_into`](Codec::open_into).
    fn open_at(&self, name: &str, cookie: &str, now: UnixTime) -> Result<Opened<Vec<u8>>, Error> {
        let mut payload = Vec::new();
        let opened = self.open_into(name, cookie, now, &mut payload)?;
        Ok(opened.with(payload))
    }

    /// Opens `cookie` now.
    ///
    /// # Errors
    /// Returns the errors of [`open_into`](Codec::open_into).
    #[doc(alias = "verify")]
    #[doc(alias = "decrypt")]
    fn open(&self, name: &str, cookie: &str) -> Result<Opened<Vec<u8>>, Error> {
        self.open_at(name, cookie, UnixTime::now())
    }

    /// Serializes and seals `value` at the time `now`.
    ///
    /// # Errors
    /// Returns the errors of [`seal_into`](Codec::seal_into), and a usage error if the
    /// serializer cannot write the value.
    fn encode_at<T>(&self, name: &str, value: &T, now: UnixTime) -> Result<String, Error>
    where
        T: Serialize + ?Sized,
        Self: Sized,
    {
        self.seal_at(name, &self.serializer().serialize(value)?, now)
    }

    /// Serializes and seals `value` now.
    ///
    /// # Errors
    /// Returns the errors of [`encode_at`](Codec::encode_at).
    #[doc(alias = "Encode")]
    fn encode<T>(&self, name: &str, value: &T) -> Result<String, Error>
    where
        T: Serialize + ?Sized,
        Self: Sized,
    {
        self.encode_at(name, value, UnixTime::now())
    }

    /// Opens and deserializes `cookie` at the time `now`.
    ///
    /// # Errors
    /// Returns the errors of [`open_into`](Codec::open_into), and a *not valid* error with a
    /// source if the authentic payload is not a `T`.
    fn decode_at<T>(&self, name: &str, cookie: &str, now: UnixTime) -> Result<Opened<T>, Error>
    where
        T: DeserializeOwned,
        Self: Sized,
    {
        let opened = self.open_at(name, cookie, now)?;
        let value = opened.serializer().deserialize(opened.value())?;
        Ok(opened.with(value))
    }

    /// Opens and deserializes `cookie` now.
    ///
    /// # Errors
    /// Returns the errors of [`decode_at`](Codec::decode_at).
    #[doc(alias = "Decode")]
    fn decode<T>(&self, name: &str, cookie: &str) -> Result<T, Error>
    where
        T: DeserializeOwned,
        Self: Sized,
    {
        Ok(self.decode_at(name, cookie, UnixTime::now())?.into_value())
    }
}

impl Codec for SecureCookie {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.seal_cookie(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.open_cookie(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.settings_serializer().clone()
    }

    fn secure_cookies(&self) -> SecureCookies {
        SecureCookies::from(self)
    }
}

/// Implements [`Codec`] for a pointer to a codec.
macro_rules! codec_for_pointer {
    ($($pointer:ty),+) => {$(
        impl<C: Codec + ?Sized> Codec for $pointer {
            fn seal_into(
                &self,
                name: &str,
                payload: &[u8],
                now: UnixTime,
                out: &mut String,
            ) -> Result<(), Error> {
                (**self).seal_into(name, payload, now, out)
            }

            fn open_into(
                &self,
                name: &str,
                cookie: &str,
                now: UnixTime,
                out: &mut Vec<u8>,
            ) -> Result<Opened, Error> {
                (**self).open_into(name, cookie, now, out)
            }

            fn serializer(&self) -> Serializer {
                (**self).serializer()
            }

            fn secure_cookies(&self) -> SecureCookies {
                (**self).secure_cookies()
            }
        }
    )+};
}

codec_for_pointer!(&C, Box<C>, Arc<C>);
