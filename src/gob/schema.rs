//! What Go type a tree of serde values can have.
//!
//! serde says what a value is, and not of what type its neighbours and absent
//! parts are; Go's types do. So a value becomes a tree first, the types of its
//! parts are joined, and then it is written as a value of the joined type. Parts
//! whose types do not join become interfaces.

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::check;
use super::types::{Defined, Definition, Definitions, Reference, Shape};
use super::value::{Composite, Interface};
use super::{Error, GoString, Value};

/// A serde value, as it came.
pub(super) enum Tree {
    /// None, or unit.
    Nothing,
    /// A basic value, and the name Go has for its type.
    Basic(&'static str, Value),
    Sequence(Vec<Tree>),
    /// A tuple or array: always so many elements.
    Tuple(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    /// The name may be `pkg.Name`: Go registers the whole, and sends the last part.
    Struct(&'static str, Vec<(&'static str, Tree)>),
}

/// A Go type in the making.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Schema {
    /// Nothing is known; in the end, an interface.
    Unknown,
    Interface,
    Basic(i64),
    Slice(Box<Schema>),
    Array(Box<Schema>, usize),
    Map(Box<Schema>, Box<Schema>),
    Struct(&'static str, Vec<(&'static str, Schema)>),
}

impl Tree {
    pub(super) fn schema(&self) -> Schema {
        let all = |trees: &[Tree]| Box::new(joined(trees.iter()));
        match self {
            Tree::Nothing => Schema::Unknown,
            Tree::Basic(_, value) => Schema::Basic(value.value_type().basic_id().unwrap_or(8)),
            Tree::Sequence(elements) if is_bytes(elements) => Schema::Basic(5),
            Tree::Sequence(elements) => Schema::Slice(all(elements)),
            Tree::Tuple(elements) => match *all(elements) {
                Schema::Interface | Schema::Unknown => Schema::Slice(Box::new(Schema::Interface)),
                element => Schema::Array(Box::new(element), elements.len()),
            },
            Tree::Map(entries) => {
                let keys = joined(entries.iter().map(|(key, _)| key));
                let values = joined(entries.iter().map(|(_, value)| value));
                Schema::Map(Box::new(keys), Box::new(values))
            }
            Tree::Struct(name, fields) => {
                let fields = fields.iter().map(|(name, tree)| (*name, tree.schema()));
                Schema::Struct(name, fields.collect())
            }
        }
    }

    /// The type in an interface, where Go must have registered it: what all programs
    /// register, if it can be, whatever the values happen to be.
    fn schema_in_interface(&self) -> Schema {
        let interface = || Box::new(Schema::Interface);
        match (self, self.schema()) {
            (_, schema @ (Schema::Basic(_) | Schema::Struct(..))) => schema,
            (Tree::Sequence(_), Schema::Slice(element))
                if matches!(*element, Schema::Basic(1..=6)) =>
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
            _ => Schema::Slice(interface()),
        }
    }

