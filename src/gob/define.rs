//! Definitions become types: Go's `wireType`, and what the ids in it stand for.
//!
//! Go's `encoding/gob`, `type.go`. The id a definition is sent under is what counts;
//! those inside it are not read. An id is defined once, may be referred to before,
//! and must be whole where a value of it follows.

use std::collections::HashSet;

use super::decode::{Decoder, next_field};
use super::types::{Definition, Reference, SelfEncoder, Shape};
use super::wire::{take_bytes, take_int};
use super::{Error, GoString};

/// How many types one message may define; a session has a dozen.
const MOST_DEFINITIONS: usize = 1_000;

/// Ids below are Go's own; the highest is an `int32`'s.
const DEFINED_IDS: std::ops::RangeInclusive<i64> = 64..=i32::MAX as i64;

impl Decoder<'_> {
    /// What an id stands for in a definition, which may come before its own.
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
        if self.definitions.len() == MOST_DEFINITIONS {
            return Err(Error::new("too many types are defined"));
        }
        let place = self.definitions.len() as u32;
        self.places.insert(slot, (id, place));
        self.definitions.push(None);
        Ok(Reference::Defined(place))
    }

    /// What an id stands for where a value follows: all it reaches must be defined.
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

    /// Reads the definition of `id`: Go's `wireType`, a struct with one field set.
    pub(super) fn define(&mut self, id: i64) -> Result<(), Error> {
        let place = match self.reference(id)? {
            Reference::Defined(place) => place,
            Reference::Basic(_) => return Err(Error::new("a basic type is defined")),
        };
        let mut defined = None;
        let mut field = 0;
        while let Some(kind) = next_field(&mut self.message, &mut field, 7)? {
            if defined.is_some() {
                return Err(Error::new("a definition is of several kinds"));
            }
            defined = Some(self.definition(kind)?);
        }
        let defined = defined.ok_or(Error::new("a definition is of no kind"))?;
        match self.definitions.get_mut(place as usize) {
            Some(empty @ None) => *empty = Some(defined),
            _ => return Err(Error::new("a type is defined twice")),
        }
        Ok(())
    }

    /// The field `kind` of a `wireType`: `arrayType` and so on, which begin with
    /// a `CommonType`.
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

    /// A `CommonType`: the name, and an id that nobody reads.
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

    /// The fields of a struct: names that are not empty and differ.
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
                return Err(Error::new("a field has no name, or that of another"));
            }
            fields.push((name, self.reference(id)?));
        }
        Ok(fields)
    }
}
