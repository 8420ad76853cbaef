//! What only the codec's own room can test: sealing with a given IV, byte for
//! byte, and the MAC alone. All else is tested from outside, in `tests/codec/`.

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

/// The IV a cookie was sealed with: the first 16 bytes of its `v`.
fn iv_of(cookie: &str) -> [u8; 16] {
    frame::with_frame("", cookie, |frame| {
        let value = frame.unwrap().value;
        let mut raw = vec![0; frame::room_to_decode(value.len())];
        frame::decode(value, &mut raw).unwrap();
        *raw.first_chunk().unwrap()
    })
}

#[test]
fn gorilla_cookies_are_sealed_byte_for_byte() {
    let mut sealed = 0;
    for case in vectors("gorilla_valid.json").as_array().unwrap() {
        if hash_function(case) == HashFunction::Sha1 {
            continue; // read only
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
fn wycheproof_hmac_sha256() {
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
            // The frame takes no truncated MAC, however right it is.
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
fn a_mac_is_verified_whole() {
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

/// Sealing with the machinery of the codec under any date text, to see which dates are refused
/// although their MAC holds.
fn sealed_with_date(codec: &SecureCookie, key: &[u8], date: &str) -> Result<(), Error> {
    let signed = format!("sid|{date}|YXBl");
    let mut mac = [0; 32];
    Authenticator::new(HashFunction::Sha256, &HashKey::legacy(key))
        .sign(signed.as_bytes(), &mut mac);
    let inner = [signed.strip_prefix("sid|").unwrap().as_bytes(), b"|", &mac].concat();
    let mut cookie = vec![0; base64::encoded_len(inner.len(), true).unwrap()];
    frame::encode(&inner, &mut cookie).unwrap();
    let cookie = String::from_utf8(cookie).unwrap();
    codec
        .open_at("sid", &cookie, UnixTime::from_secs(1_000_000))
        .map(drop)
}

#[test]
fn a_date_is_digits_in_the_one_way_there_is() {
    let key = [7; 32];
    let options = CodecOptions::new().max_age(std::time::Duration::ZERO);
    let keys = KeyPair::sign_only(HashKey::new(&key).unwrap());
    let codec = SecureCookie::with_options(keys, &options).unwrap();
    for date in ["0", "1", "10", "999999", "1000000", "1000060"] {
        sealed_with_date(&codec, &key, date).unwrap();
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
        let refused = sealed_with_date(&codec, &key, date).unwrap_err();
        assert!(refused.is_not_valid(), "{date:?}: {refused}");
    }
    for date in ["1000061", "9223372036854775807"] {
        assert!(
            sealed_with_date(&codec, &key, date)
                .unwrap_err()
                .is_too_new(),
            "{date}"
        );
    }
}
