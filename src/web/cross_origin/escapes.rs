//! Percent escapes, read as Go's `net/url` reads them (`unescape` in url.go).

/// One byte that a text stands for.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Plain(u8),
    Escaped(u8),
}

impl Unit {
    fn byte(self) -> u8 {
        match self {
            Unit::Plain(byte) | Unit::Escaped(byte) => byte,
        }
    }
}

/// Returns the units of a text, with `None` for a malformed escape.
pub(super) fn units(text: &[u8]) -> impl Iterator<Item = Option<Unit>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let unit;
        (unit, rest) = match rest {
            [] => return None,
            [b'%', high, low, after @ ..] => (escaped(*high, *low), after),
            [b'%', ..] => (None, &[][..]),
            [byte, after @ ..] => (Some(Unit::Plain(*byte)), after),
        };
        Some(unit)
    })
}

fn escaped(high: u8, low: u8) -> Option<Unit> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(high)? * 16 + digit(low)?;
    Some(Unit::Escaped(u8::try_from(byte).ok()?))
}

/// Returns the bytes that a text stands for, or `None` if an escape is malformed.
pub(super) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    units(text).map(|unit| Some(unit?.byte())).collect()
}
