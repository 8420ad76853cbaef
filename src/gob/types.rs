//! [`Type`]: what a message says of its values' types.
//!
//! A basic type is an id below 64; every other is defined in the message that
//! first uses it, under an id that means something in that message only. Here a
//! defined type is a place in the [`Definitions`] of its message, shared by all
//! its values, so that types may refer to themselves.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::GoString;

/// The type of a value on the wire, where Go's `int8` and `int64` are one.
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
    /// `[]byte` and every type that is one.
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

/// The ids of the basic types: Go's `encoding/gob`, `type.go`.
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
    /// The basic type with this id.
    pub(super) fn basic(id: i64) -> Option<Self> {
        let known = BASIC.iter().find(|(known, _)| *known == id);
        known.map(|(_, basic)| basic.clone())
    }

    /// The id of a basic type.
    pub(super) fn basic_id(&self) -> Option<i64> {
        let known = BASIC.iter().find(|(_, known)| known == self);
        known.map(|(id, _)| *id)
    }
}

/// A type that its message defined.
///
/// Two are equal if they are the same definition of the same message.
#[derive(Clone)]
pub struct Defined {
    definitions: Arc<Definitions>,
    place: u32,
}

/// All that one message defines. It is filled when the message is read to its
/// end; the values read before then refer to it already.
#[derive(Default)]
pub(super) struct Definitions(OnceLock<Vec<Option<Definition>>>);

/// One definition: the type's name in Go, which may be empty, and what it is.
pub(super) struct Definition {
    pub(super) name: GoString,
    pub(super) shape: Shape<Reference>,
}

/// What a defined type is, in terms of other types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape<T = Type> {
    /// So many elements of one type.
    Array {
        /// The type of the elements.
        element: T,
        /// How many there are.
        length: usize,
    },
    /// Any number of elements of this type.
    Slice(T),
    /// Fields, by name, in order.
    Struct(Vec<(GoString, T)>),
    /// Keys of one type, values of another.
    Map {
        /// The type of the keys.
        key: T,
        /// The type of the values.
        value: T,
    },
    /// A Go type that encodes itself: its bytes mean something to it alone.
    SelfEncoder(SelfEncoder),
}

/// By which interface of Go's a type encodes itself. They are not interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelfEncoder {
    /// `gob.GobEncoder`, as `time.Time`.
    Gob,
    /// `encoding.BinaryMarshaler`.
    Binary,
    /// `encoding.TextMarshaler`; Go reads it, and sends it never.
    Text,
}

/// A type as a definition refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    /// By the id of a basic type.
    Basic(i64),
    /// By its place among the definitions.
    Defined(u32),
}

impl<T> Shape<T> {
    /// The same shape with each type replaced.
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
    /// Fills in what was read; only the first call counts.
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

    /// A type without a name that only basic types are in.
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

    /// The type's name in Go, without its package; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &GoString {
        static NONE: GoString = GoString::new();
        self.definition()
            .map_or(&NONE, |definition| &definition.name)
    }

    /// What the type is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        // Every reachable type is defined when a value of it is read.
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

    /// What tells this type from others in memory.
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

/// The name and the kind; a type that contains itself has no end.
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
