//! [`Value`]: any gob value, without loss.

use std::fmt;
use std::sync::Arc;

use super::types::{Defined, Reference, Shape};
use super::{Error, GoString, Type};

/// Any gob value, as it was on the wire: what this program does not know of Go's
/// types it keeps, and writes back.
///
/// A clone is cheap: what is inside is shared until it is changed.
///
/// ```
/// use silverback::gob::Value;
///
/// let value = Value::from_slice(&[3, 4, 0, 14])?;
/// assert!(matches!(value, Value::Int(7)));
/// assert_eq!(value.to_vec(), [3, 4, 0, 14]);
/// # Ok::<(), silverback::gob::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// Any signed integer.
    Int(i64),
    /// Any unsigned integer.
    Uint(u64),
    /// `float32` or `float64`, with its bits.
    Float(f64),
    /// `complex64` or `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// `[]byte`.
    Bytes(Vec<u8>),
    /// `string`.
    String(GoString),
    /// The contents of an interface.
    Interface(Interface),
    /// An array, slice, map or struct.
    Composite(Composite),
    /// A Go type that encodes itself, and its bytes.
    SelfEncoded(Defined, Vec<u8>),
}

/// What an interface holds: nothing, or a value under the name that its concrete
/// type was registered with (`int8`, `map[string]interface {}`, `*pkg.T`).
///
/// ```
/// use silverback::gob::{Interface, Value};
///
/// let width = Interface::from(7_i8);
/// assert_eq!(*width.name(), *"int8");
/// let named = Interface::of("main.UserID", Value::Int(7));
/// assert!(Interface::nil().value().is_none() && named.value().is_some());
/// ```
#[derive(Clone)]
pub struct Interface {
    name: GoString,
    held: Held,
}

/// An array, slice, map or struct: its type, and the values in it.
#[derive(Clone)]
pub struct Composite {
    of: Defined,
    /// Elements; or keys and values in turn; or field numbers and values in turn.
    children: Children,
}

/// The values inside a value. Values may be nested deeper than the stack; dropping
/// them here takes one frame.
#[derive(Clone, Default)]
struct Children(Option<Arc<Vec<Value>>>);

/// The one value in an interface, likewise.
#[derive(Clone, Default)]
struct Held(Option<Arc<Value>>);

impl Interface {
    /// The nil interface.
    #[must_use]
    pub fn nil() -> Self {
        Interface {
            name: GoString::new(),
            held: Held::default(),
        }
    }

    /// `value`, whose concrete type is registered as `name`. The name must say what
    /// the value is; [`Value::check`] tells.
    #[must_use]
    pub fn of(name: impl Into<GoString>, value: Value) -> Self {
        Interface {
            name: name.into(),
            held: Held(Some(Arc::new(value))),
        }
    }

    /// The name the concrete type is registered with; empty for nil.
    #[must_use]
    pub fn name(&self) -> &GoString {
        &self.name
    }

    /// The value; none for nil.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.held.0.as_deref()
    }

    /// The names of all types that a Go program must have registered to read this, its own
    /// first; a name may come twice.
    ///
    /// ```
    /// use silverback::gob::{Interface, Value};
    ///
    /// let map = Value::map_of_strings([("visits", Interface::from(7_isize))]);
    /// let held = Interface::of("map[string]interface {}", map);
    /// let names: Vec<_> = held.registered_names().filter_map(|name| name.to_str()).collect();
    /// assert_eq!(names, ["map[string]interface {}", "int"]);
    /// ```
    pub fn registered_names(&self) -> impl Iterator<Item = &GoString> {
        let own = self.value().map(|_| self.name());
        let inside = self.value().into_iter().flat_map(Value::registered_names);
        own.into_iter().chain(inside)
    }
}

impl Composite {
    pub(super) fn new(of: Defined, children: Vec<Value>) -> Self {
        Composite {
            of,
            children: Children::new(children),
        }
    }

    /// The type.
    #[must_use]
    pub fn defined(&self) -> &Defined {
        &self.of
    }

