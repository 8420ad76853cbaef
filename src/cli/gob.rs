//! Converts gob values to JSON, and JSON to gob values.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use silverback::gob::{Composite, GoString, Int, Interface, Time, Value, is_registered_by_go};

use super::failure::report;
use super::json_text::go_number;

/// Converts a value to one line of JSON.
pub(super) fn to_json(value: &Value) -> String {
    let mut writer = JsonWriter::default();
    writer
        .tasks
        .push(JsonTask::Value(value, Context::default()));
    writer.run();
    writer.out
}

/// Writes a value as JSON with an explicit stack: values may be nested deeper than the program's
/// stack permits.
#[derive(Default)]
struct JsonWriter<'v> {
    /// The parts still to be written, the next one last.
    tasks: Vec<JsonTask<'v>>,
    out: String,
}

enum JsonTask<'v> {
    Text(&'static str),
    Name(&'v GoString),
    /// A map key, as a string: its text if it is a string, or else its JSON.
    Key(&'v Value),
    Value(&'v Value, Context<'v>),
}

/// The facts about a value that its context gives.
#[derive(Clone, Copy, Default)]
struct Context<'v> {
    /// The registered name of its type, if it is in an interface.
    name: Option<&'v GoString>,
    /// The registered name shows that its floats have 32 bits.
    has_32_bit_floats: bool,
}

impl<'v> Context<'v> {
    fn of(name: &'v GoString) -> Self {
        Context {
            name: Some(name),
            has_32_bit_floats: has_32_bit_floats(&name.to_string_lossy()),
        }
    }

    /// Returns whether the value can be a time: it has no registered name, or that of Go's time.
    fn may_be_time(self) -> bool {
        self.name
            .is_none_or(|name| *name == *"time.Time" || *name == *"*time.Time")
    }

    /// Returns the context of the parts of a list or map.
    fn inside(self) -> Self {
        Context { name: None, ..self }
    }
}

/// Returns whether a registered name shows that the floats have 32 bits.
pub(super) fn has_32_bit_floats(name: &str) -> bool {
    // A program's own type, such as main.Myfloat32, may have 64 bits.
    let is_of = |of: &str| {
        let before = name.strip_suffix(of);
        before.is_some_and(|before| before.is_empty() || before.ends_with(']'))
    };
    is_of("float32") || is_of("complex64")
}

impl<'v> JsonWriter<'v> {
    fn run(&mut self) {
        while let Some(task) = self.tasks.pop() {
            match task {
                JsonTask::Text(text) => self.out.push_str(text),
                JsonTask::Name(name) => self.string(&name.to_string_lossy()),
                // A key contains no map, so this recurses only once.
                JsonTask::Key(key) => self.string(&key_text(key)),
                JsonTask::Value(value, context) => self.value(value, context),
            }
        }
    }

    fn value(&mut self, value: &'v Value, context: Context<'v>) {
        match value {
            Value::Bool(bool) => self.display(bool),
            Value::Int(int) => self.display(int),
            Value::Uint(uint) => self.display(uint),
            Value::Float(float) => self.float(*float, context.has_32_bit_floats),
            Value::Complex(re, im) => {
                self.out.push('[');
                self.float(*re, context.has_32_bit_floats);
                self.out.push(',');
                self.float(*im, context.has_32_bit_floats);
                self.out.push(']');
            }
            Value::Bytes(bytes) => self.string(&STANDARD.encode(bytes)),
            Value::String(string) => self.string(&string.to_string_lossy()),
            Value::Interface(interface) => match interface.value() {
                None => self.out.push_str("null"),
                Some(held) => {
                    let context = Context::of(interface.name());
                    self.tasks.push(JsonTask::Value(held, context));
                }
            },
            Value::SelfEncoded(of, bytes) => {
                match Time::of(value).filter(|_| context.may_be_time()) {
                    Some(time) => self.string(&time.to_string()),
                    None => {
                        let name = context.name.unwrap_or(of.name()).to_string_lossy();
                        let bytes = STANDARD.encode(bytes);
                        self.display(&serde_json::json!({ "$type": name, "$bytes": bytes }));
                    }
                }
            }
            Value::Composite(composite) => self.composite(composite, context.inside()),
            _ => self.out.push_str("null"),
        }
    }

    fn composite(&mut self, composite: &'v Composite, inside: Context<'v>) {
        let mut parts: Vec<JsonTask<'v>> = Vec::new();
        for element in composite.elements() {
            parts.extend([JsonTask::Text(","), JsonTask::Value(element, inside)]);
        }
        for (key, value) in composite.entries() {
            let value = JsonTask::Value(value, inside);
            parts.extend([
                JsonTask::Text(","),
                JsonTask::Key(key),
                JsonTask::Text(":"),
                value,
            ]);
        }
        for (name, value) in composite.fields() {
            let value = JsonTask::Value(value, Context::default());
            parts.extend([
                JsonTask::Text(","),
                JsonTask::Name(name),
                JsonTask::Text(":"),
                value,
            ]);
        }
        let (open, close) = if composite.is_sequence() {
            ("[", "]")
        } else {
            ("{", "}")
        };
        self.out.push_str(open);
        self.tasks.push(JsonTask::Text(close));
        // There is no comma before the first part.
        self.tasks.extend(parts.into_iter().skip(1).rev());
    }

    fn display(&mut self, value: &impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
    }

    fn string(&mut self, text: &str) {
        self.display(&Json::from(text));
    }

    fn float(&mut self, float: f64, is_single: bool) {
        if float.is_nan() {
            self.string("NaN");
        } else if float.is_infinite() {
            self.string(if float > 0.0 { "+Inf" } else { "-Inf" });
        } else {
            let shortest = if is_single {
                serde_json::to_string(&(float as f32))
            } else {
                serde_json::to_string(&float)
            };
            let number = shortest.ok().map(|shortest| go_number(&shortest));
            self.out.push_str(&number.unwrap_or_default());
        }
    }
}

/// Returns the text of a map key in JSON.
pub(super) fn key_text(key: &Value) -> String {
    let json = to_json(key);
    match serde_json::from_str(&json) {
        Ok(Json::String(text)) => text,
        _ => json,
    }
}

/// Reports the types in `names` that a Go program with gorilla/sessions must register before it
/// can read `what`.
pub(super) fn report_unregistered<'n>(what: &str, names: impl IntoIterator<Item = &'n GoString>) {
    let names: BTreeSet<_> = names.into_iter().map(GoString::to_string_lossy).collect();
    let is_registered = |name: &str| is_registered_by_go(name) || name == "[]interface {}";
    for name in names.iter().filter(|name| !is_registered(name)) {
        report(format_args!(
            "silverback: {what}: a Go program can read the cookie only after gob.Register of {name}"
        ));
    }
}

/// Converts a JSON document to a value at the top level. Returns `None` for null.
pub(super) fn value(document: &Json) -> Option<Value> {
    Some(match document {
        Json::Null => return None,
        Json::Object(entries) => Value::map_of_interfaces(
            entries
                .iter()
                .map(|(key, value)| (key.as_str(), interface(value))),
        ),
        other => interface(other).value()?.clone(),
    })
}

/// Converts a JSON value to an interface of type `bool`, `int`, `uint64` (for integers that do
/// not fit an `int`), `float64`, `string`, `[]interface {}` or `map[string]interface {}`.
pub(super) fn interface(value: &Json) -> Interface {
    match value {
        Json::Null => Interface::nil(),
        Json::Bool(bool) => (*bool).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Int(int).into(),
            (None, Some(uint)) => uint.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(elements) => Interface::of(
            "[]interface {}",
            Value::slice_of_interfaces(elements.iter().map(interface)),
        ),
        Json::Object(entries) => Interface::of(
            "map[string]interface {}",
            Value::map_of_strings(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str(), interface(value))),
            ),
        ),
    }
}