    /// Refuses names that Go has not, and so nobody reads: of a struct or field that has
    /// none, of two fields that have the same.
    fn check_names(&self) -> Result<(), Error> {
        match self {
            Tree::Nothing | Tree::Basic(..) => Ok(()),
            Tree::Sequence(trees) | Tree::Tuple(trees) => {
                trees.iter().try_for_each(Tree::check_names)
            }
            Tree::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                key.check_names()?;
                value.check_names()
            }),
            Tree::Struct(name, fields) => {
                if name.is_empty() || name.ends_with('.') {
                    return Err(Error::new("a struct has no name"));
                }
                for (number, (name, value)) in fields.iter().enumerate() {
                    let is_twice = fields.iter().take(number).any(|(other, _)| other == name);
                    if name.is_empty() || is_twice {
                        return Err(Error::new("a field has no name, or another's"));
                    }
                    value.check_names()?;
                }
                Ok(())
            }
        }
    }

    /// The same, of what every format has: structs as maps, keys as strings.
    #[cfg(feature = "session")]
    pub(super) fn into_plain(self) -> Result<Tree, Error> {
        self.check_names()?;
        self.into_plain_terms()
    }

    #[cfg(feature = "session")]
    fn into_plain_terms(self) -> Result<Tree, Error> {
        let all = |trees: Vec<Tree>| {
            let plain = trees.into_iter().map(Tree::into_plain_terms);
            plain.collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            Tree::Basic(_, Value::Float(float)) if !float.is_finite() => {
                return Err(Error::new("a number is not finite"));
            }
            Tree::Nothing | Tree::Basic(..) => self,
            Tree::Sequence(elements) => Tree::Sequence(all(elements)?),
            Tree::Tuple(elements) => Tree::Tuple(all(elements)?),
            Tree::Map(entries) => {
                let plain = |(key, value): (Tree, Tree)| match key {
                    Tree::Basic("string", _) => Ok((key, value.into_plain_terms()?)),
                    _ => Err(Error::new("a map's key is no string")),
                };
                Tree::Map(entries.into_iter().map(plain).collect::<Result<_, _>>()?)
            }
            Tree::Struct(_, fields) => {
                let entry = |(name, value): (&'static str, Tree)| {
                    let key = Tree::Basic("string", Value::String(name.into()));
                    Ok::<_, Error>((key, value.into_plain_terms()?))
                };
                Tree::Map(fields.into_iter().map(entry).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Whether it is left out of a struct: a zero, a nil, an empty slice. Go sends an
    /// empty map that is not nil; here it is left out too, since nothing shows of
    /// what type it is.
    fn is_zero(&self) -> bool {
        match self {
            Tree::Nothing => true,
            Tree::Basic(_, value) => match value {
                Value::Bool(bool) => !bool,
                Value::Int(int) => *int == 0,
                Value::Uint(uint) => *uint == 0,
                Value::Float(float) => *float == 0.0,
                Value::String(string) => string.as_bytes().is_empty(),
                Value::Bytes(bytes) => bytes.is_empty(),
                _ => false,
            },
            Tree::Sequence(elements) => elements.is_empty(),
            Tree::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }
}

/// The type that all of them can have. Go has no nil among values: where one is
/// nothing, all are interfaces.
fn joined<'t>(mut trees: impl Iterator<Item = &'t Tree> + Clone) -> Schema {
    let schemas = trees.clone().map(Tree::schema);
    match trees.any(|tree| matches!(tree, Tree::Nothing)) {
        true => Schema::Interface,
        false => schemas.fold(Schema::Unknown, Schema::join),
    }
}

/// serde sees `Vec<u8>` as a sequence; Go's `[]byte` is no slice of integers.
fn is_bytes(elements: &[Tree]) -> bool {
    let is_byte = |tree: &Tree| matches!(tree, Tree::Basic("uint8", _));
    !elements.is_empty() && elements.iter().all(is_byte)
}

impl Schema {
    /// The type that both can have; else an interface.
    fn join(self, other: Schema) -> Schema {
        match (self, other) {
            (one, other) if one == other => one,
            (Schema::Unknown, known) | (known, Schema::Unknown) => known,
            (Schema::Slice(one), Schema::Slice(other)) => Schema::Slice(Box::new(one.join(*other))),
            // An empty list among lists of bytes.
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

    /// The name Go registers such a type with.
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

/// Writes trees as values of schemas, each schema once as a type.
#[derive(Default)]
pub(super) struct Writer {
    places: HashMap<Schema, u32>,
    definitions: Vec<Option<Definition>>,
    shared: Arc<Definitions>,
}

impl Writer {
    /// The value of a tree at the top level.
    pub(super) fn write(mut self, tree: &Tree) -> Result<Value, Error> {
        tree.check_names()?;
        let schema = tree.schema();
        if matches!(schema, Schema::Unknown) {
            return Err(Error::new("nothing has no value at the top level"));
        }
        let value = self.value(tree, &schema)?;
        self.shared.fill(self.definitions);
        check(&value)?;
        Ok(value)
    }

    /// The tree in an interface.
    pub(super) fn write_interface(mut self, tree: &Tree) -> Result<Interface, Error> {
        tree.check_names()?;
        let interface = self.interface(tree)?;
        if let Some(Value::Composite(_)) = interface.value() {
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
            (Tree::Nothing, _) => return Err(Error::new("a nil among values that are not")),
            (Tree::Basic(_, value), _) => return Ok(value.clone()),
            (Tree::Sequence(elements), Schema::Basic(5)) => {
                let byte = |tree: &Tree| match tree {
                    Tree::Basic(_, Value::Uint(byte)) => *byte as u8,
                    _ => 0,
                };
                return Ok(Value::Bytes(elements.iter().map(byte).collect()));
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
                for (number, (name, schema)) in known_fields(schemas).enumerate() {
                    let field = fields.iter().find(|(field, _)| *field == name);
                    let Some((_, tree)) = field.filter(|(_, tree)| !tree.is_zero()) else {
                        continue;
                    };
                    parts.push(Value::Uint(number as u64));
                    parts.push(self.value(tree, schema)?);
                }
            }
            _ => return Err(Error::new("a value is not of its own type")),
        }
        let place = self.place(schema);
        let of = Defined::new(self.shared.clone(), place);
        Ok(Value::Composite(Composite::new(of, parts)))
    }

    /// The tree in an interface, under the name of its type.
    fn interface(&mut self, tree: &Tree) -> Result<Interface, Error> {
        Ok(match tree {
            Tree::Nothing => Interface::nil(),
            Tree::Basic(name, value) => Interface::of(*name, value.clone()),
            tree => {
                let schema = tree.schema_in_interface();
                let name = schema.registered_name();
                Interface::of(name.as_str(), self.value(tree, &schema)?)
            }
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
            _ => Shape::Struct(Vec::new()),
        };
        if let Some(defined) = self.definitions.get_mut(place as usize) {
            *defined = Some(Definition { name, shape });
        }
        place
    }
}

/// The fields whose type some value showed; Go takes the others for zero.
fn known_fields<'s>(
    fields: &'s [(&'static str, Schema)],
) -> impl Iterator<Item = (&'static str, &'s Schema)> {
    let known = fields.iter().filter(|(_, schema)| !schema.is_unknown());
    known.map(|(name, schema)| (*name, schema))
}

impl Schema {
    /// Whether no value showed the type: there was none, or empty ones only.
    fn is_unknown(&self) -> bool {
        match self {
            Schema::Unknown => true,
            Schema::Slice(element) => **element == Schema::Unknown,
            Schema::Map(key, _) => **key == Schema::Unknown,
            _ => false,
        }
    }
}
