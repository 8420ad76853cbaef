//! [`Etcd`]: records in etcd. [`GoEtcd`]: records under the keys of a Go package.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Etcd`]: its cluster and its prefix |
//! | `records.rs` | the operations of a backend |
//! | `owners.rs` | owners, and the list of an owner's records |
//! | `scan.rs` | scans of all records |
//! | `header.rs` | a record without its bytes, as one value; the contents of a revision |
//! | `keys.rs` | the keys, and the comparisons of a login with them |
//! | `listener.rs` | changes of keys, by watches |
//! | `leases.rs` | the leases that remove expired keys |
//! | `go.rs` | [`GoEtcd`] |
//! | `go_rows.rs` | the rows of a Go package: their keys, and a row as it was seen |
//! | `go_leases.rs` | the leases of these rows |
//! | `go_scan.rs` | scans of these rows |
//! | `options.rs`, `address.rs` | [`EtcdOptions`], and the URL of a cluster |
//! | `requests.rs` | requests within a time limit, and when they are repeated |
//! | `responses.rs` | the parts of a response |
//! | `members.rs` | the connection to one member, and to another one after a failure |
//! | `errors.rs` | etcd's errors as a backend's |

mod address;
mod errors;
mod go;
mod go_leases;
mod go_rows;
mod go_scan;
mod header;
mod keys;
mod leases;
mod listener;
mod members;
mod options;
mod owners;
mod records;
mod requests;
mod responses;
mod scan;

use std::fmt;
use std::sync::Arc;

use super::{Backend, Error};
use address::Address;
pub use go::GoEtcd;
use keys::Keys;
use leases::Leases;
use members::Members;
pub use options::EtcdOptions;
use requests::Requests;

/// Keeps records in etcd (3.4 or later).
///
/// | operation | requests |
/// |---|---|
/// | load | one read; two for an owned record: the record, and its owner |
/// | load many | one for each 50 records, and one for their owners |
/// | create, swap, touch, remove | one transaction, which also checks the owner of the record that was seen |
/// | begin a login, extend or revoke an owner | two: a read, and a transaction; one if the owner needs no change |
/// | list an owner's records | one for each 1,000 records, and one for each 100 of them |
/// | page, purge | one for each 100 records, one for each of their owners, and one that removes those of them that have expired |
///
/// Further requests are needed if a transaction finds a record other than it expects that has
/// another owner, if several programs change one owner at the same time, and for leases: about one
/// in 500 writes.
///
/// All reads are linearizable. All writes compare etcd's revision of the record
/// (`mod_revision`), so that any number of programs may share a cluster.
///
/// # Expired records
/// A record expires by this machine's clock, to the millisecond: etcd has no clock that a
/// transaction could compare. The clocks of all machines must agree as exactly as the sessions'
/// ends must be.
///
/// etcd removes an expired record by itself, at the end of its lease, which is up to a quarter of
/// the record's time and a minute after the expiry. Records that expire at about the same time share
/// a lease, at most 500 of them, so that there are far fewer leases than records. No lease is renewed.
/// A revoked record is removed with its lease too. Records that never expire have no lease.
///
/// # Connections
/// All requests share one connection to one member. If it fails, the next request opens a
/// connection to the next member of the URL. A request is sent again only if it was certainly not
/// applied, and a read also after a failure: a write is never applied twice.
///
/// While the cluster has no leader, operations are [unavailable](Error::is_unavailable) at once. A
/// write that was on its way to a leader that failed has an unknown outcome at the end of its
/// timeout. In twenty kills of the leader of three members on one machine, new writes succeeded again
/// after 1.6 s (the median) to 3.1 s, and no acknowledged write was lost.
///
/// # Reports of changes
/// While futures of `Session::ended` wait, each of their records and owners has a watch. All watches
/// share one stream.
///
/// # Sizes
/// A record has at most 1,507,328 bytes, or 64 KiB less than
/// [`max_request_bytes`](EtcdOptions::max_request_bytes). Each record has two keys, and a third one
/// if it has an owner. etcd holds the index of all keys in memory, and refuses writes when its database
/// reaches `--quota-backend-bytes` (2 GiB by default). It keeps former versions of each key until
/// they are compacted: set `--auto-compaction-mode` and `--auto-compaction-retention`.
///
/// The backend does not count records: [strangers](super#records-of-strangers) can fill the
/// database. Use a cluster of its own, and not that of Kubernetes.
///
/// # TLS
/// The scheme `etcds` demands TLS, which needs the feature `tls`. The server's certificate must be
/// one that the system trusts, or that an authority of yours signed: its certificate, and one of the
/// client, are in the [options](EtcdOptions).
///
/// # Building
/// The feature `etcd` needs `protoc` and its includes when it is compiled: on Debian the packages
/// `protobuf-compiler` and `libprotobuf-dev`.
///
/// Needs tokio.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let url = "etcd://etcd-1.example:2379,etcd-2.example:2379,etcd-3.example:2379";
/// let backend = silverback::backend::Etcd::connect(url).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Etcd(Arc<Inner>);

struct Inner {
    requests: Requests,
    keys: Keys,
    leases: Leases,
    options: EtcdOptions,
}

impl Etcd {
    /// Connects to the cluster that the URL names:
    /// `etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/?prefix=TEXT`. The login, the ports (2379) and the
    /// prefix (`silverback/`) may be missing. Name all members, so that each of them may fail. With
    /// `etcds://`, connections use TLS.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the URL cannot be read, or TLS is needed and this
    /// build lacks it. Returns an [unavailable](Error::is_unavailable) error if the cluster cannot be
    /// reached, or refuses the user.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Etcd::connect_with(url, EtcdOptions::new()).await
    }

    /// Connects as [`connect`](Etcd::connect) does, with options. The login and the prefix of the
    /// URL, if it has them, are used instead of those of the options.
    ///
    /// ```no_run
    /// # async fn open(password: &str) -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Etcd, EtcdOptions};
    ///
    /// let options = EtcdOptions::new().user("shop", password).prefix("shop/");
    /// let backend = Etcd::connect_with("etcd://etcd.example", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Etcd::connect), and a [usage](Error::is_usage) error for a
    /// timeout of zero, a prefix that is too long, or a certificate without TLS.
    pub async fn connect_with(url: &str, options: EtcdOptions) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let options = EtcdOptions {
            user: address.user.or(options.user),
            prefix: address.prefix.unwrap_or(options.prefix),
            ..options
        };
        options.check()?;
        let members = Members::new(address.endpoints, &options)?;
        let etcd = Etcd(Arc::new(Inner {
            requests: Requests::new(members, &options),
            keys: Keys::with_prefix(&options.prefix),
            leases: Leases::default(),
            options,
        }));
        etcd.ping().await?;
        Ok(etcd)
    }
}

/// Shows the members and the prefix, and no login.
impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("members", &self.0.requests.members.endpoints())
            .field("prefix", &self.0.options.prefix)
            .finish_non_exhaustive()
    }
}
