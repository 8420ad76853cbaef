//! [`KeyFingerprint`]: a short text that identifies a key pair, for people and logs.

use std::fmt;

use zeroize::Zeroizing;

use super::hmac_sha256::HmacSha256;
use super::{HashKey, KeyPair};

/// Identifies a key pair in a log or a list: 8 hex digits, always the same for the same keys.
///
/// It is a part of a MAC under the hash key. It tells less about the keys than a cookie that the
/// pair has sealed, which every client has. Random keys cannot be guessed from it. Do not publish
/// the fingerprint of a `text=` key that can be guessed.
///
/// ```
/// use silverback::codec::KeyPair;
///
/// let (pair, other) = (KeyPair::generate()?, KeyPair::generate()?);
/// assert_eq!(pair.fingerprint(), pair.clone().fingerprint());
/// assert_ne!(pair.fingerprint(), other.fingerprint());
/// assert_eq!(pair.fingerprint().to_string().len(), 8);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyFingerprint([u8; 4]);

impl KeyPair {
    /// Returns a short text that identifies this pair in logs and lists.
    #[must_use]
    pub fn fingerprint(&self) -> KeyFingerprint {
        // No cookie's MAC covers such a text: the name of a cookie has no spaces.
        let mut key = HmacSha256::new(self.hash());
        if let Some(block) = self.block() {
            let text = Zeroizing::new([b"silverback block key\0", block.expose()].concat());
            key = HmacSha256::new(&HashKey::legacy(&key.mac(&text)));
        }
        let [a, b, c, d, ..] = key.mac(b"silverback key fingerprint\0");
        KeyFingerprint([a, b, c, d])
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
