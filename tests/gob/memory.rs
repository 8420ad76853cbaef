//! Reading a value takes memory in proportion to the input, for all types. The tested shapes take
//! the most memory for each byte of the input.

use silverback::gob::Value;

use super::malformed::{SLICE, allocated_while_reading, message, slice_of, uint, value_of_slice};

/// The largest number of bytes for each byte of the input, as documented.
const FACTOR: u64 = 128;

/// The bytes that even the shortest input may take.
const REST: u64 = 64 * 1024;

/// Returns gob's form of a signed integer, such as the id of a type.
pub(super) fn int(value: i64) -> Vec<u8> {
    uint(((value << 1) ^ (value >> 63)) as u64)
}

/// Returns the definition of a type: its id, its kind, and the fields after the name.
pub(super) fn definition(id: i64, kind: u8, fields: &[u8]) -> Vec<u8> {
    let common = [&[1, 2][..], &int(id), &[0]].concat();
    message(&[&int(-id)[..], &[kind], &common, fields, &[0, 0]].concat())
}

pub(super) const ARRAY: u8 = 1;
pub(super) const STRUCT: u8 = 3;
pub(super) const MAP: u8 = 4;

pub(super) fn array_of(id: i64, element: i64, length: i64) -> Vec<u8> {
    let fields = [&[1][..], &int(element), &[1], &int(length)].concat();
    definition(id, ARRAY, &fields)
}

pub(super) fn map_of(id: i64, key: i64, value: i64) -> Vec<u8> {
    let fields = [&[1][..], &int(key), &[1], &int(value)].concat();
    definition(id, MAP, &fields)
}

/// Returns the definition of a struct with `count` fields of one type.
pub(super) fn struct_of(id: i64, field: i64, count: u64) -> Vec<u8> {
    let of_each = |number: u64| {
        let name = format!("F{number}");
        [
            &[1][..],
            &uint(name.len() as u64),
            name.as_bytes(),
            &[1],
            &int(field),
            &[0],
        ]
        .concat()
    };
    let fields: Vec<u8> = (0..count).flat_map(of_each).collect();
    definition(id, STRUCT, &[&[1][..], &uint(count), &fields].concat())
}

/// Returns the message of a value of this type, which is not a struct.
pub(super) fn value_of(id: i64, body: &[u8]) -> Vec<u8> {
    message(&[&int(id)[..], &[0], body].concat())
}

pub(super) fn value_of_struct(id: i64, body: &[u8]) -> Vec<u8> {
    message(&[&int(id)[..], body].concat())
}

/// Returns a list that repeats the element `of`.
fn list(count: usize, of: &[u8]) -> Vec<u8> {
    [&uint(count as u64)[..], &of.repeat(count)].concat()
}

