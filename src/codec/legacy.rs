//! Readers for formats that were never safe, to migrate away from them.
//!
//! Nothing here seals, and nothing here is believed: what comes out carries that
//! in its type. Feature `legacy`.

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

/// The longest cookie that is looked at, as long as gorilla's.
const LONGEST: usize = 4096;

/// Reads the cookies of Go's dolab/session, which anyone can forge.
///
/// Their only protection is AES-256-CFB with a key anyone can compute (SHA-256 of
/// the cookie's name), one IV for all of them (MD5 of the secret), and no MAC: one
/// sample gives away the first block of every other, and any bit can be flipped
/// unnoticed. So what is read here may name a session that exists, and proves
/// nothing: neither who sealed it nor when.
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

/// Bytes that anyone may have written.
#[derive(Clone, PartialEq, Eq)]
pub struct Forgeable(Vec<u8>);

impl Forgeable {
    /// The bytes. The long name is meant to be seen where they are used.
    #[must_use]
    pub fn into_unproven_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl UnauthenticatedDolabReader {
    /// A reader for the cookies called `cookie_name` of a service with `secret`.
    #[must_use]
    pub fn new(cookie_name: &str, secret: &str) -> Self {
        UnauthenticatedDolabReader {
            aes: Aes256Enc::new(&Sha256::digest(cookie_name)),
            iv: Md5::digest(secret).into(),
        }
    }

    /// Decodes and decrypts a cookie. There is nothing to verify.
    ///
    /// # Errors
    /// Too long, over 4096 bytes; not valid, for anything but unpadded base64url.
    pub fn read(&self, cookie: &str) -> Result<Forgeable, Error> {
        if cookie.len() > LONGEST {
            return Err(Error::too_long_to_open(cookie.len(), LONGEST));
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
