//! JSON as text: white space, floats as Go prints them, and the integers that Go can hold.

use serde::de::{Error as _, IgnoredAny};
use serde_json::Value as Json;

/// Removes the white space around the tokens of one JSON document. Everything else stays:
/// numbers keep their digits, and objects keep their order and duplicates.
pub(super) fn compact(document: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(document)?;
    let mut quotes = Quotes::default();
    let keep = |character: &char| quotes.pass(*character) || !character.is_ascii_whitespace();
    Ok(document.chars().filter(keep).collect())
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

/// Formats a float as Go's encoding/json does.
pub(super) fn go_float(float: f64) -> String {
    let shortest = serde_json::to_string(&float);
    shortest
        .map(|shortest| go_number(&shortest))
        .unwrap_or_default()
}

/// Formats the digits of a JSON number as Go's encoding/json does: with an exponent only below
/// 1e-6 and from 1e21.
pub(super) fn go_number(number: &str) -> String {
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

/// Follows the strings in a JSON text.
#[derive(Default)]
struct Quotes {
    in_string: bool,
    escaped: bool,
}

impl Quotes {
    /// Passes a character, and returns whether it was in a string, or ended one.
    fn pass(&mut self, character: char) -> bool {
        let was_in_string = self.in_string;
        self.in_string ^= character == '"' && !self.escaped;
        self.escaped = self.in_string && character == '\\' && !self.escaped;
        was_in_string
    }
}

#[cfg(test)]
mod tests {
    use super::{compact, go_number};

    #[test]
    fn compact_removes_only_white_space() {
        let cases = [
            (
                "{ \"a b\" :\t[1, 2.50 ,1e5],\n\"a b\": null}\n",
                "{\"a b\":[1,2.50,1e5],\"a b\":null}",
            ),
            (r#" "quote \" and \\" "#, r#""quote \" and \\""#),
            (
                r#"[ "\\\" x " , 18446744073709551616 ]"#,
                r#"["\\\" x ",18446744073709551616]"#,
            ),
        ];
        for (document, expected) in cases {
            assert_eq!(compact(document).unwrap(), expected);
        }
        assert!(compact("{").is_err() && compact("1 2").is_err() && compact("").is_err());
    }

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