    pub(super) fn children(&self) -> &[Value] {
        self.children.as_slice()
    }

    fn kind(&self) -> Option<&Shape<Reference>> {
        self.of.definition().map(|definition| &definition.shape)
    }

    /// The fields of a struct's type.
    pub(super) fn struct_fields(&self) -> Option<&[(GoString, Reference)]> {
        match self.kind() {
            Some(Shape::Struct(fields)) => Some(fields),
            _ => None,
        }
    }

    /// The value of a struct's field, by its number, if it is on the wire.
    pub(super) fn field_of(&self, number: usize) -> Option<&Value> {
        let mut pairs = self.children().as_chunks().0.iter();
        let is_it = |[of, _]: &&[Value; 2]| matches!(of, Value::Uint(of) if *of == number as u64);
        pairs.find(is_it).map(|[_, value]| value)
    }

    pub(super) fn is_struct(&self) -> bool {
        matches!(self.kind(), Some(Shape::Struct(_)))
    }

    /// Whether it is an array or slice.
    #[must_use]
    pub fn is_sequence(&self) -> bool {
        matches!(self.kind(), Some(Shape::Array { .. } | Shape::Slice(_)))
    }

    /// Whether it is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.kind(), Some(Shape::Map { .. }))
    }

    /// The elements of an array or slice; empty for others.
    pub fn elements(&self) -> &[Value] {
        if self.is_sequence() {
            self.children()
        } else {
            &[]
        }
    }

    /// The entries of a map, in the order of the wire; empty for others.
    pub fn entries(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let children = if self.is_map() { self.children() } else { &[] };
        children
            .as_chunks()
            .0
            .iter()
            .map(|[key, value]| (key, value))
    }

    /// The value of a struct's field, if it is on the wire.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields()
            .find(|(of, _)| **of == *name)
            .map(|(_, value)| value)
    }

    /// Sets the value of a struct's field that is on the wire to another of the same
    /// type, and says whether that could be done.
    pub fn set_field(&mut self, name: &str, value: Value) -> bool {
        let place = self
            .fields()
            .position(|(of, there)| *of == *name && there.value_type() == value.value_type());
        let Some(place) = place else {
            return false;
        };
        self.children.change(|children| {
            if let Some(there) = children.get_mut(2 * place + 1) {
                *there = value;
            }
        });
        true
    }

    /// The value of a string key of a map, if it is there. Where a key is there
    /// twice the last one counts, as in Go.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let entries = self
            .entries()
            .filter(|(of, _)| of.is_string(key.as_bytes()));
        entries.last().map(|(_, value)| value)
    }

    /// Sets a string key of a map, and leaves all else as it is. What an interface
    /// cannot hold because the map's values are of one type is taken out of it.
    ///
    /// # Errors
    /// If this is no map with string keys, or its values are of another type.
    ///
    /// ```
    /// use silverback::gob::{Interface, Value};
    ///
    /// let Value::Composite(mut session) = Value::map_of_interfaces([("visits", Interface::from(7_i64))])
    ///     else { unreachable!() };
    /// session.insert("visits", 8_i64.into())?;
    /// session.insert("name", "ape".into())?;
    /// assert_eq!(session.entries().count(), 2);
    /// # Ok::<(), silverback::gob::Error>(())
    /// ```
    pub fn insert(&mut self, key: &str, value: Interface) -> Result<(), Error> {
        self.insert_string(key.into(), value)
    }

    /// As [`insert`](Composite::insert), of a key that need not be text.
    pub(crate) fn insert_string(&mut self, key: GoString, value: Interface) -> Result<(), Error> {
        let Shape::Map {
            key: of_keys,
            value: of_values,
        } = self.of.shape()
        else {
            return Err(Error::new("the value is no map"));
        };
        let key_value = match of_keys {
            Type::Interface => Value::Interface(Interface::from(key.clone())),
            Type::String => Value::String(key.clone()),
            _ => return Err(Error::new("the map's keys are no strings")),
        };
        let value = of_map(&of_values, value)?;
        self.children.change(|children| {
            let place = children
                .as_chunks()
                .0
                .iter()
                .rposition(|[of, _]: &[Value; 2]| of.is_string(key.as_bytes()));
            match place.and_then(|place| children.get_mut(2 * place + 1)) {
                Some(there) => *there = value,
                None => children.extend([key_value, value]),
            }
        });
        Ok(())
    }

    /// Removes a string key of a map, and says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        self.children.change(|children| {
            let (pairs, _) = children.as_chunks();
            let place = |pairs: &[[Value; 2]]| {
                pairs
                    .iter()
                    .rposition(|[of, _]| of.is_string(key.as_bytes()))
            };
            // Where a key is there twice, both go.
            let mut next = place(pairs);
            while let Some(place_of_pair) = next {
                children.drain(2 * place_of_pair..2 * place_of_pair + 2);
                next = place(children.as_chunks().0);
            }
        });
        true
    }

    /// Sets the value of an entry, by its place among the [`entries`](Composite::entries), of
    /// a map whose values are interfaces: for keys that are no strings.
    ///
    /// # Errors
    /// If there is no such entry, or the map's values are of another type.
    pub fn set_entry(&mut self, place: usize, value: Interface) -> Result<(), Error> {
        let is_there = place < self.entries().count();
        let value = match self.of.shape() {
            Shape::Map { value: of, .. } if is_there => of_map(&of, value)?,
            _ => return Err(Error::new("there is no such entry")),
        };
        self.children.change(|children| {
            if let Some(there) = children.get_mut(2 * place + 1) {
                *there = value;
            }
        });
        Ok(())
    }

    /// Removes an entry, by its place among the [`entries`](Composite::entries), and says
    /// whether it was there.
    pub fn remove_entry(&mut self, place: usize) -> bool {
        let is_there = place < self.entries().count();
        if is_there {
            self.children.change(|children| {
                children.drain(2 * place..2 * place + 2);
            });
        }
        is_there
    }

    /// The fields of a struct that are on the wire, by name, in order; empty for
    /// others. A field that is not there is zero.
    pub fn fields(&self) -> impl Iterator<Item = (&GoString, &Value)> {
        let names = match self.kind() {
            Some(Shape::Struct(fields)) => fields.as_slice(),
            _ => &[],
        };
        self.children()
            .as_chunks()
            .0
            .iter()
            .filter_map(move |[number, value]| {
                let Value::Uint(number) = number else {
                    return None;
                };
                let (name, _) = names.get(usize::try_from(*number).ok()?)?;
                Some((name, value))
            })
    }
}

