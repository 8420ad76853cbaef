//! Converts gob values to JSON, and JSON to gob values.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde_json::Value as Json;
use silverback::gob::{Composite, GoString, Int, Interface, Time, Value, is_registered_by_go};

use super::{payload::Quotes, report};

/// Converts a value to one line of JSON.
pub(super) fn to_json(value: &Value) -> String {
    let mut writer = JsonWriter::default();
    writer.tasks.push(Task::Value(value, Context::default()));
    writer.run();
    writer.out
}

/// Writes a value as JSON with an explicit stack: values may be nested deeper than the program's
/// stack permits.
#[derive(Default)]
struct JsonWriter<'v> {
    /// The parts still to be written, the next one last.
    tasks: Vec<Task<'v>>,
    out: String,
}

enum Task<'v> {
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
                Task::Text(text) => self.out.push_str(text),
                Task::Name(name) => self.string(&name.to_string_lossy()),
                // A key contains no map, so this recurses only once.
                Task::Key(key) => self.string(&key_text(key)),
                Task::Value(value, context) => self.value(value, context),
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
                    self.tasks.push(Task::Value(held, context));
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
        let mut parts: Vec<Task<'v>> = Vec::new();
        for element in composite.elements() {
            parts.extend([Task::Text(","), Task::Value(element, inside)]);
        }
        for (key, value) in composite.entries() {
            let value = Task::Value(value, inside);
            parts.extend([Task::Text(","), Task::Key(key), Task::Text(":"), value]);
        }
        for (name, value) in composite.fields() {
            let value = Task::Value(value, Context::default());
            parts.extend([Task::Text(","), Task::Name(name), Task::Text(":"), value]);
        }
        let (open, close) = if composite.is_sequence() {
            ("[", "]")
        } else {
            ("{", "}")
        };
        self.out.push_str(open);
        self.tasks.push(Task::Text(close));
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

/// Formats a float as Go's encoding/json does.
pub(super) fn go_float(float: f64) -> String {
    let shortest = serde_json::to_string(&float);
    shortest
        .map(|shortest| go_number(&shortest))
        .unwrap_or_default()
}

/// Formats the digits of a JSON number as Go's encoding/json does: with an exponent only below
/// 1e-6 and from 1e21.
fn go_number(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading_zeros = (all.len() - digits.len()) as i32;
    // The number of digits before the decimal point.
    let point = whole.len() as i32 - leading_zeros + exponent.parse::<i32>().unwrap_or(0);
    let digits = digits.trim_end_matches('0');
    let count = digits.len() as i32;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match (
        digits.split_at_checked(usize::try_from(point).unwrap_or(0)),
        point,
    ) {
        _ if digits.is_empty() => format!("{sign}0"),
        (_, point @ 22..) | (_, point @ ..=-6) => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
        }
        (_, point) if point <= 0 => format!("{sign}0.{}{digits}", zeros(-point)),
        (Some((whole, fraction)), _) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        (_, point) => format!("{sign}{digits}{}", zeros(point - count)),
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

/// Parses a compact JSON document.
///
/// It differs from serde_json in two points. The token `-0`, which has neither `.` nor `e`, is
/// an integer instead of a float. An integer of more than 64 bits is refused instead of rounded.
pub(super) fn parse(compact: &str) -> Result<Json, serde_json::Error> {
    check_integers(compact)?;
    let (mut plain, mut rest) = (String::with_capacity(compact.len()), compact);
    let mut quotes = Quotes::default();
    while let Some(character) = rest.chars().next() {
        // In an exponent, as in 1e-05, `-0` is not a token.
        let is_minus_zero = !quotes.pass(character)
            && !plain.ends_with(['e', 'E'])
            && rest
                .strip_prefix("-0")
                .is_some_and(|after| !after.starts_with(['.', 'e', 'E']));
        if !is_minus_zero {
            plain.push(character);
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    serde_json::from_str(&plain)
}

/// Refuses integers that no integer type of Go can hold: as floats they would lose digits.
fn check_integers(compact: &str) -> Result<(), serde_json::Error> {
    let mut quotes = Quotes::default();
    let outside: String = compact
        .chars()
        .map(|character| {
            if quotes.pass(character) {
                ' '
            } else {
                character
            }
        })
        .collect();
    let is_of_number =
        |character: char| matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
    let is_wide = |token: &str| {
        let digits = token.strip_prefix('-').unwrap_or(token);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_integer && token.parse::<i64>().is_err() && token.parse::<u64>().is_err()
    };
    match outside
        .split(|character| !is_of_number(character))
        .any(is_wide)
    {
        true => Err(serde_json::Error::custom(
            "an integer has more than 64 bits: write a float with an exponent, or a string",
        )),
        false => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::go_number;

    #[test]
    fn numbers_are_formatted_as_in_go() {
        // Go's encoding/json prints these texts for the same float64.
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-4923330634178313.0 / 4.0, "-1230832658544578.2"),
            (0.1, "0.1"),
            (123.456, "123.456"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-7"),
            (1e-7, "1e-7"),
            (-3260520327009307648.0, "-3260520327009307600"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ];
        for (float, text) in cases {
            assert_eq!(go_number(&serde_json::to_string(&float).unwrap()), text);
        }
    }
}
