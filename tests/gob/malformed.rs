//! Input that Go does not write is refused, within bounds of memory and stack.

use silverback::gob::Value;

/// Returns a message with its length before it.
pub(super) fn message(body: &[u8]) -> Vec<u8> {
    [&uint(body.len() as u64), body].concat()
}

/// Returns gob's form of an unsigned integer.
pub(super) fn uint(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    match value {
        0..128 => vec![value as u8],
        _ => {
            let significant = &bytes[value.leading_zeros() as usize / 8..];
            [&[(significant.len() as u8).wrapping_neg()], significant].concat()
        }
    }
}

/// Returns the definition of id 65 (sent as -65) as a slice of the type with this id.
pub(super) fn slice_of(element: &[u8]) -> Vec<u8> {
    let head = [0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1];
    message(&[&head[..], element, &[0, 0]].concat())
}

/// The id of [`slice_of`], as it is sent before a value.
pub(super) const SLICE: [u8; 2] = [0xff, 0x82];

pub(super) fn value_of_slice(body: &[u8]) -> Vec<u8> {
    message(&[&SLICE[..], &[0], body].concat())
}

pub(super) fn refusal(bytes: &[u8]) -> String {
    Value::from_slice(bytes).expect_err("refused").to_string()
}

/// Returns the largest number of allocated bytes while the input is read and dropped.
pub(super) fn allocated_while_reading(bytes: &[u8]) -> u64 {
    let info = allocation_counter::measure(|| drop(Value::from_slice(bytes)));
    info.bytes_max
}

#[test]
fn a_recursive_slice_is_read_as_deep_as_a_cookie_can_hold() {
    let recursive = slice_of(&SLICE);
    for depth in [1, 127, 128, 2207] {
        let nested = [
            recursive.clone(),
            value_of_slice(&[vec![1; depth], vec![0]].concat()),
        ]
        .concat();
        let value = Value::from_slice(&nested).unwrap();
        assert_eq!(
            Value::from_slice(&value.to_vec()).unwrap().to_vec(),
            value.to_vec()
        );
        drop(value.clone());
    }
}

/// The depth includes the interface or message around the slices.
#[test]
fn values_are_nested_2_300_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let value = value_of_slice(&[vec![1; depth - 1], vec![0]].concat());
        Value::from_slice(&[slice_of(&SLICE), value].concat())
    };
    assert!(nested(2_300).is_ok());
    let error = nested(2_301).unwrap_err();
    assert_eq!(error.to_string(), "gob: values are nested too deep");
}

#[test]
fn bombs_are_refused_within_64_kib() {
    let recursive = slice_of(&SLICE);
    let deep = [
        recursive.clone(),
        value_of_slice(&[vec![1; 100_000], vec![0]].concat()),
    ]
    .concat();
    assert_eq!(refusal(&deep), "gob: values are nested too deep");
    assert!(
        allocated_while_reading(&deep) <= 64 * 1024,
        "{}",
        allocated_while_reading(&deep)
    );

    let long = [0xfb, 1, 0, 0, 0, 0];
    assert!(allocated_while_reading(&long) <= 64 * 1024);
    let long_string = message(&[&[12, 0][..], &long].concat());
    assert!(allocated_while_reading(&long_string) <= 64 * 1024);
    let long_slice = [slice_of(&[4]), value_of_slice(&long)].concat();
    assert_eq!(
        refusal(&long_slice),
        "gob: there are more elements than bytes"
    );
    assert!(allocated_while_reading(&long_slice) <= 64 * 1024);

    // A slice of itself, cut off in its first element.
    let cut = [recursive, value_of_slice(&[1])].concat();
    assert!(allocated_while_reading(&cut) <= 64 * 1024);
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    let whole = [slice_of(&[4]), value_of_slice(&[2, 2, 4])].concat();
    assert!(Value::from_slice(&whole).is_ok());
    for end in 0..whole.len() {
        assert!(Value::from_slice(&whole[..end]).is_err(), "cut at {end}");
    }
    for more in [&[0][..], &[1, 0], &[3, 4, 0, 6], &whole] {
        assert!(Value::from_slice(&[&whole[..], more].concat()).is_err());
    }
}

