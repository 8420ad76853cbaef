//! `edit` on cookies of a Go program: a set value keeps its Go type.

use silverback::codec::{Codec, Codecs, HashKey, KeyPair};
use silverback::gob::{
    Composite, Int, Interface, SelfEncoded, SelfEncoder, Time, Value, to_interface,
};

use crate::program::{Run, silverback};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn codecs() -> Codecs {
    let key: Vec<u8> = (0..32).collect();
    Codecs::from_pairs([KeyPair::sign_only(HashKey::new(&key).unwrap())]).unwrap()
}

fn edit(session: &Value, arguments: &[&str]) -> Run {
    let cookie = codecs().seal("sid", &session.to_vec()).unwrap();
    let edit = ["edit", "--keys", KEY, "--name", "sid"];
    silverback(edit.iter().chain(arguments).chain(&[&*cookie]), "")
}

/// Returns the map of an edited cookie, and the text on standard error.
fn edited(session: &Value, arguments: &[&str]) -> (Composite, String) {
    let run = edit(session, arguments);
    let reports = run.stderr.clone();
    let cookie = run.ok();
    let opened = codecs().open("sid", cookie.trim_end()).unwrap();
    let Value::Composite(map) = Value::from_slice(opened.value()).unwrap() else {
        panic!("a session is a map");
    };
    (map, reports)
}

fn picture(session: &Value) -> serde_json::Value {
    let cookie = codecs().seal("sid", &session.to_vec()).unwrap();
    let decode = ["decode", "--keys", KEY, "--name", "sid", &cookie];
    serde_json::from_str(&silverback(decode, "").ok()).unwrap()
}

/// Returns the value of a key as bytes, with its name and type.
fn bytes(map: &Composite, key: &str) -> Vec<u8> {
    match map.get(key) {
        Some(Value::Interface(value)) => Value::slice_of_interfaces([value.clone()]).to_vec(),
        _ => panic!("no {key}"),
    }
}

fn alone(value: impl Into<Interface>) -> Value {
    Value::map_of_interfaces([("k", value.into())])
}

fn named(name: &str, value: Value) -> Interface {
    Interface::of(name, value)
}

fn list(name: &str, like: Interface) -> Interface {
    Interface::of(name, like.value().unwrap().clone())
}

/// Returns, for each Go type, a value, JSON to set, and the expected value.
fn types() -> Vec<(Interface, &'static str, Interface)> {
    let time = |text: &str| Interface::from(text.parse::<Time>().unwrap());
    let strings = |list: &[&str]| to_interface(&list).unwrap();
    let roles = |list: &[&str]| named("main.Roles", strings(list).value().unwrap().clone());
    let money = |cents: &str| SelfEncoded::new("main.Money", SelfEncoder::Gob, cents).unwrap();
    let small = |numbers: &[i64]| list("[]int8", to_interface(&numbers).unwrap());
    let nested = |age: i8, seen: &str| {
        let inner = Value::map_of_strings([("age", age.into()), ("seen", time(seen))]);
        named("map[string]interface {}", inner)
    };
    vec![
        (true.into(), "false", false.into()),
        (Int(1).into(), "2", Int(2).into()),
        (1_i8.into(), "-128", (-128_i8).into()),
        (1_i16.into(), "2", 2_i16.into()),
        (1_i32.into(), "2", 2_i32.into()),
        (1_i64.into(), "2", 2_i64.into()),
        (1_usize.into(), "2", 2_usize.into()),
        (1_u8.into(), "255", 255_u8.into()),
        (1_u16.into(), "2", 2_u16.into()),
        (1_u32.into(), "2", 2_u32.into()),
        (1_u64.into(), "18446744073709551615", u64::MAX.into()),
        (1_f32.into(), "0.5", 0.5_f32.into()),
        // `decode` prints these digits for a float32.
        (1_f32.into(), "0.1", 0.1_f32.into()),
        (1_f64.into(), "2", 2_f64.into()),
        // `decode` prints the shortest digits that differ from those of other floats.
        (
            1_f64.into(),
            "914271239847172200",
            914_271_239_847_172_224_f64.into(),
        ),
        (1_f64.into(), "\"NaN\"", f64::NAN.into()),
        ("a".into(), "\"b\"", "b".into()),
        (vec![1_u8].into(), "\"AP8=\"", vec![0_u8, 255].into()),
        (vec![1_u8].into(), "[0, 255]", vec![0_u8, 255].into()),
        (
            named("complex64", Value::Complex(0.0, 1.0)),
            "[0.5,-1]",
            named("complex64", Value::Complex(0.5, -1.0)),
        ),
        (
            named("time.Duration", Value::Int(1)),
            "2",
            named("time.Duration", Value::Int(2)),
        ),
        (
            named("main.UserID", Value::Int(1)),
            "2",
            named("main.UserID", Value::Int(2)),
        ),
        (
            named("main.Role", Value::String("a".into())),
            "\"b\"",
            named("main.Role", Value::String("b".into())),
        ),
        (strings(&["a"]), "[\"b\",\"\"]", strings(&["b", ""])),
        (roles(&["a"]), "[\"\"]", roles(&[""])),
        (small(&[1]), "[127]", small(&[127])),
        (
            [1_u8; 16].into(),
            "[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2]",
            [2_u8; 16].into(),
        ),
        (
            [1_u8; 16].into(),
            "\"02020202-0202-0202-0202-020202020202\"",
            [2_u8; 16].into(),
        ),
        (
            SelfEncoded::uuid([1; 16]).into(),
            "\"02020202-0202-0202-0202-020202020202\"",
            SelfEncoded::uuid([2; 16]).into(),
        ),
        (
            money("799").into(),
            r#"{"$type":"main.Money","$bytes":"ODAw"}"#,
            money("800").into(),
        ),
        (
            time("2030-01-01T00:00:00Z"),
            "\"2031-01-01T00:00:00.5+01:00\"",
            time("2031-01-01T00:00:00.5+01:00"),
        ),
        (
            nested(1, "2030-01-01T00:00:00Z"),
            r#"{"age": 2, "seen": "2031-01-01T00:00:00Z"}"#,
            nested(2, "2031-01-01T00:00:00Z"),
        ),
    ]
}

