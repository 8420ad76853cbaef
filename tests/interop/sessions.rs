//! Live tests of gob: sessions of registered Go types are read here, changed in one key, and
//! written back; Go finds the other values deep-equal.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Json, json};
use silverback::codec::{BlockKey, Codec, CodecOptions, HashKey, KeyPair, SecureCookie};
use silverback::gob::{Composite, Interface, Value};

use crate::cases::{any_json, count, seed};
use crate::gorilla::{Gorilla, payload};

/// The number of sessions, and of rows.
const CASES: u64 = 3000;

pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// Returns a seed for Go's generator for each case.
pub(crate) fn seeds(default: u64) -> impl Iterator<Item = i64> {
    let first = seed() as i64 >> 1;
    (0..count(default) as i64).map(move |number| first.wrapping_add(number))
}

/// Changes the map of a session, which is the whole value.
fn change_session(value: Value) -> Value {
    let Value::Composite(mut session) = value else {
        panic!("a session is a map")
    };
    session.insert("changed", 42_i64.into()).unwrap();
    Value::Composite(session)
}

/// Changes the map of an scs row, which is its field `Values`.
fn change_row(value: Value) -> Value {
    let Value::Composite(mut row) = value else {
        panic!("a row is a struct")
    };
    let Some(Value::Composite(values)) = row.field("Values").cloned() else {
        panic!("a row has values")
    };
    let mut values: Composite = values;
    values.insert("changed", 42_i64.into()).unwrap();
    assert!(row.set_field("Values", Value::Composite(values)));
    Value::Composite(row)
}

fn assert_rest_is_equal(kind: &str, change: fn(Value) -> Value) {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    for seed in seeds(CASES) {
        let made = gorilla.must(&json!({ "op": "gob-make", "kind": kind, "seed": seed }));
        let before = payload(&made);
        let value = Value::from_slice(&before).unwrap_or_else(|error| {
            panic!("seed {seed}: {error}: {}", hex(&before));
        });
        let mut same = |after: Vec<u8>, changed: &str| {
            gorilla.must(&json!({
                "op": "gob-same",
                "kind": kind,
                "before": hex(&before),
                "after": hex(&after),
                "changed": changed,
                "seed": seed,
            }));
        };
        same(value.to_vec(), "");
        same(change(value).to_vec(), "changed");
    }
}

#[test]
fn the_rest_of_a_gorilla_session_stays_equal() {
    assert_rest_is_equal("session", change_session);
}

#[test]
fn the_rest_of_an_scs_row_stays_equal() {
    assert_rest_is_equal("scs", change_row);
}

/// The program prints Go's sessions in the same JSON as Go.
#[cfg(feature = "cli")]
#[test]
fn the_program_prints_go_values_as_go_does() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let keys = KeyPair::sign_only(HashKey::new(&[7; 32]).unwrap());
    let options = CodecOptions::new().max_length(0);
    let codec = SecureCookie::with_options(keys, &options).unwrap();
    let (mut cookies, mut pictures) = (String::new(), Vec::new());
    for seed in seeds(CASES) {
        let made = gorilla.must(&json!({ "op": "gob-make", "kind": "session", "seed": seed }));
        let made = payload(&made);
        let drawn = gorilla.must(&json!({ "op": "gob-draw", "payload": hex(&made) }));
        pictures.push((
            seed,
            serde_json::from_slice::<Json>(&payload(&drawn)).unwrap(),
        ));
        cookies.push_str(&codec.seal("sid", &made).unwrap());
        cookies.push('\n');
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_silverback"))
        .args([
            "decode",
            "--name",
            "sid",
            "--max-length",
            "0",
            "--keys",
            &"07".repeat(32),
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(cookies.as_bytes()).unwrap());
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.lines().count(), pictures.len());
    for (line, (seed, picture)) in output.lines().zip(&pictures) {
        let ours: Json = serde_json::from_str(line).unwrap();
        assert_eq!(&ours, picture, "SILVERBACK_SEED: {}", seed << 1);
    }
}

