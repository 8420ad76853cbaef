//! [`Zero`]: reads the value of a field that Go left out.

use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::types::Shape;
use super::{Error, Type};

/// Deserializes Go's zero of the requested type. If no type is requested, the zero has the type
/// on the wire, if that is known.
pub(super) struct Zero(pub(super) Option<Type>);

/// Implements a method for each requested type, with the zero of that type.
macro_rules! zeros {
    ($($method:ident => $visit:ident($($zero:expr)?);)+) => {$(
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($zero)?)
        }
    )+};
}

impl<'v> Deserializer<'v> for Zero {
    type Error = Error;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(Type::Bool) => visitor.visit_bool(false),
            Some(Type::Int) => visitor.visit_i64(0),
            Some(Type::Uint) => visitor.visit_u64(0),
            Some(Type::Float) => visitor.visit_f64(0.0),
            Some(Type::Bytes) => visitor.visit_bytes(&[]),
            Some(Type::String) => visitor.visit_str(""),
            Some(Type::Complex) => {
                visitor.visit_seq(SeqDeserializer::<_, Error>::new([0.0, 0.0].into_iter()))
            }
            Some(Type::Defined(of)) => match of.shape() {
                Shape::Slice(_) => visitor.visit_seq(ZeroParts(0)),
                Shape::Map { .. } => visitor.visit_map(ZeroParts(0)),
                // It is a nil pointer: Go always sends other values of these types.
                _ => visitor.visit_unit(),
            },
            Some(Type::Interface) | None => visitor.visit_unit(),
        }
    }

    zeros! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i8(0);
        deserialize_i16 => visit_i16(0);
        deserialize_i32 => visit_i32(0);
        deserialize_i64 => visit_i64(0);
        deserialize_u8 => visit_u8(0);
        deserialize_u16 => visit_u16(0);
        deserialize_u32 => visit_u32(0);
        deserialize_u64 => visit_u64(0);
        deserialize_f32 => visit_f32(0.0);
        deserialize_f64 => visit_f64(0.0);
        deserialize_str => visit_str("");
        deserialize_string => visit_str("");
        deserialize_bytes => visit_bytes(&[]);
        deserialize_byte_buf => visit_bytes(&[]);
        deserialize_option => visit_none();
        deserialize_seq => visit_seq(ZeroParts(0));
        deserialize_map => visit_map(ZeroParts(0));
    }

    fn deserialize_tuple<V: Visitor<'v>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(ZeroParts(length))
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(ZeroParts(length))
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(ZeroParts(fields.len()))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'v>>
        i128 u128 char unit unit_struct enum identifier ignored_any
    }
}

/// The parts of a zero: this many zeros as a sequence, and no entries as a map.
struct ZeroParts(usize);

impl<'v> SeqAccess<'v> for ZeroParts {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'v>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.0.checked_sub(1) else {
            return Ok(None);
        };
        self.0 = left;
        seed.deserialize(Zero(None)).map(Some)
    }
}

impl<'v> MapAccess<'v> for ZeroParts {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, _: K) -> Result<Option<K::Value>, Error> {
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Zero(None))
    }
}
