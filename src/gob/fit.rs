//! [`Fit`]: writes a serde value with the Go type of an existing value.
//!
//! The wire type of the existing value gives its kind and its parts, and the registered name
//! gives the width of its numbers. A value that fits gets both. The values inside are fitted in
//! the same way, each to the existing one in its place.

use std::collections::HashMap;

use super::registered::{Audience, basic};
use super::schema::{TreeWriter, check_zero};
use super::self_encoded::{is_time_name, uuid_bytes};
use super::tree::Tree;
use super::types::{Defined, SelfEncoder, Shape};
use super::value::{Composite, Interface};
use super::{Error, SelfEncoded, Time, Type, Value};

pub(super) struct Fit<'k> {
    audience: Audience<'k>,
    /// A Go struct keeps the fields that the serde value does not have.
    keeps_fields: bool,
}

/// The reason for which a value cannot have the existing type.
enum Misfit {
    /// The value is of another kind, or too large.
    Kind,
    /// The value cannot be written as gob.
    Unwritable(Error),
}

impl From<Error> for Misfit {
    fn from(error: Error) -> Self {
        Misfit::Unwritable(error)
    }
}

type FitResult = Result<Value, Misfit>;

impl<'k> Fit<'k> {
    pub(super) fn new(audience: Audience<'k>, keeps_fields: bool) -> Self {
        Fit {
            audience,
            keeps_fields,
        }
    }

    /// Returns the tree with the type and name of `existing`, or `None` if it does not fit.
    pub(super) fn interface(
        &self,
        tree: &Tree,
        existing: &Interface,
    ) -> Result<Option<Interface>, Error> {
        let Some(held) = existing.value() else {
            return Ok(None);
        };
        let of = held.value_type();
        match self.value(tree, &of, existing.name().to_str(), Some(held)) {
            Ok(value) => Ok(Some(Interface::of(existing.name().clone(), value))),
            Err(Misfit::Kind) => Ok(None),
            Err(Misfit::Unwritable(error)) => Err(error),
        }
    }

    /// Returns the tree as a value of type `of`, in place of `existing`. `name` is the type's
    /// registered name, if known.
    fn value(
        &self,
        tree: &Tree,
        of: &Type,
        name: Option<&str>,
        existing: Option<&Value>,
    ) -> FitResult {
        let tree = match tree {
            Tree::SomeZero(zero) => zero,
            tree => tree,
        };
        match of {
            Type::Interface => self.in_interface(tree, existing),
            Type::Defined(of) => self.defined(tree, of, name, existing),
            of => basic_value(tree, of, name, self.audience.known().is_some()),
        }
    }

    fn in_interface(&self, tree: &Tree, existing: Option<&Value>) -> FitResult {
        let fitted = match existing {
            Some(Value::Interface(existing)) => self.interface(tree, existing)?,
            _ => None,
        };
        Ok(Value::Interface(match fitted {
            Some(fitted) => fitted,
            None => TreeWriter::for_audience(self.audience).write_interface(tree)?,
        }))
    }

    fn defined(
        &self,
        tree: &Tree,
        of: &Defined,
        name: Option<&str>,
        existing: Option<&Value>,
    ) -> FitResult {
        let children = match (of.shape(), existing) {
            (Shape::SelfEncoder(by), existing) => {
                return self_encoded(tree, of, by, name, existing);
            }
            (Shape::Slice(element), existing) => {
                self.elements(tree, None, &element, name, existing)?
            }
            (Shape::Array { element, length }, existing) => {
                self.elements(tree, Some(length), &element, name, existing)?
            }
            (Shape::Map { key, value }, existing) => {
                let names = name.and_then(map_names);
                self.entries(tree, (&key, &value), names, composite(existing))?
            }
            (Shape::Struct(fields), existing) => self.fields(tree, &fields, composite(existing))?,
        };
        Ok(Value::Composite(Composite::new(of.clone(), children)))
    }

    fn elements(
        &self,
        tree: &Tree,
        length: Option<usize>,
        of: &Type,
        name: Option<&str>,
        existing: Option<&Value>,
    ) -> Result<Vec<Value>, Misfit> {
        let unpacked;
        let elements = match tree {
            Tree::Sequence(elements) | Tree::Tuple(elements) => elements,
            tree => {
                unpacked = unpacked_bytes(tree, length).ok_or(Misfit::Kind)?;
                &unpacked
            }
        };
        if length.is_some_and(|length| length != elements.len()) {
            return Err(Misfit::Kind);
        }
        let name = name.and_then(element_name);
        let existing = composite(existing).map_or(&[][..], Composite::elements);
        let elements = elements.iter().enumerate();
        elements
            .map(|(place, tree)| self.value(tree, of, name, existing.get(place)))
            .collect()
    }

