//! [`OriginUrl`]: an Origin, parsed as Go's `url.Parse` does (net/url/url.go of Go 1.26).

use std::net::Ipv6Addr;

use super::escapes::{Unit, unescaped, units};

/// The parts of an Origin that decide.
#[derive(Default)]
pub(super) struct OriginUrl {
    pub(super) has_scheme: bool,
    /// The host, and the port if the text has one.
    pub(super) host: Vec<u8>,
    /// True if there is a path, a query or a fragment.
    pub(super) has_more: bool,
}

impl OriginUrl {
    /// Parses a text, or returns `None` if Go refuses it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (url, fragment) = cut(text, b'#');
        if url.iter().any(u8::is_ascii_control) {
            return None;
        }
        unescaped(fragment)?;
        let (scheme, rest) = split_scheme(url)?;
        let (rest, query) = cut(rest, b'?');
        let has_scheme = !scheme.is_empty();
        if !rest.starts_with(b"/") && has_scheme {
            // Go's `Opaque`, which is not parsed further.
            return Some(OriginUrl {
                has_scheme,
                host: Vec::new(),
                has_more: true,
            });
        }
        let first_segment = rest.split(|byte| *byte == b'/').next()?;
        if first_segment.contains(&b':') {
            return None;
        }
        let (authority, path) = split_authority(has_scheme, rest);
        let host = host_of_authority(scheme, authority)?;
        unescaped(path)?;
        Some(OriginUrl {
            has_scheme,
            host,
            has_more: ![path, query, fragment].concat().is_empty(),
        })
    }
}

/// Returns the host of an authority, `[userinfo@]host[:port]`, with its port. Returns `None` if Go
/// refuses the authority.
pub(super) fn host_of_authority(scheme: &[u8], authority: &[u8]) -> Option<Vec<u8>> {
    let mut parts = authority.rsplitn(2, |byte| *byte == b'@');
    let host = parts.next()?;
    let userinfo = parts.next().unwrap_or_default();
    let is_userinfo = userinfo.iter().all(|byte| is_one_of(*byte, IN_USERINFO));
    if !is_userinfo || unescaped(userinfo).is_none() {
        return None;
    }
    match host.iter().rposition(|byte| *byte == b'[') {
        Some(0) => ip_literal(host),
        Some(_) => None,
        None if has_valid_port(scheme, host) => unescaped_host(host),
        None => None,
    }
}

/// The characters of a userinfo besides letters and digits (`validUserinfo`).
const IN_USERINFO: &[u8] = b"-._:~!$&'()*+,;=%@";
/// The characters of a host besides letters and digits (`shouldEscape`, mode `encodeHost`).
const IN_HOST: &[u8] = b"-_.~!$&'()*+,;=:[]<>\"";

fn is_one_of(byte: u8, marks: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || marks.contains(&byte)
}

/// Splits a text at the first separator.
fn cut(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |byte| *byte == separator);
    let first = parts.next().unwrap_or_default();
    (first, parts.next().unwrap_or_default())
}

/// Splits off the scheme, which may be missing. Returns `None` if the text begins with a colon.
fn split_scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = url.iter().position(|byte| !is_one_of(*byte, b"+-."));
    match end.and_then(|end| url.split_at_checked(end)) {
        Some(([], [b':', ..])) => None,
        Some((scheme @ [first, ..], [b':', rest @ ..])) if first.is_ascii_alphabetic() => {
            Some((scheme, rest))
        }
        _ => Some((&[], url)),
    }
}

/// Splits the authority off the path. Both may be empty.
fn split_authority(has_scheme: bool, rest: &[u8]) -> (&[u8], &[u8]) {
    match rest.strip_prefix(b"//") {
        Some(after) if has_scheme || !after.starts_with(b"/") => {
            let end = after.iter().position(|byte| *byte == b'/');
            after.split_at(end.unwrap_or(after.len()))
        }
        _ => (&[], rest),
    }
}

