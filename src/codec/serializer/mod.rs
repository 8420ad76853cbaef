//! [`Serializer`]: turns typed values into the bytes that a codec seals, and back.
//!
//! Each format has one file. A serializer reads only bytes that the MAC has authenticated, and
//! its errors never quote a value.

#[cfg(feature = "bincode")]
mod bincode;
mod capture;
mod custom;
mod depth;
mod faults;
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

/// The format in which a codec writes typed values.
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
    /// Go's encoding/gob, gorilla's default. Without the feature `gob`, each use is a usage
    /// error.
    #[default]
    #[doc(alias = "GobEncoder")]
    Gob,
    /// JSON, as gorilla's `JSONEncoder` reads it.
    #[cfg(feature = "json")]
    #[doc(alias = "JSONEncoder")]
    Json,
    /// bincode 2 in its standard configuration, at most 1 MiB. The crate is unmaintained, and
    /// Go cannot read the format: use it only if you need its speed.
    #[cfg(feature = "bincode")]
    Bincode,
    /// The unchanged bytes of a string, a byte slice or a sequence of `u8`.
    #[doc(alias = "NopEncoder")]
    Raw,
    /// A serializer of your own.
    Custom(Arc<dyn CustomSerializer>),
}

impl Serializer {
    /// Creates a serializer from a format of your own.
    pub fn custom(serializer: impl CustomSerializer + 'static) -> Self {
        Serializer::Custom(Arc::new(serializer))
    }

    /// Turns `value` into bytes.
    ///
    /// # Errors
    /// Returns a usage error if the format cannot hold the value.
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

    /// Turns authenticated bytes back into a value.
    ///
    /// In every format, the value may be nested at most 128 deep, so that no bytes overflow the
    /// stack, even if `T` is recursive.
    ///
    /// # Errors
    /// Returns a *not valid* error if the bytes are not exactly one value of type `T`. Its
    /// source names the place of the fault, and never quotes the bytes.
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
