//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) on the bare compression function.
//!
//! It computes the same MACs as `hmac::Hmac<Sha256>`; tests compare it with that type and with
//! Wycheproof's vectors. It has its own code because it is the default for cookies: the
//! general type clones and wipes buffers for each message, which made the MAC of a cookie of
//! 256 bytes a fifth slower. Here the two states computed from the key are copied to the
//! stack, and the compression overwrites the copies.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

use super::HashKey;

/// The length of a block, in bytes.
const BLOCK: usize = 64;
/// The length of a digest, in bytes.
const DIGEST: usize = 32;

type State = [u32; 8];

/// SHA-256's initial state (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A key, as the states after HMAC's inner and outer pad.
pub(super) struct HmacSha256 {
    inner: Zeroizing<State>,
    outer: Zeroizing<State>,
}

impl HmacSha256 {
    pub(super) fn new(key: &HashKey) -> Self {
        let block = key.padded_to_block::<sha2::Sha256, BLOCK>();
        let state_after = |pad: u8| {
            let mut padded = Zeroizing::new([0; BLOCK]);
            for (byte, key) in padded.iter_mut().zip(block.iter()) {
                *byte = key ^ pad;
            }
            let mut state = Zeroizing::new(INITIAL);
            compress256(&mut state, std::slice::from_ref(&*padded));
            state
        };
        HmacSha256 {
            inner: state_after(0x36),
            outer: state_after(0x5c),
        }
    }

    pub(super) fn mac(&self, message: &[u8]) -> [u8; DIGEST] {
        let digest = finish(*self.inner, message);
        finish(*self.outer, &digest)
    }
}

#[cfg(feature = "session")]
impl HashKey {
    /// Returns the HMAC-SHA-256 of a message under this key.
    pub(crate) fn hmac_sha256(&self, message: &[u8]) -> [u8; DIGEST] {
        HmacSha256::new(self).mac(message)
    }
}

/// Hashes `message` and the padding, starting from a state after one block.
#[inline(always)]
fn finish(mut state: State, message: &[u8]) -> [u8; DIGEST] {
    let (blocks, rest) = message.as_chunks::<BLOCK>();
    compress256(&mut state, blocks);

    // The last bytes, a one bit, zeros, and the length in bits at the end of a block.
    let mut last = [[0; BLOCK]; 2];
    let bits = (BLOCK as u64 + message.len() as u64).wrapping_mul(8);
    let used = if rest.len() < BLOCK - 8 { 1 } else { 2 };
    let padding = last.as_flattened_mut();
    if let Some((place, [one, ..])) = padding.split_at_mut_checked(rest.len()) {
        place.copy_from_slice(rest);
        *one = 0x80;
    }
    let (last, _) = last.split_at_mut(used);
    if let Some(length) = last.as_flattened_mut().last_chunk_mut() {
        *length = bits.to_be_bytes();
    }
    compress256(&mut state, last);

    let mut digest = [0; DIGEST];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::*;

    #[test]
    fn hmac_sha256_agrees_with_the_general_hmac() {
        let message: Vec<u8> = (0..=255).cycle().take(300).collect();
        for key_length in [0, 1, 31, 32, 33, 63, 64, 65, 200] {
            let key = HashKey::legacy(&message[..key_length]);
            let ours = HmacSha256::new(&key);
            for length in 0..message.len() {
                let mut theirs = Hmac::<Sha256>::new_from_slice(key.expose()).unwrap();
                theirs.update(&message[..length]);
                assert_eq!(
                    ours.mac(&message[..length]),
                    *theirs.finalize().into_bytes()
                );
            }
        }
    }
}
