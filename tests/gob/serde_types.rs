//! serde types as gob, and back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use silverback::gob::{
    Interface, Shape, Time, Type, Value, from_slice, from_value, to_value, to_vec,
};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "web.User")]
struct User {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Age")]
    age: u8,
    #[serde(rename = "Balance")]
    balance: i64,
    #[serde(rename = "Ratio")]
    ratio: f64,
    #[serde(rename = "Admin")]
    admin: bool,
    #[serde(rename = "Key")]
    key: Vec<u8>,
    #[serde(rename = "Tags")]
    tags: Vec<String>,
    #[serde(rename = "Boss")]
    boss: Option<Box<User>>,
    #[serde(rename = "Grid", default)]
    grid: [u16; 3],
    #[serde(rename = "Scores", default)]
    scores: BTreeMap<String, i32>,
}

fn user() -> User {
    User {
        name: "ape".into(),
        age: 7,
        balance: -1 << 40,
        ratio: 0.5,
        admin: true,
        key: vec![0, 255],
        tags: vec!["a".into(), String::new()],
        boss: Some(Box::new(User {
            name: "boss".into(),
            tags: vec!["b".into()],
            scores: BTreeMap::from([("x".into(), 1)]),
            ..User::default()
        })),
        grid: [0, 1, 2],
        scores: BTreeMap::from([("a".into(), -1), ("b".into(), 0)]),
    }
}

#[test]
fn structs_are_read_back() {
    let bytes = to_vec(&user()).unwrap();
    assert_eq!(from_slice::<User>(&bytes).unwrap(), user());
    let all_zero = User::default();
    assert_eq!(
        from_slice::<User>(&to_vec(&all_zero).unwrap())
            .unwrap()
            .grid,
        [0; 3]
    );
}

#[test]
fn a_struct_has_gos_name_and_fields() {
    let Value::Composite(composite) = to_value(&user()).unwrap() else {
        panic!("a struct")
    };
    assert_eq!(*composite.defined().name(), *"User");
    let Shape::Struct(fields) = composite.defined().shape() else {
        panic!("a struct")
    };
    let of = |name: &str| {
        let field = fields.iter().find(|(field, _)| *field == *name);
        field.map(|(_, of)| of.clone())
    };
    assert_eq!(of("Name"), Some(Type::String));
    assert_eq!(of("Age"), Some(Type::Uint));
    assert_eq!(of("Key"), Some(Type::Bytes));
    assert!(
        matches!(of("Tags"), Some(Type::Defined(of)) if of.shape() == Shape::Slice(Type::String))
    );
}

#[test]
fn zeros_are_left_out_and_read_back() {
    let boss = User {
        name: "boss".into(),
        ..User::default()
    };
    let Value::Composite(composite) = to_value(&boss).unwrap() else {
        panic!("a struct")
    };
    let sent: Vec<_> = composite
        .fields()
        .map(|(name, _)| name.to_string_lossy())
        .collect();
    assert_eq!(sent, ["Name", "Grid"], "Go sends arrays");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Login,
    Visit(String),
    Move { x: i32, y: i32 },
    Pair(u8, String),
}

#[test]
fn other_shapes_are_read_back() {
    fn assert_read_back<
        T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    >(
        value: T,
    ) {
        let bytes = to_vec(&value).unwrap();
        assert_eq!(from_slice::<T>(&bytes).unwrap(), value);
    }

    assert_read_back(String::from("ape"));
    assert_read_back('é');
    assert_read_back(i64::MIN);
    assert_read_back(u64::MAX);
    assert_read_back(0.1_f32);
    assert_read_back(vec![1_u16, 2]);
    assert_read_back(vec![0_u8, 255]);
    assert_read_back(Vec::<String>::new());
    assert_read_back(vec![vec!["a".to_string()], vec![]]);
    assert_read_back([1_i8, -1]);
    assert_read_back((1_u8, "two".to_string(), 3.5));
    assert_read_back(Some(7));
    assert_read_back(vec![Some(7), None]);
    assert_read_back(BTreeMap::from([
        (1_u32, "one".to_string()),
        (2, "two".into()),
    ]));
    assert_read_back(vec![
        Event::Login,
        Event::Visit("/".into()),
        Event::Move { x: 1, y: 0 },
        Event::Pair(1, "one".into()),
    ]);
    assert_read_back(serde_json::json!({ "a": [1, "two", 0.5, null, { "b": true }], "c": {} }));
}

