//! Keys, typed: [`HashKey`] authenticates, [`BlockKey`] encrypts, a [`KeyPair`]
//! is what one member of a chain holds.
//!
//! Keys are zeroized on drop and never printed. Their text form (SPEC) is in
//! `key_pairs.rs`; what is computed from them is in `mac.rs` and `cipher.rs`.

use std::fmt;

use hmac::digest::Digest;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512, Sha512_256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Error, randomness};

/// The shortest hash key that is not weak: as long as SHA-256's output (RFC 2104, section 3).
const SHORTEST_HASH_KEY: usize = 32;

/// `length` random bytes from the operating system, for keys.
///
/// # Errors
/// Internal, if the system has no randomness to give; usage, for more than memory.
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
        .map_err(|_| Error::usage("the key is longer than memory"))?;
    key.resize(length, 0);
    randomness::fill_from_system(&mut key)?;
    Ok(key)
}

/// The key that authenticates: at least 32 bytes, better 64.
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
pub struct HashKey(Zeroizing<Vec<u8>>);

impl HashKey {
    /// A key of 32 bytes or more.
    ///
    /// # Errors
    /// Usage, if the key is shorter.
    pub fn new(key: &[u8]) -> Result<Self, Error> {
        if key.len() < SHORTEST_HASH_KEY {
            return Err(Error::usage(format!(
                "the hash key has {} bytes, it needs {SHORTEST_HASH_KEY} or more",
                key.len()
            )));
        }
        Ok(HashKey::legacy(key))
    }

    /// A key of any length, even empty: only for cookies that a service with
    /// such a key has sealed. A short key can be guessed from one cookie.
    #[must_use]
    pub fn legacy(key: &[u8]) -> Self {
        HashKey(Zeroizing::new(key.to_vec()))
    }

    /// A new key of 64 bytes from the operating system.
    ///
    /// # Errors
    /// Internal, if the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        generate_random_key(64).map(HashKey)
    }

    /// The key's bytes. They are a secret: never log them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether HMAC takes the two keys for one, under any hash function of ours:
    /// RFC 2104 pads a key with zeros to the block, and hashes a longer one first.
    pub(super) fn is_same_key_as(&self, other: &HashKey) -> bool {
        let same_under =
            |pad: fn(&HashKey) -> Zeroizing<Vec<u8>>| bool::from(pad(self).ct_eq(&pad(other)));
        same_under(HashKey::padded_to_block::<Sha256, 64>)
            || same_under(HashKey::padded_to_block::<Sha384, 128>)
            || same_under(HashKey::padded_to_block::<Sha512, 128>)
            || same_under(HashKey::padded_to_block::<Sha512_256, 128>)
            || same_under(HashKey::padded_to_block::<Sha1, 64>)
    }

    /// The key as HMAC sees it: one block of the hash function.
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

/// The key that encrypts, AES-128, AES-192 or AES-256 by its length.
///
/// The length is right by type for arrays, and checked for slices.
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
// On the heap, so that moving a key leaves no copy of it behind.
pub struct BlockKey(Zeroizing<Vec<u8>>);

impl BlockKey {
    /// A key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// Usage, for any other length.
    pub fn new(key: &[u8]) -> Result<Self, Error> {
        if !matches!(key.len(), 16 | 24 | 32) {
            return Err(Error::usage(format!(
                "the block key has {} bytes, it needs 16, 24 or 32",
                key.len()
            )));
        }
        Ok(BlockKey(Zeroizing::new(key.to_vec())))
    }

    /// A new AES-256 key from the operating system.
    ///
    /// # Errors
    /// Internal, if the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        generate_random_key(32).map(BlockKey)
    }

    /// The key's bytes. They are a secret: never log them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// AES-128.
impl From<[u8; 16]> for BlockKey {
    fn from(key: [u8; 16]) -> Self {
        BlockKey(Zeroizing::new(Zeroizing::new(key).to_vec()))
    }
}

/// AES-192.
impl From<[u8; 24]> for BlockKey {
    fn from(key: [u8; 24]) -> Self {
        BlockKey(Zeroizing::new(Zeroizing::new(key).to_vec()))
    }
}

/// AES-256.
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

/// What one member of a chain holds: a hash key, and a block key if its cookies
/// are encrypted.
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
    /// Cookies are encrypted and authenticated.
    #[must_use]
    pub fn new(hash: HashKey, block: BlockKey) -> Self {
        let block = Some(block);
        KeyPair { hash, block }
    }

    /// Cookies are authenticated; anyone who holds one can read it.
    #[must_use]
    pub fn sign_only(hash: HashKey) -> Self {
        KeyPair { hash, block: None }
    }

    /// A new pair from the operating system: a hash key of 64 bytes and an
    /// AES-256 key.
    ///
    /// # Errors
    /// Internal, if the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        Ok(KeyPair::new(HashKey::generate()?, BlockKey::generate()?))
    }

    /// The key that authenticates.
    #[must_use]
    pub fn hash(&self) -> &HashKey {
        &self.hash
    }

    /// The key that encrypts, if there is one.
    #[must_use]
    pub fn block(&self) -> Option<&BlockKey> {
        self.block.as_ref()
    }
}
