//! Reads bytes into a [`Value`].
//!
//! Source: Go's `encoding/gob`, `decoder.go` and `decode.go`. Input that Go accepts but never
//! writes is refused. Values are read with an explicit stack, so that nesting takes only
//! memory in proportion to the input. The file `define.rs` reads the definitions.

use std::collections::HashSet;
use std::sync::Arc;

use super::registered;
use super::types::{Defined, Definition, Definitions, Reference, Shape};
use super::value::{Composite, Interface};
use super::wire::{swap_float, take_bytes, take_int, take_uint};
use super::{Error, Type, Value};

/// The deepest nesting of values. A recursive slice has up to 2,207 levels in a cookie, and a
/// deeper one is refused before it takes 64 KiB.
const MAX_DEPTH: usize = 2_300;

/// The length of the longest registered name, in bytes: Go's own limit.
const MAX_NAME_LENGTH: u16 = 1024;

impl Value {
    /// Reads one value, with the definitions of its types.
    ///
    /// # Errors
    /// Returns an error if Go would not have written the bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        decode(bytes)
    }

    /// Checks that Go can read the value.
    ///
    /// A value from [`from_slice`](Value::from_slice) is always correct. One that contains an
    /// [`Interface::of`] may be wrong.
    ///
    /// # Errors
    /// Returns the first fault: a registered name that does not match the value's type, a map
    /// key that Go cannot hash, or an interface at the top level.
    pub fn check(&self) -> Result<(), Error> {
        if matches!(self, Value::Interface(_)) {
            return Err(Error::new("an interface is at the top level"));
        }
        check(self)
    }
}

/// Reads the definitions and the single value in `bytes`.
fn decode(bytes: &[u8]) -> Result<Value, Error> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Error::new("the input is over 4 GiB"));
    }
    let mut decoder = Decoder {
        whole: bytes,
        input: bytes,
        ..Decoder::default()
    };
    decoder.parts.reserve_exact(bytes.len().min(16));
    let of = decoder.type_of_value(false)?;
    if of == Reference::Basic(8) {
        return Err(Error::new("an interface is at the top level"));
    }
    decoder.take_leading_zero(of)?;
    let value = decoder.value(of)?;
    if !decoder.message.is_empty() || !decoder.input.is_empty() {
        return Err(Error::new("there are bytes after the value"));
    }
    decoder.shared.fill(decoder.definitions);
    check(&value)?;
    Ok(value)
}

/// Checks the rules that need complete types: registered names match the types of their
/// values, and Go can hash the map keys.
pub(super) fn check(value: &Value) -> Result<(), Error> {
    let mut pending = vec![value];
    let mut hashable = HashableTypes::default();
    while let Some(value) = pending.pop() {
        match value {
            Value::Interface(interface) => registered::check(interface)?,
            Value::Composite(composite) => {
                let mut keys = composite.entries().map(|(key, _)| key);
                keys.try_for_each(|key| hashable.check_key(key))?;
            }
            _ => {}
        }
        pending.extend(value.children());
    }
    Ok(())
}

/// Refuses map keys that Go cannot hash.
///
/// Go panics on such a key: one with a type that is, or contains, a slice, a map or `[]byte`.
/// (Go can hash a pointer to such a type, but the pointer and the type look the same on the
/// wire.)
#[derive(Default)]
struct HashableTypes {
    /// The types that were checked and are hashable.
    types: HashSet<(*const Definitions, u32)>,
}

impl HashableTypes {
    fn check_key(&mut self, key: &Value) -> Result<(), Error> {
        let mut next = Some(key);
        let mut pending = Vec::new();
        while let Some(value) = next {
            self.check_type(value.value_type())?;
            // The usual key, a string in an interface, needs no list.
            let (first, others) = match value.children().split_first() {
                Some((first, others)) => (Some(first), others),
                None => (None, &[][..]),
            };
            pending.extend(others);
            next = first.or_else(|| pending.pop());
        }
        Ok(())
    }