/// What an interface holds, as a value of a map whose values are of this type.
fn of_map(of: &Type, value: Interface) -> Result<Value, Error> {
    match (of, value.value()) {
        (Type::Interface, _) => Ok(Value::Interface(value)),
        (of, Some(held)) if *of == held.value_type() => Ok(held.clone()),
        _ => Err(Error::new("the map's values are of another type")),
    }
}

impl Value {
    /// The type of the value on the wire.
    #[must_use]
    pub fn value_type(&self) -> Type {
        match self {
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Float(_) => Type::Float,
            Value::Complex(..) => Type::Complex,
            Value::Bytes(_) => Type::Bytes,
            Value::String(_) => Type::String,
            Value::Interface(_) => Type::Interface,
            Value::Composite(composite) => Type::Defined(composite.of.clone()),
            Value::SelfEncoded(of, _) => Type::Defined(of.clone()),
        }
    }

    /// Whether this is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self, Value::Composite(composite) if composite.is_map())
    }

    /// Whether this is that string, or an interface that holds it.
    pub(super) fn is_string(&self, text: &[u8]) -> bool {
        #[cfg(test)]
        super::LOOKED_AT.set(super::LOOKED_AT.get() + 1);
        match self {
            Value::String(string) => string.as_bytes() == text,
            // Another name is another type: a named string is another key.
            Value::Interface(interface) if *interface.name() == *"string" => {
                matches!(interface.value(), Some(Value::String(string)) if string.as_bytes() == text)
            }
            _ => false,
        }
    }

    pub(super) fn is_struct(&self) -> bool {
        matches!(self, Value::Composite(composite) if composite.is_struct())
    }

    /// Reads one value, with all the types it defines.
    ///
    /// # Errors
    /// For anything Go would not have written.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        super::decode::decode(bytes)
    }

    /// Refuses what Go would not read: names that do not say what is there, map keys
    /// that cannot be hashed, an interface at the top level. Values that were read
    /// are right; ones made with [`Interface::of`] may be not.
    ///
    /// # Errors
    /// For the first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        if matches!(self, Value::Interface(_)) {
            return Err(Error::new("an interface at the top level"));
        }
        super::decode::check(self)
    }

    /// Writes the value as Go's `Encoder` would, its types first. What
    /// [`check`](Value::check) refuses becomes bytes that nobody reads.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        super::encode::encode(self)
    }

    /// The names of all types that a Go program must have registered to read this, which are
    /// those in interfaces; a name may come twice.
    pub fn registered_names(&self) -> impl Iterator<Item = &GoString> {
        let mut pending = vec![self];
        std::iter::from_fn(move || {
            loop {
                let value = pending.pop()?;
                pending.extend(value.children());
                if let Value::Interface(interface) = value
                    && interface.value().is_some()
                {
                    return Some(interface.name());
                }
            }
        })
    }

    /// The values inside: elements, keys, field numbers and so on.
    pub(super) fn children(&self) -> &[Value] {
        match self {
            Value::Interface(interface) => interface.value().map_or(&[], std::slice::from_ref),
            Value::Composite(composite) => composite.children(),
            _ => &[],
        }
    }

    /// Takes the values inside out, if nobody else holds them.
    fn take_children(&mut self) -> Vec<Value> {
        match self {
            Value::Interface(interface) => {
                let held = interface.held.take();
                let held = held.filter(|value| !value.children().is_empty());
                held.into_iter().collect()
            }
            Value::Composite(composite) => composite.children.take(),
            _ => Vec::new(),
        }
    }
}

