//! [`Any`]: a serde value of every kind that serde has, generated at random or read.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use silverback::gob::Time;

/// A value, named after the method of serde's `Serializer` that writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Any {
    #[default]
    Unit,
    UnitStruct,
    None,
    Some(Box<Any>),
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Sequence(Vec<Any>),
    Tuple(Vec<Any>),
    TupleStruct(Vec<Any>),
    Map(Vec<(Any, Any)>),
    Struct(Any2),
    Newtype(Box<Any>),
    UnitVariant,
    NewtypeVariant(Box<Any>),
    TupleVariant(Vec<Any>),
    StructVariant(Any2),
}

/// Two fields.
type Any2 = Box<(Any, Any)>;

/// The number of kinds.
pub(crate) const KINDS: u64 = 28;

/// Random numbers that depend only on a seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: i64) -> Self {
        Random(seed.cast_unsigned())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns a value of the given kind with a limited depth.
    pub(crate) fn value(&mut self, kind: u64, depth: u64) -> Any {
        let bits = self.next();
        match kind {
            0 => Any::Unit,
            1 => Any::UnitStruct,
            2 => Any::None,
            3 => Any::Bool(bits.is_multiple_of(2)),
            4 => Any::I8(bits as i8),
            5 => Any::I16(bits as i16),
            6 => Any::I32(bits as i32),
            7 => Any::I64(bits as i64),
            8 => Any::U8(bits as u8),
            9 => Any::U16(bits as u16),
            10 => Any::U32(bits as u32),
            11 => Any::U64(bits),
            12 => Any::F32(f32::from_bits(bits as u32)),
            13 => Any::F64(f64::from_bits(bits)),
            14 => Any::Char(char::from_u32(bits as u32 % 0x1_0000).unwrap_or('é')),
            15 => Any::Text("grüße"[..(bits as usize % 2) * 4].to_owned()),
            16 => Any::Bytes(bits.to_le_bytes()[..bits as usize % 8].to_vec()),
            17 => Any::UnitVariant,
            18 => Any::Some(Box::new(self.inner(depth))),
            19 => Any::Newtype(Box::new(self.inner(depth))),
            20 => Any::NewtypeVariant(Box::new(self.inner(depth))),
            21 => Any::Sequence(self.several(depth)),
            22 => Any::Tuple(self.several(depth)),
            23 => Any::TupleStruct(self.several(depth)),
            24 => Any::TupleVariant(self.several(depth)),
            25 => {
                let keys = self.several(0);
                Any::Map(
                    keys.into_iter()
                        .map(|key| (key, self.inner(depth)))
                        .collect(),
                )
            }
            26 => Any::Struct(Box::new((self.inner(depth), self.inner(depth)))),
            _ => Any::StructVariant(Box::new((self.inner(depth), self.inner(depth)))),
        }
    }

    fn inner(&mut self, depth: u64) -> Any {
        let kinds = if depth == 0 { 18 } else { KINDS };
        let kind = self.below(kinds);
        self.value(kind, depth.saturating_sub(1))
    }

    /// Returns values, in half of the cases of one kind.
    fn several(&mut self, depth: u64) -> Vec<Any> {
        let (count, is_mixed) = (self.below(4), self.below(2) == 0);
        let kind = self.below(if depth == 0 { 18 } else { KINDS });
        let one = |random: &mut Self| match is_mixed {
            true => random.inner(depth),
            false => random.value(kind, depth.saturating_sub(1)),
        };
        (0..count).map(|_| one(self)).collect()
    }
}

impl Any {
    /// Returns another value of the same kind, which fits wherever this one does.
    pub(crate) fn changed(self) -> Self {
        match self {
            Any::Bool(bool) => Any::Bool(!bool),
            Any::I64(int) => Any::I64(int / 2),
            Any::U64(uint) => Any::U64(uint / 2),
            Any::F64(float) => Any::F64(-float),
            Any::Text(text) if text.parse::<Time>().is_ok() => Any::Text(text),
            Any::Text(text) => Any::Text(text.chars().rev().collect()),
            Any::Sequence(list) => Any::Sequence(list.into_iter().map(Any::changed).collect()),
            Any::Map(map) => {
                let entries = map.into_iter();
                Any::Map(entries.map(|(key, value)| (key, value.changed())).collect())
            }
            other => other,
        }
    }
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Any::Unit => serializer.serialize_unit(),
            Any::UnitStruct => serializer.serialize_unit_struct("Unit"),
            Any::None => serializer.serialize_none(),
            Any::Some(value) => serializer.serialize_some(value),
            Any::Bool(value) => serializer.serialize_bool(*value),
            Any::I8(value) => serializer.serialize_i8(*value),
            Any::I16(value) => serializer.serialize_i16(*value),
            Any::I32(value) => serializer.serialize_i32(*value),
            Any::I64(value) => serializer.serialize_i64(*value),
            Any::U8(value) => serializer.serialize_u8(*value),
            Any::U16(value) => serializer.serialize_u16(*value),
            Any::U32(value) => serializer.serialize_u32(*value),
            Any::U64(value) => serializer.serialize_u64(*value),
            Any::F32(value) => serializer.serialize_f32(*value),
            Any::F64(value) => serializer.serialize_f64(*value),
            Any::Char(value) => serializer.serialize_char(*value),
            Any::Text(value) => serializer.serialize_str(value),
            Any::Bytes(value) => serializer.serialize_bytes(value),
            Any::Sequence(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                list.iter()
                    .try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Any::Tuple(list) => {
                let mut seq = serializer.serialize_tuple(list.len())?;
                list.iter()
                    .try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Any::TupleStruct(list) => {
                let mut seq = serializer.serialize_tuple_struct("Tuple", list.len())?;
                list.iter()
                    .try_for_each(|value| seq.serialize_field(value))?;
                seq.end()
            }
            Any::TupleVariant(list) => {
                let mut seq = serializer.serialize_tuple_variant("Enum", 0, "Tuple", list.len())?;
                list.iter()
                    .try_for_each(|value| seq.serialize_field(value))?;
                seq.end()
            }
            Any::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries
                    .iter()
                    .try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Any::Struct(fields) => {
                let mut of = serializer.serialize_struct("Pair", 2)?;
                of.serialize_field("one", &fields.0)?;
                of.serialize_field("other", &fields.1)?;
                of.end()
            }
            Any::Newtype(value) => serializer.serialize_newtype_struct("Newtype", value),
            Any::UnitVariant => serializer.serialize_unit_variant("Enum", 0, "Unit"),
            Any::NewtypeVariant(value) => {
                serializer.serialize_newtype_variant("Enum", 0, "Newtype", value)
            }
            Any::StructVariant(fields) => {
                let mut of = serializer.serialize_struct_variant("Enum", 0, "Struct", 2)?;
                of.serialize_field("one", &fields.0)?;
                of.serialize_field("other", &fields.1)?;
                of.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Any;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Unit)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
        Ok(Any::I64(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
        Ok(Any::U64(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
        Ok(Any::F64(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Any, E> {
        Ok(Any::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Any, E> {
        Ok(Any::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Any, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Any::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Any, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Any::Map(map))
    }
}