#[test]
fn input_that_go_never_writes_is_refused() {
    let int_slice = slice_of(&[4]);
    let one = value_of_slice(&[0]);
    let head = [0xff, 0x81];
    let cases: [(&str, Vec<u8>); 24] = [
        ("an empty message", vec![0]),
        ("a type that is not defined", one.clone()),
        (
            "a type defined twice",
            [&int_slice[..], &int_slice, &one].concat(),
        ),
        (
            "bytes after a definition",
            [message(&[&int_slice[1..], &[0]].concat()), one.clone()].concat(),
        ),
        (
            "two definitions in a message",
            message(&[&int_slice[1..], &int_slice[1..]].concat()),
        ),
        ("a low id", message(&[0x7f, 2, 1, 2, 0x42, 0, 1, 4, 0, 0])),
        ("an id that is Go's own", message(&[32, 0, 0])),
        ("an interface at the top level", message(&[16, 0, 0])),
        ("type id zero", message(&[0, 0, 0])),
        ("no zero before a lone value", message(&[4, 1, 6])),
        ("a bool over one", message(&[2, 0, 2])),
        (
            "an integer of nine bytes",
            message(&[6, 0, 0xf7, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ),
        ("an integer in a longer form", message(&[6, 0, 0xff, 7])),
        (
            "a definition of no kind",
            message(&[&head[..], &[0]].concat()),
        ),
        (
            "a definition of two kinds",
            message(&[&head[..], &[2, 1, 2, 2, 0, 1, 4, 0, 1, 0, 0]].concat()),
        ),
        (
            "a definition of an unknown kind",
            message(&[&head[..], &[8, 0, 0]].concat()),
        ),
        (
            "a slice of nothing",
            [
                message(&[&head[..], &[2, 1, 2, 2, 0, 0, 0]].concat()),
                one.clone(),
            ]
            .concat(),
        ),
        (
            "a slice of what is not defined",
            [slice_of(&[0xff, 0x84]), one.clone()].concat(),
        ),
        // struct { "" int } and struct { A, A int }
        (
            "a field without a name",
            message(&[&head[..], &[3, 2, 1, 2, 4, 0, 0, 0]].concat()),
        ),
        (
            "a field name twice",
            message(
                &[
                    &head[..],
                    &[3, 2, 2, 1, 1, b'A', 1, 4, 0, 1, 1, b'A', 1, 4, 0, 0, 0],
                ]
                .concat(),
            ),
        ),
        // [-1]int and [2]int with three elements
        (
            "a negative length",
            message(&[&head[..], &[1, 2, 4, 1, 1, 0, 0]].concat()),
        ),
        (
            "an array of another length",
            [
                message(&[&head[..], &[1, 2, 4, 1, 4, 0, 0]].concat()),
                value_of_slice(&[3, 2, 2, 2]),
            ]
            .concat(),
        ),
        (
            "a field that is not there",
            [
                message(&[&head[..], &[3, 2, 1, 1, 1, b'A', 1, 4, 0, 0, 0]].concat()),
                message(&[0xff, 0x82, 2, 2, 0]),
            ]
            .concat(),
        ),
        (
            "an empty struct without its end",
            [
                message(&[&head[..], &[3, 0, 0]].concat()),
                message(&[0xff, 0x82]),
            ]
            .concat(),
        ),
    ];
    for (what, bytes) in cases {
        assert!(Value::from_slice(&bytes).is_err(), "{what} is read");
    }
}

/// Returns an interface with this name, type and value, in a slice of interfaces.
fn interface(name: &str, value: &[u8]) -> Vec<u8> {
    let name = [&[name.len() as u8], name.as_bytes()].concat();
    let value = [&value[..1], &[value.len() as u8], &value[1..]].concat();
    [
        slice_of(&[16]),
        value_of_slice(&[&[1][..], &name, &value].concat()),
    ]
    .concat()
}

#[test]
fn a_registered_name_must_match_the_type_of_its_value() {
    let int = |name, int: &[u8]| Value::from_slice(&interface(name, &[&[4, 0][..], int].concat()));
    assert!(int("int", &[6]).is_ok() && int("main.UserID", &[6]).is_ok());
    assert!(int("int8", &[0xff, 254]).is_ok(), "127");
    assert!(int("int8", &[0xfe, 1, 0]).is_err(), "128");
    assert!(int("int8", &[0xff, 255]).is_ok(), "-128");
    assert!(
        int("uint", &[6]).is_err() && int("string", &[6]).is_err() && int("bool", &[2]).is_err()
    );
    let uint =
        |name, uint: &[u8]| Value::from_slice(&interface(name, &[&[6, 0][..], uint].concat()));
    assert!(uint("uint8", &[0xff, 255]).is_ok() && uint("uint8", &[0xfe, 1, 0]).is_err());
    let float = |name, bits: f64| {
        let written = [&[8, 0, 0xf8][..], &bits.to_le_bytes()].concat();
        Value::from_slice(&interface(name, &written))
    };
    assert!(float("float64", 1.1e300).is_ok() && float("float32", 1.1e300).is_err());
    assert!(float("[]uint8", 1.1e300).is_err());
}

#[test]
fn a_key_that_go_cannot_hash_is_refused() {
    // map[interface{}]interface{} with one key of []byte.
    let define = message(&[0xff, 0x81, 4, 1, 2, 0xff, 0x82, 0, 1, 16, 1, 16, 0, 0]);
    let entry = |key: &[u8]| {
        let body = [&SLICE[..], &[0, 1], key, &[0]].concat();
        Value::from_slice(&[define.clone(), message(&body)].concat())
    };
    assert!(entry(b"\x06string\x0c\x03\x00\x01a").is_ok());
    assert!(entry(b"\x00").is_ok(), "a nil key");
    assert!(entry(b"\x07[]uint8\x0a\x03\x00\x01a").is_err());
    // The key is a map of the same type, in an interface.
    assert!(entry(b"\x01M\xff\x82\x02\x00\x00").is_err());
}

#[test]
fn names_have_at_most_1024_bytes() {
    let named = |length: usize| {
        let name = message(&vec![b'n'; length]);
        let element = [&name[..], &[4, 2, 0, 6]].concat();
        Value::from_slice(
            &[
                slice_of(&[16]),
                value_of_slice(&[&[1][..], &element].concat()),
            ]
            .concat(),
        )
    };
    assert!(named(1024).is_ok() && named(1025).is_err());
}

#[test]
fn more_than_a_thousand_types_are_refused() {
    let mut bytes = Vec::new();
    for id in 64..1065 {
        let negative = uint((id - 1) << 1 | 1);
        bytes.extend(message(&[&negative[..], &[2, 2, 4, 0, 0]].concat()));
    }
    bytes.extend(message(&[4, 0, 2]));
    assert_eq!(refusal(&bytes), "gob: too many types are defined");
}

#[test]
fn input_that_gos_own_tests_refuse_is_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/go_bad_gob.txt");
    let lines = std::fs::read_to_string(path).unwrap();
    let inputs: Vec<_> = lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(inputs.len(), 8);
    for input in inputs {
        let bytes = base16ct::mixed::decode_vec(input).unwrap();
        assert!(Value::from_slice(&bytes).is_err(), "{input}");
    }
    assert!(Value::from_slice(&[]).is_err());
}

/// Returns a map[interface{}]interface{} with these entries. Each key and value is an interface.
fn map_of(entries: &[(&[u8], &[u8])]) -> Value {
    let define = message(&[0xff, 0x81, 4, 1, 2, 0xff, 0x82, 0, 1, 16, 1, 16, 0, 0]);
    let mut body = [&SLICE[..], &[0, entries.len() as u8]].concat();
    for (key, value) in entries {
        body.extend([*key, *value].concat());
    }
    Value::from_slice(&[define, message(&body)].concat()).unwrap()
}

#[test]
fn keys_differ_by_type_and_the_last_of_equal_keys_counts() {
    let plain = &b"\x06string\x0c\x03\x00\x01a"[..];
    let named = &b"\x01K\x0c\x03\x00\x01a"[..];
    let int = |n: u8| [&b"\x03int\x04\x02\x00"[..], &[2 * n]].concat();
    let [one, two, three] = [1, 2, 3].map(int);
    let Value::Composite(mut map) = map_of(&[(named, &one), (plain, &two), (plain, &three)]) else {
        panic!("a map")
    };
    let held = |value: Option<&Value>| match value {
        Some(Value::Interface(held)) => matches!(held.value(), Some(Value::Int(3))),
        _ => false,
    };
    assert!(held(map.get("a")), "of the two plain ones the last");
    map.insert("a", 9_i64.into()).unwrap();
    assert_eq!(map.entries().count(), 3);
    assert!(map.remove("a"));
    assert_eq!(map.entries().count(), 1, "the named one stays");
    assert!(!map.remove("a"));
}

#[test]
fn a_key_of_a_type_with_a_slice_is_refused_even_if_the_slice_is_left_out() {
    // type K struct { A []int }, sent with A empty: Go panics on it.
    let slice = message(&[0xff, 0x83, 2, 1, 2, 0xff, 0x84, 0, 1, 4, 0, 0]);
    let with_slice = message(&[
        0xff, 0x85, 3, 1, 1, 1, b'K', 1, 0xff, 0x86, 0, 1, 1, 1, 1, b'A', 1, 0xff, 0x84, 0, 0, 0,
    ]);
    let define = message(&[0xff, 0x81, 4, 1, 2, 0xff, 0x82, 0, 1, 16, 1, 16, 0, 0]);
    let key = [&b"\x06main.K\xff\x86\x01\x00"[..], &[0]].concat();
    let map = message(&[&SLICE[..], &[0, 1], &key].concat());
    let refused = refusal(&[slice, with_slice, define, map].concat());
    assert_eq!(refused, "gob: a map key is or contains a slice or a map");
}

#[test]
fn editing_does_not_define_a_type_again() {
    let Value::Composite(mut session) = Value::map_of_interfaces([("a", 1_i64.into())]) else {
        panic!("a map")
    };
    let mut sizes = Vec::new();
    for round in 0..4_i64 {
        let inner = Value::map_of_strings([("n", round.into())]);
        let held = silverback::gob::Interface::of("map[string]interface {}", inner);
        session.insert(&format!("k{round}"), held).unwrap();
        let bytes = Value::Composite(session).to_vec();
        sizes.push(bytes.len());
        let Value::Composite(again) = Value::from_slice(&bytes).unwrap() else {
            panic!("a map")
        };
        session = again;
    }
    let steps: Vec<_> = sizes.windows(2).map(|sizes| sizes[1] - sizes[0]).collect();
    // A length may take one more byte; a definition takes about twelve.
    assert!(
        steps.iter().all(|step| step.abs_diff(steps[0]) <= 2),
        "{sizes:?}"
    );
}

#[test]
fn constructed_values_can_be_checked() {
    use silverback::gob::Interface;

    let held = |interface| Value::slice_of_interfaces([interface]).check();
    assert!(held(Interface::of("int", Value::Int(1))).is_ok());
    assert!(held(Interface::of("int", Value::String("1".into()))).is_err());
    let complex = |re, im| held(Interface::of("complex64", Value::Complex(re, im)));
    assert!(complex(1.0, 2.0).is_ok());
    assert!(complex(1e300, 2.0).is_err() && complex(1.0, 1e300).is_err());
    let numbers = silverback::gob::to_value(&vec![1_i64]).unwrap();
    assert!(held(Interface::of("[]int64", numbers.clone())).is_ok());
    assert!(held(Interface::of("[]string", numbers)).is_err());
    assert!(Value::Interface(Interface::nil()).check().is_err());
}

/// Many values of one byte each leave out all fields of a type with many fields.
#[test]
fn the_number_of_zero_fields_is_bounded() {
    let mut fields = Vec::new();
    for number in 0..1024 {
        let name = format!("F{number}");
        fields.extend([&[1, name.len() as u8], name.as_bytes(), &[1, 4, 0]].concat());
    }
    let of = [
        &[0xff, 0x83, 3, 1, 2, 0xff, 0x84, 0, 1][..],
        &uint(1024),
        &fields,
        &[0, 0],
    ]
    .concat();
    let list = [slice_of(&[0xff, 0x84]), message(&of)].concat();
    let read = |count: usize| {
        let values = value_of_slice(&[uint(count as u64), vec![0; count]].concat());
        let value = Value::from_slice(&[list.clone(), values].concat()).unwrap();
        silverback::gob::from_value::<Vec<std::collections::BTreeMap<String, i64>>>(&value)
    };
    // At most 2^18 fields are read as zero.
    assert_eq!(read(256).unwrap()[255].len(), 1024);
    assert!(read(257).is_err());
}
