//! Codecs and vectors for the tests.

use std::time::Duration;

use serde_json::Value;
use silverback::codec::{
    BlockKey, CodecOptions, HashFunction, HashKey, KeyPair, SecureCookie, UnixTime,
};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a pair with a hash key of 32 bytes `byte`.
pub(crate) fn signing(byte: u8) -> KeyPair {
    KeyPair::sign_only(HashKey::new(&[byte; 32]).unwrap())
}

/// Returns the same pair with an AES-256 key.
pub(crate) fn encrypting(byte: u8) -> KeyPair {
    KeyPair::new(
        HashKey::new(&[byte; 32]).unwrap(),
        BlockKey::from([byte; 32]),
    )
}

pub(crate) fn codec(keys: KeyPair, options: CodecOptions) -> SecureCookie {
    SecureCookie::with_options(keys, &options).unwrap()
}

/// Reads a file of vectors. An empty file is a failure.
pub(crate) fn vectors(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!cases.is_empty(), "{file} holds no vectors");
    cases
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    base16ct::mixed::decode_vec(text(value)).unwrap()
}

/// Returns the keys of a vector, which may be weak.
pub(crate) fn keys_of(case: &Value) -> KeyPair {
    let hash = HashKey::legacy(&hex(&case["hash_key"]));
    match hex(&case["block_key"]) {
        block if block.is_empty() => KeyPair::sign_only(hash),
        block => KeyPair::new(hash, BlockKey::new(&block).unwrap()),
    }
}

pub(crate) fn hash_of(case: &Value) -> HashFunction {
    match text(&case["hash"]) {
        "sha1" => HashFunction::Sha1,
        "sha256" => HashFunction::Sha256,
        "sha384" => HashFunction::Sha384,
        "sha512" => HashFunction::Sha512,
        "sha512_256" => HashFunction::Sha512_256,
        other => panic!("hash function {other}"),
    }
}
