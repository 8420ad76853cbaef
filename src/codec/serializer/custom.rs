//! [`CustomSerializer`]: the trait for a format of the caller's own.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, depth};

/// A format of your own, for [`Serializer::custom`](super::Serializer::custom).
///
/// The trait is object-safe, through [erased_serde](super::erased_serde), so that a chain can
/// mix serializers. Its errors become the [source](StdError::source) of the codec's errors:
/// their texts must not quote values. Values nested over 128 deep are refused while they are
/// read: the format needs no limit of its own.
///
/// ```
/// use std::error::Error;
/// use silverback::codec::{CustomSerializer, Serializer, erased_serde};
///
/// #[derive(Debug)]
/// struct PrettyJson;
///
/// impl CustomSerializer for PrettyJson {
///     fn serialize(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
///         Ok(serde_json::to_vec_pretty(value)?)
///     }
///
///     fn deserialize(
///         &self,
///         bytes: &[u8],
///         read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error>,
///     ) -> Result<(), Box<dyn Error + Send + Sync>> {
///         let mut json = serde_json::Deserializer::from_slice(bytes);
///         read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json)).map_err(|_| "not this type")?;
///         Ok(json.end()?)
///     }
/// }
///
/// let serializer = Serializer::custom(PrettyJson);
/// let bytes = serializer.serialize(&[1, 2])?;
/// assert_eq!(bytes, b"[\n  1,\n  2\n]");
/// assert_eq!(serializer.deserialize::<Vec<u8>>(&bytes)?, [1, 2]);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub trait CustomSerializer: fmt::Debug + Send + Sync {
    /// Turns `value` into bytes.
    ///
    /// # Errors
    /// Returns an error if the format cannot hold the value.
    fn serialize(
        &self,
        value: &dyn erased_serde::Serialize,
    ) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;

    /// Calls `read` exactly once, with a deserializer over `bytes`, and checks that all bytes
    /// were used.
    ///
    /// # Errors
    /// Returns an error if the bytes are not in this format, and the errors of `read`.
    fn deserialize(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(
            &mut dyn erased_serde::Deserializer<'_>,
        ) -> Result<(), erased_serde::Error>,
    ) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

pub(super) fn serialize<T: Serialize + ?Sized>(
    custom: &dyn CustomSerializer,
    value: &T,
) -> Result<Vec<u8>, Error> {
    custom
        .serialize(&value)
        .map_err(|error| Error::usage("the value cannot be serialized").with_source(error))
}

pub(super) fn deserialize<T: DeserializeOwned>(
    custom: &dyn CustomSerializer,
    bytes: &[u8],
) -> Result<T, Error> {
    let mut value = None;
    let mut read = |deserializer: &mut dyn erased_serde::Deserializer<'_>| {
        value = Some(depth::deserialize(deserializer)?);
        Ok(())
    };
    custom
        .deserialize(bytes, &mut read)
        .map_err(|error| Error::not_valid_though_authentic().with_source(error))?;
    value.ok_or_else(|| {
        Error::internal("the custom serializer returned without a value: it must call `read`")
    })
}
