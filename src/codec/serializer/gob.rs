//! gob, gorilla's default: the bridge to [`crate::gob`], which knows the format.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;

#[cfg(feature = "gob")]
pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    use super::capture::{Captured, capture};

    match capture(value) {
        Ok(Captured::Text(text)) => Ok(crate::gob::string_to_vec(text.as_bytes())),
        _ => Err(super::unwritable("gob takes strings only, so far")),
    }
}

#[cfg(feature = "gob")]
pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    use super::unreadable;

    let string =
        crate::gob::string_from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    super::raw::offer(string).map_err(|_| unreadable("gob gives strings only, so far"))
}

#[cfg(not(feature = "gob"))]
pub(super) fn serialize<T: Serialize + ?Sized>(_: &T) -> Result<Vec<u8>, Error> {
    Err(switched_off())
}

#[cfg(not(feature = "gob"))]
pub(super) fn deserialize<T: DeserializeOwned>(_: &[u8]) -> Result<T, Error> {
    Err(switched_off())
}

#[cfg(not(feature = "gob"))]
fn switched_off() -> Error {
    Error::usage("the gob serializer needs silverback's feature `gob`")
}
