//! The MAC of the frame: HMAC (RFC 2104) under one of five hash functions.
//!
//! What HMAC computes from the key alone is computed once per key, not per cookie;
//! that is most of what makes the codec fast.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha384, Sha512, Sha512_256};
use subtle::{Choice, ConstantTimeEq};

use super::hmac_sha256::HmacSha256;
use super::{HashFunction, HashKey};

/// The longest MAC of any hash function of ours, in bytes.
const LONGEST_MAC: usize = 64;

/// A hash key made ready to authenticate.
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
            HashFunction::Sha1 => Authenticator::Sha1(keyed(key)),
            HashFunction::Sha256 => Authenticator::Sha256(HmacSha256::new(key)),
            HashFunction::Sha384 => Authenticator::Sha384(keyed(key)),
            HashFunction::Sha512 => Authenticator::Sha512(keyed(key)),
            HashFunction::Sha512_256 => Authenticator::Sha512_256(keyed(key)),
        }
    }

    /// How many bytes its MACs have.
    pub(super) fn mac_length(&self) -> usize {
        match self {
            Authenticator::Sha1(_) => 20,
            Authenticator::Sha256(_) | Authenticator::Sha512_256(_) => 32,
            Authenticator::Sha384(_) => 48,
            Authenticator::Sha512(_) => 64,
        }
    }

    /// Writes the MAC of `message`; `mac` has [`mac_length`](Self::mac_length) bytes.
    pub(super) fn sign(&self, message: &[u8], mac: &mut [u8]) {
        match self {
            Authenticator::Sha1(key) => write_mac(key, message, mac),
            Authenticator::Sha256(key) => mac.copy_from_slice(&key.mac(message)),
            Authenticator::Sha384(key) => write_mac(key, message, mac),
            Authenticator::Sha512(key) => write_mac(key, message, mac),
            Authenticator::Sha512_256(key) => write_mac(key, message, mac),
        }
    }

    /// Whether `mac` is, whole and exactly, the MAC of `message`, in a time that
    /// tells nothing of how much of it is right.
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        let mut right = [0; LONGEST_MAC];
        let Some(right) = right.get_mut(..self.mac_length()) else {
            return false;
        };
        self.sign(message, right);
        same(right, mac)
    }
}

/// Compares in constant time, four bytes at a time: every MAC is a multiple of that.
fn same(right: &[u8], mac: &[u8]) -> bool {
    if right.len() != mac.len() {
        return false;
    }
    let ((right, rest), (mac, _)) = (right.as_chunks(), mac.as_chunks());
    let words = right.iter().zip(mac);
    let equal = words.fold(Choice::from(1), |equal, (right, mac)| {
        equal & u32::from_ne_bytes(*right).ct_eq(&u32::from_ne_bytes(*mac))
    });
    rest.is_empty() && equal.into()
}

fn keyed<M: Mac + KeyInit>(key: &HashKey) -> M {
    #[expect(
        clippy::expect_used,
        reason = "RFC 2104, section 2: HMAC takes a key of any length"
    )]
    <M as KeyInit>::new_from_slice(key.expose()).expect("HMAC takes a key of any length")
}

fn write_mac<M: Mac + Clone>(keyed: &M, message: &[u8], mac: &mut [u8]) {
    let mut hmac = keyed.clone();
    hmac.update(message);
    mac.copy_from_slice(&hmac.finalize().into_bytes());
}
