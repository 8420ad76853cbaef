//! Reads a [`Value`] into any `Deserialize`, as Go's decoder fills a type: fields by name,
//! integers by value, and zero for fields that Go left out.

use std::cell::Cell;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::registered::fits_f32;
use super::types::Reference;
use super::value::Composite;
use super::zero::Zero;
use super::{Error, GoString, Time, Type, Value};

/// The deepest nesting that a serde type reads. Only [`Value`] holds deeper values.
const MAX_DEPTH: usize = 128;

/// Converts a value to any `Deserialize`. See [`from_slice`](super::from_slice).
///
/// A field that a Go struct does not have is zero, as it is in Go. A field that a map does not
/// have gets serde's default, or is an error.
///
/// # Errors
/// Returns an error if the value has another shape, an integer is too large, or a struct or map
/// has no field in common with the requested struct, as in Go's `compileDec` (`encoding/gob`,
/// `decode.go`).
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    // Go leaves zero fields out of a struct; their types give the zeros. A field that the
    // struct's type does not have is zero too, but only serde knows the names of the requested
    // fields. So the value is read again with each field that serde reports as missing.
    let mut zeros = Zeros::default();
    loop {
        zeros.count.set(0);
        match T::deserialize(ValueReader::new(value, MAX_DEPTH, &zeros)) {
            Err(error) => match error.missing_field() {
                Some(field) if !zeros.missing.contains(&field) => zeros.missing.push(field),
                _ => return Err(error),
            },
            read => return read,
        }
    }
}

/// The largest number of zero fields in a value. Without it, a thousand values of one byte each,
/// of a type with a thousand fields, would yield a million.
const MAX_ZEROS: usize = 1 << 18;

/// The fields that are read as zero.
#[derive(Default)]
struct Zeros {
    /// The struct and the name of each field that serde requests and Go's type does not have.
    missing: Vec<(&'static str, &'static str)>,
    /// The number of fields that have been read as zero.
    count: Cell<usize>,
}

impl Zeros {
    fn add_one(&self) -> Result<(), Error> {
        self.count.set(self.count.get() + 1);
        match self.count.get() > MAX_ZEROS {
            true => Err(Error::new("too many fields are missing")),
            false => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
struct ValueReader<'v> {
    value: &'v Value,
    depth: usize,
    zeros: &'v Zeros,
}

impl<'v> ValueReader<'v> {
    /// Reads the content of an interface in place of the interface.
    fn new(mut value: &'v Value, depth: usize, zeros: &'v Zeros) -> Self {
        while let Value::Interface(interface) = value {
            match interface.value() {
                Some(held) => value = held,
                None => break,
            }
        }
        ValueReader {
            value,
            depth,
            zeros,
        }
    }

    /// Returns a reader for a part of the value.
    fn part(self, value: &'v Value) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or(Error::new(
            "the value is nested over 128 deep: read a Value",
        ))?;
        Ok(ValueReader::new(value, depth, self.zeros))
    }

    fn sequence<V: Visitor<'v>>(
        self,
        visitor: V,
        elements: &'v [Value],
    ) -> Result<V::Value, Error> {
        let mut elements = ElementAccess {
            elements: elements.iter(),
            whole: self,
        };
        let value = visitor.visit_seq(&mut elements)?;
        match elements.elements.next() {
            None => Ok(value),
            Some(_) => Err(Error::new("there are more elements than the type can hold")),
        }
    }
}

