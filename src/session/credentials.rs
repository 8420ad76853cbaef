//! [`CredentialsHash`]: a hash of the credentials with which a user logged in. It shows whether they
//! have changed since.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::backend::OwnerName;

/// The first 16 bytes of a SHA-256 hash of the owner and the credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct CredentialsHash([u8; 16]);

impl CredentialsHash {
    pub(super) fn new(owner: &OwnerName, credentials: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // The length separates the owner from the credentials.
        let owner = owner.as_str();
        hash.update(format!("silverback credentials\0{}\0{owner}", owner.len()));
        hash.update(credentials);
        let mut first = [0; 16];
        let whole = hash.finalize();
        first
            .iter_mut()
            .zip(whole)
            .for_each(|(to, from)| *to = from);
        CredentialsHash(first)
    }

    /// Parses 32 hex digits in lower case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 16];
        let bytes = base16ct::lower::decode(text, &mut hash).ok()?;
        (bytes.len() == 16).then_some(CredentialsHash(hash))
    }
}

impl PartialEq for CredentialsHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for CredentialsHash {}

impl fmt::Display for CredentialsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
