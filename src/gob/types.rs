//! [`Type`]: the types of the values in a message.
//!
//! A basic type has an id below 64. Every other type is defined in the message that uses it,
//! under an id that is valid only in that message. Here a defined type is an index into the
//! [`Definitions`] of its message. All values of the message share these, so that types can
//! refer to themselves.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::GoString;

/// The type of a value on the wire. Go's `int8` and `int64` are the same type there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `bool`.
    Bool,
    /// Every signed integer type.
    Int,
    /// Every unsigned integer type.
    Uint,
    /// `float32` and `float64`.
    Float,
    /// `[]byte`, and every type defined as `[]byte`.
    Bytes,
    /// Every string type.
    String,
    /// `complex64` and `complex128`.
    Complex,
    /// Every interface type.
    Interface,
    /// An array, slice, map, struct or self-encoder, defined in the message.
    Defined(Defined),
}

/// The ids of the basic types. Source: Go's `encoding/gob`, `type.go`.
const BASIC: [(i64, Type); 8] = [
    (1, Type::Bool),
    (2, Type::Int),
    (3, Type::Uint),
    (4, Type::Float),
    (5, Type::Bytes),
    (6, Type::String),
    (7, Type::Complex),
    (8, Type::Interface),
];

impl Type {
    /// Returns the basic type with this id.
    pub(super) fn basic(id: i64) -> Option<Self> {
        let known = BASIC.iter().find(|(known, _)| *known == id);
        known.map(|(_, basic)| basic.clone())
    }

    /// Returns the id of a basic type, or `None` for a defined type.
    pub(super) fn basic_id(&self) -> Option<i64> {
        let known = BASIC.iter().find(|(_, known)| known == self);
        known.map(|(id, _)| *id)
    }
}

/// A type that is defined in its message.
///
/// Two of them are equal if they are the same definition in the same message.
#[derive(Clone)]
pub struct Defined {
    definitions: Arc<Definitions>,
    place: u32,
}

/// All definitions of a message. They are filled in when the whole message has been read; the
/// values that were read before already refer to them.
#[derive(Default)]
pub(super) struct Definitions(OnceLock<Vec<Option<Definition>>>);

/// A definition: the name of the type in Go, which may be empty, and its shape.
pub(super) struct Definition {
    pub(super) name: GoString,
    pub(super) shape: Shape<Reference>,
}

/// The structure of a defined type, in terms of other types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape<T = Type> {
    /// A fixed number of elements of one type.
    Array {
        /// The type of the elements.
        element: T,
        /// The number of elements.
        length: usize,
    },
    /// Any number of elements of one type.
    Slice(T),
    /// Fields with names and types, in order.
    Struct(Vec<(GoString, T)>),
    /// Keys of one type, and values of one type.
    Map {
        /// The type of the keys.
        key: T,
        /// The type of the values.
        value: T,
    },
    /// A Go type that encodes itself. Only the type itself can read its bytes.
    SelfEncoder(SelfEncoder),
}

/// The Go interface through which a type encodes itself. They are not interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelfEncoder {
    /// `gob.GobEncoder`, which `time.Time` implements.
    Gob,
    /// `encoding.BinaryMarshaler`.
    Binary,
    /// `encoding.TextMarshaler`. Go reads it, but never sends it.
    Text,
}

/// A reference to a type in a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    /// The id of a basic type.
    Basic(i64),
    /// The index of a definition.
    Defined(u32),
}

impl<T> Shape<T> {
    /// Returns the same shape with each type replaced.
    pub(super) fn map<U>(&self, mut to: impl FnMut(&T) -> U) -> Shape<U> {
        match self {
            Shape::Array { element, length } => Shape::Array {
                element: to(element),
                length: *length,
            },
            Shape::Slice(element) => Shape::Slice(to(element)),
            Shape::Struct(fields) => {
                let fields = fields.iter().map(|(name, of)| (name.clone(), to(of)));
                Shape::Struct(fields.collect())
            }
            Shape::Map { key, value } => Shape::Map {
                key: to(key),
                value: to(value),
            },
            Shape::SelfEncoder(by) => Shape::SelfEncoder(*by),
        }
    }
}

impl Definitions {
    /// Fills in the definitions. Only the first call has an effect.
    pub(super) fn fill(&self, definitions: Vec<Option<Definition>>) {
        let _ = self.0.set(definitions);
    }

    fn get(&self, place: u32) -> Option<&Definition> {
        self.0.get()?.get(place as usize)?.as_ref()
    }
}

impl Defined {
    pub(super) fn new(definitions: Arc<Definitions>, place: u32) -> Self {
        Defined { definitions, place }
    }

    /// Creates a type without a name that contains only basic types.
    pub(super) fn of_basics(shape: &Shape) -> Self {
        let reference = |of: &Type| Reference::Basic(of.basic_id().unwrap_or(8));
        let definition = Definition {
            name: GoString::new(),
            shape: shape.map(reference),
        };
        let definitions = Definitions::default();
        definitions.fill(vec![Some(definition)]);
        Defined::new(Arc::new(definitions), 0)
    }

    /// Returns the name of the type in Go, without its package. It may be empty.
    #[must_use]
    pub fn name(&self) -> &GoString {
        static NONE: GoString = GoString::new();
        self.definition()
            .map_or(&NONE, |definition| &definition.name)
    }

    /// Returns the structure of the type.
    #[must_use]
    pub fn shape(&self) -> Shape {
        // When a value is read, every type that its type reaches is defined.
        let Some(definition) = self.definition() else {
            return Shape::Struct(Vec::new());
        };
        definition.shape.map(|of| self.resolve(*of))
    }

    pub(super) fn definition(&self) -> Option<&Definition> {
        self.definitions.get(self.place)
    }

    pub(super) fn resolve(&self, reference: Reference) -> Type {
        match reference {
            Reference::Basic(id) => Type::basic(id).unwrap_or(Type::Interface),
            Reference::Defined(place) => {
                Type::Defined(Defined::new(self.definitions.clone(), place))
            }
        }
    }

    /// Identifies this type in memory.
    pub(super) fn identity(&self) -> (*const Definitions, u32) {
        (Arc::as_ptr(&self.definitions), self.place)
    }
}

impl PartialEq for Defined {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Defined {}

/// Writes only the name and the kind, since a type may contain itself.
impl fmt::Debug for Defined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.definition().map(|definition| &definition.shape) {
            Some(Shape::Array { .. }) => "array",
            Some(Shape::Slice(_)) => "slice",
            Some(Shape::Struct(_)) => "struct",
            Some(Shape::Map { .. }) => "map",
            Some(Shape::SelfEncoder(_)) => "self-encoder",
            None => "undefined",
        };
        write!(f, "{kind} {:?}", self.name())
    }
}
