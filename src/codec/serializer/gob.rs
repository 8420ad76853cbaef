//! The gob format, gorilla's default. [`crate::gob`] implements it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;

#[cfg(feature = "gob")]
pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    crate::gob::to_vec(value).map_err(|error| super::faults::encode_error(error.to_string()))
}

#[cfg(feature = "gob")]
pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    crate::gob::from_slice(bytes).map_err(|error| super::faults::decode_error(error.to_string()))
}

#[cfg(not(feature = "gob"))]
pub(super) fn serialize<T: Serialize + ?Sized>(_: &T) -> Result<Vec<u8>, Error> {
    Err(feature_is_off())
}

#[cfg(not(feature = "gob"))]
pub(super) fn deserialize<T: DeserializeOwned>(_: &[u8]) -> Result<T, Error> {
    Err(feature_is_off())
}

#[cfg(not(feature = "gob"))]
fn feature_is_off() -> Error {
    Error::usage("the gob serializer is not compiled in: enable silverback's feature `gob`")
}