impl Children {
    fn new(values: Vec<Value>) -> Self {
        Children((!values.is_empty()).then(|| Arc::new(values)))
    }

    fn as_slice(&self) -> &[Value] {
        self.0.as_ref().map_or(&[], |values| values)
    }

    /// Changes the values, and only here if others hold them too.
    fn change(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        change(Arc::make_mut(self.0.get_or_insert_default()));
    }

    /// The values, if nobody else holds them.
    fn take(&mut self) -> Vec<Value> {
        self.0.take().and_then(Arc::into_inner).unwrap_or_default()
    }
}

impl Held {
    fn take(&mut self) -> Option<Value> {
        self.0.take().and_then(Arc::into_inner)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        drop_flat(self.take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(value) = self.take().filter(|value| !value.children().is_empty()) {
            drop_flat(vec![value]);
        }
    }
}

/// Drops values without a stack frame for each level of them, and without copying them.
fn drop_flat(values: Vec<Value>) {
    let mut current = values.into_iter();
    let mut pending = Vec::new();
    loop {
        let Some(mut value) = current.next() else {
            match pending.pop() {
                Some(others) => current = others,
                None => return,
            }
            continue;
        };
        let inside = value.take_children();
        if !inside.is_empty() {
            let others = std::mem::replace(&mut current, inside.into_iter());
            pending.extend((others.len() > 0).then_some(others));
        }
    }
}

/// The type, and how much is inside: a session's values are nobody's business, and
/// may be nested deeper than the stack.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Interface(interface) => interface.fmt(f),
            Value::Composite(composite) => composite.fmt(f),
            other => write!(f, "Value({:?})", other.value_type()),
        }
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            None => f.write_str("Interface(nil)"),
            Some(_) => write!(f, "Interface({})", self.name.to_string_lossy()),
        }
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Composite({:?}, {} parts)",
            self.of,
            self.children().len()
        )
    }
}
