//! Writes a [`Value`] as bytes: a message for each definition, then one for the value.
//!
//! The value is written from its end to its beginning, because an interface's byte count
//! precedes its content. Like reading, writing uses an explicit stack.

use std::collections::HashMap;

use super::types::{Defined, Definition, Reference, SelfEncoder, Shape};
use super::value::{Composite, Interface};
use super::wire::{put_message, put_uint, swap_float, zigzag};
use super::{Type, Value};

/// The first id that Go assigns to a type of a program.
const FIRST_ID: i64 = 64;

impl Value {
    /// Writes the value as Go's `Encoder` does, with the definitions of its types first.
    ///
    /// If [`check`](Value::check) refuses the value, neither Go nor this crate can read the
    /// bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        encode(self)
    }
}

/// Writes `value` as Go's `Encoder` does, with definitions first.
fn encode(value: &Value) -> Vec<u8> {
    let mut ids = TypeIds::default();
    ids.collect(value);
    let mut out = Vec::new();
    for index in 0..ids.in_order.len() {
        put_message(&mut out, &ids.definition_message(index));
    }
    put_message(&mut out, &value_message(&ids, value));
    out
}

/// The ids of the types that a value uses, and of all types that these reach.
#[derive(Default)]
struct TypeIds {
    in_order: Vec<Defined>,
    by_identity: HashMap<TypeIdentity, i64>,
    /// The first type with each structure. Several messages may define the same type.
    by_structure: HashMap<Vec<u8>, (TypeIdentity, i64)>,
}

/// Identifies a type in memory: the address of its definitions, and its place there.
type TypeIdentity = (usize, u32);

impl TypeIds {
    fn collect(&mut self, value: &Value) {
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            match value {
                Value::Composite(composite) => self.add(composite.defined()),
                Value::SelfEncoded(of, _) => self.add(of),
                _ => {}
            }
            pending.extend(value.children());
        }
    }

    fn add(&mut self, defined: &Defined) {
        if self.by_identity.contains_key(&identity(defined)) {
            return;
        }
        let mut pending = vec![defined.clone()];
        while let Some(defined) = pending.pop() {
            if self.by_identity.contains_key(&identity(&defined)) {
                continue;
            }
            let next = FIRST_ID + self.in_order.len() as i64;
            let id = self.id_of_equal(&defined, next);
            self.by_identity.insert(identity(&defined), id);
            if id != next {
                continue;
            }
            if let Some(definition) = defined.definition() {
                definition.shape.map(|of| {
                    if let Type::Defined(reached) = defined.resolve(*of) {
                        pending.push(reached);
                    }
                });
            }
            self.in_order.push(defined);
        }
    }

    /// Returns the id of the same type from another message, or `next` if there is none.
    ///
    /// Go defines a type only once in a message. Two types of one message therefore differ,
    /// even if they have the same structure.
    fn id_of_equal(&mut self, defined: &Defined, next: i64) -> i64 {
        let own = identity(defined);
        let entry = self.by_structure.entry(structure(defined));
        let (first, id) = entry.or_insert((own, next));
        match first.0 == own.0 {
            true => next,
            false => *id,
        }
    }

    fn id(&self, of: &Type) -> i64 {
        match of {
            Type::Defined(defined) => {
                let found = self.by_identity.get(&identity(defined));
                found.copied().unwrap_or(0)
            }
            basic => basic.basic_id().unwrap_or(0),
        }
    }

    /// Returns the message that defines a type: its negated id, and a `wireType`.
    fn definition_message(&self, index: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(defined) = self.in_order.get(index) else {
            return out;
        };
        let Some(Definition { name, shape }) = defined.definition() else {
            return out;
        };
        let id = FIRST_ID + index as i64;
        put_uint(&mut out, zigzag(-id));
        let kind = match shape {
            Shape::Array { .. } => 1,
            Shape::Slice(_) => 2,
            Shape::Struct(_) => 3,
            Shape::Map { .. } => 4,
            Shape::SelfEncoder(SelfEncoder::Gob) => 5,
            Shape::SelfEncoder(SelfEncoder::Binary) => 6,
            Shape::SelfEncoder(SelfEncoder::Text) => 7,
        };
        let put_id = |out: &mut Vec<u8>, of: &Reference| {
            put_uint(out, zigzag(self.id(&defined.resolve(*of))));
        };
        // wireType { kind: { CommonType { Name, Id } .. } }
        out.extend_from_slice(&[kind, 1]);
        if name.as_bytes().is_empty() {
            out.push(2);
        } else {
            out.push(1);
            put_message(&mut out, name.as_bytes());
            out.push(1);
        }
        put_uint(&mut out, zigzag(id));
        out.push(0);
        match shape {
            Shape::Array { element, length } => {
                out.push(1);
                put_id(&mut out, element);
                if *length > 0 {
                    out.push(1);
                    put_uint(&mut out, zigzag(*length as i64));
                }
            }
            Shape::Slice(element) => {
                out.push(1);
                put_id(&mut out, element);
            }
            Shape::Struct(fields) if fields.is_empty() => {}
            Shape::Struct(fields) => {
                out.push(1);
                put_uint(&mut out, fields.len() as u64);
                for (name, of) in fields {
                    out.push(1);
                    put_message(&mut out, name.as_bytes());
                    out.push(1);
                    put_id(&mut out, of);
                    out.push(0);
                }
            }
            Shape::Map { key, value } => {
                out.push(1);
                put_id(&mut out, key);
                out.push(1);
                put_id(&mut out, value);
            }
            Shape::SelfEncoder(_) => {}
        }
        out.extend_from_slice(&[0, 0]);
        out
    }
}

