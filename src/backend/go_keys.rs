//! [`GoKeys`]: the keys of Go's session stores in Redis, Memcached and etcd, as data.

use super::layout::plain_key_within;
use super::{Error, Key, Layout};

/// The keys of most Go packages: scs's have 43 characters, gorilla's 52.
const USUAL: Keys = Keys::Plain { longest: 63 };

/// The length of a key of dolab/session.
const HEX_LENGTH: usize = 32;

/// The keys of a Go package, without the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// At most so many letters, digits, `-` and `_`.
    Plain { longest: usize },
    /// Hexadecimal digits: a key without a prefix must be told from those of other programs.
    Hex,
}

/// The keys of a Go package in a server that knows only keys and values: their prefix, and the
/// format of the values.
///
/// | preset | Go package | server | keys | values |
/// |---|---|---|---|---|
/// | [`scs_redisstore`](GoKeys::scs_redisstore) | `alexedwards/scs/redisstore` | Redis | `scs:session:` and the token | [`Scs`](Layout::Scs) |
/// | [`scs_goredisstore`](GoKeys::scs_goredisstore) | `alexedwards/scs/goredisstore` | Redis | the same | [`Scs`](Layout::Scs) |
/// | [`redistore`](GoKeys::redistore) | `boj/redistore` | Redis | `session_` and the ID | [`GorillaClear`](Layout::GorillaClear) |
/// | [`rbcervilla_redisstore`](GoKeys::rbcervilla_redisstore) | `rbcervilla/redisstore` | Redis | `session:` and the ID | [`GorillaClear`](Layout::GorillaClear) |
/// | [`gorilla_sessions_memcache`](GoKeys::gorilla_sessions_memcache) | `bradleypeabody/gorilla-sessions-memcache` | Memcached | a prefix of yours, and the ID | [`Gorilla`](Layout::Gorilla), or [in the clear](GoKeys::in_the_clear) |
/// | [`dolab_redis`](GoKeys::dolab_redis) | `dolab/session/providers/redis` | Redis | the ID | [`Dolab`](Layout::Dolab) |
/// | [`dolab_memcache`](GoKeys::dolab_memcache) | `dolab/session/providers/memcache` | Memcached | the ID | [`Dolab`](Layout::Dolab) |
/// | [`scs_etcdstore`](GoKeys::scs_etcdstore) | `alexedwards/scs/etcdstore` | etcd | `scs:session:` and the token | [`Scs`](Layout::Scs) |
///
/// gin-contrib/sessions has the keys of `redistore` in Redis, and those of
/// `gorilla-sessions-memcache` in Memcached.
///
/// ```
/// use silverback::backend::GoKeys;
///
/// let keys = GoKeys::scs_redisstore().with_prefix("scs:session:2:"); // Go: NewWithPrefix
/// assert_ne!(keys, GoKeys::scs_redisstore());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GoKeys {
    package: &'static str,
    pub(super) server: KeyServer,
    pub(super) prefix: String,
    pub(super) layout: Layout,
    keys: Keys,
}

/// A server that knows only keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyServer {
    Redis,
    Memcached,
    Etcd,
}

impl GoKeys {
    /// The keys of scs's `redisstore`, which uses gomodule/redigo (`redisstore.go` at commit
    /// 209de6e426de of scs).
    pub fn scs_redisstore() -> Self {
        GoKeys {
            package: "redisstore of scs",
            server: KeyServer::Redis,
            prefix: "scs:session:".to_owned(),
            layout: Layout::Scs,
            keys: USUAL,
        }
    }

    /// The keys of scs's `goredisstore`, which uses redis/go-redis (`goredisstore.go` at the same
    /// commit). They are those of `redisstore`.
    ///
    /// This Go package writes a session that has already expired without a time to live, so that it
    /// stays in Redis forever. The deadline in the value still ends it here; Go serves it.
    pub fn scs_goredisstore() -> Self {
        GoKeys {
            package: "goredisstore of scs",
            ..GoKeys::scs_redisstore()
        }
    }

    /// The keys of scs's `etcdstore` (`etcdstore.go`), which uses etcd's `client/v3`.
    pub fn scs_etcdstore() -> Self {
        GoKeys {
            package: "etcdstore of scs",
            server: KeyServer::Etcd,
            ..GoKeys::scs_redisstore()
        }
    }

    /// The keys of boj/redistore v1 and v2 (`redistore.go`), a store of gorilla/sessions. The values
    /// are a gob, or JSON if the Go program sets the serializer.
    pub fn redistore() -> Self {
        GoKeys {
            package: "redistore",
            server: KeyServer::Redis,
            prefix: "session_".to_owned(),
            layout: Layout::GorillaClear,
            keys: USUAL,
        }
    }

    /// The keys of rbcervilla/redisstore v8 and v9 (`redisstore.go`), a store of gorilla/sessions.
    /// Its IDs have 103 characters.
    pub fn rbcervilla_redisstore() -> Self {
        GoKeys {
            package: "rbcervilla/redisstore",
            prefix: "session:".to_owned(),
            keys: Keys::Plain { longest: 103 },
            ..GoKeys::redistore()
        }
    }