    /// Returns the entries of a map, each fitted to the existing entry with the same key.
    fn entries(
        &self,
        tree: &Tree,
        (of_keys, of_values): (&Type, &Type),
        names: Option<(&str, &str)>,
        existing: Option<&Composite>,
    ) -> Result<Vec<Value>, Misfit> {
        let (key_name, value_name) = names.unzip();
        let existing = ExistingEntries::of(existing);
        let mut parts = Vec::new();
        let entries = entries_of(tree).ok_or(Misfit::Kind)?;
        for (key, value) in entries.filter(|(_, value)| !matches!(value, Tree::Skipped)) {
            let found = match (key.plain(), &key) {
                (Some(key), _) => existing.plain.get(&key).copied(),
                (None, EntryKey::Tree(key)) => {
                    existing.others.iter().copied().find(|(existing_key, _)| {
                        let fitted = self.value(key, of_keys, key_name, Some(existing_key));
                        fitted.is_ok_and(|fitted| fitted.to_vec() == existing_key.to_vec())
                    })
                }
                (None, EntryKey::Name(_)) => None,
            };
            let (existing_key, existing_value) = found.unzip();
            let fitted_key = match key {
                EntryKey::Name(name) => {
                    self.value(&Tree::string(name), of_keys, key_name, existing_key)
                }
                EntryKey::Tree(key) => self.value(key, of_keys, key_name, existing_key),
            };
            parts.push(fitted_key?);
            parts.push(self.value(value, of_values, value_name, existing_value)?);
        }
        Ok(parts)
    }

    /// Returns the fields of a struct.
    ///
    /// The tree must have at least one of these fields, and no others, except fields that are
    /// zero.
    fn fields(
        &self,
        tree: &Tree,
        of: &[(super::GoString, Type)],
        existing: Option<&Composite>,
    ) -> Result<Vec<Value>, Misfit> {
        let named: HashMap<&[u8], &Tree> = entries_of(tree)
            .ok_or(Misfit::Kind)?
            .map(|(key, value)| Some((key.name()?.as_bytes(), value)))
            .collect::<Option<_>>()
            .ok_or(Misfit::Kind)?;
        let is_of = |name: &[u8]| of.iter().any(|(field, _)| field.as_bytes() == name);
        let is_something = |tree: &Tree| !tree.is_zero() || matches!(tree, Tree::SomeZero(_));
        let is_foreign = |(name, tree): (&&[u8], &&Tree)| is_something(tree) && !is_of(name);
        let has_common = named.keys().any(|name| is_of(name));
        if named.iter().any(is_foreign) || !(has_common || named.is_empty() || of.is_empty()) {
            return Err(Misfit::Kind);
        }
        let keeps = self.keeps_fields && matches!(tree, Tree::Struct(..));
        let mut parts = Vec::new();
        for (number, (name, of)) in of.iter().enumerate() {
            let existing = existing.and_then(|existing| existing.field_of(number));
            let value = match named.get(name.as_bytes()) {
                Some(Tree::Nothing | Tree::Skipped) => None,
                // A zero in an interface is sent.
                Some(tree) if tree.is_zero() && *of != Type::Interface => {
                    self.check_zero(tree)?;
                    None
                }
                Some(tree) => Some(self.value(tree, of, None, existing)?),
                None => existing.filter(|_| keeps).cloned(),
            };
            parts.extend(
                value
                    .into_iter()
                    .flat_map(|value| [Value::Uint(number as u64), value]),
            );
        }
        Ok(parts)
    }
}

impl Fit<'_> {
    /// Refuses `Some` of a zero in a Go struct, in which it would be read as `None`.
    fn check_zero(&self, zero: &Tree) -> Result<(), Misfit> {
        match (zero, self.audience) {
            #[cfg(feature = "session")]
            (Tree::SomeZero(_), Audience::Own) => Err(Misfit::Kind),
            (zero, audience) => Ok(check_zero(zero, audience)?),
        }
    }
}

fn composite(value: Option<&Value>) -> Option<&Composite> {
    match value {
        Some(Value::Composite(composite)) => Some(composite),
        _ => None,
    }
}

