//! `decode --exact` loses nothing, and `encode --exact` reads it back.

use std::collections::BTreeMap;

use silverback::codec::{Codec, CodecOptions, Codecs, KeyPairs, Serializer};
use silverback::gob::{self, GoString, Int, Interface, SelfEncoded, Time, Value};

use crate::program::{KEYS, silverback};

fn codecs() -> Codecs {
    let options = CodecOptions::new()
        .serializer(Serializer::Raw)
        .max_length(0);
    Codecs::from_pairs_with(KEYS.parse::<KeyPairs>().unwrap(), &options).unwrap()
}

/// Decodes a payload exactly, encodes the text again, and returns the text and the new payload.
fn round_trip(payload: &[u8], serializer: &str) -> (String, Vec<u8>) {
    let fixed = [
        "--exact",
        "--keys",
        KEYS,
        "--name",
        "sid",
        "--max-length",
        "0",
        "--serializer",
        serializer,
    ];
    let cookie = codecs().seal("sid", payload).unwrap();
    let text = silverback(["decode"].iter().chain(&fixed).chain(&["-"]), &cookie).ok();
    let again = silverback(["encode"].iter().chain(&fixed), &text).ok();
    let opened = codecs().open("sid", again.trim()).unwrap();
    (text.trim().to_owned(), opened.into_value())
}

/// Returns a text that shows each part of a value, with the maps in one order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Interface(interface) => {
            let held = interface.value().map_or("nil".to_owned(), canonical);
            format!("{:?}({held})", interface.name().as_bytes())
        }
        Value::Composite(map) if map.is_map() => {
            let entry = |(key, value)| (canonical(key), canonical(value));
            let entries: BTreeMap<String, String> = map.entries().map(entry).collect();
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| key + ":" + &value)
                .collect();
            format!("{:?}{{{}}}", map.defined().shape(), entries.join(","))
        }
        Value::Composite(list) if list.is_sequence() => {
            let elements: Vec<_> = list.elements().iter().map(canonical).collect();
            format!("{:?}[{}]", list.defined().shape(), elements.join(","))
        }
        other => format!("{:?}", other.to_vec()),
    }
}

#[track_caller]
fn comes_back(value: &Value) -> String {
    let (text, payload) = round_trip(&value.to_vec(), "gob");
    let read = Value::from_slice(&payload).unwrap();
    assert_eq!(canonical(&read), canonical(value), "{text}");
    text
}

/// Numbers from a seed: the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(12);
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn entries(&mut self, depth: u64) -> Vec<(GoString, Interface)> {
        let count = self.below(5);
        let entries = (0..count).map(|_| {
            let key = match self.below(4) {
                0 => self.bytes(),
                1 => format!("${}", self.below(10)).into_bytes(),
                _ => format!("key {}", self.below(1_000)).into_bytes(),
            };
            (key, self.interface(depth + 1))
        });
        let unique: BTreeMap<Vec<u8>, Interface> = entries.collect();
        unique
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect()
    }

    fn interface(&mut self, depth: u64) -> Interface {
        let float = f64::from_bits(self.next() << 31 ^ self.next());
        match self.below(if depth < 4 { 18 } else { 15 }) {
            0 => Interface::nil(),
            1 => true.into(),
            2 => Int(self.next() as i64).into(),
            3 => (self.next() as i8).into(),
            4 => (self.next() as i64).into(),
            5 => (u64::MAX - self.next()).into(),
            6 => (self.next() as u16).into(),
            7 => float.into(),
            8 => (float as f32).into(),
            9 => Interface::of("string", Value::String(self.bytes().into())),
            10 => Interface::of("[]uint8", Value::Bytes(self.bytes())),
            11 => Time::from_unix(self.next() as i64, 5).unwrap().into(),
            12 => SelfEncoded::uuid([self.next() as u8; 16]).into(),
            13 => Interface::of("main.UserID", Value::String(self.bytes().into())),
            14 => gob::to_interface(&vec!["a", "b"]).unwrap(),
            15 => {
                let count = self.below(4);
                let elements = (0..count)
                    .map(|_| self.interface(depth + 1))
                    .collect::<Vec<_>>();
                Interface::of("[]interface {}", Value::slice_of_interfaces(elements))
            }
            _ => Interface::of(
                "map[string]interface {}",
                Value::map_of_strings(self.entries(depth)),
            ),
        }
    }
}

