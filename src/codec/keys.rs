//! The key types: [`HashKey`] authenticates, [`BlockKey`] encrypts, and [`KeyPair`] holds the
//! keys of one member of a chain.
//!
//! Keys are zeroized on drop and never printed. Their text form (SPEC) is in `key_pairs.rs`.
//! The states computed from them are in `mac.rs` and `cipher.rs`.

use std::fmt;

use hmac::digest::Digest;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512, Sha512_256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Error, randomness};

/// The length of the shortest hash key that is not weak, in bytes: that of SHA-256's output
/// (RFC 2104, section 3).
const SHORTEST_HASH_KEY: usize = 32;

/// Returns `length` random bytes from the operating system, for keys.
///
/// # Errors
/// Returns an internal error if the operating system has no randomness, and a usage error if
/// `length` bytes do not fit into memory.
///
/// ```
/// let key = silverback::codec::generate_random_key(64)?;
/// assert_eq!(key.len(), 64);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[doc(alias = "GenerateRandomKey")]
pub fn generate_random_key(length: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut key = Zeroizing::new(Vec::new());
    key.try_reserve_exact(length)
        .map_err(|_| Error::usage("the key does not fit into memory: ask for fewer bytes"))?;
    key.resize(length, 0);
    randomness::fill_from_system(&mut key)?;
    Ok(key)
}

/// The key that authenticates cookies: at least 32 bytes, better 64.
///
/// ```
/// use silverback::codec::HashKey;
///
/// let key = HashKey::new(b"0123456789abcdef0123456789abcdef")?;
/// assert_eq!(format!("{key:?}"), "HashKey(redacted)");
/// assert!(HashKey::new(b"too short").unwrap_err().is_usage());
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias = "sign")]
pub struct HashKey(Zeroizing<Vec<u8>>);

impl HashKey {
    /// Creates a key from 32 bytes or more.
    ///
    /// # Errors
    /// Returns a usage error if the key is shorter.
    pub fn new(key: &[u8]) -> Result<Self, Error> {
        if key.len() < SHORTEST_HASH_KEY {
            return Err(Error::usage(format!(
                "the hash key has {} bytes; {SHORTEST_HASH_KEY} or more are required",
                key.len()
            )));
        }
        Ok(HashKey::legacy(key))
    }

    /// Creates a key of any length, even empty.
    ///
    /// Use it only for cookies that an older service sealed with such a key. An attacker can
    /// guess a short key from one cookie.
    #[must_use]
    pub fn legacy(key: &[u8]) -> Self {
        HashKey(Zeroizing::new(key.to_vec()))
    }

    /// Creates a random key of 64 bytes.
    ///
    /// # Errors
    /// Returns an internal error if the operating system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        generate_random_key(64).map(HashKey)
    }

    /// Returns the key's bytes. They are a secret: never log them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether HMAC treats the two keys as the same, under any supported hash function.
    ///
    /// RFC 2104 pads a short key with zeros to one block, and hashes a longer one first.
    pub(super) fn is_same_key_as(&self, other: &HashKey) -> bool {
        let same_under =
            |pad: fn(&HashKey) -> Zeroizing<Vec<u8>>| bool::from(pad(self).ct_eq(&pad(other)));
        same_under(HashKey::padded_to_block::<Sha256, 64>)
            || same_under(HashKey::padded_to_block::<Sha384, 128>)
            || same_under(HashKey::padded_to_block::<Sha512, 128>)
            || same_under(HashKey::padded_to_block::<Sha512_256, 128>)
            || same_under(HashKey::padded_to_block::<Sha1, 64>)
    }

    /// Returns the key as HMAC uses it: one block of the hash function.
    pub(super) fn padded_to_block<D: Digest, const BLOCK: usize>(&self) -> Zeroizing<Vec<u8>> {
        let mut block = Zeroizing::new(Vec::with_capacity(BLOCK));
        if self.0.len() > BLOCK {
            block.extend_from_slice(&D::digest(&self.0));
        } else {
            block.extend_from_slice(&self.0);
        }
        block.resize(BLOCK, 0);
        block
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(redacted)")
    }
}