    /// The keys of bradleypeabody/gorilla-sessions-memcache (`gsm.go`), a store of gorilla/sessions,
    /// with the prefix that the Go program gives to `NewMemcacheStore`.
    ///
    /// The values are securecookies, as with Go's default `StoreMethodSecureCookie`. For its other
    /// methods, the values are [in the clear](GoKeys::in_the_clear).
    pub fn gorilla_sessions_memcache(prefix: impl Into<String>) -> Self {
        GoKeys {
            package: "gorilla-sessions-memcache",
            server: KeyServer::Memcached,
            prefix: prefix.into(),
            layout: Layout::Gorilla,
            keys: USUAL,
        }
    }

    /// The keys of dolab/session's Redis provider (`providers/redis/redis.go`): the ID alone, of 32
    /// hexadecimal digits. A scan skips all other keys of the database.
    pub fn dolab_redis() -> Self {
        GoKeys {
            package: "dolab/session for Redis",
            server: KeyServer::Redis,
            prefix: String::new(),
            layout: Layout::Dolab,
            keys: Keys::Hex,
        }
    }

    /// The keys of dolab/session's Memcached provider (`providers/memcache/memcache.go`), which are
    /// those of [`dolab_redis`](GoKeys::dolab_redis).
    pub fn dolab_memcache() -> Self {
        GoKeys {
            package: "dolab/session for Memcached",
            server: KeyServer::Memcached,
            ..GoKeys::dolab_redis()
        }
    }

    /// Sets that the values are neither signed nor encrypted: [`Layout::GorillaClear`]. For
    /// `gorilla-sessions-memcache` with `StoreMethodGob` or `StoreMethodJson`. The keys of other
    /// packages stay as they are.
    #[doc(alias = "StoreMethodGob")]
    #[doc(alias = "StoreMethodJson")]
    pub fn in_the_clear(self) -> Self {
        let layout = match self.layout {
            Layout::Gorilla => Layout::GorillaClear,
            layout => layout,
        };
        GoKeys { layout, ..self }
    }

    /// Sets another prefix, as Go's `NewWithPrefix` and `SetKeyPrefix` do.
    #[doc(alias = "NewWithPrefix")]
    #[doc(alias = "SetKeyPrefix")]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        GoKeys {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Refuses the keys of a package that uses another server.
    pub(super) fn check(&self, server: KeyServer) -> Result<(), Error> {
        match self.server == server {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the Go package {} has its keys in {:?}, not in {server:?}",
                self.package, self.server
            ))),
        }
    }

    /// Returns the key without its prefix, as text.
    pub(super) fn text<'k>(&self, key: &'k Key) -> Result<&'k str, Error> {
        match self.keys {
            Keys::Plain { longest } => plain_key_within(key, longest),
            Keys::Hex => hex_key(key),
        }
    }
}

/// Returns the key of dolab/session as text.
fn hex_key(key: &Key) -> Result<&str, Error> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = plain_key_within(key, HEX_LENGTH)?;
    match text.len() == HEX_LENGTH && text.bytes().all(is_digit) {
        true => Ok(text),
        false => Err(Error::usage(
            "the key does not fit a row of dolab/session: it must have 32 digits of 0-9 and a-f",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_the_servers_of_their_packages_only() {
        let memcache = GoKeys::gorilla_sessions_memcache("pre_");
        for (keys, server) in [
            (GoKeys::scs_redisstore(), KeyServer::Redis),
            (GoKeys::scs_goredisstore(), KeyServer::Redis),
            (GoKeys::redistore(), KeyServer::Redis),
            (GoKeys::rbcervilla_redisstore(), KeyServer::Redis),
            (memcache.clone(), KeyServer::Memcached),
            (memcache.in_the_clear(), KeyServer::Memcached),
            (GoKeys::scs_etcdstore(), KeyServer::Etcd),
            (GoKeys::dolab_redis(), KeyServer::Redis),
            (GoKeys::dolab_memcache(), KeyServer::Memcached),
        ] {
            for other in [KeyServer::Redis, KeyServer::Memcached, KeyServer::Etcd] {
                let checked = keys.check(other);
                assert_eq!(checked.is_ok(), other == server, "{keys:?}");
                assert!(checked.err().is_none_or(|error| error.is_usage()));
            }
        }
    }

    #[test]
    fn a_key_is_as_long_as_those_of_its_package() {
        for (keys, longest) in [
            (GoKeys::scs_redisstore(), 63),
            (GoKeys::redistore(), 63),
            (GoKeys::rbcervilla_redisstore(), 103),
        ] {
            let key = |length: usize| Key::new("A".repeat(length)).unwrap();
            assert!(keys.text(&key(longest)).is_ok());
            assert!(keys.text(&key(longest + 1)).unwrap_err().is_usage());
        }
    }

    #[test]
    fn a_key_of_dolab_is_32_digits() {
        let text = |key: &str| {
            let key = Key::new(key).unwrap();
            GoKeys::dolab_redis().text(&key).map(str::to_owned)
        };
        let id = "0123456789abcdef".repeat(2);
        assert_eq!(text(&id).unwrap(), id);
        let (upper, other) = (id.to_uppercase(), id.replace('a', "g"));
        for wrong in [&id[1..], &format!("{id}0"), &upper, &other, "queue"] {
            assert!(text(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}
