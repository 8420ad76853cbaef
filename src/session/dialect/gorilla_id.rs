//! [`IdCookie`]: the cookies of the IDs of gorilla and dolab/session, sealed or bare.
//!
//! An ID is base32 without padding (RFC 4648, section 6) of random bytes: 32 in most Go packages, 64
//! in rbcervilla/redisstore. In dolab/session it is 16 random bytes as hexadecimal digits.

use std::sync::Arc;

use crate::codec::{Codec, UnixTime, generate_random_key};

use super::super::id::{ID_LENGTH, Id};
use super::super::{Error, Refusal};
use super::row_format::OpenedId;

/// The alphabet of RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The longest sealed ID, in characters: gorilla's have 52, those of other packages fewer.
const LONGEST_SEALED: usize = 63;

/// The length of the IDs of rbcervilla/redisstore, in random bytes (`redisstore.go`,
/// `generateRandomKey`).
const LONG_ID_LENGTH: usize = 64;

/// The length of the IDs of dolab/session, in random bytes (`helpers.go`, `NewSessionID`).
#[cfg(feature = "json")]
const HEX_ID_LENGTH: usize = 16;

/// The form of IDs and their cookies, whatever the cookie's name is.
#[derive(Clone)]
pub(super) struct IdForm {
    /// The codec that seals the cookie, or `None` if the cookie is the ID itself.
    codec: Option<Arc<dyn Codec>>,
    alphabet: Alphabet,
    /// The length of a new ID, in random bytes.
    length: usize,
}

/// The digits of an ID.
#[derive(Clone, Copy)]
enum Alphabet {
    Base32,
    #[cfg(feature = "json")]
    Hex,
}

impl IdForm {
    pub(super) fn sealed(codec: Arc<dyn Codec>) -> Self {
        IdForm {
            codec: Some(codec),
            alphabet: Alphabet::Base32,
            length: ID_LENGTH,
        }
    }

    /// Returns the form of dolab/session's IDs, in a sealed cookie.
    #[cfg(feature = "json")]
    pub(super) fn sealed_hex(codec: Arc<dyn Codec>) -> Self {
        IdForm {
            codec: Some(codec),
            alphabet: Alphabet::Hex,
            length: HEX_ID_LENGTH,
        }
    }

    pub(super) fn bare() -> Self {
        IdForm {
            codec: None,
            alphabet: Alphabet::Base32,
            length: ID_LENGTH,
        }
    }

    pub(super) fn bare_and_long() -> Self {
        IdForm {
            codec: None,
            alphabet: Alphabet::Base32,
            length: LONG_ID_LENGTH,
        }
    }

    pub(super) fn codec(&self) -> Option<&dyn Codec> {
        self.codec.as_deref()
    }

    /// Returns whether a text can be a sealed ID.
    fn is_sealed_id(&self, text: &str) -> bool {
        match self.alphabet {
            Alphabet::Base32 => is_id(text),
            #[cfg(feature = "json")]
            Alphabet::Hex => is_hex_id(text),
        }
    }

    /// Returns the cookies of that name.
    pub(super) fn under(&self, name: &str) -> IdCookie {
        IdCookie {
            form: self.clone(),
            name: name.to_owned(),
        }
    }
}

/// The cookies of IDs.
pub(super) struct IdCookie {
    form: IdForm,
    /// The name under which the codec seals.
    name: String,
}

impl IdCookie {
    /// Returns a fresh random ID.
    pub(super) fn generate(&self) -> Result<Id, Error> {
        let bytes = generate_random_key(self.form.length).map_err(Error::of_codec)?;
        Ok(Id::new(match self.form.alphabet {
            Alphabet::Base32 => base32(&bytes),
            #[cfg(feature = "json")]
            Alphabet::Hex => base16ct::lower::encode_string(&bytes),
        }))
    }

    /// Returns whether the bytes can be an ID.
    pub(super) fn accepts(&self, id: &Id) -> bool {
        std::str::from_utf8(id.as_bytes()).is_ok_and(is_id)
    }

    pub(super) fn seal(&self, id: &Id, at: UnixTime) -> Result<String, Error> {
        let text = std::str::from_utf8(id.as_bytes());
        let text = text.map_err(|_| Error::usage("the ID is not UTF-8"))?;
        let Some(codec) = &self.form.codec else {
            return Ok(text.to_owned());
        };
        let payload = codec.serializer().serialize(text);
        let sealed = payload.and_then(|payload| codec.seal_at(&self.name, &payload, at));
        sealed.map_err(Error::of_codec)
    }

    pub(super) fn open(
        &self,
        cookie: &str,
        now: UnixTime,
    ) -> Result<Result<OpenedId, Refusal>, Error> {
        let Some(codec) = &self.form.codec else {
            return Ok(self.open_bare(cookie, now));
        };
        let opened = match codec.open_at(&self.name, cookie, now) {
            Ok(opened) => opened,
            Err(error) => return Refusal::of_codec(error).map(Err),
        };
        let id = opened.serializer().deserialize::<String>(opened.value());
        Ok(match id {
            Ok(id) if self.form.is_sealed_id(&id) => Ok(OpenedId {
                id: Id::new(id),
                sealed_at: opened.issued_at(),
                is_stale: opened.is_stale(),
            }),
            _ => Err(Refusal::NotValid),
        })
    }

    /// Opens a cookie that is the ID itself. Only IDs in the form of the Go package are accepted.
    fn open_bare(&self, cookie: &str, now: UnixTime) -> Result<OpenedId, Refusal> {
        let is_letter = |byte: u8| BASE32.contains(&byte);
        let length = (8 * self.form.length).div_ceil(5);
        match cookie.len() == length && cookie.bytes().all(is_letter) {
            true => Ok(OpenedId {
                id: Id::new(cookie),
                sealed_at: now,
                is_stale: false,
            }),
            false => Err(Refusal::NotValid),
        }
    }
}

/// Encodes five bits per letter, the highest bits first.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        for (place, byte) in bits.iter_mut().skip(3).zip(group) {
            *place = *byte;
        }
        let bits = u64::from_be_bytes(bits);
        let letters = (group.len() * 8).div_ceil(5);
        for place in 0..letters {
            let letter = (bits >> (35 - 5 * place)) & 31;
            let letter = BASE32.get(usize::try_from(letter).unwrap_or(0));
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

/// Returns whether a text can be a sealed ID. It holds no path and no wildcard, so no store misreads
/// it.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_SEALED).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Returns whether a text is an ID of dolab/session. A key in Redis or Memcached may be anything, and
/// this text names nothing but a session.
#[cfg(feature = "json")]
pub(super) fn is_hex_id(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 2 * HEX_ID_LENGTH && text.bytes().all(is_digit)
}
