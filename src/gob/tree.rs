//! [`Tree`]: a serialized serde value, before it has a Go type.

use super::types::Type;
use super::{Error, SelfEncoded, Value};

/// A serialized serde value.
#[derive(Clone)]
pub(super) enum Tree {
    /// `None`, or unit.
    Nothing,
    /// A field that its struct skips (`skip_serializing_if`). It occurs only in fields.
    Skipped,
    /// `Some` of a [zero](Tree::is_zero), which Go reads as nil. It occurs only in fields.
    SomeZero(Box<Tree>),
    /// A basic value, and the name of its type in Go.
    Basic(&'static str, Value),
    Sequence(Vec<Tree>),
    /// A tuple or array, which has a fixed number of elements.
    Tuple(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    /// A struct and its name. For a name `pkg.Name`, Go registers the whole name, and sends
    /// the last part.
    Struct(&'static str, Vec<(&'static str, Tree)>),
    /// A value of a Go type that encodes itself.
    SelfEncoded(SelfEncoded),
}

impl Tree {
    pub(super) fn string(text: &str) -> Tree {
        Tree::Basic("string", Value::String(text.into()))
    }

    /// Returns the tree for any place except a field: `Some` of a zero becomes the zero.
    pub(super) fn out_of_field(self) -> Tree {
        match self {
            Tree::SomeZero(zero) => *zero,
            tree => tree,
        }
    }

    /// Returns the text, if this is a string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Tree::Basic(_, Value::String(text)) => text.to_str(),
            _ => None,
        }
    }

    /// Returns the bytes, if this is bytes or a list of `u8` only.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let byte = |tree: &Tree| match tree {
            Tree::Basic("uint8", Value::Uint(byte)) => u8::try_from(*byte).ok(),
            _ => None,
        };
        match self {
            Tree::Basic(_, Value::Bytes(bytes)) => Some(bytes.clone()),
            Tree::Sequence(elements) | Tree::Tuple(elements) => elements.iter().map(byte).collect(),
            _ => None,
        }
    }

    /// Refuses names that no Go program can read: an empty name of a struct or field, and two
    /// fields with the same name.
    pub(super) fn check_names(&self) -> Result<(), Error> {
        match self {
            Tree::Nothing | Tree::Skipped | Tree::Basic(..) | Tree::SelfEncoded(_) => Ok(()),
            Tree::SomeZero(tree) => tree.check_names(),
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
                    let is_duplicate = fields.iter().take(number).any(|(other, _)| other == name);
                    if name.is_empty() || is_duplicate {
                        return Err(Error::new("a field has no name, or the name of another"));
                    }
                    value.check_names()?;
                }
                Ok(())
            }
        }
    }

    /// Returns the tree with each struct as a map of all its fields, including zeros and `None`.
    #[cfg(feature = "session")]
    pub(super) fn to_maps(&self) -> Tree {
        let all = |trees: &[Tree]| trees.iter().map(Tree::to_maps).collect();
        match self {
            Tree::SomeZero(zero) => zero.to_maps(),
            Tree::Sequence(elements) => Tree::Sequence(all(elements)),
            Tree::Tuple(elements) => Tree::Tuple(all(elements)),
            Tree::Map(entries) => {
                let entries = entries.iter();
                Tree::Map(
                    entries
                        .map(|(key, value)| (key.to_maps(), value.to_maps()))
                        .collect(),
                )
            }
            Tree::Struct(_, fields) => {
                let sent = fields
                    .iter()
                    .filter(|(_, value)| !matches!(value, Tree::Skipped));
                Tree::Map(
                    sent.map(|(name, value)| (Tree::string(name), value.to_maps()))
                        .collect(),
                )
            }
            other => other.clone(),
        }
    }

    /// Refuses values that not every format has: keys that are not strings, numbers that are
    /// not finite, and Go types that encode themselves. A time becomes text.
    #[cfg(feature = "session")]
    pub(super) fn into_plain(self) -> Result<Tree, Error> {
        let all = |trees: Vec<Tree>| {
            let plain = trees.into_iter().map(Tree::into_plain);
            plain.collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            Tree::Basic(_, Value::Float(float)) if !float.is_finite() => {
                return Err(Error::new(
                    "a number is not finite, which only gob can hold",
                ));
            }
            Tree::SelfEncoded(encoded) => match encoded.as_time() {
                Some(time) => Tree::string(&time.to_string()),
                None => {
                    return Err(Error::new(
                        "a Go type encodes itself, which only gob can hold",
                    ));
                }
            },
            Tree::Sequence(elements) => Tree::Sequence(all(elements)?),
            Tree::Tuple(elements) => Tree::Tuple(all(elements)?),
            Tree::Map(entries) => {
                let plain = |(key, value): (Tree, Tree)| match key {
                    Tree::Basic("string", _) => Ok((key, value.into_plain()?)),
                    _ => Err(Error::new("a map key is not a string")),
                };
                Tree::Map(entries.into_iter().map(plain).collect::<Result<_, _>>()?)
            }
            tree => tree,
        })
    }

    /// Returns whether the value is left out of a struct: a zero, a nil or an empty slice.
    ///
    /// Go sends an empty map that is not nil. Here it is left out too, since nothing shows the
    /// type of its entries.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Tree::Nothing | Tree::Skipped | Tree::SomeZero(_) => true,
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

    /// Returns the id of the value's type, if it is a basic one.
    pub(super) fn basic_id(&self) -> Option<i64> {
        match self {
            Tree::Basic(_, value) => Type::basic_id(&value.value_type()),
            _ => None,
        }
    }
}
