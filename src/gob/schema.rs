//! Finds the Go type of a tree of serde values, and writes the tree as a value of that type.
//!
//! serde shows values, but not the common type of the elements of a list, nor the type of an
//! absent value. Go needs both. Therefore the types of a tree's parts are joined. Parts with
//! types that cannot be joined become interfaces.

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::check;
use super::registered::{Audience, KnownTypes};
use super::tree::Tree;
use super::types::{Defined, Definition, Definitions, Reference, SelfEncoder, Shape};
use super::value::{Composite, Interface};
use super::{Error, GoString, Value};

/// A Go type, as far as the values show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Schema {
    /// No value shows the type. It is written as an interface.
    Unknown,
    Interface,
    Basic(i64),
    Slice(Box<Schema>),
    Array(Box<Schema>, usize),
    Map(Box<Schema>, Box<Schema>),
    Struct(&'static str, Vec<(&'static str, Schema)>),
    /// A self-encoding type: its registered name and its encoder.
    SelfEncoded(String, SelfEncoder),
}

impl Tree {
    pub(super) fn schema(&self) -> Schema {
        let all = |trees: &[Tree]| Box::new(common_schema(trees.iter()));
        match self {
            Tree::Nothing | Tree::Skipped => Schema::Unknown,
            Tree::SomeZero(zero) => zero.schema(),
            Tree::Basic(..) => Schema::Basic(self.basic_id().unwrap_or(8)),
            Tree::SelfEncoded(encoded) => {
                Schema::SelfEncoded(encoded.name().to_owned(), encoded.encoder())
            }
            Tree::Sequence(elements) if is_bytes(elements) => Schema::Basic(5),
            Tree::Sequence(elements) => Schema::Slice(all(elements)),
            Tree::Tuple(elements) => match *all(elements) {
                Schema::Interface | Schema::Unknown => Schema::Slice(Box::new(Schema::Interface)),
                element => Schema::Array(Box::new(element), elements.len()),
            },
            Tree::Map(entries) => {
                let keys = common_schema(entries.iter().map(|(key, _)| key));
                let values = common_schema(entries.iter().map(|(_, value)| value));
                Schema::Map(Box::new(keys), Box::new(values))
            }
            Tree::Struct(name, fields) => {
                let fields = fields.iter().map(|(name, tree)| (*name, tree.schema()));
                Schema::Struct(name, fields.collect())
            }
        }
    }

    /// Returns the type in an interface, which the Go program must have registered.
    ///
    /// It is the usual type, or the exact one if the reading program knows only that. It is
    /// `None` for an empty list of an unknown type, which must be nil.
    fn schema_in_interface(&self, known: Option<&KnownTypes>) -> Option<Schema> {
        let usual = self.usual_schema();
        let Some(known) = known else {
            return Some(usual);
        };
        if known.has(&usual.registered_name()) {
            return Some(usual);
        }
        let exact = self.schema();
        match self {
            _ if known.has(&exact.registered_name()) => Some(exact),
            // An empty list does not show its type.
            Tree::Sequence(elements) if elements.is_empty() => None,
            _ => Some(usual),
        }
    }

    /// Returns a type that does not depend on the particular values: lists of one basic type,
    /// and interfaces in all other lists and in maps.
    fn usual_schema(&self) -> Schema {
        let interface = || Box::new(Schema::Interface);
        match (self, self.schema()) {
            (Tree::Tuple(elements), Schema::Array(..)) if is_bytes(elements) => Schema::Basic(5),
            (_, Schema::Slice(element) | Schema::Array(element, _))
                if matches!(*element, Schema::Basic(1..=4 | 6)) =>
            {
                Schema::Slice(element)
            }
            (Tree::Map(entries), _) => {
                let is_string = |(key, _): &(Tree, Tree)| matches!(key, Tree::Basic("string", _));
                let key = match entries.iter().all(is_string) {
                    true => Box::new(Schema::Basic(6)),
                    false => interface(),
                };
                Schema::Map(key, interface())
            }
            (Tree::Sequence(_) | Tree::Tuple(_), Schema::Slice(_) | Schema::Array(..)) => {
                Schema::Slice(interface())
            }
            (_, schema) => schema,
        }
    }
}

/// Returns the type that all trees can have. Go has no nil among values: if one tree is
/// `Nothing`, all are interfaces.
fn common_schema<'t>(mut trees: impl Iterator<Item = &'t Tree> + Clone) -> Schema {
    let schemas = trees.clone().map(Tree::schema);
    match trees.any(|tree| matches!(tree, Tree::Nothing)) {
        true => Schema::Interface,
        false => schemas.fold(Schema::Unknown, Schema::join),
    }
}

