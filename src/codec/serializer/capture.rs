//! Extracts text or bytes from a serde value, for `raw.rs`.

use std::fmt;

use serde::ser::{self, Impossible, Serialize};

/// The text or the bytes of a value.
pub(super) enum CapturedValue {
    Text(String),
    Bytes(Vec<u8>),
    Byte(u8),
}

/// The error for a value that is neither text nor bytes.
#[derive(Debug)]
pub(super) struct Unsupported;

/// Captures a string, bytes, or a sequence of `u8` (serde's form of `Vec<u8>` and `[u8; N]`).
pub(super) fn capture<T: Serialize + ?Sized>(value: &T) -> Result<CapturedValue, Unsupported> {
    value.serialize(Capture)
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither text nor bytes")
    }
}

impl std::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Unsupported
    }
}

struct Capture;

/// The elements of a sequence. Each must be a byte.
struct CaptureElements(Vec<u8>);

impl CaptureElements {
    /// Reserves room for `length` elements, but at most 4096: the value may state a wrong length.
    fn with_capacity(length: usize) -> Self {
        CaptureElements(Vec::with_capacity(length.min(4096)))
    }

    fn push<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unsupported> {
        match capture(element)? {
            CapturedValue::Byte(byte) => {
                self.0.push(byte);
                Ok(())
            }
            _ => Err(Unsupported),
        }
    }
}

impl ser::SerializeSeq for CaptureElements {
    type Ok = CapturedValue;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unsupported> {
        self.push(element)
    }

    fn end(self) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Bytes(self.0))
    }
}

impl ser::SerializeTuple for CaptureElements {
    type Ok = CapturedValue;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), Unsupported> {
        self.push(element)
    }

    fn end(self) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Bytes(self.0))
    }
}

/// Refuses the scalars that are neither text nor bytes.
macro_rules! neither {
    ($($method:ident($($argument:ty),*))+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<CapturedValue, Unsupported> {
            Err(Unsupported)
        }
    )+};
}

impl ser::Serializer for Capture {
    type Ok = CapturedValue;
    type Error = Unsupported;
    type SerializeSeq = CaptureElements;
    type SerializeTuple = CaptureElements;
    type SerializeTupleStruct = Impossible<CapturedValue, Unsupported>;
    type SerializeTupleVariant = Impossible<CapturedValue, Unsupported>;
    type SerializeMap = Impossible<CapturedValue, Unsupported>;
    type SerializeStruct = Impossible<CapturedValue, Unsupported>;
    type SerializeStructVariant = Impossible<CapturedValue, Unsupported>;

    fn serialize_str(self, text: &str) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Text(text.to_owned()))
    }

    fn serialize_char(self, character: char) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Text(character.to_string()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Bytes(bytes.to_vec()))
    }

    fn serialize_u8(self, byte: u8) -> Result<CapturedValue, Unsupported> {
        Ok(CapturedValue::Byte(byte))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<CaptureElements, Unsupported> {
        Ok(CaptureElements::with_capacity(length.unwrap_or(0)))
    }

    fn serialize_tuple(self, length: usize) -> Result<CaptureElements, Unsupported> {
        Ok(CaptureElements::with_capacity(length))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<CapturedValue, Unsupported> {
        capture(value)
    }

    neither! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u64(u64)
        serialize_f32(f32)
        serialize_f64(f64)
        serialize_none()
        serialize_unit()
        serialize_unit_struct(&'static str)
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<CapturedValue, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<CapturedValue, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unsupported> {
        Err(Unsupported)
    }
}
