//! The Cookie fields of a request, parsed as in Go's net/http: the values under a name, or a
//! refusal if there are more cookies than a browser sends.
//!
//! Source: `readCookies` in Go's `net/http/cookie.go`; the limits are our own.

/// The most bytes and pairs that are read of a request's Cookie fields. Browsers keep less for one
/// site, so cookies of other hosts cannot hide ours. (Chromium keeps 180 cookies of 4 KiB.) Servers
/// limit a request's head themselves, often to fewer bytes.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_PAIRS: usize = 4096;
/// The most cookies of one name that are examined: each costs a MAC, and perhaps a read.
const MOST_OF_A_NAME: usize = 8;

/// All Cookie fields of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct CookieHeader {
    /// The fields, joined as in RFC 9113, section 8.2.3.
    text: Vec<u8>,
    /// True if the fields have more than `MOST_BYTES` bytes; they are then not read.
    too_long: bool,
}

/// The request has too many cookies to examine each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl CookieHeader {
    pub(crate) fn new<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> Self {
        let mut header = CookieHeader::default();
        let mut bytes = 0;
        for field in fields {
            bytes += field.len();
            if bytes > MOST_BYTES {
                return CookieHeader {
                    text: Vec::new(),
                    too_long: true,
                };
            }
            if !header.text.is_empty() {
                header.text.extend_from_slice(b"; ");
            }
            header.text.extend_from_slice(field);
        }
        header
    }

    /// Returns the different values under `name`, in order.
    pub(crate) fn values<'h>(&'h self, name: &str) -> Result<Vec<&'h str>, TooMany> {
        if self.too_long {
            return Err(TooMany);
        }
        let mut pairs = 0;
        let mut of_name = 0;
        let mut values = Vec::new();
        for pair in pairs_of(&self.text).map(trim) {
            if pair.is_empty() {
                continue;
            }
            pairs += 1;
            if pairs > MOST_PAIRS {
                return Err(TooMany);
            }
            let Some(value) = value_under(name, pair) else {
                continue;
            };
            of_name += 1;
            if of_name > MOST_OF_A_NAME {
                return Err(TooMany);
            }
            if let Some(value) = readable(value)
                && !values.contains(&value)
            {
                values.push(value);
            }
        }
        Ok(values)
    }
}

/// Splits the text at its semicolons.
fn pairs_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (pair, after) = text.split_at_checked(end)?;
        rest = after.get(1..);
        Some(pair)
    })
}

/// Returns the value of a pair if the pair has that name. Names must match exactly: they are not
/// decoded, and the case of letters counts.
fn value_under<'p>(name: &str, pair: &'p [u8]) -> Option<&'p [u8]> {
    let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
    let (of, value) = pair.split_at_checked(end)?;
    (trim(of) == name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
}

/// Returns the value without one pair of double quotes, or `None` if it holds a byte that is not
/// allowed in a cookie's value.
fn readable(value: &[u8]) -> Option<&str> {
    let value = match value {
        [b'"', inner @ .., b'"'] => inner,
        value => value,
    };
    let is_wrong = |byte: u8| !matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    // Checks all bytes, since that is faster than stopping at the first wrong one.
    match value.iter().fold(false, |any, byte| any | is_wrong(*byte)) {
        true => None,
        false => std::str::from_utf8(value).ok(),
    }
}

/// Removes spaces and tabs at both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}
