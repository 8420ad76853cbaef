//! Deeply nested authentic bytes do not overflow the stack of a thread, even if they are read
//! into recursive types.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use silverback::codec::{Codec, CodecOptions, CustomSerializer, Serializer, erased_serde};

use crate::support::{codec, encrypting};

#[derive(Serialize, Deserialize)]
struct Newtype(Option<Box<Newtype>>);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    next: Option<Box<Transparent>>,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    first: (u8, Option<Box<Fields>>),
}

#[derive(Serialize, Deserialize)]
struct List(Vec<List>);

#[derive(Serialize, Deserialize)]
struct Map(BTreeMap<u8, Map>);

#[derive(Serialize, Deserialize)]
enum Variants {
    End,
    Newtype(Box<Variants>),
    Tuple(u8, Box<Variants>),
    Struct { next: Box<Variants> },
}

const LEVELS: usize = 200_000;

/// Repeats the bytes of a level, and appends those of the innermost one.
fn nested(levels: usize, level: &[u8], innermost: &[u8]) -> Vec<u8> {
    [&level.repeat(levels), innermost].concat()
}

/// Returns whether a codec without a length limit decodes the bytes as a `T`, on a thread with
/// the default stack size.
fn is_read<T: DeserializeOwned>(serializer: Serializer, bytes: Vec<u8>) -> bool {
    let read = move || {
        let options = CodecOptions::new().max_length(0).serializer(serializer);
        let codec = codec(encrypting(1), options);
        let cookie = codec.seal("sid", &bytes).unwrap();
        match codec.decode::<T>("sid", &cookie) {
            Ok(_) => true,
            Err(error) => {
                assert!(error.is_not_valid(), "{error}");
                false
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(read).unwrap().join().unwrap()
}

#[test]
fn bincode_is_read_as_deep_as_the_other_formats() {
    type Reads = fn(Vec<u8>) -> bool;
    /// Its name, how it is read, the bytes of a level and of the innermost, the levels of each.
    type Shape = (&'static str, Reads, &'static [u8], &'static [u8], usize);
    let shapes: [Shape; 8] = [
        (
            "newtypes",
            |bytes| is_read::<Newtype>(Serializer::Bincode, bytes),
            &[1],
            &[0],
            2,
        ),
        (
            "options",
            |bytes| is_read::<Transparent>(Serializer::Bincode, bytes),
            &[1],
            &[0],
            1,
        ),
        (
            "fields",
            |bytes| is_read::<Fields>(Serializer::Bincode, bytes),
            &[7, 1],
            &[7, 0],
            3,
        ),
        (
            "lists",
            |bytes| is_read::<List>(Serializer::Bincode, bytes),
            &[1],
            &[0],
            2,
        ),
        (
            "maps",
            |bytes| is_read::<Map>(Serializer::Bincode, bytes),
            &[1, 7],
            &[0],
            2,
        ),
        (
            "variants",
            |bytes| is_read::<Variants>(Serializer::Bincode, bytes),
            &[1],
            &[0],
            1,
        ),
        (
            "tuples",
            |bytes| is_read::<Variants>(Serializer::Bincode, bytes),
            &[2, 7],
            &[0],
            1,
        ),
        (
            "structs",
            |bytes| is_read::<Variants>(Serializer::Bincode, bytes),
            &[3],
            &[0],
            1,
        ),
    ];
    for (shape, reads, level, innermost, levels_each) in shapes {
        assert!(
            reads(nested(126 / levels_each, level, innermost)),
            "{shape}"
        );
        assert!(
            !reads(nested(130 / levels_each, level, innermost)),
            "{shape}"
        );
        assert!(!reads(nested(LEVELS, level, innermost)), "{shape}");
    }
}

#[test]
fn json_and_gob_are_read_128_deep() {
    let lists = |levels| nested(levels, b"[", &b"]".repeat(levels));
    assert!(is_read::<List>(Serializer::Json, lists(100)));
    assert!(!is_read::<List>(Serializer::Json, lists(LEVELS)));
    let variants = |levels| nested(levels, b"{\"Newtype\":", b"\"End\"");
    assert!(!is_read::<Variants>(Serializer::Json, variants(LEVELS)));

    // A recursive slice. The length of a message of over 255 bytes takes two bytes.
    let slices = |levels: usize| {
        let definition = [13, 0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1, 0xff, 0x82, 0, 0];
        let value = nested(levels, &[1], &[0]);
        let length = u16::try_from(value.len() + 3).unwrap();
        let head = match u8::try_from(length) {
            Ok(short) => vec![short],
            Err(_) => [&[0xfe], &length.to_be_bytes()[..]].concat(),
        };
        [&definition[..], &head, &[0xff, 0x82, 0], &value].concat()
    };
    assert!(is_read::<List>(Serializer::Gob, slices(100)));
    for levels in [130, 2_200, 60_000] {
        assert!(!is_read::<List>(Serializer::Gob, slices(levels)));
    }
}

/// A format in which every value contains another.
#[derive(Debug)]
struct Endless;

impl CustomSerializer for Endless {
    fn serialize(
        &self,
        _: &dyn erased_serde::Serialize,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }

    fn deserialize(
        &self,
        _: &[u8],
        read: &mut dyn FnMut(
            &mut dyn erased_serde::Deserializer<'_>,
        ) -> Result<(), erased_serde::Error>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(read(&mut <dyn erased_serde::Deserializer<'_>>::erase(
            Within,
        ))?)
    }
}

struct Within;

impl<'de> Deserializer<'de> for Within {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(Within)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(Within)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_custom_serializer_is_read_as_deep_as_the_others() {
    assert!(!is_read::<Newtype>(Serializer::custom(Endless), Vec::new()));
}
