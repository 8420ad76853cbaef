//! [`Value`]: any gob value, read and written without loss.

use std::fmt;
use std::sync::Arc;

use super::types::{Defined, Reference, Shape};
use super::{Error, GoString, Type};

#[cfg(test)]
thread_local! {
    /// Counts the keys that linear searches have compared.
    pub(crate) static KEYS_COMPARED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Any gob value, as it is on the wire.
///
/// Values of Go types that this program does not know are kept and written back unchanged. A
/// clone is cheap: it shares its content until one of the two is changed.
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
    /// `float32` or `float64`, with its exact bits.
    Float(f64),
    /// `complex64` or `complex128`: the real and the imaginary part.
    Complex(f64, f64),
    /// `[]byte`.
    Bytes(Vec<u8>),
    /// `string`.
    String(GoString),
    /// An interface and its content.
    Interface(Interface),
    /// An array, slice, map or struct.
    Composite(Composite),
    /// The type and the bytes of a value that encodes itself.
    SelfEncoded(Defined, Vec<u8>),
}

/// The content of an interface: nil, or a value with the registered name of its concrete type
/// (`int8`, `map[string]interface {}`, `*pkg.T`).
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
    held: InnerValue,
}

/// An array, slice, map or struct: its type, and the values in it.
#[derive(Clone)]
pub struct Composite {
    of: Defined,
    /// The elements; or alternating keys and values; or alternating field numbers and values.
    children: Children,
}

/// The values inside a value. They may be nested deeper than the stack permits: dropping them
/// takes one frame for all levels.
#[derive(Clone, Default)]
struct Children(Option<Arc<Vec<Value>>>);

/// The value in an interface, dropped in the same way.
#[derive(Clone, Default)]
struct InnerValue(Option<Arc<Value>>);

impl Interface {
    /// Creates the nil interface.
    #[must_use]
    pub fn nil() -> Self {
        Interface {
            name: GoString::new(),
            held: InnerValue::default(),
        }
    }

    /// Creates an interface that holds `value`, of a concrete type registered as `name`.
    ///
    /// The name must match the value's type: see [`Value::check`].
    #[must_use]
    pub fn of(name: impl Into<GoString>, value: Value) -> Self {
        Interface {
            name: name.into(),
            held: InnerValue(Some(Arc::new(value))),
        }
    }

    /// Returns the registered name of the concrete type. It is empty for nil.
    #[must_use]
    pub fn name(&self) -> &GoString {
        &self.name
    }

    /// Returns the value, or `None` for nil.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.held.0.as_deref()
    }

    /// Returns the string that the interface holds, if its type is `string`. Another registered
    /// name is another type, and so another key of a map.
    pub(crate) fn as_string(&self) -> Option<&GoString> {
        match self.value() {
            Some(Value::String(string)) if self.name == *"string" => Some(string),
            _ => None,
        }
    }

    /// Returns the names of all types that a Go program must have registered to read this
    /// interface, its own first. A name may appear more than once.
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

    /// Returns the type.
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

    /// Returns the fields of a struct's type, or `None` for other types.
    pub(super) fn struct_fields(&self) -> Option<&[(GoString, Reference)]> {
        match self.kind() {
            Some(Shape::Struct(fields)) => Some(fields),
            _ => None,
        }
    }

    /// Returns the value of a struct's field by its number, if the field was sent.
    pub(super) fn field_of(&self, number: usize) -> Option<&Value> {
        let mut pairs = self.children().as_chunks().0.iter();
        let is_it = |[of, _]: &&[Value; 2]| matches!(of, Value::Uint(of) if *of == number as u64);
        pairs.find(is_it).map(|[_, value]| value)
    }

    pub(super) fn is_struct(&self) -> bool {
        matches!(self.kind(), Some(Shape::Struct(_)))
    }

    /// Returns whether this is an array or slice.
    #[must_use]
    pub fn is_sequence(&self) -> bool {
        matches!(self.kind(), Some(Shape::Array { .. } | Shape::Slice(_)))
    }

    /// Returns whether this is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.kind(), Some(Shape::Map { .. }))
    }

    /// Returns the elements of an array or slice. It is empty for other types.
    pub fn elements(&self) -> &[Value] {
        if self.is_sequence() {
            self.children()
        } else {
            &[]
        }
    }

    /// Returns the entries of a map, in the order of the wire. It is empty for other types.
    pub fn entries(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let children = if self.is_map() { self.children() } else { &[] };
        children
            .as_chunks()
            .0
            .iter()
            .map(|[key, value]| (key, value))
    }

    /// Returns the value of a struct's field, if the field was sent.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields()
            .find(|(of, _)| **of == *name)
            .map(|(_, value)| value)
    }

    /// Sets a struct's field to another value of the same type.
    ///
    /// Returns whether it was set: the field must have been sent, with a value of that type.
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

    /// Returns the value under a string key of a map.
    ///
    /// If the key occurs more than once, the last one counts, as in Go.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let entries = self
            .entries()
            .filter(|(of, _)| of.is_string(key.as_bytes()));
        entries.last().map(|(_, value)| value)
    }

    /// Sets the value under a string key of a map, and leaves all other entries unchanged.
    ///
    /// If the values of the map are of one concrete type, the value is stored without its
    /// interface.
    ///
    /// # Errors
    /// Returns an error if this is not a map with string keys, or its values are of another
    /// type.
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

    /// Does the same as [`insert`](Composite::insert), for a key that need not be UTF-8.
    pub(crate) fn insert_string(&mut self, key: GoString, value: Interface) -> Result<(), Error> {
        let Shape::Map {
            key: of_keys,
            value: of_values,
        } = self.of.shape()
        else {
            return Err(Error::new("the value is not a map"));
        };
        let key_value = match of_keys {
            Type::Interface => Value::Interface(Interface::from(key.clone())),
            Type::String => Value::String(key.clone()),
            _ => return Err(Error::new("the map's keys are not strings")),
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

    /// Removes a string key of a map. Returns whether it existed.
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
            // Every occurrence of the key is removed.
            let mut next = place(pairs);
            while let Some(place_of_pair) = next {
                children.drain(2 * place_of_pair..2 * place_of_pair + 2);
                next = place(children.as_chunks().0);
            }
        });
        true
    }

    /// Sets the value of the entry at index `place` of the [`entries`](Composite::entries).
    ///
    /// Use it for maps with keys that are not strings.
    ///
    /// # Errors
    /// Returns an error if there is no such entry, or the map's values are of another type.
    pub fn set_entry(&mut self, place: usize, value: Interface) -> Result<(), Error> {
        let is_there = place < self.entries().count();
        let value = match self.of.shape() {
            Shape::Map { value: of, .. } if is_there => of_map(&of, value)?,
            _ => return Err(Error::new("the map has no entry at this index")),
        };
        self.children.change(|children| {
            if let Some(there) = children.get_mut(2 * place + 1) {
                *there = value;
            }
        });
        Ok(())
    }

    /// Removes the entry at index `place` of the [`entries`](Composite::entries). Returns
    /// whether it existed.
    pub fn remove_entry(&mut self, place: usize) -> bool {
        let is_there = place < self.entries().count();
        if is_there {
            self.children.change(|children| {
                children.drain(2 * place..2 * place + 2);
            });
        }
        is_there
    }

    /// Returns the fields of a struct that were sent, with their names, in order. It is empty
    /// for other types. A field that was not sent is zero.
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

