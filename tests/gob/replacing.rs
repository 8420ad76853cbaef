//! [`to_interface_like`]: a value that replaces a Go value has the Go type of that value.

use std::collections::BTreeMap;

use serde::Serialize;
use silverback::gob::{
    GoString, Interface, SelfEncoded, SelfEncoder, Time, Value, as_uuid, to_interface,
    to_interface_like, to_value,
};

use super::memory::{int, map_of, struct_of, value_of, value_of_struct};

fn shown(interface: &Interface) -> (GoString, Vec<u8>) {
    let value = interface.value().expect("it is not nil");
    (interface.name().clone(), value.to_vec())
}

/// Checks that `value` becomes `expected` if it replaces `existing`.
#[track_caller]
fn becomes<T: Serialize + ?Sized>(
    existing: impl Into<Interface>,
    value: &T,
    expected: impl Into<Interface>,
) {
    let fitted = to_interface_like(&existing.into(), value).unwrap();
    let fitted = fitted.expect("it fits");
    assert_eq!(shown(&fitted), shown(&expected.into()));
}

#[track_caller]
fn does_not_fit<T: Serialize + ?Sized>(existing: impl Into<Interface>, value: &T) {
    let fitted = to_interface_like(&existing.into(), value).unwrap();
    assert!(fitted.is_none(), "{fitted:?}");
}

#[test]
fn a_number_has_the_type_of_the_number_that_it_replaces() {
    becomes(7_u64, &8_i64, 8_u64);
    becomes(7_i64, &8_u64, 8_i64);
    becomes(7_isize, &8_i8, 8_isize);
    becomes(7_i8, &127_i64, 127_i8);
    becomes(1.5_f32, &2.5_f64, 2.5_f32);
    does_not_fit(7_u64, &-1_i64);
    does_not_fit(7_i64, &u64::MAX);
    does_not_fit(7_i8, &128_i64);
    does_not_fit(7_u8, &256_i64);
    does_not_fit(1.5_f32, &0.1_f64);
    does_not_fit(7_i64, "8");
    does_not_fit("ape", &8_i64);
    does_not_fit(true, &8_i64);
    // gob does not contain the width of a program's own type.
    let level = |value: i64| Interface::of("main.Level", Value::Int(value));
    becomes(level(1), &1_000_u32, level(1_000));
    does_not_fit(level(1), "8");
}

#[test]
fn a_number_fits_the_width_that_the_registered_name_gives() {
    let int = |name: &str| Interface::of(name, Value::Int(1));
    for (name, last) in [
        ("int8", i64::from(i8::MAX)),
        ("int16", i64::from(i16::MAX)),
        ("int32", i64::from(i32::MAX)),
    ] {
        assert!(to_interface_like(&int(name), &last).unwrap().is_some());
        does_not_fit(int(name), &(last + 1));
    }
    let uint = |name: &str| Interface::of(name, Value::Uint(1));
    for (name, last) in [
        ("uint8", u64::from(u8::MAX)),
        ("uint16", u64::from(u16::MAX)),
        ("uint32", u64::from(u32::MAX)),
    ] {
        assert!(to_interface_like(&uint(name), &last).unwrap().is_some());
        does_not_fit(uint(name), &(last + 1));
    }
    let complex = |re, im| Interface::of("complex64", Value::Complex(re, im));
    becomes(complex(1.0, 2.0), &(0.5, 0.25), complex(0.5, 0.25));
    does_not_fit(complex(1.0, 2.0), &(0.5, 0.1));
    does_not_fit(complex(1.0, 2.0), &(0.1, 0.5));
}

#[test]
fn bytes_and_complex_numbers_are_made_of_lists() {
    becomes(vec![7_u8], &vec![0_u8, 255], vec![0_u8, 255]);
    becomes(vec![7_u8], &[0_u8, 255], vec![0_u8, 255]);
    does_not_fit(vec![7_u8], &vec![0_i64]);
    does_not_fit("ape", &vec![b'a']);
    let complex = |re, im| Interface::of("complex128", Value::Complex(re, im));
    becomes(complex(1.0, 2.0), &(3.5, 4.5), complex(3.5, 4.5));
    does_not_fit(complex(1.0, 2.0), &[1.0]);
    does_not_fit(complex(1.0, 2.0), &[1_i64, 2]);
}