/// Returns a number, text or bytes as another type of the same kind.
///
/// If a Go program reads the value, bytes can also become a string: a string that is not UTF-8
/// is read here as bytes.
fn basic_value(tree: &Tree, of: &Type, name: Option<&str>, is_for_go: bool) -> FitResult {
    let value = match (tree, of) {
        (_, Type::String) if is_for_go && tree.text().is_none() => {
            Value::String(tree.bytes().ok_or(Misfit::Kind)?.into())
        }
        (Tree::Basic(_, Value::Int(int)), Type::Uint) => {
            Value::Uint(u64::try_from(*int).map_err(|_| Misfit::Kind)?)
        }
        (Tree::Basic(_, Value::Uint(uint)), Type::Int) => {
            Value::Int(i64::try_from(*uint).map_err(|_| Misfit::Kind)?)
        }
        (Tree::Basic(_, value), of) if value.value_type() == *of => value.clone(),
        (Tree::Sequence(_) | Tree::Tuple(_), Type::Bytes) => {
            Value::Bytes(tree.bytes().ok_or(Misfit::Kind)?)
        }
        (Tree::Sequence(parts) | Tree::Tuple(parts), Type::Complex) => match &**parts {
            [
                Tree::Basic(_, Value::Float(re)),
                Tree::Basic(_, Value::Float(im)),
            ] => Value::Complex(*re, *im),
            _ => return Err(Misfit::Kind),
        },
        _ => return Err(Misfit::Kind),
    };
    match name.and_then(basic) {
        Some(of) if !of.holds_exactly(&value) => Err(Misfit::Kind),
        _ => Ok(value),
    }
}

/// Returns the elements of a tree of bytes, or of a UUID's text if there must be 16 elements.
fn unpacked_bytes(tree: &Tree, length: Option<usize>) -> Option<Vec<Tree>> {
    let uuid = |text: &str| uuid_bytes(text).filter(|_| length == Some(16));
    let uuid = tree.text().and_then(uuid).map(Vec::from);
    let bytes = uuid.or_else(|| tree.bytes())?;
    let byte = |byte: u8| Tree::Basic("uint8", Value::Uint(byte.into()));
    Some(bytes.into_iter().map(byte).collect())
}

