//! [`Id`]: the secret by which a session that lives in a server is found.

use std::fmt;

use zeroize::Zeroizing;

use crate::codec::generate_random_key;

use super::Error;

/// How many random bytes make an ID.
pub(super) const ID_LENGTH: usize = 32;

/// An ID, in the form that its [dialect](super::dialect) puts into a cookie. Whoever has it
/// has the session, so it is wiped when it is dropped, and never printed.
#[derive(Clone)]
pub(super) struct Id(Zeroizing<Vec<u8>>);

impl Id {
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Id(Zeroizing::new(bytes.into()))
    }

    /// 256 random bits of the operating system.
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
