//! [`Address`]: the members, the login and the prefix that a URL names.

use std::fmt;

use super::super::Error;
use super::super::url::{decoded, host_and_port};
use super::options::User;

const FORM: &str = "the URL of etcd is not valid: write \
     etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/?prefix=TEXT (%40 for @, %3A for :, %2F for /)";

/// The port of etcd for clients.
const PORT: u16 = 2379;

/// The parts of a URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The URL of each member, for the client.
    pub(super) endpoints: Vec<String>,
    pub(super) user: Option<User>,
    pub(super) prefix: Option<String>,
    pub(super) is_encrypted: bool,
}

impl Address {
    /// Reads `etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/?prefix=TEXT`. The scheme `etcds` means TLS.
    /// The errors do not quote the URL.
    ///
    /// # Errors
    /// Returns a usage error for an invalid URL, and for one that demands TLS if this build has
    /// none.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let address = parts(url).ok_or_else(|| Error::usage(FORM))?;
        match address.is_encrypted && !cfg!(feature = "tls") {
            false => Ok(address),
            true => Err(Error::usage(
                "etcds: needs another build: enable silverback's feature `tls`",
            )),
        }
    }
}

fn parts(url: &str) -> Option<Address> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
    if !url.bytes().all(is_plain) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let is_encrypted = match scheme {
        "etcd" => false,
        "etcds" => true,
        _ => return None,
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (user, members) = match authority.split_once('@') {
        Some((login, members)) => (Some(user(login)?), members),
        None => (None, authority),
    };
    let scheme = if is_encrypted { "https" } else { "http" };
    let endpoint = |member| {
        let (host, port) = host_and_port(member, PORT)?;
        Some(match host.contains(':') {
            true => format!("{scheme}://[{host}]:{port}"),
            false => format!("{scheme}://{host}:{port}"),
        })
    };
    Some(Address {
        endpoints: members.split(',').map(endpoint).collect::<Option<_>>()?,
        user,
        prefix: prefix(query)?,
        is_encrypted,
    })
}

fn user(login: &str) -> Option<User> {
    let (name, password) = login.split_once(':')?;
    Some(User {
        name: decoded(name).filter(|name| !name.is_empty())?,
        password: decoded(password)?,
    })
}

/// Returns the prefix, if the text after `?` has one. Refuses any other option.
#[expect(clippy::option_option)]
fn prefix(query: &str) -> Option<Option<String>> {
    match query {
        "" => Some(None),
        query => query
            .strip_prefix("prefix=")
            .and_then(decoded_option)
            .map(Some),
    }
}

fn decoded_option(text: &str) -> Option<String> {
    let is_one = !text.contains(['&', '=']);
    // The prefixes of sessions end in one of these.
    let escaped = text.replace('/', "%2F").replace(':', "%3A");
    is_one.then(|| decoded(&escaped)).flatten()
}

/// Shows no login.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(url: &str) -> Vec<String> {
        Address::parse(url).unwrap().endpoints
    }

    #[test]
    fn a_url_names_the_members_the_login_and_the_prefix() {
        let url = "etcd://shop:p%40ss%3A@a.example,10.0.0.2:4001,[::1]/?prefix=web%20shop/";
        let address = Address::parse(url).unwrap();
        let expected = [
            "http://a.example:2379",
            "http://10.0.0.2:4001",
            "http://[::1]:2379",
        ];
        assert_eq!(address.endpoints, expected);
        let user = address.user.clone().unwrap();
        assert_eq!((&*user.name, &*user.password), ("shop", "p@ss:"));
        assert_eq!(address.prefix.as_deref(), Some("web shop/"));
        let shown = format!("{address:?}");
        assert!(!shown.contains("p@ss"), "{shown}");
        assert_eq!(endpoints("etcd://localhost"), ["http://localhost:2379"]);
        assert_eq!(endpoints("etcd://[::1]:1/"), ["http://[::1]:1"]);
        let of_scs = Address::parse("etcd://a/?prefix=scs:session:2%3A").unwrap();
        assert_eq!(of_scs.prefix.as_deref(), Some("scs:session:2:"));
        let empty = Address::parse("etcd://a?prefix=").unwrap();
        assert_eq!(empty.prefix.as_deref(), Some(""));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_url_can_demand_tls() {
        assert_eq!(
            endpoints("etcds://a,b:1"),
            ["https://a:2379", "https://b:1"]
        );
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_needs_its_feature() {
        let refused = Address::parse("etcds://a").unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("`tls`"));
    }

    #[test]
    fn an_invalid_url_is_refused_and_not_quoted() {
        for url in [
            "etcd:",
            "etcd://",
            "etcd://secret:@",
            "etcd://,secret",
            "etcd://a,/",
            "etcd://secret@a",
            "etcd://:secret@a",
            "etcd://a:secret@b:c@d",
            "etcd://a:s%4@b",
            "etcd://a:secret",
            "etcd://a:0",
            "etcd://a:65536",
            "etcd://a:+1",
            "etcd://a:",
            "etcd://[::1",
            "etcd://[secret]",
            "etcd://[::1]secret",
            "etcd://a/secret",
            "etcd://a//",
            "etcd://a?secret=1",
            "etcd://a?prefix=a&prefix=b",
            "etcd://a?prefix=%00",
            "etcd://a#secret",
            "http://secret",
        ] {
            let refused = Address::parse(url).unwrap_err();
            let text = refused.to_string();
            assert!(
                refused.is_usage() && !text.contains("secret"),
                "{url}: {text}"
            );
        }
    }
}
