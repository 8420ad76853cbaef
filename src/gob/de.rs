//! A [`Value`] becomes any `Deserialize`, as Go's decoder would fill such a type:
//! fields by name, integers by value, zero for what Go left out.

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

/// How deep a serde type may go into a value; deeper ones are for [`Value`].
const DEEPEST: usize = 128;

/// Turns a value into any `Deserialize`: see [`from_slice`](super::from_slice).
///
/// A field that a Go struct does not have is zero, as it is to Go; one that a map does not
/// have takes serde's default, or is an error.
///
/// # Errors
/// Where the value is of another shape, an integer is too large, or a struct or map has no
/// field in common with the struct that is asked for, as in Go's `compileDec`
/// (`encoding/gob`, `decode.go`).
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    // What Go left out of a struct is zero by its type. A field that a struct's type does
    // not have is zero, too, but which names are one field's only serde knows: so it
    // is given as zero after it has been missed.
    let mut zeros = Zeros::default();
    loop {
        zeros.given.set(0);
        match T::deserialize(Reader::new(value, DEEPEST, &zeros)) {
            Err(error) => match error.missing_field() {
                Some(missed) if !zeros.missed.contains(&missed) => zeros.missed.push(missed),
                _ => return Err(error),
            },
            read => return read,
        }
    }
}

/// How many fields may be given as zero in all: a type of a thousand fields, and a
/// thousand values of a byte each that leave them all out, would give a million.
const MOST_ZEROS: usize = 1 << 18;

#[derive(Default)]
struct Zeros {
    /// Fields to be given as zero where the type does not have them: struct and field.
    missed: Vec<(&'static str, &'static str)>,
    /// How many fields have been given as zero.
    given: Cell<usize>,
}

impl Zeros {
    fn give(&self) -> Result<(), Error> {
        self.given.set(self.given.get() + 1);
        match self.given.get() > MOST_ZEROS {
            true => Err(Error::new("too many fields are left out")),
            false => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'v> {
    value: &'v Value,
    depth: usize,
    zeros: &'v Zeros,
}

impl<'v> Reader<'v> {
    /// What an interface holds is read as if it stood there itself.
    fn new(mut value: &'v Value, depth: usize, zeros: &'v Zeros) -> Self {
        while let Value::Interface(interface) = value {
            match interface.value() {
                Some(held) => value = held,
                None => break,
            }
        }
        Reader {
            value,
            depth,
            zeros,
        }
    }

    /// A part of the value.
    fn part(self, value: &'v Value) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or(Error::new("the value is nested deeper than a type is read"))?;
        Ok(Reader::new(value, depth, self.zeros))
    }

    fn sequence<V: Visitor<'v>>(
        self,
        visitor: V,
        elements: &'v [Value],
    ) -> Result<V::Value, Error> {
        let mut elements = Elements {
            elements: elements.iter(),
            whole: self,
        };
        let value = visitor.visit_seq(&mut elements)?;
        match elements.elements.next() {
            None => Ok(value),
            Some(_) => Err(Error::new("there are more elements than the type takes")),
        }
    }
}

impl<'v> Deserializer<'v> for Reader<'v> {
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
                visitor.visit_map(Entries::new(self, composite, Vec::new()))
            }
        }
    }

    /// A float that is too large for 32 bits is an error, as an integer is.
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

    /// Go's `[]byte` is a sequence of bytes to serde. Its strings, and what a type encodes
    /// itself as, are one too, but no list of other numbers.
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
            return Err(Error::new("there is no field in common"));
        }
        let missed = self.zeros.missed.iter();
        let missed = missed.filter(|(within, _)| *within == name);
        let zeros = missed.map(|(_, field)| *field).collect();
        let entries = Entries::new(self, composite, zeros);
        visitor
            .visit_map(entries)
            .map_err(|error| error.within(name))
    }

    /// A variant is a string, or a map from its name to its content.
    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let no_variant = Error::new("the value names no variant");
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
                    // What is in the variant is a level deeper, not the variant.
                    content: Reader::new(content, self.depth, self.zeros),
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

/// An element of `[]byte`, which may also be an option or a type of its own to serde.
struct Byte {
    byte: u8,
    /// Whether it is a number to all that ask for one.
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
            false => Err(Error::new("a string is no list")),
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

/// Whether a struct or map has one of these fields, if there are any on both sides.
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

struct Elements<'v> {
    elements: std::slice::Iter<'v, Value>,
    whole: Reader<'v>,
}

impl<'v> SeqAccess<'v> for Elements<'v> {
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

/// The entries of a map; or the fields of a struct, in order, those that Go left
/// out as zeros, and after them those that its type does not have and that are
/// wanted as zero.
struct Entries<'v> {
    whole: Reader<'v>,
    of: &'v Composite,
    children: std::slice::Iter<'v, [Value; 2]>,
    /// The fields of a struct's type that are still to come; none for a map.
    fields: Option<std::iter::Enumerate<std::slice::Iter<'v, (GoString, Reference)>>>,
    wanted: Vec<&'static str>,
    next: Next<'v>,
}

/// The value of the key that was read last.
enum Next<'v> {
    There(&'v Value),
    Zero(Option<Type>),
}

impl<'v> Entries<'v> {
    /// `wanted` are names of fields that were missed, whether or not they are there.
    fn new(whole: Reader<'v>, of: &'v Composite, mut wanted: Vec<&'static str>) -> Self {
        let fields = of.struct_fields();
        wanted.retain(|zero| {
            fields.is_some_and(|fields| !fields.iter().any(|(name, _)| *name == **zero))
        });
        Entries {
            whole,
            of,
            children: of.children().as_chunks().0.iter(),
            fields: fields.map(|fields| fields.iter().enumerate()),
            wanted,
            next: Next::Zero(None),
        }
    }

    /// The next field of a struct, with its value or its zero.
    fn next_field(&mut self) -> Option<&'v GoString> {
        let (number, (name, of)) = self.fields.as_mut()?.next()?;
        let there = self.children.as_slice().first();
        self.next = match there {
            Some([Value::Uint(there), value]) if *there == number as u64 => {
                self.children.next();
                Next::There(value)
            }
            _ => Next::Zero(Some(self.of.defined().resolve(*of))),
        };
        Some(name)
    }
}

impl<'v> MapAccess<'v> for Entries<'v> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.fields.is_none()
            && let Some([key, value]) = self.children.next()
        {
            self.next = Next::There(value);
            return seed.deserialize(self.whole.part(key)?).map(Some);
        }
        if let Some(name) = self.next_field() {
            let name = name.to_string_lossy();
            let name: StrDeserializer<'_, Error> = (&*name).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        let Some(zero) = self.wanted.pop() else {
            return Ok(None);
        };
        self.next = Next::Zero(None);
        let name: StrDeserializer<'_, Error> = zero.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match std::mem::replace(&mut self.next, Next::Zero(None)) {
            Next::There(value) => seed.deserialize(self.whole.part(value)?),
            Next::Zero(of) => {
                self.whole.zeros.give()?;
                seed.deserialize(Zero(of))
            }
        }
    }
}

struct Variant<'v> {
    name: Reader<'v>,
    content: Reader<'v>,
}

impl<'v> EnumAccess<'v> for Variant<'v> {
    type Error = Error;
    type Variant = Reader<'v>;

    fn variant_seed<T: DeserializeSeed<'v>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Reader<'v>), Error> {
        Ok((seed.deserialize(self.name)?, self.content))
    }
}

impl<'v> VariantAccess<'v> for Reader<'v> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::new("a variant without content has some"))
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
