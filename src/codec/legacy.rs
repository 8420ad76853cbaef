//! Readers for unsafe formats, for migration (feature `legacy`).
//!
//! These types cannot seal. The type of their result marks it as unproven: anyone can forge
//! the cookies they read.

use std::fmt;

use aes::cipher::KeyInit;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cfb_mode::Decryptor;
use md5::Md5;
use sha2::{Digest, Sha256};

use aes::Aes256Enc;
use aes::cipher::InnerIvInit;

use super::Error;

/// The length of the longest cookie that is read, in bytes, as in gorilla.
const MAX_LENGTH: usize = 4096;

/// Reads the cookies of Go's dolab/session, which anyone can forge.
///
/// Their only protection is AES-256-CFB, without a MAC. Anyone can compute the key (SHA-256 of
/// the cookie's name), and all cookies share one IV (MD5 of the secret): one sample reveals
/// the first block of every other cookie, and a client can flip any bit unnoticed. Use the
/// bytes only to look up an existing session. They do not prove who sealed the cookie, or when.
///
/// ```
/// use silverback::codec::legacy::UnauthenticatedDolabReader;
///
/// let reader = UnauthenticatedDolabReader::new("session", "3652ac6bf699b89ecfe26cb25e2b4c4a");
/// let forgeable = reader.read("xyccyeeaDIzEgsKoRk5qy7Q")?;
/// assert_eq!(forgeable.into_unproven_bytes().len(), 17);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub struct UnauthenticatedDolabReader {
    aes: Aes256Enc,
    iv: [u8; 16],
}

/// Unauthenticated bytes, which anyone may have written.
#[derive(Clone, PartialEq, Eq)]
pub struct Forgeable(Vec<u8>);

impl Forgeable {
    /// Returns the bytes. The long name makes each use visible in a review.
    #[must_use]
    pub fn into_unproven_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl UnauthenticatedDolabReader {
    /// Creates a reader for the cookies named `cookie_name` of a service that has `secret`.
    #[must_use]
    pub fn new(cookie_name: &str, secret: &str) -> Self {
        UnauthenticatedDolabReader {
            aes: Aes256Enc::new(&Sha256::digest(cookie_name)),
            iv: Md5::digest(secret).into(),
        }
    }

    /// Decodes and decrypts a cookie. It verifies nothing: the format has no MAC.
    ///
    /// # Errors
    /// Returns a *too long* error if the cookie has more than 4096 bytes, and a *not valid*
    /// error if it is not unpadded base64url.
    pub fn read(&self, cookie: &str) -> Result<Forgeable, Error> {
        if cookie.len() > MAX_LENGTH {
            return Err(Error::too_long_to_open(cookie.len(), MAX_LENGTH));
        }
        let mut text = URL_SAFE_NO_PAD
            .decode(cookie)
            .map_err(|_| Error::not_valid())?;
        Decryptor::inner_iv_init(&self.aes, &self.iv.into()).decrypt(&mut text);
        Ok(Forgeable(text))
    }
}

impl fmt::Debug for UnauthenticatedDolabReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnauthenticatedDolabReader(redacted)")
    }
}

impl fmt::Debug for Forgeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forgeable(redacted)")
    }
}
