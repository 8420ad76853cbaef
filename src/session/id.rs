//! [`Id`]: the secret that identifies a session in a server.

use std::fmt;

use zeroize::Zeroizing;

use crate::codec::generate_random_key;

use super::Error;

/// The length of an ID, in random bytes.
pub(super) const ID_LENGTH: usize = 32;

/// An ID, in the form that its [dialect](super::dialect) puts into a cookie. The ID gives access to
/// the session, so it is wiped when it is dropped, and is never printed.
#[derive(Clone)]
pub(super) struct Id(Zeroizing<Vec<u8>>);

impl Id {
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Id(Zeroizing::new(bytes.into()))
    }

    /// Generates an ID of 256 random bits from the operating system.
    pub(super) fn random() -> Result<Self, Error> {
        let bytes = generate_random_key(ID_LENGTH).map_err(Error::of_codec)?;
        Ok(Id(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(..)")
    }
}
