//! Tests that need private items of the codec: sealing with a fixed IV, byte for byte, and the
//! MAC alone. All other tests are in `tests/codec/`.

use std::time::Duration;

use serde_json::Value;

use super::mac::Authenticator;
use super::*;

fn vectors(file: &str) -> Value {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    base16ct::mixed::decode_vec(text.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn pair(case: &Value) -> KeyPair {
    let hash = HashKey::legacy(&hex(&case["hash_key"]));
    match hex(&case["block_key"]) {
        block if block.is_empty() => KeyPair::sign_only(hash),
        block => KeyPair::new(hash, BlockKey::new(&block).unwrap()),
    }
}

fn hash_function(case: &Value) -> HashFunction {
    match text(&case["hash"]) {
        "sha1" => HashFunction::Sha1,
        "sha256" => HashFunction::Sha256,
        "sha384" => HashFunction::Sha384,
        "sha512" => HashFunction::Sha512,
        "sha512_256" => HashFunction::Sha512_256,
        other => panic!("hash function {other}"),
    }
}

/// Returns the IV of a cookie: the first 16 bytes of its `v`.
fn iv_of(cookie: &str) -> [u8; 16] {
    frame::with_frame("", cookie, |frame| {
        let value = frame.unwrap().value;
        let mut raw = vec![0; frame::decoded_capacity(value.len())];
        frame::decode(value, &mut raw).unwrap();
        *raw.first_chunk().unwrap()
    })
}

#[test]
fn gorilla_cookies_are_sealed_byte_for_byte() {
    let mut sealed = 0;
    for case in vectors("gorilla_valid.json").as_array().unwrap() {
        if hash_function(case) == HashFunction::Sha1 {
            continue; // SHA-1 only opens.
        }
        let (name, cookie) = (text(&case["name"]), text(&case["cookie"]));
        let now = UnixTime::from_secs(case["timestamp"].as_u64().unwrap());
        let options = CodecOptions::new().hash(hash_function(case)).max_length(0);
        let mut codec = SecureCookie::with_options(pair(case), &options).unwrap();
        if case["block_key"] != "" {
            codec = codec.with_fixed_iv(iv_of(cookie));
        }
        // The payload as gorilla serialized it: Go escapes `<>&` and ends with a newline.
        let payload = codec.open_at(name, cookie, now).unwrap().into_value();
        assert_eq!(
            codec.seal_at(name, &payload, now).unwrap(),
            cookie,
            "{}",
            case["id"]
        );
        sealed += 1;
    }
    assert_eq!(sealed, 174);
}

#[test]
fn cfb_cookies_are_sealed_byte_for_byte() {
    let cases = vectors("gorilla_frame_cfb.json");
    let options = CodecOptions::new().cipher(Cipher::AesCfb);
    for case in cases.as_array().unwrap() {
        let (name, cookie) = (text(&case["name"]), text(&case["cookie"]));
        let now = UnixTime::from_secs(case["timestamp"].as_u64().unwrap());
        let iv: [u8; 16] = hex(&case["iv"]).try_into().unwrap();
        let codec = SecureCookie::with_options(pair(case), &options).unwrap();
        let payload = hex(&case["payload_hex"]);
        assert_eq!(codec.open_at(name, cookie, now).unwrap().value(), &payload);
        let codec = codec.with_fixed_iv(iv);
        assert_eq!(codec.seal_at(name, &payload, now).unwrap(), cookie);
    }
    assert_eq!(cases.as_array().unwrap().len(), 20);
}

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let (mut valid, mut invalid) = (0, 0);
    for group in vectors("wycheproof_hmac_sha256.json")["testGroups"]
        .as_array()
        .unwrap()
    {
        let tag_length = group["tagSize"].as_u64().unwrap() as usize / 8;
        for test in group["tests"].as_array().unwrap() {
            let key = HashKey::legacy(&hex(&test["key"]));
            let (message, tag) = (hex(&test["msg"]), hex(&test["tag"]));
            let authenticator = Authenticator::new(HashFunction::Sha256, &key);
            let mut mac = [0; 32];
            authenticator.sign(&message, &mut mac);
            let holds = mac[..tag_length] == tag[..];
            assert_eq!(holds, text(&test["result"]) == "valid", "{}", test["tcId"]);
            // The frame refuses a truncated MAC, even a correct one.
            assert_eq!(
                authenticator.verifies(&message, &tag),
                holds && tag_length == 32
            );
            if holds { valid += 1 } else { invalid += 1 }
        }
    }
    assert_eq!((valid, invalid), (66, 108));
}

#[test]
fn each_bit_and_the_length_of_a_mac_are_verified() {
    for function in [
        HashFunction::Sha1,
        HashFunction::Sha256,
        HashFunction::Sha384,
        HashFunction::Sha512,
        HashFunction::Sha512_256,
    ] {
        let authenticator = Authenticator::new(function, &HashKey::legacy(b"key"));
        let mut mac = vec![0; authenticator.mac_length()];
        authenticator.sign(b"message", &mut mac);
        assert!(authenticator.verifies(b"message", &mac));
        assert!(!authenticator.verifies(b"messagE", &mac));
        assert!(!authenticator.verifies(b"message", &mac[1..]));
        assert!(!authenticator.verifies(b"message", &mac[..mac.len() - 1]));
        assert!(!authenticator.verifies(b"message", &[&mac[..], b"\0"].concat()));
        assert!(!authenticator.verifies(b"message", b""));
        for bit in 0..mac.len() * 8 {
            mac[bit / 8] ^= 1 << (bit % 8);
            assert!(!authenticator.verifies(b"message", &mac), "bit {bit}");
            mac[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

const KEY: [u8; 32] = [7; 32];
const NOW: UnixTime = UnixTime::from_secs(1_000_000);

/// Returns a cookie named `sid` with a correct MAC over any date and value.
fn authentic(date: &str, value: &str) -> String {
    let signed = format!("sid|{date}|{value}");
    let mut mac = [0; 32];
    Authenticator::new(HashFunction::Sha256, &HashKey::legacy(&KEY))
        .sign(signed.as_bytes(), &mut mac);
    let inner = [&signed.as_bytes()["sid|".len()..], b"|", &mac].concat();
    let mut cookie = vec![0; base64::encoded_len(inner.len(), true).unwrap()];
    frame::encode(&inner, &mut cookie).unwrap();
    String::from_utf8(cookie).unwrap()
}

fn codec_with(options: CodecOptions) -> SecureCookie {
    let keys = KeyPair::sign_only(HashKey::new(&KEY).unwrap());
    SecureCookie::with_options(keys, &options).unwrap()
}

#[test]
fn only_a_canonical_date_is_accepted() {
    let codec = codec_with(CodecOptions::new().max_age(Duration::ZERO));
    let open = |date| codec.open_at("sid", &authentic(date, "YXBl"), NOW);
    for date in ["0", "1", "10", "999999", "1000000", "1000060"] {
        assert_eq!(open(date).unwrap().value(), b"ape");
    }
    for date in [
        "",
        "00",
        "01",
        "007",
        "+1",
        "-1",
        "-0",
        " 1",
        "1 ",
        "1\n",
        "1_0",
        "0x1",
        "1.0",
        "1e3",
        "\u{663}",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        let refused = open(date).unwrap_err();
        assert!(refused.is_not_valid(), "{date:?}: {refused}");
    }
    for date in ["1000061", "9223372036854775807"] {
        assert!(open(date).unwrap_err().is_too_new(), "{date}");
    }
}

#[test]
fn the_inner_base64_is_as_strict_as_the_outer() {
    let codec = codec_with(CodecOptions::new());
    let open = |value| codec.open_at("sid", &authentic("1000000", value), NOW);
    assert_eq!(open("YXBlcw==").unwrap().value(), b"apes");
    for value in [
        "YXBlcw",
        "YXBlcw=",
        "YXBlcx==",
        "YXBlcw===",
        "YXBl\ncw==",
        "YXBlcw==\n",
        " YXBlcw==",
        "YXBl+w==",
        "YXBl/w==",
        "=",
        "A",
        "YXBlcw==YXBl",
    ] {
        let refused = open(value).unwrap_err();
        assert!(refused.is_not_valid() && refused.is_final(), "{value:?}");
    }
}

#[test]
fn a_cookie_is_checked_in_gorillas_order() {
    let min = Duration::from_secs(10);
    let max = Duration::from_secs(100);
    let codec = codec_with(
        CodecOptions::new()
            .min_age(min)
            .max_age(max)
            .max_length(200),
    );
    let open = |cookie: &str| codec.open_at("sid", cookie, NOW).unwrap_err();
    // Each cookie would also fail every later check.
    let bad_value = "not base64";
    assert!(open(&"!".repeat(201)).is_too_long());
    let mut unauthentic = authentic("999999", bad_value).into_bytes();
    unauthentic[8] ^= 1;
    assert!(open(std::str::from_utf8(&unauthentic).unwrap()).is_not_valid());
    assert!(open(&authentic("0999999", bad_value)).is_not_valid());
    assert!(open(&authentic("999999", bad_value)).is_too_new());
    assert!(open(&authentic("1", bad_value)).is_expired());
    assert!(open(&authentic("999950", bad_value)).is_not_valid());
}

/// Only a holder of the key can make a ciphertext shorter than its IV. It is refused too.
#[test]
fn an_encrypted_value_needs_its_iv() {
    let keys = KeyPair::new(HashKey::new(&KEY).unwrap(), BlockKey::from([7; 16]));
    let codec = SecureCookie::new(keys).unwrap();
    let mut out = b"before".to_vec();
    for value in ["", "YXBl", "AAAAAAAAAAAAAAAAAAAA"] {
        let cookie = authentic("1000000", value);
        let refused = codec.open_into("sid", &cookie, NOW, &mut out).unwrap_err();
        assert!(refused.is_not_valid());
        assert_eq!(out, b"before");
    }
    let empty = authentic("1000000", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(codec.open_at("sid", &empty, NOW).unwrap().value(), b"");
}

/// The date is checked after the MAC, and then no other key is tried.
#[test]
fn a_bad_date_is_final_only_under_a_correct_mac() {
    struct OpensAll;

    impl Codec for OpensAll {
        fn seal_into(&self, _: &str, _: &[u8], _: UnixTime, _: &mut String) -> Result<(), Error> {
            Ok(())
        }

        fn open_into(
            &self,
            _: &str,
            _: &str,
            now: UnixTime,
            _: &mut Vec<u8>,
        ) -> Result<Opened, Error> {
            Ok(Opened::new(now, now))
        }
    }

    let ours = codec_with(CodecOptions::new());
    let codecs = Codecs::new([Member::from(ours), Member::custom(OpensAll)]).unwrap();
    let bad_date = authentic("007", "YXBl");
    assert!(
        codecs
            .open_at("sid", &bad_date, NOW)
            .unwrap_err()
            .is_not_valid()
    );
    let unauthentic = authentic("007", "YXBl").replace("MDA3", "MDA4");
    assert_eq!(codecs.open_at("sid", &unauthentic, NOW).unwrap().key(), 2);
}
