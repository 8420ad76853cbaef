//! Values are changed in place, and all other values stay as they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use silverback::gob::{
    Composite, GoString, Int, Interface, SelfEncoded, SelfEncoder, Time, Value, from_value,
    to_interface, to_value,
};

use super::malformed::{SLICE, slice_of, value_of_slice};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "web.User", rename_all = "PascalCase")]
struct User {
    name: String,
    age: i64,
    visits: i64,
}

fn composite<T: Serialize>(value: &T) -> Composite {
    match to_value(value).unwrap() {
        Value::Composite(composite) => composite,
        other => panic!("{other:?}"),
    }
}

fn user() -> Composite {
    let name = "ape".to_owned();
    let (age, visits) = (7, 9);
    composite(&User { name, age, visits })
}

#[test]
fn a_field_is_set_to_a_value_of_its_type() {
    let mut changed = user();
    assert!(changed.set_field("Age", Value::Int(8)));
    assert!(!changed.set_field("Age", Value::String("8".into())));
    assert!(!changed.set_field("Height", Value::Int(8)));
    assert!(matches!(changed.field("Age"), Some(Value::Int(8))));
    assert!(changed.field("Height").is_none());
    let names = changed.fields().map(|(name, _)| name.to_string_lossy());
    assert_eq!(names.collect::<Vec<_>>(), ["Name", "Age", "Visits"]);
    assert!(changed.set_field("Visits", Value::Int(10)));
    let read: User = from_value(&Value::Composite(changed)).unwrap();
    assert_eq!((&*read.name, read.age, read.visits), ("ape", 8, 10));
}

fn numbers() -> Composite {
    composite(&BTreeMap::from([(1_i64, 1_i64), (2, 2), (3, 3), (4, 4)]))
}

fn read(map: Composite) -> Vec<(i64, i64)> {
    let map: BTreeMap<i64, i64> = from_value(&Value::Composite(map)).unwrap();
    map.into_iter().collect()
}

#[test]
fn an_entry_is_set_or_removed_by_its_place() {
    let mut map = numbers();
    map.set_entry(2, 8_i64.into()).unwrap();
    assert!(map.set_entry(4, 8_i64.into()).is_err());
    assert!(map.set_entry(0, "text".into()).is_err());
    assert_eq!(read(map), [(1, 1), (2, 2), (3, 8), (4, 4)]);
    let mut map = numbers();
    assert!(!map.remove_entry(4));
    assert!(map.remove_entry(2));
    assert_eq!(read(map.clone()), [(1, 1), (2, 2), (4, 4)]);
    assert!(map.remove_entry(2) && !map.remove_entry(2));
    assert_eq!(read(map), [(1, 1), (2, 2)]);
    let mut list = composite(&vec!["a", "b"]);
    assert!(list.set_entry(0, "c".into()).is_err() && !list.remove_entry(0));
}

#[test]
fn a_map_takes_only_values_of_its_type() {
    let mut lists = composite(&BTreeMap::from([("a", vec![1_i64])]));
    let list = lists.get("a").unwrap().clone();
    lists.insert("b", Interface::of("[]int64", list)).unwrap();
    let same = to_value(&vec![1_i64]).unwrap();
    let other = Interface::of("[]int64", same);
    assert!(
        lists.insert("c", other).is_err(),
        "the type of another message"
    );
    assert!(lists.insert("c", 1_i64.into()).is_err());
    assert_eq!(lists.entries().count(), 2);
    assert!(numbers().insert("a", 1_i64.into()).is_err());
}

#[test]
fn only_a_map_is_a_map_and_only_a_string_has_text() {
    let map = Value::Composite(numbers());
    let list = Value::slice_of_interfaces([]);
    assert!(map.is_map() && !list.is_map() && !Value::Int(7).is_map());
    let text = |value: &Value| {
        value
            .as_string()
            .map(|text| text.to_string_lossy().into_owned())
    };
    assert_eq!(text(&Value::String("ape".into())).as_deref(), Some("ape"));
    assert_eq!(
        text(&Value::Interface("ape".into())).as_deref(),
        Some("ape")
    );
    let named = Interface::of("main.UserID", Value::String("ape".into()));
    assert_eq!(text(&Value::Interface(named)), None);
    assert_eq!(text(&map), None);
    assert_eq!(GoString::from(vec![0xff, b'a']).as_bytes(), b"\xffa");
}

#[test]
fn the_names_of_all_types_in_interfaces_are_known() {
    let map = Value::map_of_strings([("a", 7_isize.into()), ("b", Interface::nil())]);
    let interface = Interface::of("map[string]interface {}", map);
    let names = interface
        .registered_names()
        .map(|name| name.to_string_lossy());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["map[string]interface {}", "int"]
    );
}

