//! [`Serializer`]: how typed values become the bytes that are sealed.
//!
//! One file per format. What they read has always passed the MAC first. Their
//! errors never quote a value.

#[cfg(feature = "bincode")]
mod bincode;
mod capture;
mod custom;
mod depth;
mod gob;
#[cfg(feature = "json")]
mod json;
mod raw;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use custom::CustomSerializer;
/// The object-safe forms of serde's traits, for [`CustomSerializer`].
pub use erased_serde;

use super::Error;

/// How a codec's typed values become bytes.
///
/// ```
/// use silverback::codec::{Codec, CodecOptions, KeyPair, SecureCookie, Serializer};
///
/// let options = CodecOptions::new().serializer(Serializer::Json);
/// let codec = SecureCookie::with_options(KeyPair::generate()?, &options)?;
/// let cookie = codec.encode("sid", &("ape", 7))?;
/// assert_eq!(codec.open("sid", &cookie)?.value(), br#"["ape",7]"#);
/// assert_eq!(codec.decode::<(String, u8)>("sid", &cookie)?, ("ape".into(), 7));
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Serializer {
    /// Go's encoding/gob, gorilla's default. Without the feature `gob` it answers
    /// every value with a usage error.
    #[default]
    #[doc(alias = "GobEncoder")]
    Gob,
    /// JSON, as gorilla's `JSONEncoder` reads it.
    #[cfg(feature = "json")]
    #[doc(alias = "JSONEncoder")]
    Json,
    /// bincode 2 in its standard configuration, 1 MiB at most. The format is
    /// unmaintained and not Go's; use it only where the speed is worth it.
    #[cfg(feature = "bincode")]
    Bincode,
    /// The bytes of a string, a byte slice or a sequence of `u8`, as they are.
    #[doc(alias = "NopEncoder")]
    Raw,
    /// A serializer of your own.
    Custom(Arc<dyn CustomSerializer>),
}

impl Serializer {
    /// A serializer of your own.
    pub fn custom(serializer: impl CustomSerializer + 'static) -> Self {
        Serializer::Custom(Arc::new(serializer))
    }

    /// Turns `value` into bytes.
    ///
    /// # Errors
    /// Usage, for a value the format cannot hold.
    pub fn serialize<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, Error> {
        match self {
            Serializer::Gob => gob::serialize(value),
            #[cfg(feature = "json")]
            Serializer::Json => json::serialize(value),
            #[cfg(feature = "bincode")]
            Serializer::Bincode => bincode::serialize(value),
            Serializer::Raw => raw::serialize(value),
            Serializer::Custom(custom) => custom::serialize(custom.as_ref(), value),
        }
    }

    /// Turns bytes that passed the MAC back into a value; all of them must be used. Values are
    /// nested 128 deep at most in any format, so that none overflows the stack by being read
    /// into a type that contains itself.
    ///
    /// # Errors
    /// Not valid, with a source that says where, but never what.
    pub fn deserialize<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Error> {
        match self {
            Serializer::Gob => gob::deserialize(bytes),
            #[cfg(feature = "json")]
            Serializer::Json => json::deserialize(bytes),
            #[cfg(feature = "bincode")]
            Serializer::Bincode => bincode::deserialize(bytes),
            Serializer::Raw => raw::deserialize(bytes),
            Serializer::Custom(custom) => custom::deserialize(custom.as_ref(), bytes),
        }
    }
}

/// The value is nothing this format can hold.
fn unwritable(why: impl Into<String>) -> Error {
    Error::usage("the value cannot be serialized").with_source(why.into())
}

/// Authentic bytes that are no such value. `why` must not quote them: what serde
/// says of a mismatch does, so it is never passed on whole.
fn unreadable(why: impl Into<String>) -> Error {
    Error::not_valid_though_authentic().with_source(why.into())
}
