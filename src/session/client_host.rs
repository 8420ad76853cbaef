//! [`client_host`]: the host that a client asked for. Also detects loopback hosts.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Returns the host that the client of a request asked for.
///
/// It is the first host in `x_forwarded_host` and `forwarded` that is not loopback. If there is no
/// such host, it is the request's own `host`. Adapters of web frameworks pass the result to
/// [`Sessions::of_request`](super::Sessions::of_request).
///
/// The host decides where [`insecure_http`](super::CookieOptions::insecure_http) sets cookies, and
/// from which domains [planted](super::Refusal::Ambiguous) cookies are removed.
///
/// A reverse proxy on the same machine may send `Host: localhost` for clients from anywhere, so the
/// forwarded fields are read too. Anyone can send these fields, so they can only remove trust: if
/// the request's own host is not loopback, no field makes it loopback. A field that cannot be read
/// counts as a host that is not loopback.
///
/// - `x_forwarded_host` has the values of the fields `X-Forwarded-Host`, each a list of hosts.
/// - `forwarded` has the values of the fields `Forwarded` (RFC 7239). Only their `host` parameters
///   are used.
///
/// ```
/// use silverback::session::client_host;
///
/// let own = Some(&b"localhost:3000"[..]);
/// assert_eq!(client_host(own, [], []), own);
/// assert_eq!(client_host(own, [&b"shop.example"[..]], []), Some(&b"shop.example"[..]));
/// assert_eq!(
///     client_host(own, [], [&br#"for=192.0.2.1;host="shop.example:80""#[..]]),
///     Some(&b"shop.example:80"[..])
/// );
/// ```
#[doc(alias = "proxy")]
#[doc(alias = "X-Forwarded-Host")]
pub fn client_host<'f>(
    host: Option<&'f [u8]>,
    x_forwarded_host: impl IntoIterator<Item = &'f [u8]>,
    forwarded: impl IntoIterator<Item = &'f [u8]>,
) -> Option<&'f [u8]> {
    let named = x_forwarded_host.into_iter().flat_map(elements);
    let forwarded = forwarded.into_iter().flat_map(elements);
    let parameters = forwarded.flat_map(|element| element.split(|byte| *byte == b';'));
    let mut all = named.chain(parameters.filter_map(host_parameter));
    all.find(|host| !is_loopback(host)).or(host)
}

/// Returns the elements of a list field.
fn elements(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Returns the value of a parameter of `Forwarded` if its name is `host`.
fn host_parameter(parameter: &[u8]) -> Option<&[u8]> {
    let end = parameter.iter().position(|byte| *byte == b'=')?;
    let (name, value) = parameter.split_at(end);
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    let value = match value {
        [b'"', quoted @ .., b'"'] => quoted,
        value => value,
    };
    name.trim_ascii()
        .eq_ignore_ascii_case(b"host")
        .then_some(value)
}

/// Returns whether a Host names the client's own machine.
pub(super) fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    if let Some(address) = host.strip_prefix('[') {
        let address = address.split_once(']').map(|(address, _)| address.parse());
        return matches!(address, Some(Ok(address)) if Ipv6Addr::is_loopback(&address));
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let is_address = name
        .parse()
        .is_ok_and(|address: Ipv4Addr| address.is_loopback());
    let last_label = name.rsplit_once('.').map_or(name, |(_, last)| last);
    is_address || last_label.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_those_of_browsers() {
        for host in [
            "localhost",
            "LocalHost:3000",
            "app.localhost:80",
            "127.0.0.1",
            "127.9.9.9:8080",
            "[::1]",
            "[::1]:3000",
        ] {
            assert!(is_loopback(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "127.0.0.1.example.com",
            "128.0.0.1",
            "[::2]",
            "[::1",
            "::1",
            "0.0.0.0",
            "\u{fffd}",
        ] {
            assert!(!is_loopback(host.as_bytes()), "{host}");
        }
        assert!(!is_loopback(b"\xff"));
    }

    /// Returns whether a request for `host` counts as loopback with these fields `X-Forwarded-Host`
    /// and `Forwarded`. An empty text stands for a missing field.
    fn is_ours(host: &str, x_forwarded_host: &str, forwarded: &str) -> bool {
        fn field(text: &str) -> Option<&[u8]> {
            Some(text.as_bytes()).filter(|field| !field.is_empty())
        }
        let named = client_host(
            Some(host.as_bytes()),
            field(x_forwarded_host),
            field(forwarded),
        );
        named.is_some_and(is_loopback)
    }

    #[test]
    fn fields_of_proxies_only_remove_trust() {
        for (x_forwarded_host, forwarded) in [
            ("", ""),
            ("localhost:3000", ""),
            ("127.0.0.1, [::1]:80", ""),
            ("", "for=192.0.2.1;proto=http"),
            ("", "host=localhost, for=x;Host=\"[::1]:80\""),
        ] {
            assert!(is_ours("localhost", x_forwarded_host, forwarded));
            assert!(!is_ours("example.com", x_forwarded_host, forwarded));
        }
        for (x_forwarded_host, forwarded) in [
            ("example.com", ""),
            ("localhost, example.com", ""),
            ("example.com, localhost", ""),
            (",", ""),
            ("localhost", "host=example.com"),
            ("", "for=a;HOST = \"example.com:80\""),
            ("", "host=localhost, host=example.com"),
            ("", "host="),
            ("", "host=\"localhost"),
        ] {
            let said = format!("{x_forwarded_host} {forwarded}");
            assert!(!is_ours("localhost", x_forwarded_host, forwarded), "{said}");
        }
    }
}
