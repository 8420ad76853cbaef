//! The raw format, gorilla's `NopEncoder`: the unchanged bytes of text or a byte string.

use serde::Serialize;
use serde::de::value::{Error as ValueError, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::Error;
use super::capture::{CapturedValue, capture};
use super::faults::{decode_error, encode_error};

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    match capture(value) {
        Ok(CapturedValue::Text(text)) => Ok(text.into_bytes()),
        Ok(CapturedValue::Bytes(bytes)) => Ok(bytes),
        Ok(CapturedValue::Byte(_)) | Err(_) => {
            Err(encode_error("raw can hold only text and bytes"))
        }
    }
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    T::deserialize(Raw(bytes)).map_err(|_| decode_error("raw can be read only as text or bytes"))
}

/// Deserializes bytes as the form of text or bytes that the type requests.
struct Raw<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Raw<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match std::str::from_utf8(self.0) {
            Ok(text) => visitor.visit_str(text),
            Err(_) => visitor.visit_bytes(self.0),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_str(std::str::from_utf8(self.0).map_err(ValueError::custom)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let mut elements = SeqDeserializer::new(self.0.iter().copied());
        let value = visitor.visit_seq(&mut elements)?;
        elements.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char
        option unit unit_struct
        tuple_struct map struct enum identifier ignored_any
    }
}