#[test]
fn values_that_go_cannot_hold_are_errors() {
    assert!(to_vec(&()).is_err());
    assert!(to_vec(&None::<u8>).is_err());
    assert!(to_vec(&(1_i128 << 100)).is_err());
    // Go panics on a map key that is a slice.
    assert!(to_vec(&BTreeMap::from([(vec![1_u8], 1)])).is_err());
    assert!(to_vec(&BTreeMap::from([(vec!["a"], 1)])).is_err());
}

#[test]
fn serde_values_are_nested_128_deep_and_no_deeper() {
    let nested = |depth| {
        let mut value = serde_json::json!(1);
        for _ in 0..depth {
            value = serde_json::json!([value]);
        }
        value
    };
    let deepest = to_vec(&nested(128)).unwrap();
    assert_eq!(
        from_slice::<serde_json::Value>(&deepest).unwrap(),
        nested(128)
    );
    assert!(to_vec(&nested(129)).is_err());

    // A value of Go may be nested deeper than a serde type can read.
    let mut deeper = Value::slice_of_interfaces([1_i64.into()]);
    for depth in 2..=129 {
        let inner = Interface::of("[]interface {}", deeper);
        deeper = Value::slice_of_interfaces([inner]);
        let read = silverback::gob::from_value::<serde_json::Value>(&deeper);
        assert_eq!(read.is_ok(), depth <= 128, "{depth}");
    }
}

#[test]
fn integers_are_read_by_value_and_overflow_is_an_error() {
    let bytes = to_vec(&300_i64).unwrap();
    assert_eq!(from_slice::<u16>(&bytes).unwrap(), 300);
    assert!(from_slice::<u8>(&bytes).is_err() && from_slice::<i8>(&bytes).is_err());
    assert!(from_slice::<u64>(&to_vec(&-1).unwrap()).is_err());
}

#[test]
fn unknown_fields_are_skipped_and_missing_ones_are_zero() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Less {
        #[serde(rename = "Name")]
        name: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct More {
        #[serde(rename = "Name", alias = "FullName")]
        name: String,
        #[serde(rename = "Elsewhere")]
        elsewhere: String,
        #[serde(rename = "Pair")]
        pair: (u8, [i32; 2]),
        #[serde(rename = "Inner")]
        inner: Less,
    }

    let bytes = to_vec(&user()).unwrap();
    assert_eq!(from_slice::<Less>(&bytes).unwrap().name, "ape");
    let more = from_slice::<More>(&bytes).unwrap();
    assert_eq!(
        (&*more.name, &*more.elsewhere, more.pair),
        ("ape", "", (0, [0, 0]))
    );
    assert_eq!(
        more.inner,
        Less {
            name: String::new()
        }
    );
}

#[test]
fn an_interface_is_read_as_its_content() {
    let session = Value::map_of_interfaces([
        ("name", Interface::from("ape")),
        ("visits", Interface::from(7_isize)),
        ("gone", Interface::nil()),
        (
            "flashes",
            Interface::of("[]interface {}", Value::slice_of_interfaces(["hi".into()])),
        ),
    ]);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Session {
        name: String,
        visits: u32,
        gone: Option<String>,
        flashes: Vec<String>,
    }

    let read: Session = from_value(&Value::from_slice(&session.to_vec()).unwrap()).unwrap();
    let expected = Session {
        name: "ape".into(),
        visits: 7,
        gone: None,
        flashes: vec!["hi".into()],
    };
    assert_eq!(read, expected);
}

#[test]
fn a_time_is_read_as_text_or_bytes() {
    let mut bytes = vec![1, 0, 0, 0, 14];
    bytes.extend([0xe8, 0xb7, 0x87, 0xcf, 0, 0, 0, 0, 255, 255]);
    let time = Time::from_bytes(&bytes).unwrap();
    assert_eq!(time.to_string(), "2030-02-25T22:01:51Z");
    assert_eq!(time.unix_seconds(), Some(1_898_287_311));
}