/// Returns the content of an interface as a value of a map that has values of type `of`.
fn of_map(of: &Type, value: Interface) -> Result<Value, Error> {
    match (of, value.value()) {
        (Type::Interface, _) => Ok(Value::Interface(value)),
        (of, Some(held)) if *of == held.value_type() => Ok(held.clone()),
        _ => Err(Error::new("the map's values have another type")),
    }
}

impl Value {
    /// Returns the type of the value on the wire.
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

    /// Returns whether this is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self, Value::Composite(composite) if composite.is_map())
    }

    /// Returns the string that this value is, or that it holds if it is an interface. Returns
    /// `None` for all other values, and for strings of a type with a name of its own.
    ///
    /// ```
    /// use silverback::gob::{Interface, Value};
    ///
    /// assert!(Value::String("ape".into()).as_string().is_some_and(|text| *text == *"ape"));
    /// assert!(Value::Interface("ape".into()).as_string().is_some_and(|text| *text == *"ape"));
    /// let named = Interface::of("main.UserID", Value::String("ape".into()));
    /// assert!(Value::Interface(named).as_string().is_none());
    /// ```
    #[must_use]
    pub fn as_string(&self) -> Option<&GoString> {
        match self {
            Value::String(string) => Some(string),
            Value::Interface(interface) => interface.as_string(),
            _ => None,
        }
    }

    /// Returns whether this is the string `text`, or an interface that holds it.
    pub(super) fn is_string(&self, text: &[u8]) -> bool {
        #[cfg(test)]
        KEYS_COMPARED.set(KEYS_COMPARED.get() + 1);
        self.as_string()
            .is_some_and(|string| string.as_bytes() == text)
    }

    pub(super) fn is_struct(&self) -> bool {
        matches!(self, Value::Composite(composite) if composite.is_struct())
    }

    /// Returns the names of all types that a Go program must have registered to read this
    /// value: the types in interfaces. A name may appear more than once.
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

    /// Returns the values inside: elements, keys, field numbers and so on.
    pub(super) fn children(&self) -> &[Value] {
        match self {
            Value::Interface(interface) => interface.value().map_or(&[], std::slice::from_ref),
            Value::Composite(composite) => composite.children(),
            _ => &[],
        }
    }

    /// Removes and returns the values inside, except those that a clone shares.
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

    /// Changes the values. If a clone shares them, it keeps the old ones.
    fn change(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        change(Arc::make_mut(self.0.get_or_insert_default()));
    }

    /// Takes the values, or an empty list if a clone shares them.
    fn take(&mut self) -> Vec<Value> {
        self.0.take().and_then(Arc::into_inner).unwrap_or_default()
    }
}

impl InnerValue {
    fn take(&mut self) -> Option<Value> {
        self.0.take().and_then(Arc::into_inner)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        drop_flat(self.take());
    }
}

impl Drop for InnerValue {
    fn drop(&mut self) {
        if let Some(value) = self.take().filter(|value| !value.children().is_empty()) {
            drop_flat(vec![value]);
        }
    }
}

/// Drops values without a stack frame for each level of nesting, and without copying them.
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

/// Writes the type and the number of parts. The values of a session are private, and may be
/// nested deeper than the stack permits.
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
