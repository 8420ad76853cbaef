//! Paths in the form in which Go's ServeMux matches them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::escapes::unescaped;

/// The characters that Go's `escape` keeps in a path (`shouldEscape`, mode `encodePath`), as the
/// complement that this set encodes.
const NOT_IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// The characters of a path that Go keeps as the client sent it, besides letters and digits
/// (`validEncoded`).
const AS_SENT: &[u8] = b"-_.~!$&'()*+,;=:@[]%/";

/// Returns a path as Go's `URL.EscapedPath` does: as the client sent it, or escaped anew if it has a
/// character that should have been escaped. Returns `None` if an escape is malformed.
pub(super) fn escaped(path: &[u8]) -> Option<Vec<u8>> {
    let bytes = unescaped(path)?;
    let is_as_sent = |byte: &u8| byte.is_ascii_alphanumeric() || AS_SENT.contains(byte);
    if path.iter().all(is_as_sent) {
        return Some(path.to_vec());
    }
    let escaped = percent_encode(&bytes, NOT_IN_PATH);
    Some(escaped.flat_map(str::bytes).collect())
}

/// Returns whether ServeMux takes the path as it is, and does not redirect to a cleaned one
/// (`cleanPath` in server.go): it begins with a slash, and has no empty segment and no dots.
pub(super) fn is_clean(path: &[u8]) -> bool {
    let Some(path) = path.strip_prefix(b"/") else {
        return false;
    };
    let dots = |segment: &[u8]| segment == b"." || segment == b"..";
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    let mut is_clean = true;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        is_clean &= !dots(segment) && (is_last || !segment.is_empty());
    }
    is_clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_path_has_no_dots_and_no_empty_segment() {
        for path in ["/", "/a", "/a/", "/a/b", "/.a", "/a..", "/%2e%2e"] {
            assert!(is_clean(path.as_bytes()), "{path}");
        }
        for path in [
            "", "*", "a", "//", "/a//", "//a", "/.", "/a/..", "/../a", "/./",
        ] {
            assert!(!is_clean(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_path_is_escaped_anew_only_if_a_character_should_have_been_escaped() {
        for (path, expected) in [
            ("/a%2fb", Some("/a%2fb")),
            ("/[a]!", Some("/[a]!")),
            ("/a%2fb\"!", Some("/a/b%22%21")),
            ("/\u{fc}", Some("/%C3%BC")),
            ("/%zz", None),
            ("/%2", None),
        ] {
            let escaped = escaped(path.as_bytes());
            let expected = expected.map(|path| path.as_bytes().to_vec());
            assert_eq!(escaped, expected, "{path}");
        }
    }
}