/// Returns inputs of about `size` bytes.
fn shapes(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let recursive = slice_of(&SLICE);
    let chain = |depth: usize| [vec![1; depth], vec![0]].concat();
    let of_slice = |definition: &[u8], body: &[u8]| [definition, &value_of_slice(body)].concat();
    let integer = int(2);
    let interface = int(8);
    // An int in an interface: the name, the type, the byte count, a zero and the value.
    let held = [&[3][..], b"int", &int(2), &[2, 0, 2]].concat();
    let deepest = size.min(2_200);
    let fields = (size / 10).min(2_000);
    vec![
        (
            "a slice in a slice, and so on",
            of_slice(&recursive, &chain(deepest)),
        ),
        ("slices in slices, deep, many times", {
            let depth = 2_000.min(size / 2);
            of_slice(&recursive, &list(size / depth, &chain(depth)))
        }),
        (
            "slices in slices, 10 deep",
            of_slice(&recursive, &list(size / 11, &chain(10))),
        ),
        (
            "slices of one empty slice",
            of_slice(&recursive, &list(size / 2, &[1, 0])),
        ),
        (
            "slices of two empty slices",
            of_slice(&recursive, &list(size / 3, &[2, 0, 0])),
        ),
        (
            "a list of empty slices",
            of_slice(&recursive, &list(size, &[0])),
        ),
        (
            "a list behind another",
            of_slice(&recursive, &[&[2, 0][..], &list(size, &[0])].concat()),
        ),
        ("a list before another", {
            let half = list(size / 2, &[0]);
            of_slice(&recursive, &[&[2][..], &half, &half].concat())
        }),
        ("growing lists in a list", {
            let longest = (size as f64).sqrt() as usize;
            let lists: Vec<u8> = (1..longest).flat_map(|length| list(length, &[0])).collect();
            of_slice(
                &recursive,
                &[&uint(longest as u64 - 1)[..], &lists].concat(),
            )
        }),
        ("integers", of_slice(&slice_of(&integer), &list(size, &[2]))),
        (
            "nil interfaces",
            of_slice(&slice_of(&interface), &list(size, &[0])),
        ),
        (
            "integers in interfaces",
            of_slice(&slice_of(&interface), &list(size / 9, &held)),
        ),
        (
            "empty strings",
            of_slice(&slice_of(&int(6)), &list(size, &[0])),
        ),
        (
            "strings of a byte",
            of_slice(&slice_of(&int(6)), &list(size / 2, &[1, b'a'])),
        ),
        (
            "complex numbers",
            of_slice(&slice_of(&int(7)), &list(size / 2, &[0, 0])),
        ),
        (
            "an array of zeros",
            [
                array_of(65, 2, size as i64),
                value_of(65, &list(size, &[0])),
            ]
            .concat(),
        ),
        (
            "a map of integers",
            [map_of(65, 2, 2), value_of(65, &list(size / 2, &[0, 0]))].concat(),
        ),
        ("a map in a map, and so on", {
            let body: Vec<u8> = [1, 0].repeat(2_200.min(size / 2));
            [map_of(65, 2, 65), value_of(65, &[&body[..], &[0]].concat())].concat()
        }),
        ("a struct in a struct, and so on", {
            let depth = 2_200.min(size / 2);
            let body = [vec![1; depth], vec![0; depth + 1]].concat();
            [struct_of(65, 65, 1), value_of_struct(65, &body)].concat()
        }),
        ("a struct of many fields", {
            let body = [[1, 2].repeat(fields), vec![0]].concat();
            [struct_of(65, 2, fields as u64), value_of_struct(65, &body)].concat()
        }),
        ("empty structs", {
            let list = value_of_slice_of(66, &list(size, &[0]));
            [slice_of_id(66, 67), struct_of(67, 2, 1), list].concat()
        }),
        ("structs of a field", {
            let list = value_of_slice_of(66, &list(size / 3, &[1, 2, 0]));
            [slice_of_id(66, 67), struct_of(67, 2, 1), list].concat()
        }),
        ("many types", {
            let many = (size / 12).min(900) as i64;
            let types = (0..many).flat_map(|number| array_of(66 + number, 2, 1));
            let types: Vec<u8> = types.collect();
            [types, array_of(65, 66, 1), value_of(65, &[1, 1, 2])].concat()
        }),
        (
            "more than there is",
            of_slice(
                &recursive,
                &[&uint(size as u64)[..], &vec![0; size - 1]].concat(),
            ),
        ),
        ("more than there is, and so on", {
            let left = uint(size as u64 / 4);
            of_slice(
                &recursive,
                &[left.repeat(size / 4), vec![0; size / 4]].concat(),
            )
        }),
    ]
}

fn slice_of_id(id: i64, element: i64) -> Vec<u8> {
    definition(id, 2, &[&[1][..], &int(element)].concat())
}

fn value_of_slice_of(id: i64, body: &[u8]) -> Vec<u8> {
    value_of(id, body)
}

#[test]
fn memory_is_in_proportion_to_the_input() {
    let mut refused = Vec::new();
    let mut worst = (0.0, "");
    for size in [100, 2_021, 4_096, 60_000] {
        for (shape, bytes) in shapes(size) {
            let taken = allocated_while_reading(&bytes);
            let factor = taken as f64 / bytes.len() as f64;
            println!(
                "{shape}: {} bytes take {taken}, {factor:.1} times",
                bytes.len()
            );
            if size > 1_000 && factor > worst.0 {
                worst = (factor, shape);
            }
            assert!(
                taken <= FACTOR * bytes.len() as u64 + REST,
                "{shape} of {}: {taken}",
                bytes.len()
            );
            if Value::from_slice(&bytes).is_err() {
                refused.push(shape);
            }
        }
    }
    println!("the most: {worst:?}");
    refused.sort_unstable();
    refused.dedup();
    assert_eq!(
        refused,
        ["more than there is", "more than there is, and so on"]
    );
}
