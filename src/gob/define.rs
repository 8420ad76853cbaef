//! Reads definitions of types, Go's `wireType`, and resolves the ids in them.
//!
//! Source: Go's `encoding/gob`, `type.go`. Only the id before a definition counts; the id
//! inside it is ignored. An id may be used before its definition and is defined only once. When
//! a value follows, its type and all types that this reaches must be defined.

use std::collections::HashSet;

use super::decode::{Decoder, next_field};
use super::types::{Definition, Reference, SelfEncoder, Shape};
use super::wire::{take_bytes, take_int};
use super::{Error, GoString};

/// The largest number of types in a message. A session has about a dozen.
const MAX_DEFINITIONS: usize = 1_000;

/// The ids of defined types. Lower ids are reserved by Go, and an id is an `int32`.
const DEFINED_IDS: std::ops::RangeInclusive<i64> = 64..=i32::MAX as i64;

impl Decoder<'_> {
    /// Resolves an id inside a definition. The type of the id may be defined later.
    pub(super) fn reference(&mut self, id: i64) -> Result<Reference, Error> {
        if (1..=8).contains(&id) {
            return Ok(Reference::Basic(id));
        }
        if !DEFINED_IDS.contains(&id) {
            return Err(Error::new("there is no type with this id"));
        }
        let slot = match self.places.binary_search_by_key(&id, |(known, _)| *known) {
            Ok(slot) => {
                return self
                    .places
                    .get(slot)
                    .map(|(_, place)| Reference::Defined(*place))
                    .ok_or(Error::new("there is no type with this id"));
            }
            Err(slot) => slot,
        };
        if self.definitions.len() == MAX_DEFINITIONS {
            return Err(Error::new("too many types are defined"));
        }
        let place = self.definitions.len() as u32;
        self.places.insert(slot, (id, place));
        self.definitions.push(None);
        Ok(Reference::Defined(place))
    }

    /// Resolves the id before a value. Every type that it reaches must be defined.
    pub(super) fn defined_reference(&mut self, id: i64) -> Result<Reference, Error> {
        let reference = self.reference(id)?;
        let is_known = match reference {
            Reference::Basic(_) => true,
            Reference::Defined(place) => self.complete.get(place as usize) == Some(&true),
        };
        if is_known {
            return Ok(reference);
        }
        let mut pending = vec![reference];
        while let Some(next) = pending.pop() {
            let Reference::Defined(place) = next else {
                continue;
            };
            match self.complete.get_mut(place as usize) {
                Some(false) | None => {}
                Some(true) => continue,
            }
            self.complete.resize(self.definitions.len(), false);
            if let Some(complete) = self.complete.get_mut(place as usize) {
                *complete = true;
            }
            let Some(Some(definition)) = self.definitions.get(place as usize) else {
                return Err(Error::new("a type is not defined"));
            };
            definition.shape.map(|of| pending.push(*of));
        }
        Ok(reference)
    }

    /// Reads the definition of `id`: Go's `wireType`, a struct in which one field is set.
    pub(super) fn define(&mut self, id: i64) -> Result<(), Error> {
        let place = match self.reference(id)? {
            Reference::Defined(place) => place,
            Reference::Basic(_) => return Err(Error::new("a definition redefines a basic type")),
        };
        let mut defined = None;
        let mut field = 0;
        while let Some(kind) = next_field(&mut self.message, &mut field, 7)? {
            if defined.is_some() {
                return Err(Error::new("a definition has several kinds"));
            }
            defined = Some(self.definition(kind)?);
        }
        let defined = defined.ok_or(Error::new("a definition has no kind"))?;
        match self.definitions.get_mut(place as usize) {
            Some(empty @ None) => *empty = Some(defined),
            _ => return Err(Error::new("a type is defined twice")),
        }
        Ok(())
    }

    /// Reads the field `kind` of a `wireType`: an `arrayType` and so on, which begins with a
    /// `CommonType`.
    fn definition(&mut self, kind: usize) -> Result<Definition, Error> {
        let (mut name, mut first, mut second) = (GoString::new(), 0, 0);
        let mut fields = Vec::new();
        let field_count = [3, 2, 2, 3, 1, 1, 1].get(kind).copied().unwrap_or(0);
        let mut field = 0;
        while let Some(number) = next_field(&mut self.message, &mut field, field_count)? {
            match (number, kind) {
                (0, _) => name = self.common_type()?,
                (1, 2) => fields = self.struct_fields()?,
                (1, _) => first = take_int(&mut self.message)?,
                _ => second = take_int(&mut self.message)?,
            }
        }
        let shape = match kind {
            0 => Shape::Array {
                element: self.reference(first)?,
                length: usize::try_from(second)
                    .map_err(|_| Error::new("an array has a negative length"))?,
            },
            1 => Shape::Slice(self.reference(first)?),
            2 => Shape::Struct(fields),
            3 => Shape::Map {
                key: self.reference(first)?,
                value: self.reference(second)?,
            },
            4 => Shape::SelfEncoder(SelfEncoder::Gob),
            5 => Shape::SelfEncoder(SelfEncoder::Binary),
            _ => Shape::SelfEncoder(SelfEncoder::Text),
        };
        Ok(Definition { name, shape })
    }

    /// Reads a `CommonType`. Returns its name, and ignores its id, as Go does.
    fn common_type(&mut self) -> Result<GoString, Error> {
        let mut name = GoString::new();
        let mut field = 0;
        while let Some(number) = next_field(&mut self.message, &mut field, 2)? {
            match number {
                0 => name = take_bytes(&mut self.message)?.into(),
                _ => drop(take_int(&mut self.message)?),
            }
        }
        Ok(name)
    }

    /// Reads the fields of a struct. Their names must be distinct and not empty.
    fn struct_fields(&mut self) -> Result<Vec<(GoString, Reference)>, Error> {
        let count = self.count(1)?;
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        for _ in 0..count {
            let (mut name, mut id) = (GoString::new(), 0);
            let mut field = 0;
            while let Some(number) = next_field(&mut self.message, &mut field, 2)? {
                match number {
                    0 => name = take_bytes(&mut self.message)?.into(),
                    _ => id = take_int(&mut self.message)?,
                }
            }
            if name.as_bytes().is_empty() || !names.insert(name.clone()) {
                return Err(Error::new("a field has no name, or the name of another"));
            }
            fields.push((name, self.reference(id)?));
        }
        Ok(fields)
    }
}