/// Describes the structure of a type independently of the ids in its message: the names and
/// shapes of the type and of all types that it reaches, in the order of reaching them.
fn structure(defined: &Defined) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reached = vec![defined.clone()];
    let mut places = HashMap::from([(identity(defined), 0)]);
    let mut next = 0;
    while let Some(defined) = reached.get(next).cloned() {
        next += 1;
        let Some(Definition { name, shape }) = defined.definition() else {
            continue;
        };
        put_message(&mut out, name.as_bytes());
        let (kind, detail) = match shape {
            Shape::Array { length, .. } => (1, *length as u64),
            Shape::Slice(_) => (2, 0),
            Shape::Struct(fields) => (3, fields.len() as u64),
            Shape::Map { .. } => (4, 0),
            Shape::SelfEncoder(by) => (5, *by as u64),
        };
        put_uint(&mut out, kind);
        put_uint(&mut out, detail);
        if let Shape::Struct(fields) = shape {
            fields
                .iter()
                .for_each(|(name, _)| put_message(&mut out, name.as_bytes()));
        }
        shape.map(|of| match defined.resolve(*of) {
            Type::Defined(part) => {
                let count = places.len() as u64;
                let place = *places.entry(identity(&part)).or_insert(count);
                if place == count {
                    reached.push(part);
                }
                put_uint(&mut out, FIRST_ID.cast_unsigned() + place);
            }
            basic => put_uint(&mut out, basic.basic_id().unwrap_or(0).cast_unsigned()),
        });
    }
    out
}

fn identity(defined: &Defined) -> TypeIdentity {
    let (definitions, place) = defined.identity();
    (definitions.addr(), place)
}

/// Returns the message of a value at the top level.
fn value_message(ids: &TypeIds, value: &Value) -> Vec<u8> {
    let mut writer = BackwardWriter {
        tasks: Vec::with_capacity(32),
        out: Vec::with_capacity(256),
    };
    writer.tasks.extend(type_and_value(ids, value));
    writer.run(ids);
    writer.out.reverse();
    writer.out
}