#[test]
fn a_list_has_the_element_type_and_an_array_its_length() {
    let list = |values: &[i64]| {
        let written = to_interface(values).unwrap();
        Interface::of("[]int8", written.value().unwrap().clone())
    };
    becomes(list(&[1]), &[2_i64, 127], list(&[2, 127]));
    does_not_fit(list(&[1]), &[128_i64]);
    does_not_fit(list(&[1]), &["a"]);
    does_not_fit(list(&[1]), &7_i64);
    becomes([7_u8; 4], &[8_u8, 9, 10, 11], [8_u8, 9, 10, 11]);
    does_not_fit([7_u8; 4], &[8_u8; 3]);
    // Go has a UUID as an array of 16 bytes.
    let uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f";
    let bytes: [u8; 16] = std::array::from_fn(|place| place as u8);
    becomes([7_u8; 16], uuid, bytes);
    does_not_fit([7_u8; 4], uuid);
    does_not_fit([7_u8; 16], "no UUID");
    does_not_fit([7_u8; 16], &uuid.replacen('-', "_", 1));
}

fn strings(entries: [(&str, Interface); 2]) -> Interface {
    Interface::of("map[string]interface {}", Value::map_of_strings(entries))
}

#[test]
fn a_map_keeps_the_type_of_each_value_under_its_key() {
    let existing = strings([("a", 1_i8.into()), ("b", "old".into())]);
    let value = BTreeMap::from([("a", 5_i64), ("c", 6)]);
    let expected = strings([("a", 5_i8.into()), ("c", 6_i64.into())]);
    becomes(existing.clone(), &value, expected);
    // A value that does not fit gets the type of a new one.
    let value = BTreeMap::from([("a", 300_i64), ("b", 6)]);
    let expected = strings([("a", 300_i64.into()), ("b", 6_i64.into())]);
    becomes(existing.clone(), &value, expected);
    does_not_fit(existing, &[1_i64]);
}

#[test]
fn a_struct_replaces_the_values_of_a_map_by_name() {
    #[derive(Serialize)]
    struct Settings {
        a: i64,
        b: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        c: Option<i64>,
    }

    let settings = Settings {
        a: 5,
        b: "new".into(),
        c: None,
    };
    let existing = [("a", 1_i8.into()), ("b", "old".into())];
    let expected = [("a", 5_i8.into()), ("b", "new".into())];
    becomes(
        strings(existing.clone()),
        &settings,
        strings(expected.clone()),
    );
    let name = "map[interface {}]interface {}";
    let interfaces =
        |entries: [(&str, Interface); 2]| Interface::of(name, Value::map_of_interfaces(entries));
    becomes(interfaces(existing), &settings, interfaces(expected));
}

/// Returns a `map[KEY]interface {}` with these keys, and an `int8` and an `int16` as values.
fn map_with_keys(key_type: i64, name: &str, keys: [&[u8]; 2]) -> Interface {
    let [one, two] = keys;
    let int8 = [&[4][..], b"int8", &int(2), &[2, 0, 2]].concat();
    let int16 = [&[5][..], b"int16", &int(2), &[2, 0, 2]].concat();
    let body = [&[2][..], one, &int8, two, &int16].concat();
    let bytes = [map_of(65, key_type, 8), value_of(65, &body)].concat();
    Interface::of(name, Value::from_slice(&bytes).unwrap())
}

/// Returns the registered name of the only value in a map.
fn name_of_value(map: Option<Interface>) -> String {
    let Some(Value::Composite(map)) = map.expect("it fits").value().cloned() else {
        panic!("a map")
    };
    match map.entries().next() {
        Some((_, Value::Interface(value))) => value.name().to_string_lossy().into_owned(),
        _ => panic!("a map of interfaces"),
    }
}