#[test]
fn random_values_come_back() {
    let mut random = Random(19);
    let (mut with_types, mut whole) = (0, 0);
    for _ in 0..250 {
        let text = comes_back(&Value::map_of_interfaces(random.entries(0)));
        with_types += usize::from(text.contains("$type"));
        whole += usize::from(text.starts_with("{\"$gob\""));
    }
    assert!(with_types > 100, "{with_types}");
    assert_eq!(whole, 0, "each part has a readable text");
}

#[test]
fn strings_that_are_not_utf8_keep_their_bytes() {
    let string = |bytes: &[u8]| Interface::of("string", Value::String(bytes.into()));
    let map = Value::map_of_interfaces([("a", string(b"\xff\xfe")), ("b", string(b"text"))]);
    assert_eq!(
        comes_back(&map),
        r#"{"a":{"$bytes":"//4=","$type":"string"},"b":"text"}"#
    );
    let map = Value::map_of_interfaces([(GoString::from(&b"\xff"[..]), string(b"x"))]);
    assert_eq!(
        comes_back(&map),
        r#"{"$map":[[{"$bytes":"/w==","$type":"string"},"x"]]}"#
    );
    // Without the option, the bytes are lost.
    let cookie = codecs().seal("sid", &map.to_vec()).unwrap();
    let plain = silverback(["decode", "--keys", KEYS, "--name", "sid", &cookie], "").ok();
    assert_eq!(plain, "{\"\u{fffd}\":\"x\"}\n");
    let mut random = Random(7);
    for _ in 0..20 {
        let bytes = random.bytes();
        assert_eq!(round_trip(&bytes, "raw").1, bytes);
        comes_back(&Value::String(bytes.into()));
    }
}

#[test]
fn types_and_values_of_other_programs_come_back() {
    let typed = Value::map_of_interfaces([("n", Interface::from(7_i64)), ("half", 0.5_f32.into())]);
    assert_eq!(
        comes_back(&typed),
        r#"{"half":{"$type":"float32","$value":0.5},"n":{"$type":"int64","$value":7}}"#
    );
    #[derive(serde::Serialize)]
    #[serde(rename = "main.User")]
    struct User {
        name: String,
    }
    let user = gob::to_value(&User {
        name: "ape".to_owned(),
    })
    .unwrap();
    assert!(comes_back(&user).starts_with("{\"$gob\":\""));
    let held = Value::map_of_interfaces([("user", Interface::of("main.User", user))]);
    assert!(comes_back(&held).starts_with(r#"{"user":{"$gob":""#));
    for minus_zero in [
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::from_bits(0x7ff8_0000_0000_0001),
    ] {
        comes_back(&Value::map_of_interfaces([(
            "f",
            Interface::from(minus_zero),
        )]));
    }
    // A session has another type of map.
    let strings = Value::map_of_strings([("a", Interface::from("b"))]);
    assert!(comes_back(&strings).starts_with("{\"$gob\":\""));
    let mut deep: Interface = 1_i64.into();
    for _ in 0..300 {
        deep = Interface::of("[]interface {}", Value::slice_of_interfaces([deep]));
    }
    comes_back(&Value::map_of_interfaces([("deep", deep)]));
}

#[test]
fn encode_refuses_a_text_that_is_not_exact() {
    for text in [
        "null",
        r#"{"a":{"$type":"int64"}}"#,
        r#"{"$gob":"!"}"#,
        r#"{"$map":[["a"]]}"#,
        "{",
    ] {
        let arguments = ["encode", "--exact", "--keys", KEYS, "--name", "sid"];
        silverback(arguments, text).fails(2);
    }
}
