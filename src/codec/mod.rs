//! Cookies, sealed and opened: bytes, a name and a key pair become cookie text,
//! and back. The heart of the crate, byte-compatible with gorilla/securecookie.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | the trait [`Codec`]: two required methods, and every other form as a wrapper |
//! | `secure_cookie.rs` | [`SecureCookie`]: one key pair |
//! | `chain.rs` | [`Codecs`]: the chain with key rotation |
//! | `options.rs` | [`CodecOptions`]: ages, lengths, hash function, cipher, serializer |
//! | `keys.rs`, `key_pairs.rs`, `readings.rs` | typed keys, and their text form |
//! | `serializer/` | [`Serializer`]: typed values become bytes |
//! | `opened.rs`, `error.rs`, `time.rs` | what opening answers |
//! | `frame.rs`, `base64_engine.rs`, `mac.rs`, `hmac_sha256.rs`, `cipher.rs`, `randomness.rs` | the wire, private |
//! | `legacy.rs` | formats that were never safe, to be read only (feature `legacy`) |
//!
//! No HTTP lives here, no I/O but the key file, and no clock but
//! [`UnixTime::now`]: `now` is an argument of every `_at` form.
//!
//! # Five lines
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
//! # Compatible, and stricter
//!
//! Everything gorilla seals, this opens (dates over a minute in the future
//! apart); everything this seals, gorilla opens (an empty plaintext under
//! encryption and an empty hash key apart). Beyond that it accepts exactly one
//! text for each cookie. The README has the table of differences.

mod base64_engine;
mod chain;
mod cipher;
#[cfg(feature = "session")]
mod derive;
mod error;
mod frame;
mod hmac_sha256;
mod key_pairs;
mod keys;
#[cfg(feature = "legacy")]
pub mod legacy;
mod mac;
mod opened;
mod options;
mod randomness;
mod readings;
mod secure_cookie;
mod serializer;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use chain::{Codecs, Member, decode_multi, encode_multi};
#[cfg(feature = "session")]
pub(crate) use derive::derive_chain;
pub use error::Error;
pub use key_pairs::{KeyPairs, read_key_file};
pub use keys::{BlockKey, HashKey, KeyPair, generate_random_key};
pub use opened::Opened;
pub use options::{Cipher, CodecOptions, HashFunction};
pub use readings::OtherReading;
pub use secure_cookie::SecureCookie;
#[cfg(feature = "session")]
pub(crate) use secure_cookie::check_name;
pub use serializer::{CustomSerializer, Serializer, erased_serde};
pub use time::UnixTime;

/// Seals bytes into cookie text under a name, and opens them again.
///
/// Two methods are required; both append to the caller's buffer and leave it as
/// it was if they fail. Everything else is a wrapper around them:
///
/// | | bytes | typed values |
/// |---|---|---|
/// | now | [`seal`](Codec::seal), [`open`](Codec::open) | [`encode`](Codec::encode), [`decode`](Codec::decode) |
/// | at a given time | [`seal_at`](Codec::seal_at), [`open_at`](Codec::open_at) | [`encode_at`](Codec::encode_at), [`decode_at`](Codec::decode_at) |
///
/// The trait is object-safe. `Box<dyn Codec>`, `Arc<dyn Codec>` and `&dyn Codec`
/// are codecs too, so the typed forms work on them (on the last as
/// `Codec::decode(&codec, ..)`, since its dot means the unsized codec behind it).
///
/// # A codec of your own
///
/// ```
/// use silverback::codec::{Codec, Error, Opened, UnixTime};
///
/// /// Says who it is talking to, and protects nothing.
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
    /// Appends the cookie that carries `payload` under `name`, dated `now`, to
    /// `out`. Allocates nothing if `out` has room (limits lifted beyond gorilla's
    /// 4096 bytes apart).
    ///
    /// # Errors
    /// Usage, for a name no cookie can have or a value too long; internal, if the
    /// system has no randomness.
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error>;

    /// Appends the payload of `cookie`, sent under `name`, to `out`, if it was
    /// sealed by this codec and its age is right at `now`. Allocates nothing if
    /// `out` has room, for which `cookie.len()` bytes are enough; only the refusal
    /// of a chain allocates, to say what each key said.
    ///
    /// # Errors
    /// The ways a cookie is refused ([`Error::is_decode`]). A codec of your own may
    /// also answer usage or internal.
    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error>;

    /// How typed values become bytes when this codec seals. When it opens,
    /// [`Opened`] says so: in a chain it depends on the key. A codec that wraps one names
    /// its serializer.
    fn serializer(&self) -> Serializer {
        Serializer::default()
    }

    /// The [`SecureCookie`]s this codec is made of, so that a chain it becomes part
    /// of can refuse two that share a hash key. A codec that wraps one names it.
    fn secure_cookies(&self) -> Vec<&SecureCookie> {
        Vec::new()
    }

    /// Seals `payload` at the time `now`.
    ///
    /// # Errors
    /// As [`seal_into`](Codec::seal_into).
    fn seal_at(&self, name: &str, payload: &[u8], now: UnixTime) -> Result<String, Error> {
        let mut cookie = String::new();
        self.seal_into(name, payload, now, &mut cookie)?;
        Ok(cookie)
    }

    /// Seals `payload` now.
    ///
    /// # Errors
    /// As [`seal_into`](Codec::seal_into).
    fn seal(&self, name: &str, payload: &[u8]) -> Result<String, Error> {
        self.seal_at(name, payload, UnixTime::now())
    }

    /// Opens `cookie` at the time `now`.
    ///
    /// # Errors
    /// As [`open_into`](Codec::open_into).
    fn open_at(&self, name: &str, cookie: &str, now: UnixTime) -> Result<Opened<Vec<u8>>, Error> {
        let mut payload = Vec::new();
        let opened = self.open_into(name, cookie, now, &mut payload)?;
        Ok(opened.with(payload))
    }

    /// Opens `cookie` now.
    ///
    /// # Errors
    /// As [`open_into`](Codec::open_into).
    fn open(&self, name: &str, cookie: &str) -> Result<Opened<Vec<u8>>, Error> {
        self.open_at(name, cookie, UnixTime::now())
    }

    /// Serializes and seals `value` at the time `now`.
    ///
    /// # Errors
    /// As [`seal_into`](Codec::seal_into), and usage for a value the serializer
    /// cannot write.
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
    /// As [`encode_at`](Codec::encode_at).
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
    /// As [`open_into`](Codec::open_into), and not valid, with a source, for an
    /// authentic payload that is no `T`.
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
    /// As [`decode_at`](Codec::decode_at).
    #[doc(alias = "Decode")]
    fn decode<T>(&self, name: &str, cookie: &str) -> Result<T, Error>
    where
        T: DeserializeOwned,
        Self: Sized,
    {
        Ok(self.decode_at(name, cookie, UnixTime::now())?.into_value())
    }
}

/// A pointer to a codec is a codec.
macro_rules! codec_behind {
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

            fn secure_cookies(&self) -> Vec<&SecureCookie> {
                (**self).secure_cookies()
            }
        }
    )+};
}

codec_behind!(&C, Box<C>, Arc<C>);