/// serde gets text of RFC 3339, in which an offset has no seconds. The instant must be the same.
#[test]
fn a_time_with_seconds_in_its_offset_is_read_as_the_same_instant() {
    // Go's bytes for `map[interface{}]interface{}{"t": t}`, with t = 00:00:01Z in a zone 1:01:01
    // east of UTC.
    let from_go = base16ct::lower::decode_vec(
        "0eff81040102ff820001100110000029ff82000106737472696e670c030001740974696d652e54696d65\
         7f0501010454696d6501ff8000000015ff80120010020000000e7791f70100000000003d01",
    )
    .unwrap();
    let read: BTreeMap<String, String> = from_slice(&from_go).unwrap();
    let text = &read["t"];
    let time: Time = text.parse().unwrap();
    assert_eq!(time.unix_seconds().unwrap().rem_euclid(86_400), 1, "{text}");
    let read: BTreeMap<String, Time> = from_slice(&from_go).unwrap();
    assert_eq!(read["t"], time);
}

/// For these types serde buffers its input, so that the zeros come from the types on the wire.
#[test]
fn zeros_are_read_back_if_serde_buffers() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        A { n: i64, s: String },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        A { n: i64, on: bool },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        A { n: i64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
        other: u8,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        k: i64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Plain {
        A { n: i64, list: Vec<u16> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        tagged: Tagged,
        untagged: Untagged,
        adjacent: Adjacent,
        plain: Plain,
    }

    let whole = Whole {
        tagged: Tagged::A {
            n: 0,
            s: String::new(),
        },
        untagged: Untagged::A { n: 0, on: false },
        adjacent: Adjacent::A { n: 0 },
        plain: Plain::A { n: 0, list: vec![] },
    };
    assert_eq!(
        from_slice::<Whole>(&to_vec(&whole).unwrap()).unwrap(),
        whole
    );
    let flat = Flat {
        inner: Inner { k: 0 },
        other: 0,
    };
    assert_eq!(from_slice::<Flat>(&to_vec(&flat).unwrap()).unwrap(), flat);
}

#[test]
fn a_missing_field_is_gos_zero_and_not_serdes_default() {
    #[derive(Serialize)]
    struct Written {
        on: bool,
        n: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Read {
        #[serde(default = "yes")]
        on: bool,
        #[serde(default = "ten")]
        n: i64,
    }

    fn yes() -> bool {
        true
    }

    fn ten() -> i64 {
        10
    }

    let bytes = to_vec(&Written { on: false, n: 0 }).unwrap();
    assert_eq!(
        from_slice::<Read>(&bytes).unwrap(),
        Read { on: false, n: 0 }
    );
}

#[test]
fn lists_of_empty_lists_are_not_lost() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lists {
        v: Vec<Vec<i64>>,
        b: Option<Vec<Vec<u8>>>,
        m: BTreeMap<String, i64>,
    }

    let lists = Lists {
        v: vec![vec![], vec![]],
        b: Some(vec![vec![], vec![]]),
        m: BTreeMap::new(),
    };
    assert_eq!(
        from_slice::<Lists>(&to_vec(&lists).unwrap()).unwrap(),
        lists
    );
}

#[test]
fn recursive_enums_are_read_as_deep_as_they_are_written() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Chain {
        End,
        Link { next: Box<Chain> },
    }

    let mut chain = Chain::End;
    for _ in 0..60 {
        chain = Chain::Link {
            next: Box::new(chain),
        };
    }
    assert_eq!(
        from_slice::<Chain>(&to_vec(&chain).unwrap()).unwrap(),
        chain
    );
}

#[test]
fn a_float_that_does_not_fit_is_an_error() {
    assert!(from_slice::<f32>(&to_vec(&1e300).unwrap()).is_err());
    assert_eq!(
        from_slice::<f32>(&to_vec(&f64::INFINITY).unwrap()).unwrap(),
        f32::INFINITY
    );
}

