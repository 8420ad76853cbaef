//! A [`Value`] becomes any `Deserialize`, as Go's decoder would fill such a type:
//! fields by name, integers by value, zero for what Go left out.

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::types::Shape;
use super::value::Composite;
use super::{Error, GoString, Time, Value};

/// How deep a serde type may go into a value; deeper ones are for [`Value`].
const DEEPEST: usize = 128;

/// Turns a value into any `Deserialize`: see [`from_slice`](super::from_slice).
///
/// A field that the value's type does not have is zero, as it is to Go.
///
/// # Errors
/// Where the value is of another shape, or an integer is too large.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    // serde knows which names are one field's only by trying: a field is given as
    // zero after it has been missed.
    let mut zeros = Vec::new();
    loop {
        match T::deserialize(Reader::new(value, DEEPEST, &zeros)) {
            Err(error) => match error.missing_field() {
                Some(missed) if !zeros.contains(&missed) => zeros.push(missed),
                _ => return Err(error),
            },
            read => return read,
        }
    }
}

/// Fields to be given as zero where they are not there: struct and field.
type Zeros<'v> = &'v [(&'static str, &'static str)];

#[derive(Clone, Copy)]
struct Reader<'v> {
    value: &'v Value,
    depth: usize,
    zeros: Zeros<'v>,
}

impl<'v> Reader<'v> {
    /// What an interface holds is read as if it stood there itself.
    fn new(mut value: &'v Value, depth: usize, zeros: Zeros<'v>) -> Self {
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
            Value::Composite(composite) => visitor.visit_map(Entries::new(self, composite, &[])),
        }
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Interface(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Go's `[]byte` is a sequence of bytes to serde, and its strings are bytes.
    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let bytes = match self.value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            Value::String(string) => Some(string.as_bytes()),
            _ => None,
        };
        match bytes {
            Some(bytes) => {
                let mut bytes = SeqDeserializer::<_, Error>::new(bytes.iter().copied());
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
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Composite(composite) = self.value else {
            return self.deserialize_any(visitor);
        };
        if composite.is_sequence() {
            return self.deserialize_any(visitor);
        }
        let zeros: Vec<&'static str> = self
            .zeros
            .iter()
            .filter_map(|(within, field)| (*within == name).then_some(*field))
            .collect();
        let entries = Entries::new(self, composite, &zeros);
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
                    content: self.part(content)?,
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
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        unit unit_struct map identifier
    }
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

/// The entries of a map, or the fields of a struct and then those given as zero.
struct Entries<'v> {
    whole: Reader<'v>,
    children: std::slice::Iter<'v, [Value; 2]>,
    /// The names of a struct's fields; none for a map.
    names: Option<Vec<GoString>>,
    zeros: Vec<&'static str>,
    /// The value of the key that was read last; none for a zero.
    next: Option<&'v Value>,
}

impl<'v> Entries<'v> {
    fn new(whole: Reader<'v>, of: &'v Composite, zeros: &[&'static str]) -> Self {
        let names: Option<Vec<GoString>> = match of.defined().shape() {
            Shape::Struct(fields) => Some(fields.into_iter().map(|(name, _)| name).collect()),
            _ => None,
        };
        let there = |zero: &str| match &names {
            Some(_) => of.fields().any(|(name, _)| *name == *zero),
            None => of.entries().any(|(key, _)| key.is_string(zero)),
        };
        Entries {
            whole,
            zeros: zeros.iter().copied().filter(|zero| !there(zero)).collect(),
            children: of.children().as_chunks().0.iter(),
            names,
            next: None,
        }
    }
}

impl<'v> MapAccess<'v> for Entries<'v> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some([key, value]) = self.children.next() else {
            self.next = None;
            let Some(zero) = self.zeros.pop() else {
                return Ok(None);
            };
            let name: StrDeserializer<'_, Error> = zero.into_deserializer();
            return seed.deserialize(name).map(Some);
        };
        self.next = Some(value);
        let Some(names) = &self.names else {
            return seed.deserialize(self.whole.part(key)?).map(Some);
        };
        let name = match key {
            Value::Uint(number) => names.get(*number as usize),
            _ => None,
        };
        let name = name
            .ok_or(Error::new("a field has no name"))?
            .to_string_lossy();
        let name: StrDeserializer<'_, Error> = (&*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match self.next.take() {
            Some(value) => seed.deserialize(self.whole.part(value)?),
            None => seed.deserialize(Zero),
        }
    }
}

/// Go's zero, of whatever type is asked for.
#[derive(Clone, Copy)]
struct Zero;

/// What each type that can be asked for has as its zero.
macro_rules! zeros {
    ($($method:ident => $visit:ident($($zero:expr)?);)+) => {$(
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($zero)?)
        }
    )+};
}

impl<'v> Deserializer<'v> for Zero {
    type Error = Error;

    zeros! {
        deserialize_any => visit_unit();
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

/// So many zeros as a sequence; as a map, none.
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
        seed.deserialize(Zero).map(Some)
    }
}

impl<'v> MapAccess<'v> for ZeroParts {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, _: K) -> Result<Option<K::Value>, Error> {
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Zero)
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
        self.deserialize_struct("", fields, visitor)
    }
}