/// gorilla's own CookieStore, over real HTTP, in both directions.
#[test]
fn a_cookie_store_reads_its_cookie_after_a_change() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let (hash_key, block_key) = ([7; 64], [9; 32]);
    let keys = KeyPair::new(HashKey::new(&hash_key).unwrap(), BlockKey::from(block_key));
    let options = CodecOptions::new().max_length(0);
    let codec = SecureCookie::with_options(keys, &options).unwrap();
    let (hash_key, block_key) = (hex(&hash_key), hex(&block_key));
    for seed in seeds(300) {
        let made = gorilla.must(&json!({
            "op": "http-make", "seed": seed, "hash_key": hash_key, "block_key": block_key,
        }));
        let cookie = made["cookie"].as_str().unwrap();
        let opened = codec.open("session", cookie).unwrap();
        let session = change_session(Value::from_slice(opened.value()).unwrap());
        let changed = codec.seal("session", &session.to_vec()).unwrap();
        gorilla.must(&json!({
            "op": "http-same",
            "kind": "session",
            "hash_key": hash_key,
            "block_key": block_key,
            "cookie": changed,
            "before": hex(&payload(&made)),
            "changed": "changed",
        }));
    }
}

/// Go reads constructed values with the expected types.
#[test]
fn go_prints_values_of_silverback_as_silverback_does() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let documents = proptest::collection::btree_map(".{0,6}", any_json(), 0..6);
    for _ in 0..count(CASES) {
        let document = documents.new_tree(&mut runner).unwrap().current();
        let entries = document
            .iter()
            .map(|(key, value)| (key.as_str(), interface(value)));
        let value = Value::map_of_strings(entries);
        let question = json!({ "op": "gob-picture", "payload": hex(&value.to_vec()) });
        let picture: Json = serde_json::from_slice(&payload(&gorilla.must(&question))).unwrap();
        assert_eq!(
            without_empty_lists(picture),
            without_empty_lists(json!(document))
        );
    }
}

/// Returns JSON without empty lists: Go reads an empty slice as nil, which is null in JSON.
fn without_empty_lists(json: Json) -> Json {
    match json {
        Json::Array(elements) if elements.is_empty() => Json::Null,
        Json::Array(elements) => elements.into_iter().map(without_empty_lists).collect(),
        Json::Object(entries) => {
            let entries = entries.into_iter();
            entries
                .map(|(key, value)| (key, without_empty_lists(value)))
                .collect()
        }
        other => other,
    }
}

/// Returns JSON as Go types that every program registers, or that this test registers.
fn interface(value: &Json) -> Interface {
    match value {
        Json::Null => Interface::nil(),
        Json::Bool(bool) => (*bool).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(elements) => {
            let elements = elements.iter().map(interface);
            Interface::of("[]interface {}", Value::slice_of_interfaces(elements))
        }
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.as_str(), interface(value)));
            Interface::of("map[string]interface {}", Value::map_of_strings(entries))
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename = "main.Member")]
struct Member {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Age")]
    age: i8,
    #[serde(rename = "Tags")]
    tags: Vec<String>,
    #[serde(rename = "Grid")]
    grid: [u16; 3],
    #[serde(rename = "Boss")]
    boss: Option<Box<Member>>,
}

/// A serde struct is read as the Go struct of the same name if Go has registered that.
#[test]
fn go_reads_a_serde_struct_as_its_own_type() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let boss = Member {
        name: "boss".into(),
        age: 0,
        tags: vec![],
        grid: [0; 3],
        boss: None,
    };
    let user = Member {
        name: "ape".into(),
        age: -7,
        tags: vec!["a".into()],
        grid: [0, 1, 0],
        boss: Some(Box::new(boss)),
    };
    let user = silverback::gob::to_value(&user).unwrap();
    let value = Value::map_of_strings([("user", Interface::of("main.Member", user))]);
    let question = json!({ "op": "gob-picture", "payload": hex(&value.to_vec()) });
    let picture: Json = serde_json::from_slice(&payload(&gorilla.must(&question))).unwrap();
    let user = &picture["user"];
    assert_eq!((&user["Name"], &user["Age"]), (&json!("ape"), &json!(-7)));
    assert_eq!(
        (&user["Tags"], &user["Grid"]),
        (&json!(["a"]), &json!([0, 1, 0]))
    );
    assert_eq!(user["Boss"]["Name"], "boss");
}