#[test]
fn a_set_value_keeps_the_existing_go_type() {
    for (there, json, expected) in types() {
        let name = there.name().to_string_lossy().into_owned();
        let (map, reports) = edited(&alone(there), &["--set", &format!("k={json}")]);
        let Value::Composite(expected) = alone(expected) else {
            panic!("a map");
        };
        assert_eq!(bytes(&map, "k"), bytes(&expected, "k"), "{name} = {json}");
        assert_eq!(reports, "", "{name} = {json}");
    }
}

/// Setting a value to the JSON that `decode` prints does not change it.
#[test]
fn a_printed_value_can_be_set_again() {
    for (there, ..) in types() {
        let name = there.name().to_string_lossy().into_owned();
        let session = alone(there);
        let json = picture(&session)["k"].to_string();
        let (map, reports) = edited(&session, &["--set", &format!("k={json}")]);
        let Value::Composite(before) = session else {
            panic!("a map");
        };
        assert_eq!(bytes(&map, "k"), bytes(&before, "k"), "{name} = {json}");
        assert_eq!(reports, "", "{name} = {json}");
    }
}

#[test]
fn the_new_type_of_a_value_that_does_not_fit_is_reported() {
    for (there, json, becomes) in [
        (Interface::from(1_i8), "128", "int"),
        (1_i8.into(), "0.5", "float64"),
        (1_f32.into(), "0.10000000000000002", "float64"),
        (Int(1).into(), "18446744073709551615", "uint64"),
        (1_u64.into(), "-1", "int"),
        ("a".into(), "1", "int"),
        (
            "2030-01-01T00:00:00Z".parse::<Time>().unwrap().into(),
            "\"now\"",
            "string",
        ),
        (SelfEncoded::uuid([1; 16]).into(), "\"02\"", "string"),
        (vec![1_u8].into(), "\"no base64!\"", "string"),
    ] {
        let name = there.name().to_string_lossy().into_owned();
        let (map, reports) = edited(&alone(there), &["--set", &format!("k={json}")]);
        let Some(Value::Interface(value)) = map.get("k") else {
            panic!("a value");
        };
        assert_eq!(*value.name(), *becomes, "{name} = {json}");
        assert!(
            reports.contains(&name) && reports.contains(becomes),
            "{reports}"
        );
    }
}

#[test]
fn a_wide_integer_is_refused_instead_of_rounded() {
    let (map, _) = edited(&alone(1_i64), &["--set", "new=18446744073709551615"]);
    let Some(Value::Interface(value)) = map.get("new") else {
        panic!("a value");
    };
    assert!(matches!(value.value(), Some(Value::Uint(u64::MAX))));
    for wide in [
        "18446744073709551616",
        "-9223372036854775809",
        "[1,99999999999999999999]",
    ] {
        let failed = edit(&alone(1_i64), &["--set", &format!("new={wide}")]).fails(2);
        assert!(failed.contains("64 bits"), "{failed}");
    }
    edited(&alone(1_i64), &["--set", "new=1.8446744073709551616e19"]);
    edited(&alone(1_i64), &["--set", "new=\"99999999999999999999\""]);
    let encode = ["encode", "--keys", KEY, "--name", "sid"];
    assert!(
        silverback(encode, "{\"n\":18446744073709551616}")
            .fails(2)
            .contains("64 bits")
    );
}