/// Returns the tree as a value of a type that encodes itself.
///
/// The tree must be a value of this type, the text of a time or UUID, or the existing bytes: a
/// Go program could refuse other bytes.
fn self_encoded(
    tree: &Tree,
    of: &Defined,
    by: SelfEncoder,
    name: Option<&str>,
    existing: Option<&Value>,
) -> FitResult {
    let existing_bytes = match existing {
        Some(Value::SelfEncoded(_, bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let bytes = match tree {
        Tree::SelfEncoded(encoded) => bytes_of_same_type(encoded, of, by, name),
        _ if tree.text().is_some() && by == SelfEncoder::Gob && name.is_none_or(is_time_name) => {
            let time = tree.text().and_then(|text| text.parse().ok());
            time.and_then(|time| time_bytes(time, of, existing_bytes))
        }
        _ if by == SelfEncoder::Binary && *of.name() == *"UUID" => {
            let bytes = tree.text().and_then(uuid_bytes).map(Vec::from);
            bytes
                .or_else(|| tree.bytes())
                .filter(|bytes| bytes.len() == 16)
        }
        tree => tree
            .bytes()
            .filter(|bytes| Some(bytes.as_slice()) == existing_bytes),
    };
    let bytes = bytes.ok_or(Misfit::Kind)?;
    Ok(Value::SelfEncoded(of.clone(), bytes))
}

/// Returns the bytes of a time that replaces an existing one. If both are the same instant, the
/// existing zone is kept. If there is none, the name of the type must be that of Go's time.
fn time_bytes(time: Time, of: &Defined, existing: Option<&[u8]>) -> Option<Vec<u8>> {
    match existing {
        Some(existing) => {
            let before = Time::of(&Value::SelfEncoded(of.clone(), existing.to_vec()))?;
            Some(match time.is_same_instant(before) {
                true => existing.to_vec(),
                false => time.to_bytes(),
            })
        }
        None => (*of.name() == *"Time").then(|| time.to_bytes()),
    }
}

/// Returns the bytes of a self-encoded value if it has this type. The types are compared by
/// their registered names, or by their own names if `name` is not known.
fn bytes_of_same_type(
    encoded: &SelfEncoded,
    of: &Defined,
    by: SelfEncoder,
    name: Option<&str>,
) -> Option<Vec<u8>> {
    let is_time = encoded.as_time().is_some();
    let is_it = match name {
        Some(name) => name == encoded.name() || (is_time && is_time_name(name)),
        None => encoded.name().rsplit('.').next() == of.name().to_str(),
    };
    (is_it && by == encoded.encoder()).then(|| encoded.bytes().to_vec())
}

/// The key of an entry to be written: the name of a struct's field, or any value.
enum EntryKey<'t> {
    Name(&'static str),
    Tree(&'t Tree),
}

impl<'t> EntryKey<'t> {
    fn name(&self) -> Option<&'t str> {
        match self {
            EntryKey::Name(name) => Some(name),
            EntryKey::Tree(tree) => tree.text(),
        }
    }

    fn plain(&self) -> Option<PlainKey<'t>> {
        match self {
            EntryKey::Name(name) => Some(PlainKey::String(name.as_bytes())),
            EntryKey::Tree(Tree::Basic(_, key)) => PlainKey::of(key),
            EntryKey::Tree(_) => None,
        }
    }
}

/// Returns the entries of a map, or the fields of a struct as entries.
fn entries_of(tree: &Tree) -> Option<impl Iterator<Item = (EntryKey<'_>, &Tree)>> {
    let (entries, fields) = match tree {
        Tree::Map(entries) => (entries.as_slice(), &[][..]),
        Tree::Struct(_, fields) => (&[][..], fields.as_slice()),
        _ => return None,
    };
    let entries = entries
        .iter()
        .map(|(key, value)| (EntryKey::Tree(key), value));
    let fields = fields
        .iter()
        .map(|(name, value)| (EntryKey::Name(name), value));
    Some(entries.chain(fields))
}

/// The entries of the existing map, by their keys.
#[derive(Default)]
struct ExistingEntries<'v> {
    plain: HashMap<PlainKey<'v>, (&'v Value, &'v Value)>,
    /// The entries with floats, structs and so on as keys.
    others: Vec<(&'v Value, &'v Value)>,
}

impl<'v> ExistingEntries<'v> {
    fn of(map: Option<&'v Composite>) -> Self {
        let mut existing = ExistingEntries::default();
        for (key, value) in map.into_iter().flat_map(Composite::entries) {
            match PlainKey::of(key) {
                Some(plain) => drop(existing.plain.insert(plain, (key, value))),
                None => existing.others.push((key, value)),
            }
        }
        existing
    }
}

/// A key without its type: `int` 5 and `uint64` 5 are equal.
#[derive(PartialEq, Eq, Hash)]
enum PlainKey<'v> {
    Bool(bool),
    Number(i128),
    String(&'v [u8]),
}

impl<'v> PlainKey<'v> {
    fn of(key: &'v Value) -> Option<Self> {
        Some(match key {
            Value::Bool(bool) => PlainKey::Bool(*bool),
            Value::Int(int) => PlainKey::Number((*int).into()),
            Value::Uint(uint) => PlainKey::Number((*uint).into()),
            Value::String(string) => PlainKey::String(string.as_bytes()),
            // A string that is not UTF-8 is read as bytes.
            Value::Bytes(bytes) => PlainKey::String(bytes),
            Value::Interface(interface) => return PlainKey::of(interface.value()?),
            _ => return None,
        })
    }
}

/// Returns the name of the element type from the name of a list: `int8` for `[]int8` and
/// `[2]int8`. Returns `None` if the list's type has its own name.
fn element_name(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('*').unwrap_or(name).strip_prefix('[')?;
    let (length, element) = rest.split_once(']')?;
    length
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(element)
}

/// Returns the names of the key and value types from a name such as `map[string]int8`.
fn map_names(name: &str) -> Option<(&str, &str)> {
    let rest = name
        .strip_prefix('*')
        .unwrap_or(name)
        .strip_prefix("map[")?;
    let mut depth = 1_usize;
    for (place, byte) in rest.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((rest.get(..place)?, rest.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_names_are_parsed_from_a_type_name() {
        assert_eq!(element_name("[]int8"), Some("int8"));
        assert_eq!(element_name("[16]uint8"), Some("uint8"));
        assert_eq!(element_name("*[][]int8"), Some("[]int8"));
        assert_eq!(element_name("main.Set[int8]"), None);
        assert_eq!(map_names("map[string]int8"), Some(("string", "int8")));
        assert_eq!(
            map_names("map[[2]int8]map[a]b"),
            Some(("[2]int8", "map[a]b"))
        );
        assert_eq!(map_names("map[string"), None);
        assert_eq!(map_names("url.Values"), None);
    }
}