#[test]
fn keys_are_equal_by_their_value_whatever_their_type_in_rust() {
    let ints = map_with_keys(2, "map[int]interface {}", [&int(1), &int(2)]);
    let by_uint = to_interface_like(&ints, &BTreeMap::from([(2_u64, 7)]));
    assert_eq!(name_of_value(by_uint.unwrap()), "int16");
    let uints = map_with_keys(3, "map[uint]interface {}", [&[1], &[2]]);
    let by_int = to_interface_like(&uints, &BTreeMap::from([(2_i64, 7)]));
    assert_eq!(name_of_value(by_int.unwrap()), "int16");
}

#[test]
fn keys_that_are_floats_are_found() {
    // 1.5 and 2.5
    let keys: [&[u8]; 2] = [&[0xfe, 0xf8, 0x3f], &[0xfe, 4, 0x40]];
    let floats = map_with_keys(4, "map[float64]interface {}", keys);

    struct OfFloat(f64);

    impl Serialize for OfFloat {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, 7_i64)])
        }
    }

    let names = [1.5, 2.5, 3.5].map(|key| {
        let fitted = to_interface_like(&floats, &OfFloat(key));
        name_of_value(fitted.unwrap())
    });
    assert_eq!(names, ["int8", "int16", "int64"]);
}

#[derive(Serialize)]
#[serde(rename = "web.User", rename_all = "PascalCase")]
struct User {
    name: String,
    age: i64,
}

fn user(name: &str, age: i64) -> User {
    let name = name.to_owned();
    User { name, age }
}