    fn check_type(&mut self, of: Type) -> Result<(), Error> {
        let unhashable = Error::new("a map key is or contains a slice or a map");
        let mut next = Some(of);
        let mut pending = Vec::new();
        while let Some(of) = next {
            match of {
                Type::Bytes => return Err(unhashable),
                Type::Defined(defined) if self.types.insert(defined.identity()) => {
                    match defined.shape() {
                        Shape::Slice(_) | Shape::Map { .. } => return Err(unhashable),
                        Shape::Array { element, .. } => pending.push(element),
                        Shape::Struct(fields) => {
                            pending.extend(fields.into_iter().map(|(_, of)| of))
                        }
                        Shape::SelfEncoder(_) => {}
                    }
                }
                _ => {}
            }
            next = pending.pop();
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Decoder<'a> {
    whole: &'a [u8],
    /// The bytes after the current message.
    input: &'a [u8],
    /// The rest of the current message.
    pub(super) message: &'a [u8],
    /// The place of each id that was defined or referred to, sorted by id.
    pub(super) places: Vec<(i64, u32)>,
    pub(super) definitions: Vec<Option<Definition>>,
    /// For each definition, whether every type it reaches is known to be defined.
    pub(super) complete: Vec<bool>,
    /// The definitions that the values refer to. They are filled in at the end.
    shared: Arc<Definitions>,
    /// The values that are being read, outermost first.
    stack: Vec<PartialValue>,
    /// The parts of these values that have been read.
    parts: Vec<Value>,
}

/// A value with parts that are still to be read. It is small, since each level of nesting takes
/// one.
enum PartialValue {
    /// An array, slice or map with `left` unread parts. Its read parts begin at `start`.
    Parts { of: u32, left: u32, start: u32 },
    /// A struct. The fields before `field` have been read; their parts begin at `start`.
    Struct { of: u32, field: u32, start: u32 },
    /// An interface. Its name has `length` bytes, at the place `name` of the input.
    Interface { name: u32, length: u16 },
}

/// The next step of reading.
enum Step {
    /// A value has been read.
    Read(Value),
    /// A value of this type must be read.
    Need(Reference),
}

impl<'a> Decoder<'a> {
    fn value(&mut self, of: Reference) -> Result<Value, Error> {
        let mut step = Step::Need(of);
        loop {
            step = match step {
                Step::Need(of) => self.start(of)?,
                Step::Read(value) if self.stack.is_empty() => return Ok(value),
                Step::Read(value) => {
                    self.parts.push(value);
                    self.advance()?
                }
            };
        }
    }

    fn shape(&self, place: u32) -> Result<&Shape<Reference>, Error> {
        match self.definitions.get(place as usize) {
            Some(Some(definition)) => Ok(&definition.shape),
            _ => Err(Error::new("a type is not defined")),
        }
    }

    /// Reads a value without parts, or the beginning of a value with parts.
    fn start(&mut self, of: Reference) -> Result<Step, Error> {
        let of = match of {
            Reference::Basic(8) => return self.start_interface(),
            Reference::Basic(id) => return Ok(Step::Read(take_basic(id, &mut self.message)?)),
            Reference::Defined(place) => place,
        };
        let start = self.parts.len() as u32;
        let (per_element, expected) = match self.shape(of)? {
            Shape::SelfEncoder(_) => {
                let bytes = take_bytes(&mut self.message)?.to_vec();
                let of = Defined::new(self.shared.clone(), of);
                return Ok(Step::Read(Value::SelfEncoded(of, bytes)));
            }
            Shape::Struct(_) => {
                self.push(PartialValue::Struct {
                    of,
                    field: 0,
                    start,
                })?;
                return self.advance();
            }
            Shape::Array { length, .. } => (1, Some(*length)),
            Shape::Slice(_) => (1, None),
            Shape::Map { .. } => (2, None),
        };
        let count = self.count(per_element)?;
        if expected.is_some_and(|length| length != count as usize) {
            return Err(Error::new("the length of an array differs from its type"));
        }
        let left = count * per_element;
        // Each part takes at least one byte, so the input bounds the total capacity.
        self.parts.reserve_exact(left as usize);
        self.push(PartialValue::Parts { of, left, start })?;
        self.advance()
    }

    /// Reads the number of elements that follow. Each element has at least one byte.
    pub(super) fn count(&mut self, per_element: u32) -> Result<u32, Error> {
        let count = take_uint(&mut self.message)?;
        let bytes = (self.message.len() + self.input.len()) as u32;
        u32::try_from(count)
            .ok()
            .filter(|count| *count <= bytes / per_element)
            .ok_or(Error::new("there are more elements than bytes"))
    }

    fn push(&mut self, partial: PartialValue) -> Result<(), Error> {
        match self.stack.len() {
            MAX_DEPTH => return Err(Error::new("values are nested too deep")),
            // Grow to the limit at once.
            1024 => self.stack.reserve_exact(MAX_DEPTH - 1024),
            _ => {}
        }
        self.stack.push(partial);
        Ok(())
    }

    /// Continues with the innermost partial value.
    fn advance(&mut self) -> Result<Step, Error> {
        let need = match self.stack.last_mut() {
            Some(PartialValue::Parts { left: 0, .. } | PartialValue::Interface { .. }) => None,
            Some(PartialValue::Parts { of, left, .. }) => {
                let (of, is_last_of_pair) = (*of, *left % 2 == 1);
                *left -= 1;
                Some(match self.shape(of)? {
                    Shape::Array { element, .. } | Shape::Slice(element) => *element,
                    Shape::Map { value, .. } if is_last_of_pair => *value,
                    Shape::Map { key, .. } => *key,
                    _ => return Err(Error::new("a type is not defined")),
                })
            }
            Some(PartialValue::Struct { of, field, .. }) => {
                let Some(Some(definition)) = self.definitions.get(*of as usize) else {
                    return Err(Error::new("a type is not defined"));
                };
                let Shape::Struct(fields) = &definition.shape else {
                    return Err(Error::new("a type is not defined"));
                };
                let number = next_field(&mut self.message, field, fields.len())?;
                let need = number.and_then(|number| Some((number, fields.get(number)?.1)));
                need.map(|(number, of)| {
                    self.parts.push(Value::Uint(number as u64));
                    of
                })
            }
            None => return Err(Error::new("there is no unfinished value")),
        };
        match need {
            Some(of) => Ok(Step::Need(of)),
            None => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<Step, Error> {
        let value = match self.stack.pop() {
            Some(
                PartialValue::Parts { of, start, .. } | PartialValue::Struct { of, start, .. },
            ) => {
                let of = Defined::new(self.shared.clone(), of);
                Value::Composite(Composite::new(of, self.take_parts(start as usize)))
            }
            Some(PartialValue::Interface { name, length }) => {
                let (from, to) = (name as usize, name as usize + usize::from(length));
                let name = self.whole.get(from..to).unwrap_or_default();
                let value = self.parts.pop();
                Value::Interface(value.map_or_else(Interface::nil, |value| {
                    Interface::of(registered::name(name), value)
                }))
            }
            None => return Err(Error::new("there is no unfinished value")),
        };
        Ok(Step::Read(value))
    }

    /// Takes the parts from `start` on, without spare capacity.
    fn take_parts(&mut self, start: usize) -> Vec<Value> {
        match start {
            0 => {
                let mut all = std::mem::take(&mut self.parts);
                all.shrink_to_fit();
                all
            }
            start => self.parts.drain(start.min(self.parts.len())..).collect(),
        }
    }

    /// Reads the name, type and byte count of the content of an interface.
    ///
    /// The count is ignored: if Go splits the message, the count covers only a part of it.
    fn start_interface(&mut self) -> Result<Step, Error> {
        let name = take_bytes(&mut self.message)?;
        if name.is_empty() {
            return Ok(Step::Read(Value::Interface(Interface::nil())));
        }
        let length = u16::try_from(name.len())
            .ok()
            .filter(|length| *length <= MAX_NAME_LENGTH);
        let length = length.ok_or(Error::new("the name of a type is too long"))?;
        // The name ends where the rest of the message begins.
        let ends = self.whole.len() - self.input.len() - self.message.len();
        let name = (ends - name.len()) as u32;
        let of = self.type_of_value(true)?;
        if of == Reference::Basic(8) {
            return Err(Error::new("an interface is directly in an interface"));
        }
        take_uint(&mut self.message)?;
        self.take_leading_zero(of)?;
        self.push(PartialValue::Interface { name, length })?;
        Ok(Step::Need(of))
    }

    /// Reads the zero byte before a value at the top level or in an interface, unless it is a
    /// struct: Go sends such a value as a single field.
    fn take_leading_zero(&mut self, of: Reference) -> Result<(), Error> {
        let is_struct = match of {
            Reference::Basic(_) => false,
            Reference::Defined(place) => matches!(
                self.definitions.get(place as usize),
                Some(Some(Definition {
                    shape: Shape::Struct(_),
                    ..
                }))
            ),
        };
        if !is_struct && take_uint(&mut self.message)? != 0 {
            return Err(Error::new("the byte before a value is not zero"));
        }
        Ok(())
    }

    /// Reads definitions, and then the type of the value after them.
    ///
    /// At the top level, each definition has its own message. In an interface, the rest of the
    /// message follows after the byte count of its next part.
    fn type_of_value(&mut self, in_interface: bool) -> Result<Reference, Error> {
        loop {
            if self.message.is_empty() {
                self.next_message()?;
            }
            let id = take_int(&mut self.message)?;
            if id >= 0 {
                return self.defined_reference(id);
            }
            let id = id.checked_neg().unwrap_or(0);
            self.define(id)?;
            if !self.message.is_empty() {
                if !in_interface {
                    return Err(Error::new("there are bytes after a definition"));
                }
                take_uint(&mut self.message)?;
            }
        }
    }

    fn next_message(&mut self) -> Result<(), Error> {
        self.message = take_bytes(&mut self.input)?;
        if self.message.is_empty() {
            return Err(Error::new("a message is empty"));
        }
        Ok(())
    }
}

/// Reads the number of a struct's next field, counted from zero. Returns `None` at the end.
pub(super) fn next_field(
    message: &mut &[u8],
    field: &mut u32,
    fields: usize,
) -> Result<Option<usize>, Error> {
    let skip = take_uint(message)?;
    if skip == 0 {
        return Ok(None);
    }
    let next = u64::from(*field)
        .checked_add(skip)
        .filter(|next| *next <= fields as u64);
    let next = next.and_then(|next| u32::try_from(next).ok());
    *field = next.ok_or(Error::new("there is no field with this number"))?;
    Ok(Some(*field as usize - 1))
}

/// Takes a value of the basic type with this id from the front of `message`.
pub(super) fn take_basic(id: i64, message: &mut &[u8]) -> Result<Value, Error> {
    Ok(match id {
        1 => match take_uint(message)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return Err(Error::new("a bool is neither 0 nor 1")),
        },
        2 => Value::Int(take_int(message)?),
        3 => Value::Uint(take_uint(message)?),
        4 => Value::Float(take_float(message)?),
        5 => Value::Bytes(take_bytes(message)?.to_vec()),
        6 => Value::String(take_bytes(message)?.into()),
        7 => Value::Complex(take_float(message)?, take_float(message)?),
        _ => return Err(Error::new("a type is not defined")),
    })
}

fn take_float(message: &mut &[u8]) -> Result<f64, Error> {
    Ok(f64::from_bits(swap_float(take_uint(message)?)))
}
