//! Runs the program on each cookie that gorilla made, and on each case of gorilla's verdicts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::silverback;

fn vectors(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn keys(case: &Value) -> String {
    match text(&case["block_key"]) {
        "" => text(&case["hash_key"]).to_owned(),
        block => format!("{}:{block}", text(&case["hash_key"])),
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(hex).unwrap()
}

#[test]
fn every_gorilla_cookie_opens() {
    let cases = vectors("gorilla_valid.json");
    for case in &cases {
        let serializer = match text(&case["serializer"]) {
            "nop" => "raw",
            "gob_string" => "gob",
            json => json,
        };
        let expected = match serializer {
            "raw" => Value::from(STANDARD.encode(from_hex(text(&case["payload_hex"])))),
            _ => case["payload"].clone(),
        };
        let opened = silverback(
            [
                "decode",
                "--keys",
                &keys(case),
                "--allow-weak-keys",
                "--name",
                text(&case["name"]),
                "--hash",
                text(&case["hash"]),
                "--serializer",
                serializer,
                "--at",
                &case["timestamp"].to_string(),
                "--max-length",
                "0",
                text(&case["cookie"]),
            ],
            "",
        )
        .ok();
        assert_eq!(opened.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Value>(&opened).unwrap(), expected);
    }
    assert_eq!(cases.len(), 200);
}

#[test]
fn every_cfb_cookie_opens() {
    let cases = vectors("gorilla_frame_cfb.json");
    for case in &cases {
        let (keys, at) = (keys(case), case["timestamp"].to_string());
        let name = text(&case["name"]);
        let opened = silverback(
            [
                "decode",
                "--keys",
                &keys,
                "--name",
                name,
                "--serializer",
                "raw",
                "--cipher",
                "cfb",
                "--at",
                &at,
                "-",
            ],
            text(&case["cookie"]),
        )
        .ok();
        let payload = STANDARD.encode(from_hex(text(&case["payload_hex"])));
        assert_eq!(opened, format!("\"{payload}\"\n"));
    }
    assert_eq!(cases.len(), 20);
}

#[test]
fn every_verdict_is_the_strict_one() {
    let mut run = 0;
    for group in vectors("gorilla_verdicts.json") {
        for case in group["cases"].as_array().unwrap() {
            let value = STANDARD.decode(text(&case["value_b64"])).unwrap();
            let value = String::from_utf8(value).unwrap();
            if value.contains(['\0', '\r', '\n']) {
                continue; // Not an argument of a program; tests/codec has these cases.
            }
            let own = |field: &str| case.get(field).unwrap_or(&group[field]).clone();
            let (name, now) = (own("name"), own("now"));
            let verdict = silverback(
                [
                    "decode",
                    "--keys",
                    &keys(&group),
                    "--name",
                    text(&name),
                    "--serializer",
                    "raw",
                    "--max-age",
                    &group["max_age"].to_string(),
                    "--at",
                    &now.to_string(),
                    &value,
                ],
                "",
            );
            let gorilla = text(&case["go"]);
            let strict = case.get("want_strict").map_or(gorilla, text);
            // gorilla opens a cookie dated an hour in the future; this program refuses it.
            let early = now.as_u64().unwrap() < 1_700_000_000 - 60;
            match strict {
                "ok" if early => assert!(verdict.fails(1).contains("too new")),
                "ok" => {
                    let payload = STANDARD.encode(from_hex(text(&group["payload_hex"])));
                    assert_eq!(verdict.ok(), format!("\"{payload}\"\n"));
                }
                "expired" => assert!(verdict.fails(1).contains("expired")),
                _ => assert!(verdict.fails(1).contains("not valid"), "{value}"),
            }
            run += 1;
        }
    }
    assert!(run > 600, "only {run} cases were run");
}

/// Cookies of gorilla with gob, JSON and raw values, and their JSON form.
#[test]
fn every_go_value_is_decoded_to_its_json() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/go_values.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let mut pictured = 0;
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        if case["Kind"] == "scs-row" {
            let row = STANDARD.decode(text(&case["Cookie"])).unwrap();
            assert_eq!(json_of_gob(&row), case["Want"]);
            pictured += 1;
            continue;
        }
        let keys = match text(&case["BlockKey"]) {
            "" => text(&case["HashKey"]).to_owned(),
            block => format!("{}:{block}", text(&case["HashKey"])),
        };
        let at = case["At"].to_string();
        let arguments = [
            "decode",
            "--allow-weak-keys",
            "--keys",
            &keys,
            "--name",
            text(&case["Name"]),
            "--hash",
            text(&case["Hash"]),
            "--serializer",
            text(&case["Serializer"]),
            "--at",
            &at,
            text(&case["Cookie"]),
        ];
        let picture: Value = serde_json::from_str(&silverback(arguments, "").ok()).unwrap();
        assert_eq!(picture, case["Want"]);
        pictured += 1;
    }
    assert_eq!(pictured, 83);
}

/// Returns the JSON form of a gob, which is first sealed into a cookie.
pub(crate) fn json_of_gob(gob: &[u8]) -> Value {
    use silverback::codec::{Codec, CodecOptions, HashKey, KeyPair, SecureCookie};

    let keys = KeyPair::sign_only(HashKey::new(&[7; 32]).unwrap());
    let options = CodecOptions::new().max_length(0);
    let codec = SecureCookie::with_options(keys, &options).unwrap();
    let cookie = codec.seal("row", gob).unwrap();
    let keys = "07".repeat(32);
    let arguments = [
        "decode",
        "--keys",
        &keys,
        "--name",
        "row",
        "--max-length",
        "0",
        &cookie,
    ];
    serde_json::from_str(&silverback(arguments, "").ok()).unwrap()
}