impl<'v> Deserializer<'v> for ValueReader<'v> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Int(int) => visitor.visit_i64(*int),
            Value::Uint(uint) => visitor.visit_u64(*uint),
            Value::Float(float) => visitor.visit_f64(*float),
            Value::Complex(re, im) => {
                visitor.visit_seq(SeqDeserializer::<_, Error>::new([*re, *im].into_iter()))
            }
            Value::Bytes(bytes) => visitor.visit_bytes(bytes),
            Value::String(string) => visit_string(visitor, string),
            Value::Interface(_) => visitor.visit_unit(),
            Value::SelfEncoded(_, bytes) => match Time::of(self.value) {
                Some(time) => visitor.visit_string(time.to_string()),
                None => visitor.visit_bytes(bytes),
            },
            Value::Composite(composite) if composite.is_sequence() => {
                self.sequence(visitor, composite.elements())
            }
            Value::Composite(composite) => {
                visitor.visit_map(EntryAccess::new(self, composite, Vec::new()))
            }
        }
    }

    /// Refuses a float that is too large for 32 bits.
    fn deserialize_f32<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Float(float) if !fits_f32(*float) => {
                Err(Error::new("a number is too large for its type"))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Interface(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Reads Go's `[]byte` as a sequence of integers. A string and the bytes of a self-encoding
    /// type are read as a sequence too, but only of `u8`.
    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let bytes = match self.value {
            Value::Bytes(bytes) => Some((bytes.as_slice(), true)),
            Value::String(string) => Some((string.as_bytes(), false)),
            Value::SelfEncoded(_, bytes) => Some((bytes.as_slice(), false)),
            _ => None,
        };
        match bytes {
            Some((bytes, is_number)) => {
                let byte = |byte| Byte { byte, is_number };
                let mut bytes = SeqDeserializer::new(bytes.iter().copied().map(byte));
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(value)
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::String(string) => visitor.visit_bytes(string.as_bytes()),
            Value::SelfEncoded(_, bytes) => visitor.visit_bytes(bytes),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
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
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Composite(composite) = self.value else {
            return self.deserialize_any(visitor);
        };
        if composite.is_sequence() {
            return self.deserialize_any(visitor);
        }
        if !has_common_field(composite, fields) {
            return Err(Error::new("the value has no field of the requested struct"));
        }
        let missing = self.zeros.missing.iter();
        let missing = missing.filter(|(within, _)| *within == name);
        let zeros = missing.map(|(_, field)| *field).collect();
        let entries = EntryAccess::new(self, composite, zeros);
        visitor
            .visit_map(entries)
            .map_err(|error| error.within(name))
    }

    /// Reads a variant from a string, or from a map of its name to its content.
    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let no_variant = Error::new("the value is not a variant of the enum");
        match self.value {
            Value::String(name) => {
                let name = name.to_str().ok_or(no_variant)?;
                visitor.visit_enum(name.into_deserializer())
            }
            Value::Composite(composite) => {
                let mut entries = composite.entries();
                let (Some((name, content)), None) = (entries.next(), entries.next()) else {
                    return Err(no_variant);
                };
                visitor.visit_enum(Variant {
                    name: self.part(name)?,
                    // Only the parts of the content count as a level of nesting.
                    content: ValueReader::new(content, self.depth, self.zeros),
                })
            }
            _ => Err(no_variant),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'v>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f64 char str string
        unit unit_struct map identifier
    }
}

/// An element of `[]byte`. It can also be read as an option or a newtype.
struct Byte {
    byte: u8,
    /// It can be read as any integer type, not only as `u8`.
    is_number: bool,
}

impl IntoDeserializer<'_, Error> for Byte {
    type Deserializer = Byte;

    fn into_deserializer(self) -> Byte {
        self
    }
}

impl<'de> Deserializer<'de> for Byte {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.is_number {
            true => visitor.visit_u8(self.byte),
            false => Err(Error::new("a string is not a list")),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.byte)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Returns whether a struct or map has one of these fields, or either side has no fields at all.
fn has_common_field(of: &Composite, fields: &[&str]) -> bool {
    let (is_empty, is_there): (bool, &dyn Fn(&str) -> bool) = match of.struct_fields() {
        Some(own) => (own.is_empty(), &|field| {
            own.iter().any(|(name, _)| *name == *field)
        }),
        None => (of.children().is_empty(), &|field| of.get(field).is_some()),
    };
    is_empty || fields.is_empty() || fields.iter().any(|field| is_there(field))
}

fn visit_string<'v, V: Visitor<'v>>(visitor: V, string: &GoString) -> Result<V::Value, Error> {
    match string.to_str() {
        Some(text) => visitor.visit_str(text),
        None => visitor.visit_bytes(string.as_bytes()),
    }
}

struct ElementAccess<'v> {
    elements: std::slice::Iter<'v, Value>,
    whole: ValueReader<'v>,
}

impl<'v> SeqAccess<'v> for ElementAccess<'v> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'v>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(element) = self.elements.next() else {
            return Ok(None);
        };
        seed.deserialize(self.whole.part(element)?).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

/// Reads the entries of a map; or the fields of a struct in order, with zeros for those that Go
/// left out, and then zeros for `missing` fields.
struct EntryAccess<'v> {
    whole: ValueReader<'v>,
    of: &'v Composite,
    children: std::slice::Iter<'v, [Value; 2]>,
    /// The fields of a struct's type that are not read yet, or `None` for a map.
    fields: Option<std::iter::Enumerate<std::slice::Iter<'v, (GoString, Reference)>>>,
    /// The requested fields that the struct's type does not have.
    missing: Vec<&'static str>,
    next: Next<'v>,
}

