//! The bincode 2 format, in its standard configuration.
//!
//! The crate is complete but unmaintained (its version 3.0.0 is empty). Therefore only this
//! file uses it, behind a feature, with a size limit, and on authenticated bytes. No format
//! that outlives a cookie depends on it.

use bincode::config::standard;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::Serialize;

use super::faults::{decode_error, encode_error};
use super::{Error, depth};

/// A value with nesting within the limit of [`depth`].
struct DepthLimited<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for DepthLimited<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        depth::deserialize(deserializer).map(DepthLimited)
    }
}

/// Limits the size of a sealed value, in bytes: far more than a cookie holds, and harmless to read.
const LIMIT: usize = 1024 * 1024;

/// Limits the memory that a value is read into. bincode counts a number with the size of its type,
/// which is at most 16 bytes, also if one byte holds it. Therefore every value of at most `LIMIT`
/// bytes is read, and a length that no value follows allocates no more.
const MEMORY: usize = 16 * LIMIT;

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let bytes = bincode::serde::encode_to_vec(value, standard())
        .map_err(|_| encode_error("bincode cannot hold this value"))?;
    if bytes.len() > LIMIT {
        return Err(Error::too_long_to_seal(bytes.len(), LIMIT));
    }
    Ok(bytes)
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > LIMIT {
        return Err(decode_error("bincode: the value is over 1 MiB"));
    }
    let decoded = bincode::serde::decode_from_slice(bytes, standard().with_limit::<MEMORY>());
    let (DepthLimited(value), used) = decoded.map_err(|_| {
        decode_error("bincode: the value has another type, or is nested over 128 deep")
    })?;
    if used != bytes.len() {
        return Err(decode_error("bincode: bytes follow the value"));
    }
    Ok(value)
}