/// Returns whether a sequence is `[]byte` in Go: serde shows `Vec<u8>` as a sequence of integers.
fn is_bytes(elements: &[Tree]) -> bool {
    let is_byte = |tree: &Tree| matches!(tree, Tree::Basic("uint8", _));
    !elements.is_empty() && elements.iter().all(is_byte)
}

impl Schema {
    /// Returns the type that both values can have, or else an interface.
    fn join(self, other: Schema) -> Schema {
        match (self, other) {
            (one, other) if one == other => one,
            (Schema::Unknown, known) | (known, Schema::Unknown) => known,
            (Schema::Slice(one), Schema::Slice(other)) => Schema::Slice(Box::new(one.join(*other))),
            // One is an empty list, which can be a list of bytes.
            (Schema::Slice(empty), Schema::Basic(5)) | (Schema::Basic(5), Schema::Slice(empty))
                if *empty == Schema::Unknown =>
            {
                Schema::Basic(5)
            }
            (Schema::Array(one, length), Schema::Array(other, same)) if length == same => {
                match one.join(*other) {
                    Schema::Interface => Schema::Interface,
                    joined => Schema::Array(Box::new(joined), length),
                }
            }
            (Schema::Map(key, value), Schema::Map(other_key, other_value)) => Schema::Map(
                Box::new(key.join(*other_key)),
                Box::new(value.join(*other_value)),
            ),
            (Schema::Struct(name, fields), Schema::Struct(same, others)) if name == same => {
                Schema::Struct(name, join_fields(fields, others))
            }
            _ => Schema::Interface,
        }
    }

    /// Returns the name under which Go registers the type.
    fn registered_name(&self) -> String {
        match self {
            Schema::Unknown | Schema::Interface => "interface {}".to_owned(),
            Schema::Basic(1) => "bool".to_owned(),
            Schema::Basic(2) => "int64".to_owned(),
            Schema::Basic(3) => "uint64".to_owned(),
            Schema::Basic(4) => "float64".to_owned(),
            Schema::Basic(5) => "[]uint8".to_owned(),
            Schema::Basic(6) => "string".to_owned(),
            Schema::Basic(_) => "complex128".to_owned(),
            Schema::Slice(element) => format!("[]{}", element.registered_name()),
            Schema::Array(element, length) => format!("[{length}]{}", element.registered_name()),
            Schema::Map(key, value) => {
                format!("map[{}]{}", key.registered_name(), value.registered_name())
            }
            Schema::Struct(name, _) => (*name).to_owned(),
            Schema::SelfEncoded(name, _) => name.clone(),
        }
    }
}

fn join_fields(
    mut fields: Vec<(&'static str, Schema)>,
    others: Vec<(&'static str, Schema)>,
) -> Vec<(&'static str, Schema)> {
    for (name, schema) in others {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = std::mem::replace(known, Schema::Unknown).join(schema),
            None => fields.push((name, schema)),
        }
    }
    fields
}

/// Writes trees as values. Each schema is defined once as a type.
#[derive(Default)]
pub(super) struct TreeWriter<'k> {
    places: HashMap<Schema, u32>,
    definitions: Vec<Option<Definition>>,
    shared: Arc<Definitions>,
    audience: Audience<'k>,
}

impl<'k> TreeWriter<'k> {
    pub(super) fn for_audience(audience: Audience<'k>) -> Self {
        TreeWriter {
            audience,
            ..TreeWriter::default()
        }
    }

    /// Writes a tree as a value at the top level.
    pub(super) fn write(mut self, tree: &Tree) -> Result<Value, Error> {
        tree.check_names()?;
        let schema = tree.schema();
        if matches!(schema, Schema::Unknown) {
            return Err(Error::new("gob cannot hold None or unit at the top level"));
        }
        let value = self.value(tree, &schema)?;
        self.shared.fill(self.definitions);
        check(&value)?;
        Ok(value)
    }

    /// Writes a tree as the content of an interface.
    pub(super) fn write_interface(mut self, tree: &Tree) -> Result<Interface, Error> {
        tree.check_names()?;
        let interface = match self.audience {
            #[cfg(feature = "session")]
            Audience::Own => self.interface(&tree.to_maps())?,
            _ => self.interface(tree)?,
        };
        if !self.definitions.is_empty() {
            self.shared.fill(self.definitions);
            check(&Value::Interface(interface.clone()))?;
        }
        Ok(interface)
    }