#[test]
fn a_key_can_name_its_type() {
    for (of, json, shown) in [
        ("int8", "5", "5"),
        ("uint", "5", "5"),
        ("float32", "5", "5"),
        ("bool", "true", "true"),
        ("string", "\"a\"", "\"a\""),
        ("[]uint8", "\"AP8=\"", "\"AP8=\""),
        ("[]string", "[\"a\"]", "[\"a\"]"),
        ("[]float64", "[1]", "[1]"),
        ("complex128", "[1,2]", "[1,2]"),
        (
            "time.Time",
            "\"2030-01-01T00:00:00Z\"",
            "\"2030-01-01T00:00:00Z\"",
        ),
        ("time.Duration", "5", "5"),
        ("map[string]interface {}", "{\"a\":1}", "{\"a\":1}"),
        ("[]interface {}", "[1,\"a\"]", "[1,\"a\"]"),
    ] {
        let (map, _) = edited(&alone("a"), &["--set", &format!("k:{of}={json}")]);
        let Some(Value::Interface(value)) = map.get("k") else {
            panic!("a value");
        };
        assert_eq!(*value.name(), *of);
        assert_eq!(picture(&Value::Composite(map))["k"].to_string(), shown);
    }
    let failed = edit(&alone("a"), &["--set", "n:int8=300"]).fails(2);
    assert!(failed.contains("not a valid int8"), "{failed}");
    // Text that does not name a type is part of the key.
    let (map, reports) = edited(
        &alone("a"),
        &["--set", "user:1=5", "--set", "a:int:string=\"x\""],
    );
    assert!(map.get("user:1").is_some() && map.get("a:int").is_some());
    assert!(reports.contains("\"user:1\" is new"), "{reports}");
}

#[test]
fn keys_that_are_not_strings_can_be_named() {
    let session = || {
        let mut map = std::collections::BTreeMap::new();
        map.insert(5_i16, "five");
        map.insert(6, "six");
        let Value::Composite(typed) = silverback::gob::to_value(&map).unwrap() else {
            panic!("a map");
        };
        Value::Composite(typed)
    };
    let (map, reports) = edited(&session(), &["--set", "5=\"cinq\"", "--unset", "6"]);
    assert_eq!(
        picture(&Value::Composite(map)),
        serde_json::json!({"5": "cinq"})
    );
    assert_eq!(reports, "");

    // Keys with the same text are named with their types.
    #[derive(PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
    #[serde(untagged)]
    enum Key {
        Small(i8),
        Large(u64),
        Text(&'static str),
    }
    let keys = std::collections::BTreeMap::from([
        (Key::Small(5), "small"),
        (Key::Large(5), "large"),
        (Key::Text("5"), "text"),
    ]);
    let session = silverback::gob::to_value(&keys).unwrap();
    let (map, reports) = edited(
        &session,
        &[
            "--set",
            "int8(5)=\"s\"",
            "--set",
            "uint64(5)=\"l\"",
            "--set",
            "5=\"t\"",
        ],
    );
    assert_eq!(reports, "");
    let mut held: Vec<String> = map
        .entries()
        .map(|(_, value)| silverback::gob::from_value(value).unwrap())
        .collect();
    held.sort();
    assert_eq!(held, ["l", "s", "t"]);
    let (map, _) = edited(&session, &["--unset", "5"]);
    let failed = edit(&Value::Composite(map), &["--unset", "5"]).fails(2);
    assert!(failed.contains("int8(5) or uint64(5)"), "{failed}");
}

#[test]
fn missing_and_new_keys_are_reported() {
    let (_, reports) = edited(&alone("a"), &["--unset", "z"]);
    assert!(reports.contains("no key \"z\""), "{reports}");
    let (_, reports) = edited(&alone("a"), &["--set", "z=1"]);
    assert!(
        reports.contains("\"z\" is new; its type is int"),
        "{reports}"
    );
    let json = [
        "encode",
        "--keys",
        KEY,
        "--name",
        "sid",
        "--serializer",
        "json",
    ];
    let cookie = silverback(json, "{\"a\":1}").ok();
    let edit = [
        "edit",
        "--keys",
        KEY,
        "--name",
        "sid",
        "--serializer",
        "json",
    ];
    let unset = ["--unset", "z", cookie.trim_end()];
    assert!(
        silverback(edit.iter().chain(&unset), "")
            .stderr
            .contains("no key \"z\"")
    );
    let typed = ["--set", "z:int8=1", cookie.trim_end()];
    assert!(
        silverback(edit.iter().chain(&typed), "")
            .fails(2)
            .contains("only gob")
    );
}

#[test]
fn types_that_go_must_register_are_reported() {
    let (_, reports) = edited(&alone("a"), &["--set", "z={\"a\":1}"]);
    assert!(
        reports.contains("gob.Register of map[string]interface {}"),
        "{reports}"
    );
    let (_, reports) = edited(&alone("a"), &["--set", "z=[1,\"a\"]"]);
    assert!(
        !reports.contains("gob.Register"),
        "gorilla registers it: {reports}"
    );
    // A type that the cookie already contains is registered.
    let there = named("map[string]interface {}", Value::map_of_strings::<&str>([]));
    let (_, reports) = edited(&alone(there), &["--set", "z={\"a\":1}"]);
    assert!(!reports.contains("gob.Register"), "{reports}");
    let encode = ["encode", "--keys", KEY, "--name", "sid"];
    let reports = silverback(encode, "{\"z\":{\"a\":1}}").stderr;
    assert!(
        reports.contains("gob.Register of map[string]interface {}"),
        "{reports}"
    );
}
