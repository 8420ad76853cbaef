//! [`Key`]: the key of a record.

use std::fmt;

use super::Error;

/// The key of a record: 1 to 250 bytes, any bytes.
///
/// A key may be a secret, such as an ID that logs in anyone who knows it. Therefore it is never
/// printed.
///
/// ```
/// use silverback::backend::Key;
///
/// assert!(Key::new("0196f5b4").is_ok());
/// assert!(Key::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Returns the key with these bytes.
    ///
    /// # Errors
    /// Returns a usage error for no bytes, and for more than 250, which is the length that every
    /// server takes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        match bytes.len() {
            1..=250 => Ok(Key(bytes.into())),
            length => Err(Error::usage(format!(
                "the key has {length} bytes; 1 to 250 are required"
            ))),
        }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}