/// Returns the parts of a value at the top level or in an interface: its type, a zero unless
/// it is a struct, and the value.
fn type_and_value<'v>(ids: &TypeIds, value: &'v Value) -> impl Iterator<Item = WriteTask<'v>> {
    let id = WriteTask::Uint(zigzag(ids.id(&value.value_type())));
    let zero = (!value.is_struct()).then_some(WriteTask::Uint(0));
    [Some(id), zero, Some(WriteTask::Value(value))]
        .into_iter()
        .flatten()
}

/// Writes from the end to the beginning.
struct BackwardWriter<'v> {
    /// The parts still to be written, in the order of the output.
    tasks: Vec<WriteTask<'v>>,
    /// The output, reversed.
    out: Vec<u8>,
}

enum WriteTask<'v> {
    Uint(u64),
    Bytes(&'v [u8]),
    Value(&'v Value),
    /// The number of bytes written since the output had this length.
    CountSince(usize),
}

impl<'v> BackwardWriter<'v> {
    fn run(&mut self, ids: &TypeIds) {
        while let Some(task) = self.tasks.pop() {
            match task {
                WriteTask::Uint(value) => self.uint(value),
                WriteTask::Bytes(bytes) => self.bytes(bytes),
                WriteTask::CountSince(start) => self.uint((self.out.len() - start) as u64),
                WriteTask::Value(value) => self.value(ids, value),
            }
        }
    }

    fn uint(&mut self, value: u64) {
        if value < 128 {
            return self.out.push(value as u8);
        }
        let start = self.out.len();
        put_uint(&mut self.out, value);
        if let Some(written) = self.out.get_mut(start..) {
            written.reverse();
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend(bytes.iter().rev());
        self.uint(bytes.len() as u64);
    }

    fn value(&mut self, ids: &TypeIds, value: &'v Value) {
        match value {
            Value::Bool(bool) => self.uint((*bool).into()),
            Value::Int(int) => self.uint(zigzag(*int)),
            Value::Uint(uint) => self.uint(*uint),
            Value::Float(float) => self.uint(swap_float(float.to_bits())),
            Value::Complex(re, im) => {
                self.uint(swap_float(im.to_bits()));
                self.uint(swap_float(re.to_bits()));
            }
            Value::Bytes(bytes) | Value::SelfEncoded(_, bytes) => self.bytes(bytes),
            Value::String(string) => self.bytes(string.as_bytes()),
            Value::Interface(interface) => self.interface(ids, interface),
            Value::Composite(composite) => self.composite(composite),
        }
    }

    /// Adds the tasks for an interface: name, type, byte count, and the counted content, which
    /// is a zero unless the value is a struct, and the value.
    fn interface(&mut self, ids: &TypeIds, interface: &'v Interface) {
        let Some(value) = interface.value() else {
            return self.uint(0);
        };
        let mut parts = type_and_value(ids, value);
        self.tasks
            .push(WriteTask::Bytes(interface.name().as_bytes()));
        self.tasks.extend(parts.next());
        self.tasks.push(WriteTask::CountSince(self.out.len()));
        self.tasks.extend(parts);
    }

    fn composite(&mut self, composite: &'v Composite) {
        let children = composite.children();
        if composite.is_struct() {
            // Each field number is written as its distance from the one before.
            let mut before = -1;
            for [number, value] in children.as_chunks().0 {
                let Value::Uint(number) = number else {
                    continue;
                };
                let number = *number as i64;
                self.tasks.push(WriteTask::Uint((number - before) as u64));
                self.tasks.push(WriteTask::Value(value));
                before = number;
            }
            self.tasks.push(WriteTask::Uint(0));
            return;
        }
        let per_element = if composite.is_map() { 2 } else { 1 };
        self.tasks
            .push(WriteTask::Uint((children.len() / per_element) as u64));
        self.tasks.extend(children.iter().map(WriteTask::Value));
    }
}