#[test]
fn maps_and_lists_in_interfaces_have_registered_types() {
    let held = |json: serde_json::Value| {
        let list = to_value(&serde_json::json!([json, 7.5])).unwrap();
        let Value::Composite(list) = list else {
            panic!("a list")
        };
        let Some(Value::Interface(held)) = list.elements().first() else {
            panic!("an interface")
        };
        held.name().to_string_lossy().into_owned()
    };
    assert_eq!(held(serde_json::json!({"x": 1})), "map[string]interface {}");
    assert_eq!(
        held(serde_json::json!({"x": "y", "z": 1})),
        "map[string]interface {}"
    );
    assert_eq!(held(serde_json::json!({})), "map[string]interface {}");
    assert_eq!(held(serde_json::json!([])), "[]interface {}");
    assert_eq!(held(serde_json::json!([1, "a"])), "[]interface {}");
    assert_eq!(held(serde_json::json!(["a", "b"])), "[]string");
}

#[test]
fn a_string_is_read_as_bytes_and_not_as_other_numbers() {
    let text = to_vec("ape").unwrap();
    assert_eq!(from_slice::<Vec<u8>>(&text).unwrap(), b"ape");
    assert_eq!(from_slice::<[u8; 3]>(&text).unwrap(), *b"ape");
    assert!(from_slice::<Vec<u64>>(&text).is_err());
    assert!(from_slice::<(i32, i32, i32)>(&text).is_err());
    let bytes = to_vec(&b"ape".to_vec()).unwrap();
    assert_eq!(from_slice::<Vec<u64>>(&bytes).unwrap(), [97, 112, 101]);
}

/// Reads only bytes.
#[derive(Debug, PartialEq)]
struct Raw(Vec<u8>);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyBytes;

        impl serde::de::Visitor<'_> for OnlyBytes {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(OnlyBytes)
    }
}

#[test]
fn a_type_that_reads_bytes_gets_those_of_any_string_or_self_encoded_value() {
    let time = Time::from_unix(7, 8).unwrap();
    for (interface, bytes) in [
        (Interface::from("ape"), b"ape".to_vec()),
        (Interface::from(vec![0, 255]), vec![0, 255]),
        (Interface::from(time), time.to_bytes()),
    ] {
        let value = Value::Interface(interface);
        assert_eq!(from_value::<Raw>(&value).unwrap(), Raw(bytes.clone()));
        assert_eq!(from_value::<Vec<u8>>(&value).unwrap(), bytes);
    }
}

#[test]
fn a_struct_without_a_common_field_is_refused() {
    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default)]
    struct Other {
        other: i64,
    }

    #[derive(Debug, Deserialize)]
    struct Empty {}

    let of_struct = to_value(&user()).unwrap();
    let of_map = Value::map_of_interfaces([("visits", 7_i64.into())]);
    for value in [of_struct, of_map] {
        assert!(from_value::<Other>(&value).is_err());
        assert!(from_value::<Empty>(&value).is_ok());
    }
    let no_entries: [(&str, Interface); 0] = [];
    let empty = Value::map_of_strings(no_entries);
    assert_eq!(from_value::<Other>(&empty).unwrap(), Other::default());
}

#[test]
fn a_variant_without_content_has_none() {
    #[derive(Debug, Deserialize)]
    enum Unit {
        Visit,
    }

    let visit = to_value(&Event::Visit("home".into())).unwrap();
    let refused = from_value::<Unit>(&visit).unwrap_err();
    let says = "a variant without content has content";
    assert!(refused.to_string().contains(says), "{refused}");
}

/// A field that is read as zero, and then reported as missing again, is an error.
#[test]
fn a_type_that_always_misses_a_field_is_refused() {
    #[derive(Debug)]
    struct Insatiable;

    impl<'de> Deserialize<'de> for Insatiable {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            #[serde(rename = "S")]
            struct Fields {
                #[expect(dead_code, reason = "it is only read")]
                #[serde(rename = "Name")]
                name: String,
            }

            Fields::deserialize(deserializer)?;
            Err(serde::de::Error::missing_field("More"))
        }
    }

    assert!(from_value::<Insatiable>(&to_value(&user()).unwrap()).is_err());
}
