//! The MAC of the frame: HMAC (RFC 2104) with one of five hash functions.
//!
//! The state that HMAC computes from the key alone is computed once per key instead of once
//! per cookie. Most of the codec's speed comes from this.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha384, Sha512, Sha512_256};
use subtle::{Choice, ConstantTimeEq};

use super::hmac_sha256::HmacSha256;
use super::{HashFunction, HashKey};

/// The length of the longest MAC of the supported hash functions, in bytes.
const LONGEST_MAC: usize = 64;

/// Signs messages with one hash key, and verifies MACs.
pub(super) enum Authenticator {
    Sha1(Hmac<Sha1>),
    Sha256(HmacSha256),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
    Sha512_256(Hmac<Sha512_256>),
}

impl Authenticator {
    pub(super) fn new(function: HashFunction, key: &HashKey) -> Self {
        match function {
            HashFunction::Sha1 => Authenticator::Sha1(hmac_with_key(key)),
            HashFunction::Sha256 => Authenticator::Sha256(HmacSha256::new(key)),
            HashFunction::Sha384 => Authenticator::Sha384(hmac_with_key(key)),
            HashFunction::Sha512 => Authenticator::Sha512(hmac_with_key(key)),
            HashFunction::Sha512_256 => Authenticator::Sha512_256(hmac_with_key(key)),
        }
    }

    /// Returns the length of the MACs, in bytes.
    pub(super) fn mac_length(&self) -> usize {
        match self {
            Authenticator::Sha1(_) => 20,
            Authenticator::Sha256(_) | Authenticator::Sha512_256(_) => 32,
            Authenticator::Sha384(_) => 48,
            Authenticator::Sha512(_) => 64,
        }
    }

    /// Writes the MAC of `message` to `mac`, which has [`mac_length`](Self::mac_length) bytes.
    pub(super) fn sign(&self, message: &[u8], mac: &mut [u8]) {
        match self {
            Authenticator::Sha1(key) => write_mac(key, message, mac),
            Authenticator::Sha256(key) => mac.copy_from_slice(&key.mac(message)),
            Authenticator::Sha384(key) => write_mac(key, message, mac),
            Authenticator::Sha512(key) => write_mac(key, message, mac),
            Authenticator::Sha512_256(key) => write_mac(key, message, mac),
        }
    }

    /// Returns whether `mac` is exactly the MAC of `message`, without truncation.
    ///
    /// The time it takes does not depend on how many bytes match.
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        let mut expected = [0; LONGEST_MAC];
        let Some(expected) = expected.get_mut(..self.mac_length()) else {
            return false;
        };
        self.sign(message, expected);
        equal_in_constant_time(expected, mac)
    }
}

/// Compares four bytes at a time: the length of every MAC is a multiple of four.
fn equal_in_constant_time(expected: &[u8], mac: &[u8]) -> bool {
    if expected.len() != mac.len() {
        return false;
    }
    let ((expected, rest), (mac, _)) = (expected.as_chunks(), mac.as_chunks());
    let words = expected.iter().zip(mac);
    let equal = words.fold(Choice::from(1), |equal, (expected, mac)| {
        equal & u32::from_ne_bytes(*expected).ct_eq(&u32::from_ne_bytes(*mac))
    });
    rest.is_empty() && equal.into()
}

fn hmac_with_key<M: Mac + KeyInit>(key: &HashKey) -> M {
    #[expect(
        clippy::expect_used,
        reason = "RFC 2104, section 2: HMAC takes a key of any length"
    )]
    <M as KeyInit>::new_from_slice(key.expose()).expect("HMAC takes a key of any length")
}

fn write_mac<M: Mac + Clone>(key_state: &M, message: &[u8], mac: &mut [u8]) {
    let mut hmac = key_state.clone();
    hmac.update(message);
    mac.copy_from_slice(&hmac.finalize().into_bytes());
}
