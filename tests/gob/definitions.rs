//! The definitions of types, at their limits.

use silverback::gob::Value;

use super::malformed::{message, refusal};
use super::memory::{
    ARRAY, STRUCT, array_of, definition, int, map_of, struct_of, value_of, value_of_struct,
};

/// The first id of a type that Go defines in a message.
const FIRST: i64 = 64;

#[track_caller]
fn is_written_as_it_was_read(parts: &[Vec<u8>]) {
    let bytes = parts.concat();
    assert_eq!(Value::from_slice(&bytes).unwrap().to_vec(), bytes);
}

#[test]
fn each_kind_of_self_encoding_type_is_written_as_it_was_read() {
    for kind in 5..=7 {
        is_written_as_it_was_read(&[definition(FIRST, kind, &[]), value_of(FIRST, &[2, 7, 8])]);
    }
}

/// Go leaves a zero length and an empty list of fields out of a definition.
#[test]
fn types_of_length_zero_are_written_as_they_were_read() {
    let element = [&[1][..], &int(2)].concat();
    is_written_as_it_was_read(&[definition(FIRST, ARRAY, &element), value_of(FIRST, &[0])]);
    is_written_as_it_was_read(&[definition(FIRST, STRUCT, &[]), value_of_struct(FIRST, &[0])]);
}

#[test]
fn two_types_of_one_message_stay_two_even_with_the_same_structure() {
    is_written_as_it_was_read(&[
        map_of(FIRST, FIRST + 2, FIRST + 1),
        struct_of(FIRST + 1, 2, 1),
        struct_of(FIRST + 2, 2, 1),
        value_of(FIRST, &[1, 0, 0]),
    ]);
}

/// A recursive type as a key: Go can hash a pointer to it.
#[test]
fn a_recursive_type_of_keys_is_checked_once() {
    is_written_as_it_was_read(&[
        map_of(FIRST, FIRST + 1, 2),
        struct_of(FIRST + 1, FIRST + 1, 1),
        value_of(FIRST, &[1, 0, 2]),
    ]);
}

#[test]
fn fields_have_names_and_no_two_have_the_same() {
    let field = |name: &[u8]| match name {
        [] => [&[2][..], &int(2), &[0]].concat(),
        name => [&[1, name.len() as u8], name, &[1], &int(2), &[0]].concat(),
    };
    let read = |fields: [Vec<u8>; 2]| {
        let of = definition(FIRST, STRUCT, &[&[1, 2][..], &fields.concat()].concat());
        [of, value_of_struct(FIRST, &[0])].concat()
    };
    assert!(Value::from_slice(&read([field(b"A"), field(b"B")])).is_ok());
    for fields in [[field(b"A"), field(b"")], [field(b"A"), field(b"A")]] {
        let refused = refusal(&read(fields));
        assert_eq!(refused, "gob: a field has no name, or the name of another");
    }
}

/// An entry has two bytes at least.
#[test]
fn a_map_has_no_more_entries_than_half_of_its_bytes() {
    let read = |body: &[u8]| [map_of(FIRST, 2, 2), value_of(FIRST, body)].concat();
    assert!(Value::from_slice(&read(&[2, 2, 2, 4, 4])).is_ok());
    let refused = refusal(&read(&[3, 2, 2, 4, 4]));
    assert_eq!(refused, "gob: there are more elements than bytes");
}

#[test]
fn a_negative_length_of_an_array_is_refused() {
    let refused = refusal(&[array_of(FIRST, 2, -1), value_of(FIRST, &[0])].concat());
    assert_eq!(refused, "gob: an array has a negative length");
}

#[test]
fn an_integer_has_at_most_eight_bytes() {
    for length in [0x80, 0xf7] {
        let refused = refusal(&message(&[6, 0, length]));
        assert_eq!(refused, "gob: an integer has more than 8 bytes");
    }
}
