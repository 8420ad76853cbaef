//! The parts that the URLs of several servers have. They are read strictly: a text that two programs
//! could read in two ways is refused.

use std::net::Ipv6Addr;

#[cfg(any(feature = "mssql", feature = "etcd"))]
use percent_encoding::percent_decode_str;

/// Returns the host and the port in `HOST:PORT`, or `port` if the text has none. The brackets of an
/// IPv6 address are not part of the host.
pub(super) fn host_and_port(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, given) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let given = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            (host, given)
        }
        None => {
            let (host, given) = match text.split_once(':') {
                Some((host, given)) => (host, Some(given)),
                None => (text, None),
            };
            let is_in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_in_a_name) {
                return None;
            }
            (host, given)
        }
    };
    let port = match given {
        None => port,
        Some(given) if given.bytes().all(|byte| byte.is_ascii_digit()) => given.parse().ok()?,
        Some(_) => return None,
    };
    (port != 0).then(|| (host.to_owned(), port))
}

/// Returns the text without percent-encoding. Refuses a `%` without two hex digits, and reserved
/// characters that are not encoded.
#[cfg(any(feature = "mssql", feature = "etcd"))]
pub(super) fn decoded(text: &str) -> Option<String> {
    if text.bytes().any(|byte| b"/:@[]".contains(&byte)) {
        return None;
    }
    let escapes_are_whole = text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (escapes_are_whole && !text.contains('\0')).then(|| text.into_owned())
}
