//! gob's picture as JSON, and JSON as gob.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde_json::Value as Json;
use silverback::gob::{Composite, GoString, Int, Interface, Time, Value, is_registered_by_go};

use super::{picture::Quotes, tell};

/// The picture of a value: one line of JSON.
pub(super) fn picture(value: &Value) -> String {
    let mut picture = Picture::default();
    picture.tasks.push(Task::Value(value, Context::default()));
    picture.run();
    picture.out
}

/// Values may be nested deeper than the stack, so what is still to be written is
/// kept in a list, the next task last.
#[derive(Default)]
struct Picture<'v> {
    tasks: Vec<Task<'v>>,
    out: String,
}

enum Task<'v> {
    Text(&'static str),
    Name(&'v GoString),
    /// A map key: its own text if it is a string, else its picture, as a string.
    Key(&'v Value),
    Value(&'v Value, Context<'v>),
}

/// What is known of a value from where it stands.
#[derive(Clone, Copy, Default)]
struct Context<'v> {
    /// The name it is registered with, if it stands in an interface.
    name: Option<&'v GoString>,
    /// Whether its floats are of 32 bits, which only such a name tells.
    is_single: bool,
}

impl<'v> Context<'v> {
    fn of(name: &'v GoString) -> Self {
        Context {
            name: Some(name),
            is_single: is_single(&name.to_string_lossy()),
        }
    }

    /// Unless a registered name says otherwise.
    fn may_be_time(self) -> bool {
        self.name
            .is_none_or(|name| *name == *"time.Time" || *name == *"*time.Time")
    }

    /// For what is in a list or a map.
    fn inside(self) -> Self {
        Context { name: None, ..self }
    }
}

/// Whether a registered name says that the floats have 32 bits.
pub(super) fn is_single(name: &str) -> bool {
    // Not main.Myfloat32, which may be of 64.
    let is_of = |of: &str| {
        let before = name.strip_suffix(of);
        before.is_some_and(|before| before.is_empty() || before.ends_with(']'))
    };
    is_of("float32") || is_of("complex64")
}

impl<'v> Picture<'v> {
    fn run(&mut self) {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Text(text) => self.out.push_str(text),
                Task::Name(name) => self.string(&name.to_string_lossy()),
                // A key holds no map, so this goes one level deep only.
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
            Value::Float(float) => self.float(*float, context.is_single),
            Value::Complex(re, im) => {
                self.out.push('[');
                self.float(*re, context.is_single);
                self.out.push(',');
                self.float(*im, context.is_single);
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
        // The first comma stands before nothing.
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
            let laid_out = shortest.ok().map(|shortest| go_number(&shortest));
            self.out.push_str(&laid_out.unwrap_or_default());
        }
    }
}

/// A float as Go's encoding/json prints it.
pub(super) fn go_float(float: f64) -> String {
    let shortest = serde_json::to_string(&float);
    shortest
        .map(|shortest| go_number(&shortest))
        .unwrap_or_default()
}

/// The digits of a JSON number laid out as Go's encoding/json does: with an exponent
/// below 1e-6 and from 1e21 on only.
fn go_number(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    // The point stands after so many digits.
    let leading_zeros = (all.len() - digits.len()) as i32;
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

/// The text that stands for a map key in a picture.
pub(super) fn key_text(key: &Value) -> String {
    let picture = picture(key);
    match serde_json::from_str(&picture) {
        Ok(Json::String(text)) => text,
        _ => picture,
    }
}

/// Says which Go types in `names` a Go program with gorilla/sessions must register before it
/// reads them.
pub(super) fn tell_unregistered<'n>(what: &str, names: impl IntoIterator<Item = &'n GoString>) {
    let names: BTreeSet<_> = names.into_iter().map(GoString::to_string_lossy).collect();
    let is_registered = |name: &str| is_registered_by_go(name) || name == "[]interface {}";
    for name in names.iter().filter(|name| !is_registered(name)) {
        tell(format_args!(
            "silverback: {what}: a Go program must gob.Register {name}, or it reads none of the cookie"
        ));
    }
}

/// Reads a compact JSON document. serde_json takes the token `-0` for a float, where
/// it is an integer: it has neither `.` nor `e`; and integers over 64 bits, which are
/// refused.
pub(super) fn parse(compact: &str) -> Result<Json, serde_json::Error> {
    check_integers(compact)?;
    let (mut plain, mut rest) = (String::with_capacity(compact.len()), compact);
    let mut quotes = Quotes::default();
    while let Some(character) = rest.chars().next() {
        // Not in an exponent: 1e-05 is a number, too.
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

/// Refuses integers that no integer type of Go holds: as floats they would lose digits.
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
            "an integer has more than 64 bits; with an exponent it is a float",
        )),
        false => Ok(()),
    }
}

/// The value that a JSON document stands for at the top level; none for null.
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

/// What a JSON value stands for in an interface: Go's `int` for what fits one, `uint64`
/// for larger integers, `float64`, `string`, `bool`, `[]interface {}`, `map[string]interface {}`.
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
    fn numbers_are_laid_out_as_go_does() {
        // What Go's encoding/json prints of the same float64.
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