#[test]
fn go_types_have_their_registered_names() {
    let time = Time::from_unix(7, 8).unwrap();
    let big = SelfEncoded::new("big.Int", SelfEncoder::Gob, [2, 7]).unwrap();
    assert_eq!((big.name(), big.bytes()), ("big.Int", &[2, 7][..]));
    let url = SelfEncoded::new("url.URL", SelfEncoder::Binary, [7]).unwrap();
    for (interface, name) in [
        (to_interface(&Int(7)).unwrap(), "int"),
        (Interface::from(Int(7)), "int"),
        (to_interface(&time).unwrap(), "time.Time"),
        (to_interface(&big).unwrap(), "big.Int"),
        (to_interface(&url).unwrap(), "url.URL"),
    ] {
        assert_eq!(*interface.name(), *name);
        assert!(Value::slice_of_interfaces([interface]).check().is_ok());
    }
    assert_eq!(from_value::<Int>(&Value::Int(7)).unwrap(), Int(7));
    // The encoder of each is sent.
    for encoded in [big, url] {
        let by = encoded.encoder();
        let Some(Value::SelfEncoded(of, _)) = to_interface(&encoded).unwrap().value().cloned()
        else {
            panic!("self-encoded")
        };
        assert_eq!(of.shape(), silverback::gob::Shape::SelfEncoder(by));
    }
}

/// Go's form of a `big.Int`: a version and the sign in one byte, and the absolute value.
#[test]
fn a_big_int_has_no_leading_zeros_and_zero_no_sign() {
    let bytes = |is_negative, magnitude: &[u8]| {
        SelfEncoded::big_int(is_negative, magnitude)
            .bytes()
            .to_vec()
    };
    assert_eq!(bytes(false, &[0, 0, 1, 0]), [2, 1, 0]);
    assert_eq!(bytes(true, &[7]), [3, 7]);
    assert_eq!(bytes(true, &[0]), [2]);
}

#[test]
fn only_a_self_encoded_time_is_a_time() {
    let time = Time::from_unix(7, 8).unwrap();
    let of = |name: &str, by| {
        let encoded = SelfEncoded::new(name, by, time.to_bytes()).unwrap();
        Time::of(Interface::from(encoded).value().unwrap())
    };
    assert_eq!(of("time.Time", SelfEncoder::Gob), Some(time));
    assert_eq!(of("*time.Time", SelfEncoder::Gob), Some(time));
    assert_eq!(of("time.Time", SelfEncoder::Binary), None);
    assert_eq!(of("big.Int", SelfEncoder::Gob), None);
}

/// Dropping takes one stack frame for all levels.
#[test]
fn values_of_any_depth_are_dropped() {
    let list = |elements: [Value; 2]| {
        let held = elements.map(|element| Interface::of("[]interface {}", element));
        Value::slice_of_interfaces(held)
    };
    let leaf = || Value::slice_of_interfaces(["leaf".into()]);
    let mut deep = leaf();
    for _ in 0..100_000 {
        deep = list([leaf(), deep]);
    }
    drop(deep.clone());
    drop(deep);
    let mut deep = Interface::from("leaf");
    for _ in 0..100_000 {
        deep = Interface::of("interface {}", Value::Interface(deep));
    }
    drop(deep);
    // The deepest lists of lists that are read, on a small stack.
    let body = [vec![1; 2_200], vec![0]].concat();
    let bytes = [slice_of(&SLICE), value_of_slice(&body)].concat();
    let deep = Value::from_slice(&bytes).unwrap();
    let small = std::thread::Builder::new().stack_size(64 << 10);
    small.spawn(move || drop(deep)).unwrap().join().unwrap();
}

#[test]
fn debug_shows_types_and_numbers_of_parts() {
    let secret = Interface::from("secret");
    let list = to_value(&vec!["secret"]).unwrap();
    let encoded = SelfEncoded::new("big.Int", SelfEncoder::Gob, *b"secret").unwrap();
    let shown = [
        format!("{secret:?}"),
        format!("{:?}", Interface::nil()),
        format!("{:?}", Value::Interface(secret)),
        format!("{:?}", Value::String("secret".into())),
        format!("{list:?}"),
        format!("{:?}", user().defined()),
        format!("{encoded:?}"),
        format!("{:?}", GoString::from("text")),
    ];
    let expected = [
        "Interface(string)",
        "Interface(nil)",
        "Interface(string)",
        "Value(String)",
        "Composite(slice \"\", 1 parts)",
        "struct \"User\"",
        "SelfEncoded(big.Int, 6 bytes)",
        "\"text\"",
    ];
    assert_eq!(shown, expected);
}
