//! gob values of Go, from cookies of gorilla and rows of scs.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use silverback::codec::{
    BlockKey, Codec, CodecOptions, HashFunction, HashKey, KeyPair, SecureCookie, UnixTime,
};
use silverback::gob::Value;

fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

fn hex(value: &Json) -> Vec<u8> {
    base16ct::mixed::decode_vec(text(value)).unwrap()
}

/// Returns the gob bytes of each case.
fn messages() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/go_values.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let cases = lines
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    let gob = cases.filter(|case| case["Serializer"] == "gob");
    let messages: Vec<_> = gob
        .map(|case| match text(&case["Kind"]) {
            "scs-row" => STANDARD.decode(text(&case["Cookie"])).unwrap(),
            _ => open(&case),
        })
        .collect();
    assert_eq!(messages.len(), 33);
    messages
}

fn open(case: &Json) -> Vec<u8> {
    let hash = match text(&case["Hash"]) {
        "sha1" => HashFunction::Sha1,
        "sha256" => HashFunction::Sha256,
        "sha384" => HashFunction::Sha384,
        _ => HashFunction::Sha512,
    };
    let hash_key = HashKey::legacy(&hex(&case["HashKey"]));
    let keys = match hex(&case["BlockKey"]) {
        block if block.is_empty() => KeyPair::sign_only(hash_key),
        block => KeyPair::new(hash_key, BlockKey::new(&block).unwrap()),
    };
    let options = CodecOptions::new().hash(hash).max_age(Duration::ZERO);
    let codec = SecureCookie::with_options(keys, &options).unwrap();
    let at = UnixTime::from_secs(case["At"].as_u64().unwrap());
    let opened = codec.open_at(text(&case["Name"]), text(&case["Cookie"]), at);
    opened.unwrap().into_value()
}

#[test]
fn every_message_of_go_is_read_and_written_back() {
    for message in messages() {
        let value = Value::from_slice(&message).unwrap_or_else(|error| {
            panic!("{error}: {}", base16ct::lower::encode_string(&message))
        });
        let written = value.to_vec();
        let again = Value::from_slice(&written).unwrap();
        assert_eq!(again.to_vec(), written);
    }
}
