//! bincode 2, standard configuration. The crate is complete and unmaintained
//! (its 3.0.0 holds nothing): it stays in this one file, behind a feature, reads
//! only what passed the MAC, and has a size limit. No format of ours that
//! outlives a cookie depends on it.

use bincode::config::{Config, standard};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::Serialize;

use super::{Error, depth, unreadable, unwritable};

/// A value that is not nested too deep.
struct Shallow<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Shallow<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        depth::deserialize(deserializer).map(Shallow)
    }
}

/// Far over any cookie, far under what could hurt.
const LIMIT: usize = 1024 * 1024;

fn config() -> impl Config {
    standard().with_limit::<LIMIT>()
}

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let bytes = bincode::serde::encode_to_vec(value, config())
        .map_err(|_| unwritable("bincode: the value refuses"))?;
    if bytes.len() > LIMIT {
        return Err(Error::too_long_to_seal(bytes.len(), LIMIT));
    }
    Ok(bytes)
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let (Shallow(value), used) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|_| unreadable("bincode: another type, over 1 MiB, or nested over 128 deep"))?;
    if used != bytes.len() {
        return Err(unreadable("bincode: bytes are left over"));
    }
    Ok(value)
}