#[test]
fn a_struct_has_the_fields_of_the_struct_that_it_replaces() {
    let existing = || to_interface(&user("ape", 7)).unwrap();
    let of = |entries: &[(&'static str, i64)]| BTreeMap::from_iter(entries.iter().copied());
    becomes(
        existing(),
        &user("bear", 0),
        to_interface(&user("bear", 0)).unwrap(),
    );
    // A field that is missing becomes zero.
    becomes(
        existing(),
        &of(&[("Age", 8)]),
        to_interface(&user("", 8)).unwrap(),
    );
    // A field that Go's struct does not have may be zero.
    becomes(
        existing(),
        &of(&[("Age", 8), ("Other", 0)]),
        to_interface(&user("", 8)).unwrap(),
    );
    does_not_fit(existing(), &of(&[("Age", 8), ("Other", 1)]));
    does_not_fit(existing(), &of(&[("Other", 0)]));
    becomes(existing(), &of(&[]), to_interface(&user("", 0)).unwrap());
    does_not_fit(existing(), &of(&[("Name", 8)]));
    does_not_fit(existing(), &BTreeMap::from([(1_i64, 8_i64)]));
    does_not_fit(existing(), "ape");

    #[derive(Serialize)]
    #[serde(rename = "web.User", rename_all = "PascalCase")]
    struct OnlyAge {
        age: i64,
    }

    becomes(
        existing(),
        &OnlyAge { age: 8 },
        to_interface(&user("", 8)).unwrap(),
    );
}

/// Go sends a zero in an interface, and leaves out other zero fields.
#[test]
fn a_zero_field_is_sent_in_an_interface_only() {
    let read = |of: i64, body: &[u8]| {
        let bytes = [struct_of(65, of, 1), value_of_struct(65, body)].concat();
        Interface::of("main.S", Value::from_slice(&bytes).unwrap())
    };
    let zero = BTreeMap::from([("F0", 0_i64)]);
    let int8 = |value: u8| [&[1, 4][..], b"int8", &int(2), &[2, 0, value, 0]].concat();
    becomes(read(8, &int8(2)), &zero, read(8, &int8(0)));
    becomes(read(2, &[1, 2, 0]), &zero, read(2, &[0]));
}

#[test]
fn a_key_that_go_cannot_hash_is_an_error() {
    let entries = [("a", 1_i64.into()), ("b", 2_i64.into())];
    let existing = Interface::of(
        "map[interface {}]interface {}",
        Value::map_of_interfaces(entries),
    );
    let by_list = BTreeMap::from([(vec![1_i64], 2_i64)]);
    assert!(to_interface_like(&existing, &by_list).is_err());
}

#[test]
fn text_of_a_time_replaces_a_time_and_keeps_the_zone_of_the_same_instant() {
    let time = |text: &str| text.parse::<Time>().unwrap();
    let existing = time("2030-01-01T01:00:00+01:00");
    becomes(existing, "2030-01-01T00:00:00Z", existing);
    let later = "2030-01-01T00:00:01Z";
    becomes(existing, later, time(later));
    becomes(existing, &time(later), time(later));
    becomes(existing, &existing.to_bytes(), existing);
    does_not_fit(existing, &time(later).to_bytes());
    let big = SelfEncoded::new("big.Int", SelfEncoder::Gob, existing.to_bytes());
    does_not_fit(existing, &big.unwrap());
    does_not_fit(existing, "tomorrow");
    does_not_fit(existing, &7_i64);
    // Text is also a time if no existing one is in its place.
    let list = |times: &[Time]| {
        let times = to_value(&times.to_vec()).unwrap();
        Interface::of("[]time.Time", times)
    };
    let texts = ["2030-01-01T00:00:00Z", later];
    becomes(list(&[time(later)]), &texts, list(&texts.map(time)));
}

/// The type of a field has no registered name, but its own name.
#[test]
fn a_field_is_replaced_by_a_value_of_its_own_type() {
    #[derive(Serialize)]
    #[serde(rename = "main.Event")]
    struct Event<T> {
        at: T,
    }

    let at = |at: Time| to_interface(&Event { at }).unwrap();
    let [one, other] = [7, 8].map(|seconds| Time::from_unix(seconds, 0).unwrap());
    becomes(at(one), &Event { at: other }, at(other));
    let big = SelfEncoded::new("big.Int", SelfEncoder::Gob, [2, 7]).unwrap();
    does_not_fit(at(one), &Event { at: big });
}

#[derive(Serialize)]
struct Id<T: Serialize>(#[serde(with = "as_uuid")] T);

#[test]
fn text_or_16_bytes_replace_a_uuid() {
    let text = "00010203-0405-0607-0809-0a0b0c0d0e0f";
    let uuid = |text: &str| to_interface(&Id(text)).unwrap();
    let existing = uuid("ffffffff-ffff-ffff-ffff-ffffffffffff");
    let bytes: [u8; 16] = std::array::from_fn(|place| place as u8);
    becomes(existing.clone(), text, uuid(text));
    becomes(existing.clone(), &bytes, uuid(text));
    becomes(existing.clone(), &Id(text), uuid(text));
    does_not_fit(existing.clone(), &[7_u8; 15]);
    does_not_fit(existing.clone(), "2030-01-01T00:00:00Z");
    does_not_fit(existing, &Time::from_unix(0, 0).unwrap());
}

/// A Go program could refuse bytes that its type did not write.
#[test]
fn other_self_encoding_types_are_replaced_by_their_own_values() {
    let of = |name: &str, by, bytes: &[u8]| SelfEncoded::new(name, by, bytes.to_vec()).unwrap();
    let existing = || Interface::from(of("big.Int", SelfEncoder::Gob, &[1, 2]));
    becomes(existing(), &[1_u8, 2], existing());
    does_not_fit(existing(), &[1_u8, 3]);
    does_not_fit(existing(), "2030-01-01T00:00:00Z");
    let other = of("big.Int", SelfEncoder::Gob, &[7]);
    becomes(existing(), &other, other.clone());
    does_not_fit(existing(), &of("big.Rat", SelfEncoder::Gob, &[7]));
    does_not_fit(existing(), &of("big.Int", SelfEncoder::Binary, &[7]));
    does_not_fit(existing(), &Time::from_unix(0, 0).unwrap());
    let binary = || Interface::from(of("url.URL", SelfEncoder::Binary, &[1, 2]));
    does_not_fit(binary(), "2030-01-01T00:00:00Z");
    does_not_fit(binary(), &[7_u8; 16]);
}
