//! [`Memcached`]: records in Memcached; [`GoMemcached`]: those of Go packages.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Memcached`]: its servers, and the URL |
//! | `records.rs` | the operations of a backend |
//! | `owners.rs` | owners |
//! | `options.rs` | [`MemcachedOptions`] |
//! | `keys.rs` | the keys of items |
//! | `go.rs` | [`GoMemcached`]: the items of a Go package |
//! | `go_servers.rs` | the server of each key in Go |
//! | `client.rs` | requests within a time limit |
//! | `errors.rs` | Memcached's errors as a backend's |

mod client;
mod errors;
mod go;
mod go_servers;
mod keys;
mod options;
mod owners;
mod records;

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::url::host_and_port;
use super::{Backend, Error};
use client::Client;
pub use go::GoMemcached;
use keys::Keys;
pub use options::MemcachedOptions;

const PORT: u16 = 11211;

/// Keeps records in Memcached 1.6 or newer, for sessions that may be lost at any time.
///
/// | operation | requests |
/// |---|---|
/// | load | one; two for an owned record: the record, and its owner |
/// | load many | one to each server for 1,000 records, and one for their owners |
/// | create | one; up to three more if an expired record is under the key |
/// | swap, remove | one; two if the record that was seen is owned |
/// | touch | two; three if the record is owned |
/// | begin a login, extend or revoke an owner | two |
///
/// All writes are conditional (`ms` and `md` with a CAS number, `ms` in the mode `add`). A write that
/// finds another item takes one or two more requests, to learn whether that record is live.
///
/// # What may be lost
/// **All records, at any time.** Memcached removes records if its memory is full, and a restart
/// removes all of them. A session that is lost is missing, and its user logs in again. No session
/// appears in another's place, and no revoked session comes back: an owner whose item is lost has no
/// live session, and gets a new random generation.
///
/// With several servers, each key has one of them. While a server does not answer, its sessions are
/// unavailable. Do not use a proxy that then moves keys to another server: sessions that have ended
/// would come back with it.
///
/// The backend cannot list: [`Owners::can_list`](super::Owners::can_list) is false, there is no
/// [scan](Backend::scan), and a store on it refuses `max_sessions`.
///
/// The owner of a record is another item, which is read before a write. If a revocation comes between,
/// the record is written and stays revoked, since it carries the old generation. Only a write that
/// also takes the record from its owner could bring it back; what `ServerStore` then writes is a
/// tombstone, which opens no session.
///
/// Records expire by this machine's clock. Memcached removes them a second or two later. It removes
/// records of exactly 30 days up to a second early, and those that expire after 2038 in that year.
///
/// A record has at most 1 MiB, unless [`MemcachedOptions::max_item_size`] is set. There is no
/// encryption and no password: keep the server on a private network. The backend does not count
/// records: [strangers](super#records-of-strangers) push out the sessions of users. Give the store a
/// server of its own.
///
/// Needs tokio.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::Memcached;
///
/// let backend = Memcached::connect("memcached://127.0.0.1:11211").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Memcached(Arc<Inner>);

struct Inner {
    client: Client,
    keys: Keys,
    max_value_size: usize,
}

impl Memcached {
    /// Connects to the servers that the URL names: `memcached://HOST:PORT,HOST:PORT`. All programs
    /// that share sessions must name the same servers. The port may be missing. The URL may continue
    /// with `?prefix=TEXT`, as in [`MemcachedOptions::prefix`].
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the URL is malformed. Returns an
    /// [unavailable](Error::is_unavailable) error if no server answers.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Memcached::connect_with(url, MemcachedOptions::new()).await
    }

    /// Connects as [`connect`](Memcached::connect) does, with options. The prefix of the URL, if it
    /// has one, is used instead of that of the options.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Memcached, MemcachedOptions};
    ///
    /// let options = MemcachedOptions::new().prefix("shop:");
    /// let url = "memcached://cache1.example,cache2.example";
    /// let backend = Memcached::connect_with(url, options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Memcached::connect), and a [usage](Error::is_usage) error
    /// if an option is impossible.
    pub async fn connect_with(url: &str, options: MemcachedOptions) -> Result<Self, Error> {
        let Address { hosts, prefix } = read_url(url)?;
        let options = match prefix {
            Some(prefix) => options.prefix(prefix),
            None => options,
        };
        let backend = Memcached(Arc::new(Inner {
            keys: Keys::with_prefix(&options.prefix)?,
            client: Client::new(hosts, &options).await?,
            max_value_size: options.max_value_size(),
        }));
        backend.ping().await?;
        Ok(backend)
    }
}

fn malformed() -> Error {
    Error::usage("the URL of Memcached is malformed: write memcached://HOST:PORT,HOST:PORT")
}

/// The parts of a URL.
#[derive(Debug)]
struct Address {
    hosts: Vec<(String, u16)>,
    prefix: Option<String>,
}

fn read_url(url: &str) -> Result<Address, Error> {
    let rest = url.strip_prefix("memcached://").ok_or_else(malformed)?;
    let (hosts, query) = rest.split_once('?').unwrap_or((rest, ""));
    let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
    let hosts = hosts.split(',').map(|host| host_and_port(host, PORT));
    let hosts = hosts.collect::<Option<_>>().ok_or_else(malformed)?;
    let prefix = match query.split_once('=') {
        None if query.is_empty() => None,
        Some(("prefix", prefix)) => {
            let prefix = percent_decode_str(prefix).decode_utf8();
            Some(prefix.map_err(|_| malformed())?.into_owned())
        }
        _ => {
            return Err(Error::usage(
                "the URL of Memcached has an unknown option: only prefix is known",
            ));
        }
    };
    Ok(Address { hosts, prefix })
}

/// Shows the keys' prefix.
impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached")
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_and_a_prefix() {
        let read = read_url("memcached://one,two:5,[::1]:7/?prefix=a%3A").unwrap();
        let hosts = [("one", PORT), ("two", 5), ("::1", 7)];
        assert_eq!(
            read.hosts,
            hosts.map(|(host, port)| (host.to_owned(), port))
        );
        assert_eq!(read.prefix.as_deref(), Some("a:"));
        for url in [
            "memcached:x",
            "memcached://",
            "memcached://a,,b",
            "memcached://a:x",
            "memcached://user:pass@a",
            "memcached://a?prefx=1",
            "memcached://a/b",
        ] {
            assert!(read_url(url).unwrap_err().is_usage(), "{url}");
        }
    }
}
