//! Constructors of values: from Rust's basic types, and Go's three common collections of
//! interfaces.

#[cfg(feature = "session")]
use std::sync::Arc;
use std::sync::LazyLock;

use super::types::{Defined, Shape};
#[cfg(feature = "session")]
use super::types::{Definition, Definitions, Reference, SelfEncoder};
use super::value::{Composite, Interface};
use super::{GoString, Type, Value};
#[cfg(feature = "session")]
use super::{Time, is_registered_by_go};

static SLICE_OF_INTERFACES: LazyLock<Defined> =
    LazyLock::new(|| Defined::of_basics(&Shape::Slice(Type::Interface)));

static MAP_OF_STRINGS: LazyLock<Defined> = LazyLock::new(|| {
    Defined::of_basics(&Shape::Map {
        key: Type::String,
        value: Type::Interface,
    })
});

static MAP_OF_INTERFACES: LazyLock<Defined> = LazyLock::new(|| {
    Defined::of_basics(&Shape::Map {
        key: Type::Interface,
        value: Type::Interface,
    })
});

impl Value {
    /// Creates Go's `[]interface {}`.
    ///
    /// Go reads it in an interface only if the program registered the type, as
    /// gorilla/sessions does.
    #[must_use]
    pub fn slice_of_interfaces(elements: impl IntoIterator<Item = Interface>) -> Self {
        let elements = elements.into_iter().map(Value::Interface).collect();
        Value::Composite(Composite::new(SLICE_OF_INTERFACES.clone(), elements))
    }

    /// Creates Go's `map[string]interface {}`.
    ///
    /// Go reads it in an interface only if the program registered the type.
    #[must_use]
    pub fn map_of_strings<K: Into<GoString>>(
        entries: impl IntoIterator<Item = (K, Interface)>,
    ) -> Self {
        let entries = entries
            .into_iter()
            .flat_map(|(key, value)| [Value::String(key.into()), Value::Interface(value)]);
        Value::Composite(Composite::new(MAP_OF_STRINGS.clone(), entries.collect()))
    }

    /// Creates Go's `map[interface {}]interface {}` with string keys, the type of a gorilla
    /// session's values.
    #[must_use]
    pub fn map_of_interfaces<K: Into<GoString>>(
        entries: impl IntoIterator<Item = (K, Interface)>,
    ) -> Self {
        let entries = entries.into_iter().flat_map(|(key, value)| {
            let key = Interface::of("string", Value::String(key.into()));
            [Value::Interface(key), Value::Interface(value)]
        });
        Value::Composite(Composite::new(MAP_OF_INTERFACES.clone(), entries.collect()))
    }
}

impl Composite {
    /// Creates an empty `map[interface {}]interface {}`, the values of a new gorilla session.
    ///
    /// ```
    /// let mut session = silverback::gob::Composite::map_of_interfaces();
    /// session.insert("visits", 1_isize.into())?;
    /// assert_eq!(session.entries().count(), 1);
    /// # Ok::<(), silverback::gob::Error>(())
    /// ```
    #[must_use]
    pub fn map_of_interfaces() -> Self {
        Composite::new(MAP_OF_INTERFACES.clone(), Vec::new())
    }
}

#[cfg(feature = "session")]
static DEADLINE_AND_VALUES: LazyLock<Arc<Definitions>> = LazyLock::new(|| {
    let unnamed = |shape| {
        Some(Definition {
            name: GoString::new(),
            shape,
        })
    };
    let fields = vec![
        ("Deadline".into(), Reference::Defined(1)),
        ("Values".into(), Reference::Defined(2)),
    ];
    let time = Definition {
        name: "Time".into(),
        shape: Shape::SelfEncoder(SelfEncoder::Gob),
    };
    let map = Shape::Map {
        key: Reference::Basic(Type::String.basic_id().unwrap_or(8)),
        value: Reference::Basic(Type::Interface.basic_id().unwrap_or(8)),
    };
    let definitions = Definitions::default();
    definitions.fill(vec![
        unnamed(Shape::Struct(fields)),
        Some(time),
        unnamed(map),
    ]);
    Arc::new(definitions)
});

#[cfg(feature = "session")]
impl Composite {
    /// Creates the unnamed `struct { Deadline time.Time; Values map[string]interface {} }` of an
    /// scs row. The deadline is in seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn deadline_and_values(
        deadline: i64,
        values: impl IntoIterator<Item = (GoString, Interface)>,
    ) -> Self {
        let of = |place| Defined::new(DEADLINE_AND_VALUES.clone(), place);
        let entries = values
            .into_iter()
            .flat_map(|(key, value)| [Value::String(key), Value::Interface(value)]);
        let values = Composite::new(of(2), entries.collect());
        let deadline = Value::SelfEncoded(
            of(1),
            Time::from_unix(deadline, 0)
                .map(Time::to_bytes)
                .unwrap_or_default(),
        );
        let fields = [deadline, Value::Composite(values)];
        let numbered = fields.into_iter().zip(0..);
        let numbered = numbered.flat_map(|(field, number)| [Value::Uint(number), field]);
        Composite::new(of(0), numbered.collect())
    }
}

#[cfg(feature = "session")]
impl Interface {
    /// Returns the elements as a slice of one basic type, such as `[]string`, or `None` if they
    /// have different types. Go's `[]uint8` is bytes, and not a slice on the wire.
    pub(crate) fn slice_of_basics(elements: &[Interface]) -> Option<Self> {
        let name = elements.first()?.name().to_str()?;
        let of = elements.first()?.value()?.value_type();
        let is_same = |element: &Interface| *element.name() == *name;
        if name == "uint8"
            || !elements.iter().all(is_same)
            || !is_registered_by_go(&format!("[]{name}"))
        {
            return None;
        }
        let elements = elements
            .iter()
            .filter_map(|element| element.value().cloned());
        let slice = Defined::of_basics(&Shape::Slice(of));
        let slice = Value::Composite(Composite::new(slice, elements.collect()));
        Some(Interface::of(format!("[]{name}").as_str(), slice))
    }