/// The value of the key that was read last.
enum Next<'v> {
    Value(&'v Value),
    Zero(Option<Type>),
}

impl<'v> EntryAccess<'v> {
    /// `missing` may contain fields that this struct's type has. They are ignored.
    fn new(whole: ValueReader<'v>, of: &'v Composite, mut missing: Vec<&'static str>) -> Self {
        let fields = of.struct_fields();
        missing.retain(|zero| {
            fields.is_some_and(|fields| !fields.iter().any(|(name, _)| *name == **zero))
        });
        EntryAccess {
            whole,
            of,
            children: of.children().as_chunks().0.iter(),
            fields: fields.map(|fields| fields.iter().enumerate()),
            missing,
            next: Next::Zero(None),
        }
    }

    /// Returns the name of a struct's next field, and stores its value or zero.
    fn next_field(&mut self) -> Option<&'v GoString> {
        let (number, (name, of)) = self.fields.as_mut()?.next()?;
        let sent = self.children.as_slice().first();
        self.next = match sent {
            Some([Value::Uint(sent), value]) if *sent == number as u64 => {
                self.children.next();
                Next::Value(value)
            }
            _ => Next::Zero(Some(self.of.defined().resolve(*of))),
        };
        Some(name)
    }
}

impl<'v> MapAccess<'v> for EntryAccess<'v> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.fields.is_none()
            && let Some([key, value]) = self.children.next()
        {
            self.next = Next::Value(value);
            return seed.deserialize(self.whole.part(key)?).map(Some);
        }
        if let Some(name) = self.next_field() {
            let name = name.to_string_lossy();
            let name: StrDeserializer<'_, Error> = (&*name).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        let Some(zero) = self.missing.pop() else {
            return Ok(None);
        };
        self.next = Next::Zero(None);
        let name: StrDeserializer<'_, Error> = zero.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match std::mem::replace(&mut self.next, Next::Zero(None)) {
            Next::Value(value) => seed.deserialize(self.whole.part(value)?),
            Next::Zero(of) => {
                self.whole.zeros.add_one()?;
                seed.deserialize(Zero(of))
            }
        }
    }
}

struct Variant<'v> {
    name: ValueReader<'v>,
    content: ValueReader<'v>,
}

impl<'v> EnumAccess<'v> for Variant<'v> {
    type Error = Error;
    type Variant = ValueReader<'v>;

    fn variant_seed<T: DeserializeSeed<'v>>(
        self,
        seed: T,
    ) -> Result<(T::Value, ValueReader<'v>), Error> {
        Ok((seed.deserialize(self.name)?, self.content))
    }
}

impl<'v> VariantAccess<'v> for ValueReader<'v> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::new("a variant without content has content"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_struct("a variant", fields, visitor)
    }
}