/// Returns whether a host without brackets has no port, or one of digits. With http and https, the
/// port begins at the first colon, and otherwise at the last.
fn has_valid_port(scheme: &[u8], host: &[u8]) -> bool {
    let is_web = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let is_colon = |byte: &u8| *byte == b':';
    let colon = match is_web {
        true => host.iter().position(is_colon),
        false => host.iter().rposition(is_colon),
    };
    let port = colon.and_then(|colon| host.get(colon..));
    is_optional_port(port.unwrap_or_default())
}

fn is_optional_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Returns the host that `[address]:port` stands for. A zone follows `%25` (RFC 6874).
fn ip_literal(host: &[u8]) -> Option<Vec<u8>> {
    let end = host.iter().rposition(|byte| *byte == b']')?;
    let (inside, port) = host.split_at_checked(end)?;
    let (inside, port) = (inside.strip_prefix(b"[")?, port.strip_prefix(b"]")?);
    if !is_optional_port(port) {
        return None;
    }
    let zone = inside.windows(3).position(|part| part == b"%25");
    let (address, zone) = inside.split_at(zone.unwrap_or(inside.len()));
    let address = [unescaped_host(address)?, unescaped_zone(zone)?].concat();
    is_ipv6(&address).then(|| [b"[", &*address, b"]", port].concat())
}

/// Returns whether a text is an IPv6 address, with or without a zone (netip.ParseAddr).
fn is_ipv6(text: &[u8]) -> bool {
    let (address, zone) = cut(text, b'%');
    let has_zone = text.contains(&b'%');
    let address = std::str::from_utf8(address).map(str::parse::<Ipv6Addr>);
    matches!(address, Ok(Ok(_))) && has_zone != zone.is_empty()
}

/// In a host, only bytes beyond ASCII and the percent sign may be escaped.
fn unescaped_host(text: &[u8]) -> Option<Vec<u8>> {
    unescaped_if(text, |byte| !byte.is_ascii() || byte == b'%')
}

/// In a zone, only characters of a host, the percent sign and the space may be escaped.
fn unescaped_zone(text: &[u8]) -> Option<Vec<u8>> {
    unescaped_if(text, |byte| {
        is_one_of(byte, IN_HOST) || b"% ".contains(&byte)
    })
}

fn unescaped_if(text: &[u8], may_be_escaped: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
    let byte = |unit| match unit {
        Unit::Plain(byte) => (!byte.is_ascii() || is_one_of(byte, IN_HOST)).then_some(byte),
        Unit::Escaped(byte) => may_be_escaped(byte).then_some(byte),
    };
    units(text).map(|unit| byte(unit?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(origin: &str) -> Option<String> {
        let url = OriginUrl::parse(origin.as_bytes())?;
        Some(String::from_utf8(url.host).unwrap())
    }

    #[test]
    fn the_host_of_an_origin_has_its_port_and_no_userinfo() {
        for (origin, host) in [
            ("https://example.com", "example.com"),
            ("https://example.com:8443", "example.com:8443"),
            ("https://Example.COM", "Example.COM"),
            ("HTTPS://example.com/path?query#fragment", "example.com"),
            ("//example.com", "example.com"),
            ("https://user:word@other@example.com:1", "example.com:1"),
            ("https://example.com:", "example.com:"),
            ("https://[::1]:80", "[::1]:80"),
            ("https://[fe80::1%25en0]", "[fe80::1%en0]"),
            ("https://b%C3%BCcher.example", "b\u{fc}cher.example"),
            ("postgres://a:1,b:2", "a:1,b:2"),
            ("null", ""),
            ("", ""),
            ("mailto:a@example.com", ""),
            ("///example.com", ""),
            ("https:///path", ""),
        ] {
            assert_eq!(host_of(origin).as_deref(), Some(host), "{origin}");
        }
    }

    #[test]
    fn a_malformed_origin_has_no_host() {
        for origin in [
            "://example.com",
            "1http://example.com",
            "https://example.com:port",
            "https://a:1,b:2",
            "https://exa mple.com",
            "https://ex%41mple.com",
            "https://example.com/%zz",
            "https://example.com#%zz",
            "https://us er@example.com",
            "https://[::1",
            "https://[1.2.3.4]",
            "https://[example.com]",
            "https://[::1%25]",
            "https://a[::1]",
            "https://example.com\u{7f}",
        ] {
            assert_eq!(host_of(origin), None, "{origin}");
        }
    }
}
