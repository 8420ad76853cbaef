//! Cookies that the Go originals made, and gorilla's verdicts on cookies.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use silverback::codec::legacy::UnauthenticatedDolabReader;
use silverback::codec::{Cipher, Codec, CodecOptions, Serializer};

use crate::support::{at, codec, hash_of, hex, keys_of, secs, text, vectors};

#[test]
fn every_gorilla_cookie_opens_with_its_serializer() {
    let cases = vectors("gorilla_valid.json");
    for case in &cases {
        let (name, cookie) = (text(&case["name"]), text(&case["cookie"]));
        let now = at(case["timestamp"].as_u64().unwrap());
        let options = CodecOptions::new().hash(hash_of(case)).max_length(0);
        let codec = |serializer| codec(keys_of(case), options.clone().serializer(serializer));
        match text(&case["serializer"]) {
            "nop" => {
                let opened = codec(Serializer::Raw).decode_at::<Vec<u8>>(name, cookie, now);
                assert_eq!(opened.unwrap().value(), &hex(&case["payload_hex"]));
            }
            "json" => {
                let opened = codec(Serializer::Json).decode_at::<Value>(name, cookie, now);
                assert_eq!(opened.unwrap().value(), &case["payload"]);
            }
            "gob_string" => {
                let codec = codec(Serializer::Gob);
                let opened = codec.decode_at::<String>(name, cookie, now).unwrap();
                assert_eq!(opened.value(), text(&case["payload"]));
                assert_eq!(opened.issued_at(), now);
            }
            other => panic!("serializer {other}"),
        }
    }
    assert_eq!(cases.len(), 200);
}

#[test]
fn every_verdict_is_the_strict_one() {
    let (mut opened, mut refused) = (0, 0);
    for group in vectors("gorilla_verdicts.json") {
        let options = CodecOptions::new().max_age(secs(group["max_age"].as_u64().unwrap()));
        let codec = codec(keys_of(&group), options);
        for case in group["cases"].as_array().unwrap() {
            let own = |field: &str| case.get(field).unwrap_or(&group[field]).clone();
            let (name, now) = (own("name"), own("now").as_u64().unwrap());
            let value = STANDARD.decode(text(&case["value_b64"])).unwrap();
            let value = String::from_utf8(value).unwrap();
            let verdict = codec.open_at(text(&name), &value, at(now));
            let strict = case.get("want_strict").unwrap_or(&case["go"]);
            match text(strict) {
                "ok" if now < 1_700_000_000 - 60 => assert!(verdict.unwrap_err().is_too_new()),
                "ok" => {
                    assert_eq!(verdict.unwrap().into_value(), hex(&group["payload_hex"]));
                    opened += 1;
                    continue;
                }
                "expired" => assert!(verdict.unwrap_err().is_expired()),
                _ => assert!(verdict.unwrap_err().is_not_valid(), "{value:?}"),
            }
            refused += 1;
        }
    }
    assert_eq!((opened, refused), (85, 605));
}

#[test]
fn every_cfb_cookie_opens() {
    let cases = vectors("gorilla_frame_cfb.json");
    for case in &cases {
        let codec = codec(keys_of(case), CodecOptions::new().cipher(Cipher::AesCfb));
        let now = at(case["timestamp"].as_u64().unwrap());
        let opened = codec.open_at(text(&case["name"]), text(&case["cookie"]), now);
        assert_eq!(opened.unwrap().into_value(), hex(&case["payload_hex"]));
    }
    assert_eq!(cases.len(), 20);
}

#[test]
fn every_dolab_cookie_is_read() {
    let cases = vectors("dolab_cfb.json");
    for case in &cases {
        let reader = UnauthenticatedDolabReader::new(text(&case["name"]), text(&case["secret"]));
        let read = reader.read(text(&case["encoded"])).unwrap();
        assert_eq!(read.into_unproven_bytes(), hex(&case["plaintext_hex"]));
    }
    assert_eq!(cases.len(), 20);
}

#[test]
fn a_dolab_cookie_is_unpadded_base64url_of_bounded_length() {
    let reader = UnauthenticatedDolabReader::new("session", "secret");
    for no_cookie in ["x", "YXBlcw==", "YX/l", "YX+l", "YXBl\n", "YX", "YXBlcx"] {
        // "YX" has nonzero bits after its single byte.
        assert!(
            reader.read(no_cookie).unwrap_err().is_not_valid(),
            "{no_cookie:?}"
        );
    }
    assert!(reader.read(&"A".repeat(4096)).is_ok());
    assert!(reader.read(&"A".repeat(4097)).unwrap_err().is_too_long());
}
