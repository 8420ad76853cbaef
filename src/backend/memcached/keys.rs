//! [`Keys`]: the keys of items, which have at most 250 visible characters.
//!
//! | key | item |
//! |---|---|
//! | the prefix, `session:`, and the record's key | a record whose key has up to 100 letters, digits, `-` and `_` |
//! | the prefix, `session#`, and the SHA-256 of the key | another record |
//! | the prefix, `owner#`, and the SHA-256 of the name | an owner |
//!
//! A SHA-256 is written in 43 characters of base64url. The item contains the whole key or name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::super::{Error, Key, OwnerName};

/// The longest prefix and the longest plain key, in bytes.
const LONGEST: usize = 100;

/// The keys of one backend.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn with_prefix(prefix: &str) -> Result<Self, Error> {
        let is_visible = prefix.bytes().all(|byte| byte.is_ascii_graphic());
        match is_visible && prefix.len() <= LONGEST {
            true => Ok(Keys {
                prefix: prefix.to_owned(),
            }),
            false => Err(Error::usage(format!(
                "the prefix of Memcached's keys must have at most {LONGEST} visible characters of ASCII"
            ))),
        }
    }

    pub(super) fn of_record(&self, key: &Key) -> String {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match std::str::from_utf8(key.as_bytes()) {
            Ok(text) if text.len() <= LONGEST && text.as_bytes().iter().all(is_plain) => {
                format!("{}session:{text}", self.prefix)
            }
            _ => format!("{}session#{}", self.prefix, hash(key.as_bytes())),
        }
    }

    pub(super) fn of_owner(&self, name: &OwnerName) -> String {
        format!("{}owner#{}", self.prefix, hash(name.as_str().as_bytes()))
    }
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_by_memcached_and_unique() {
        let keys = Keys::with_prefix(&"p".repeat(LONGEST)).unwrap();
        let odd = [
            vec![0],
            b"a b".to_vec(),
            b"a\r\nmd b".to_vec(),
            vec![b'a'; 101],
            vec![255; 250],
            b"abc".to_vec(),
            vec![b'a'; 100],
        ];
        let made = odd.map(|key| keys.of_record(&Key::new(key).unwrap()));
        for (number, key) in made.iter().enumerate() {
            assert!(key.len() <= 250 && key.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!made[..number].contains(key));
        }
        for prefix in ["a b", "é", "\n", &"p".repeat(101)] {
            assert!(Keys::with_prefix(prefix).unwrap_err().is_usage());
        }
    }
}