    /// Returns the elements of a list of interfaces or of one basic type, each in an interface.
    /// Returns `None` for all other values.
    pub(crate) fn elements(&self) -> Option<Vec<Interface>> {
        let list = match self.value() {
            Some(Value::Composite(list)) if list.is_sequence() => list,
            _ => return None,
        };
        let name = self
            .name()
            .to_str()
            .and_then(|name| name.strip_prefix("[]"));
        let name = name.filter(|name| is_registered_by_go(name));
        let elements = list.elements().iter().map(|element| match (element, name) {
            (Value::Interface(element), _) => Some(element.clone()),
            (basic, Some(name)) => Some(Interface::of(name, basic.clone())),
            _ => None,
        });
        elements.collect()
    }
}

impl Default for Interface {
    /// Creates the nil interface.
    fn default() -> Self {
        Interface::nil()
    }
}

/// Creates Go's `[N]uint8`, such as `[16]byte`.
///
/// Go reads it in an interface only if the program registered the type.
impl<const N: usize> From<[u8; N]> for Interface {
    fn from(bytes: [u8; N]) -> Self {
        let of = Defined::of_basics(&Shape::Array {
            element: Type::Uint,
            length: N,
        });
        let bytes = bytes.into_iter().map(|byte| Value::Uint(byte.into()));
        let array = Value::Composite(Composite::new(of, bytes.collect()));
        Interface::of(format!("[{N}]uint8").as_str(), array)
    }
}

/// Implements `From` for each Rust type, with the name of its Go type and its value.
macro_rules! interface_from {
    ($($rust:ty, $go:literal, |$value:ident| $make:expr;)+) => {$(
        #[doc = concat!("Creates Go's `", $go, "`.")]
        impl From<$rust> for Interface {
            fn from($value: $rust) -> Self {
                Interface::of(GoString::from_static($go), $make)
            }
        }
    )+};
}

interface_from! {
    bool, "bool", |value| Value::Bool(value);
    i8, "int8", |value| Value::Int(value.into());
    i16, "int16", |value| Value::Int(value.into());
    i32, "int32", |value| Value::Int(value.into());
    i64, "int64", |value| Value::Int(value);
    isize, "int", |value| Value::Int(value as i64);
    u8, "uint8", |value| Value::Uint(value.into());
    u16, "uint16", |value| Value::Uint(value.into());
    u32, "uint32", |value| Value::Uint(value.into());
    u64, "uint64", |value| Value::Uint(value);
    usize, "uint", |value| Value::Uint(value as u64);
    f32, "float32", |value| Value::Float(value.into());
    f64, "float64", |value| Value::Float(value);
    &str, "string", |value| Value::String(value.into());
    String, "string", |value| Value::String(value.into_bytes().into());
    GoString, "string", |value| Value::String(value);
    Vec<u8>, "[]uint8", |value| Value::Bytes(value);
}

#[cfg(test)]
#[cfg(feature = "session")]
mod tests {
    use super::*;

    /// Returns the registered name and the bytes of each element.
    fn parts(elements: &[Interface]) -> Vec<(GoString, Vec<u8>)> {
        let part = |element: &Interface| {
            let value = element.value().unwrap();
            (element.name().clone(), value.to_vec())
        };
        elements.iter().map(part).collect()
    }

    #[test]
    fn elements_of_one_basic_type_are_a_slice_of_it() {
        let texts = ["a", "b"].map(Interface::from);
        let slice = Interface::slice_of_basics(&texts).unwrap();
        assert_eq!(*slice.name(), *"[]string");
        assert_eq!(parts(&slice.elements().unwrap()), parts(&texts));
        let named = Interface::of("main.Id", Value::String("a".into()));
        for others in [
            vec![],
            vec!["a".into(), 1_i64.into()],
            vec![1_u8.into(), 2_u8.into()],
            vec![Interface::nil()],
            vec![named],
        ] {
            assert!(Interface::slice_of_basics(&others).is_none(), "{others:?}");
        }
    }

    #[test]
    fn only_lists_of_interfaces_or_basic_types_have_elements() {
        let mixed = ["a".into(), 1_i64.into()];
        let list = Value::slice_of_interfaces(mixed.clone());
        let list = Interface::of("[]interface {}", list);
        assert_eq!(parts(&list.elements().unwrap()), parts(&mixed));
        let texts = Interface::slice_of_basics(&["a".into()]).unwrap();
        let named = Interface::of("main.Names", texts.value().unwrap().clone());
        let map = Interface::of(
            "map[string]interface {}",
            Value::map_of_strings([("a", 1_i64.into())]),
        );
        for other in [named, map, "a".into(), Interface::nil()] {
            assert!(other.elements().is_none(), "{other:?}");
        }
    }

    #[test]
    fn an_array_of_bytes_is_gos_array_of_uint8() {
        let id = Interface::from([7; 16]);
        assert_eq!(*id.name(), *"[16]uint8");
        let Some(Value::Composite(array)) = id.value() else {
            panic!("an array")
        };
        let shape = Shape::Array {
            element: Type::Uint,
            length: 16,
        };
        assert_eq!(array.defined().shape(), shape);
        let is_seven = |element: &Value| matches!(element, Value::Uint(7));
        assert!(array.elements().iter().all(is_seven));
    }
}