/// The key that encrypts cookies with AES-128, AES-192 or AES-256, depending on its length.
///
/// For an array, the type guarantees a valid length; for a slice, the constructor checks it.
///
/// ```
/// use silverback::codec::BlockKey;
///
/// let aes_256 = BlockKey::from([7; 32]);
/// let aes_128 = BlockKey::new(&[7; 16])?;
/// assert!(BlockKey::new(&[7; 17]).unwrap_err().is_usage());
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
// Stays on the heap, so that moving a key leaves no copy of it behind.
#[doc(alias = "encrypt")]
pub struct BlockKey(Zeroizing<Vec<u8>>);

impl BlockKey {
    /// Creates a key from 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// Returns a usage error if the key has another length.
    pub fn new(key: &[u8]) -> Result<Self, Error> {
        if !matches!(key.len(), 16 | 24 | 32) {
            return Err(Error::usage(format!(
                "the block key has {} bytes; 16, 24 or 32 are required",
                key.len()
            )));
        }
        Ok(BlockKey(Zeroizing::new(key.to_vec())))
    }

    /// Creates a random AES-256 key.
    ///
    /// # Errors
    /// Returns an internal error if the operating system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        generate_random_key(32).map(BlockKey)
    }

    /// Returns the key's bytes. They are a secret: never log them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Creates an AES-128 key.
impl From<[u8; 16]> for BlockKey {
    fn from(key: [u8; 16]) -> Self {
        BlockKey(Zeroizing::new(Zeroizing::new(key).to_vec()))
    }
}

/// Creates an AES-192 key.
impl From<[u8; 24]> for BlockKey {
    fn from(key: [u8; 24]) -> Self {
        BlockKey(Zeroizing::new(Zeroizing::new(key).to_vec()))
    }
}

/// Creates an AES-256 key.
impl From<[u8; 32]> for BlockKey {
    fn from(key: [u8; 32]) -> Self {
        BlockKey(Zeroizing::new(Zeroizing::new(key).to_vec()))
    }
}

impl fmt::Debug for BlockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockKey(redacted)")
    }
}

/// The keys of one member of a chain: a hash key, and a block key if its cookies are encrypted.
///
/// ```
/// use silverback::codec::{BlockKey, HashKey, KeyPair};
///
/// let hash = HashKey::generate()?;
/// let signed_only = KeyPair::sign_only(hash.clone());
/// let encrypted = KeyPair::new(hash, BlockKey::generate()?);
/// assert!(signed_only.block().is_none() && encrypted.block().is_some());
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyPair {
    hash: HashKey,
    block: Option<BlockKey>,
}

impl KeyPair {
    /// Creates a pair that encrypts and authenticates cookies.
    #[must_use]
    pub fn new(hash: HashKey, block: BlockKey) -> Self {
        let block = Some(block);
        KeyPair { hash, block }
    }

    /// Creates a pair that authenticates cookies and does not encrypt them: the client can read
    /// the payload.
    #[must_use]
    pub fn sign_only(hash: HashKey) -> Self {
        KeyPair { hash, block: None }
    }

    /// Creates a random pair: a hash key of 64 bytes and an AES-256 key.
    ///
    /// # Errors
    /// Returns an internal error if the operating system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        Ok(KeyPair::new(HashKey::generate()?, BlockKey::generate()?))
    }

    /// Returns the key that authenticates.
    #[must_use]
    pub fn hash(&self) -> &HashKey {
        &self.hash
    }

    /// Returns the key that encrypts, or `None` if cookies are only signed.
    #[must_use]
    pub fn block(&self) -> Option<&BlockKey> {
        self.block.as_ref()
    }
}
