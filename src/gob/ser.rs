//! Converts any `Serialize` to a [`Value`], as Go sends the corresponding type.

use serde::Serialize;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::newtypes::newtype;
use super::schema::TreeWriter;
use super::tree::Tree;
use super::{Error, GoString, Value};

/// The deepest nesting of a serde value.
pub(super) const MAX_DEPTH: usize = 128;

/// Converts any `Serialize` to the value that Go sends for the corresponding type.
///
/// See [`to_vec`](super::to_vec).
///
/// # Errors
/// Returns an error if the value is `None` or unit at the top level, contains integers of more
/// than 64 bits, or is nested more than 128 deep.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    TreeWriter::default().write(&tree_of(value, MAX_DEPTH)?)
}

/// Serializes a value as a tree that is at most `depth` deep.
pub(super) fn tree_of<T: Serialize + ?Sized>(value: &T, depth: usize) -> Result<Tree, Error> {
    let serializer = TreeSerializer { depth };
    value.serialize(serializer).map(Tree::out_of_field)
}

#[derive(Clone, Copy)]
struct TreeSerializer {
    depth: usize,
}

impl TreeSerializer {
    fn inner(self) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or(Error::new("values are nested too deep"))?;
        Ok(TreeSerializer { depth })
    }
}

/// The parts of a sequence, tuple, map or struct.
struct Parts<P> {
    inner: TreeSerializer,
    parts: Vec<P>,
    key: Option<Tree>,
    name: &'static str,
    /// The variant, if these are the parts of an enum.
    variant: Option<&'static str>,
}

impl<P> Parts<P> {
    fn new(
        outer: TreeSerializer,
        name: &'static str,
        variant: Option<&'static str>,
    ) -> Result<Self, Error> {
        Ok(Parts {
            inner: outer.inner()?,
            parts: Vec::new(),
            key: None,
            name,
            variant,
        })
    }
}

/// Returns a variant with content as a map from its name to the content.
fn tagged(variant: Option<&'static str>, content: Tree) -> Tree {
    match variant {
        Some(variant) => Tree::Map(vec![(Tree::string(variant), content.out_of_field())]),
        None => content,
    }
}

macro_rules! basics {
    ($($method:ident($rust:ty) = $go:literal $make:expr;)+) => {$(
        fn $method(self, value: $rust) -> Result<Tree, Error> {
            Ok(Tree::Basic($go, ($make)(value)))
        }
    )+};
}

impl ser::Serializer for TreeSerializer {
    type Ok = Tree;
    type Error = Error;
    type SerializeSeq = Parts<Tree>;
    type SerializeTuple = Parts<Tree>;
    type SerializeTupleStruct = Parts<Tree>;
    type SerializeTupleVariant = Parts<Tree>;
    type SerializeMap = Parts<(Tree, Tree)>;
    type SerializeStruct = Parts<(&'static str, Tree)>;
    type SerializeStructVariant = Parts<(&'static str, Tree)>;

    basics! {
        serialize_bool(bool) = "bool" Value::Bool;
        serialize_i8(i8) = "int8" |value| Value::Int(i64::from(value));
        serialize_i16(i16) = "int16" |value| Value::Int(i64::from(value));
        serialize_i32(i32) = "int32" |value| Value::Int(i64::from(value));
        serialize_i64(i64) = "int64" Value::Int;
        serialize_u8(u8) = "uint8" |value| Value::Uint(u64::from(value));
        serialize_u16(u16) = "uint16" |value| Value::Uint(u64::from(value));
        serialize_u32(u32) = "uint32" |value| Value::Uint(u64::from(value));
        serialize_u64(u64) = "uint64" Value::Uint;
        serialize_f32(f32) = "float32" |value| Value::Float(f64::from(value));
        serialize_f64(f64) = "float64" Value::Float;
        serialize_char(char) = "string" |value: char| Value::String(value.to_string().as_str().into());
        serialize_str(&str) = "string" |value: &str| Value::String(GoString::from(value));
        serialize_bytes(&[u8]) = "[]uint8" |value: &[u8]| Value::Bytes(value.to_vec());
    }

    fn serialize_none(self) -> Result<Tree, Error> {
        Ok(Tree::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, Error> {
        let tree = value.serialize(self)?;
        Ok(match tree.is_zero() && !matches!(tree, Tree::Nothing) {
            true => Tree::SomeZero(Box::new(tree.out_of_field())),
            false => tree,
        })
    }

    fn serialize_unit(self) -> Result<Tree, Error> {
        Ok(Tree::Nothing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Tree, Error> {
        Ok(Tree::Nothing)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Tree, Error> {
        Ok(Tree::string(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Tree, Error> {
        newtype(name, value.serialize(self)?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Tree, Error> {
        Ok(tagged(Some(variant), value.serialize(self.inner()?)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<Tree>, Error> {
        Parts::new(self, "", None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<Tree>, Error> {
        Parts::new(self, "", None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<Tree>, Error> {
        Parts::new(self, "", None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<Tree>, Error> {
        Parts::new(self, "", Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<(Tree, Tree)>, Error> {
        Parts::new(self, "", None)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Parts<(&'static str, Tree)>, Error> {
        Parts::new(self, name, None)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<(&'static str, Tree)>, Error> {
        Parts::new(self, name, Some(variant))
    }
}

/// Implements serde's traits for elements, which differ only in their names.
macro_rules! elements {
    ($($of:ident :: $method:ident => $tree:expr;)+) => {$(
        impl $of for Parts<Tree> {
            type Ok = Tree;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.parts.push(value.serialize(self.inner)?.out_of_field());
                Ok(())
            }

            fn end(self) -> Result<Tree, Error> {
                Ok(tagged(self.variant, ($tree)(self.parts)))
            }
        }
    )+};
}

elements! {
    SerializeSeq::serialize_element => Tree::Sequence;
    SerializeTuple::serialize_element => Tree::Tuple;
    SerializeTupleStruct::serialize_field => Tree::Tuple;
    SerializeTupleVariant::serialize_field => Tree::Tuple;
}

impl SerializeMap for Parts<(Tree, Tree)> {
    type Ok = Tree;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(key.serialize(self.inner)?.out_of_field());
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self
            .key
            .take()
            .ok_or(Error::new("the value of a map entry has no key"))?;
        let value = value.serialize(self.inner)?;
        self.parts.push((key, value.out_of_field()));
        Ok(())
    }

    fn end(self) -> Result<Tree, Error> {
        Ok(Tree::Map(self.parts))
    }
}

macro_rules! fields {
    ($($of:ident)+) => {$(
        impl $of for Parts<(&'static str, Tree)> {
            type Ok = Tree;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.parts.push((name, value.serialize(self.inner)?));
                Ok(())
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Error> {
                self.parts.push((name, Tree::Skipped));
                Ok(())
            }

            fn end(self) -> Result<Tree, Error> {
                Ok(tagged(self.variant, Tree::Struct(self.name, self.parts)))
            }
        }
    )+};
}

fields! { SerializeStruct SerializeStructVariant }