    fn value(&mut self, tree: &Tree, schema: &Schema) -> Result<Value, Error> {
        let mut parts = Vec::new();
        match (tree, schema) {
            (_, Schema::Interface | Schema::Unknown) => {
                return Ok(Value::Interface(self.interface(tree)?));
            }
            (Tree::Basic(_, value), _) => return Ok(value.clone()),
            (_, Schema::Basic(5)) => return Ok(Value::Bytes(tree.bytes().unwrap_or_default())),
            (Tree::SelfEncoded(encoded), _) => {
                let of = Defined::new(self.shared.clone(), self.place(schema));
                return Ok(Value::SelfEncoded(of, encoded.bytes().to_vec()));
            }
            (
                Tree::Sequence(elements) | Tree::Tuple(elements),
                Schema::Slice(element) | Schema::Array(element, _),
            ) => {
                for tree in elements {
                    parts.push(self.value(tree, element)?);
                }
            }
            (Tree::Map(entries), Schema::Map(of_keys, of_values)) => {
                for (key, value) in entries {
                    parts.push(self.value(key, of_keys)?);
                    parts.push(self.value(value, of_values)?);
                }
            }
            (Tree::Struct(_, fields), Schema::Struct(_, schemas)) => {
                fields
                    .iter()
                    .try_for_each(|(_, field)| check_zero(field, self.audience))?;
                for (number, (name, schema)) in known_fields(schemas).enumerate() {
                    let field = fields.iter().find(|(field, _)| *field == name);
                    let Some((_, tree)) = field.filter(|(_, tree)| !tree.is_zero()) else {
                        continue;
                    };
                    parts.push(Value::Uint(number as u64));
                    parts.push(self.value(tree, schema)?);
                }
            }
            _ => return Err(Error::new("a value and its own type differ")),
        }
        let place = self.place(schema);
        let of = Defined::new(self.shared.clone(), place);
        Ok(Value::Composite(Composite::new(of, parts)))
    }

    /// Returns the tree in an interface, with the registered name of its type.
    fn interface(&mut self, tree: &Tree) -> Result<Interface, Error> {
        Ok(match tree {
            Tree::Nothing => Interface::nil(),
            Tree::Basic(name, value) => Interface::of(GoString::from_static(name), value.clone()),
            tree => match tree.schema_in_interface(self.audience.known()) {
                None => Interface::nil(),
                Some(schema) => {
                    let name = schema.registered_name();
                    Interface::of(name.as_str(), self.value(tree, &schema)?)
                }
            },
        })
    }

    fn reference(&mut self, schema: &Schema) -> Reference {
        match schema {
            Schema::Unknown | Schema::Interface => Reference::Basic(8),
            Schema::Basic(id) => Reference::Basic(*id),
            defined => Reference::Defined(self.place(defined)),
        }
    }

    fn place(&mut self, schema: &Schema) -> u32 {
        if let Some(place) = self.places.get(schema) {
            return *place;
        }
        let place = self.definitions.len() as u32;
        self.places.insert(schema.clone(), place);
        self.definitions.push(None);
        let mut name = GoString::new();
        let shape = match schema {
            Schema::Slice(element) => Shape::Slice(self.reference(element)),
            Schema::Array(element, length) => Shape::Array {
                element: self.reference(element),
                length: *length,
            },
            Schema::Map(key, value) => Shape::Map {
                key: self.reference(key),
                value: self.reference(value),
            },
            Schema::Struct(go_name, fields) => {
                name = go_name.rsplit('.').next().unwrap_or(go_name).into();
                let fields = known_fields(fields);
                Shape::Struct(
                    fields
                        .map(|(name, of)| (name.into(), self.reference(of)))
                        .collect(),
                )
            }
            Schema::SelfEncoded(registered, by) => {
                name = registered.rsplit('.').next().unwrap_or(registered).into();
                Shape::SelfEncoder(*by)
            }
            _ => Shape::Struct(Vec::new()),
        };
        if let Some(defined) = self.definitions.get_mut(place as usize) {
            *defined = Some(Definition { name, shape });
        }
        place
    }
}

/// Refuses a field that is `Some` of a zero if a Go program reads the struct: Go leaves the field
/// out, so that it would be read as `None`.
pub(super) fn check_zero(zero: &Tree, audience: Audience<'_>) -> Result<(), Error> {
    match (zero, audience) {
        (Tree::SomeZero(_), Audience::Go(_)) => Err(Error::new(
            "a struct's field is Some of a zero value, which Go reads as None: use a type without Option",
        )),
        _ => Ok(()),
    }
}

/// Returns the fields with types that a value shows. Go reads the others as zero.
fn known_fields<'s>(
    fields: &'s [(&'static str, Schema)],
) -> impl Iterator<Item = (&'static str, &'s Schema)> {
    let known = fields.iter().filter(|(_, schema)| !schema.is_unknown());
    known.map(|(name, schema)| (*name, schema))
}

impl Schema {
    /// Returns whether no value shows the type: all values are absent or empty.
    fn is_unknown(&self) -> bool {
        match self {
            Schema::Unknown => true,
            Schema::Slice(element) => **element == Schema::Unknown,
            Schema::Map(key, _) => **key == Schema::Unknown,
            _ => false,
        }
    }
}
