//! Shared code of the fuzz targets: the shapes of their inputs.

use std::task::{Context, Poll, Waker};

use silverback::codec::{
    BlockKey, Cipher, CodecOptions, HashFunction, HashKey, KeyPair, SecureCookie, UnixTime,
};

/// The time of every target, unless its input sets another.
pub const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// A cookie and the data to open it, as lines of text: hash key and block key in hex, hash
/// function, cipher, date, name; the rest is the cookie.
pub struct Attempt {
    pub codec: SecureCookie,
    pub encrypts: bool,
    pub now: UnixTime,
    pub name: String,
    pub cookie: String,
}

impl Attempt {
    /// Returns the lines of an attempt.
    pub fn write(fields: [&str; 7]) -> String {
        fields.join("\n")
    }

    pub fn read(input: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(input).ok()?;
        let mut fields = text.splitn(7, '\n');
        let mut next = || fields.next();
        let hash_key = base16ct::lower::decode_vec(next()?).ok()?;
        let block_key = base16ct::lower::decode_vec(next()?).ok()?;
        let hash = match next()? {
            "sha1" => HashFunction::Sha1,
            "sha256" => HashFunction::Sha256,
            "sha384" => HashFunction::Sha384,
            "sha512" => HashFunction::Sha512,
            "sha512_256" => HashFunction::Sha512_256,
            _ => return None,
        };
        let cipher = if next()? == "cfb" {
            Cipher::AesCfb
        } else {
            Cipher::AesCtr
        };
        let options = CodecOptions::new().hash(hash).cipher(cipher).max_length(0);
        let now = UnixTime::from_secs(next()?.parse().ok()?);
        let hash_key = HashKey::legacy(&hash_key);
        let keys = match block_key.is_empty() {
            true => KeyPair::sign_only(hash_key),
            false => KeyPair::new(hash_key, BlockKey::new(&block_key).ok()?),
        };
        Some(Attempt {
            codec: SecureCookie::with_options(keys, &options).ok()?,
            encrypts: !block_key.is_empty(),
            now,
            name: next()?.to_owned(),
            cookie: next()?.to_owned(),
        })
    }
}

/// Returns a codec of a few bits, with keys made from `salt`.
pub fn codec(bits: u8, salt: u8) -> SecureCookie {
    let hash = match bits & 3 {
        0 => HashFunction::Sha256,
        1 => HashFunction::Sha384,
        2 => HashFunction::Sha512,
        _ => HashFunction::Sha512_256,
    };
    let cipher = if bits & 4 == 0 {
        Cipher::AesCtr
    } else {
        Cipher::AesCfb
    };
    let mut options = CodecOptions::new().hash(hash).cipher(cipher).max_length(0);
    if bits & 8 != 0 {
        options = options.buffered_randomness();
    }
    let hash_key = HashKey::new(&[salt; 33]).expect("long enough");
    let keys = match bits >> 4 & 3 {
        0 => KeyPair::sign_only(hash_key),
        1 => KeyPair::new(hash_key, BlockKey::from([salt; 16])),
        2 => KeyPair::new(hash_key, BlockKey::from([salt; 24])),
        _ => KeyPair::new(hash_key, BlockKey::from([salt; 32])),
    };
    SecureCookie::with_options(keys, &options).expect("valid settings")
}

/// Returns the output of a future that never waits: sessions in cookies need no server.
pub fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the future waits"),
    }
}
