//! [`Id`]: the secret that identifies a session in a server.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
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
        let bytes = generate_random_key(ID_LENGTH)?;
        Ok(Id(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the hash of the ID as text, which opens no session. In most dialects it is the key
    /// of the row. The text is a token, so that a codec can seal a row under it as the name.
    pub(super) fn row_name(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.as_bytes()))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(..)")
    }
}
