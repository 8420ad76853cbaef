//! [`GoEtcd`]: records under keys that a Go package keeps in etcd.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use etcd_client::{Compare, Txn, TxnOp, TxnResponse};

use super::super::effect::Effect::Writes;
use super::super::error::of_one;
use super::super::go_keys::KeyServer;
use super::super::moves::taken;
use super::super::{
    Backend, Changes, Created, Error, Expiry, GoKeys, Key, Layout, Moves, Outcome, Record,
    Revision, Scan, Stored,
};
use super::address::Address;
use super::go_leases;
use super::go_rows::{FoundRow, GoRowKeys, RowKeys, SeenRow};
use super::members::Members;
use super::options::EtcdOptions;
use super::requests::{HEADERS, Operation, Requests};
use super::responses::{found_in, revision_of};

/// The number of bytes in a request, at least, that are not the row's own: keys, comparisons.
const REST: usize = 4 * 1024;

/// The number of rows that one transaction reads: a row and its expiry each.
const ROWS_AT_ONCE: usize = HEADERS / 2;

/// Keeps records under the [keys](GoKeys) of a Go package in etcd (3.4 or later). The Go program may
/// use them at the same time. It is for a [`ServerStore`](crate::session::ServerStore) of the dialect
/// that matches the keys.
///
/// A row is what Go writes: the value, with a lease. Our writes are transactions that compare etcd's
/// revision of the row with the one that was read. Go programs compare nothing: their concurrent
/// write wins, and it brings back a row that was removed. There are no owners.
///
/// | operation | requests |
/// |---|---|
/// | load | one read; if a Go program was the last to write the row, also the time that its lease has left |
/// | create | a lease, a transaction |
/// | swap, touch, move | a transaction; if the expiry changes, also a new lease, and the end of the old one |
/// | remove | a transaction, the end of the lease |
/// | page | two for each 32 rows, and one for each row that a Go program was the last to write |
///
/// The first write over a row of a Go program needs one request more. After a conflict, the row is
/// read again.
///
/// # Expired rows
/// For a Go program, a row lives as long as its lease. etcd counts leases in seconds, makes none
/// shorter than 2 seconds, and lets each of them begin again when it restarts or its leader changes.
///
/// Therefore Silverback keeps the exact expiry of each row that it writes under a key of its own:
/// `silverback/expiry/` ([`EtcdOptions::prefix`]) and the key of the row, with the lease of the row.
/// That expiry decides here, to the millisecond, by this machine's clock. It counts until a Go program
/// writes the row. Then the time decides that its lease has left. Each load asks etcd for it, since
/// no key holds it. A user of etcd needs the permission `readwrite` for both prefixes.
///
/// The lease of a row ends with it, rounded up to a second, so that Go programs keep the limits of our
/// sessions too. A lease that is replaced is revoked, unless another key has it. Go programs leave a
/// lease after each write and each removal, which ends by itself.
///
/// # Connections, sizes, TLS
/// These are as in [`Etcd`](super::Etcd). A record has at most 1,568,768 bytes, or 4 KiB less than
/// [`max_request_bytes`](EtcdOptions::max_request_bytes).
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{EtcdOptions, GoEtcd, GoKeys};
/// use silverback::compat::SessionManager;
///
/// let (url, options) = ("etcd://127.0.0.1:2379", EtcdOptions::new());
/// let backend = GoEtcd::connect_with(url, GoKeys::scs_etcdstore(), options).await?;
/// let store = SessionManager::new(Arc::new(backend)).store()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoEtcd(pub(super) Arc<GoInner>);

pub(super) struct GoInner {
    pub(super) requests: Requests,
    pub(super) keys: GoRowKeys,
    pub(super) options: EtcdOptions,
}

impl GoEtcd {
    /// Connects to the cluster that the URL names, which is that of
    /// [`Etcd::connect`](super::Etcd::connect). The prefix of the URL, if it has one, is used instead
    /// of that of Go's keys. The prefix of the options is that of Silverback's own keys.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the Go package has no keys in etcd, or if the
    /// prefix of its keys is also that of Silverback's own, and the errors of
    /// [`Etcd::connect_with`](super::Etcd::connect_with).
    pub async fn connect_with(
        url: &str,
        keys: GoKeys,
        options: EtcdOptions,
    ) -> Result<Self, Error> {
        keys.check(KeyServer::Etcd)?;
        let address = Address::parse(url)?;
        let options = EtcdOptions {
            user: address.user.or(options.user),
            ..options
        };
        options.check()?;
        let keys = match address.prefix {
            Some(prefix) => keys.with_prefix(prefix),
            None => keys,
        };
        let members = Members::new(address.endpoints, &options)?;
        let backend = GoEtcd(Arc::new(GoInner {
            requests: Requests::new(members, &options),
            keys: GoRowKeys::new(keys, &options.prefix)?,
            options,
        }));
        backend.ping().await?;
        Ok(backend)
    }

    /// Connects as [`connect_with`](GoEtcd::connect_with) does, with the default options.
    ///
    /// # Errors
    /// Returns the errors of [`connect_with`](GoEtcd::connect_with).
    pub async fn connect(url: &str, keys: GoKeys) -> Result<Self, Error> {
        GoEtcd::connect_with(url, keys, EtcdOptions::new()).await
    }

    /// Returns the row under these keys, live or not, and its value.
    async fn find(
        &self,
        operation: &Operation<'_>,
        keys: &RowKeys,
    ) -> Result<Option<(SeenRow, Vec<u8>)>, Error> {
        loop {
            let response = operation.read(Txn::new().and_then(keys.gets())).await?;
            let Some(found) = FoundRow::of(found_in(&response)) else {
                return Ok(None);
            };
            // If the lease is gone, the row has got another one since it was read, or was removed.
            if let Some(expiry) = found.expiry(operation).await? {
                let seen = found.seen_until(expiry);
                let (_, value) = found.row.into_key_value();
                return Ok(Some((seen, value)));
            }
        }
    }

    /// Loads as many rows as one transaction reads. A row that a Go program was the last to write
    /// takes one more request, for its lease.
    async fn load_some(
        &self,
        keys: &[Key],
        loaded: &mut Vec<Result<Option<Stored>, Error>>,
    ) -> Result<(), Error> {
        let operation = self.0.requests.operation().with_records(ROWS_AT_ONCE);
        let named: Vec<Result<RowKeys, Error>> =
            keys.iter().map(|key| self.0.keys.of(key)).collect();
        let gets: Vec<TxnOp> = named.iter().flatten().flat_map(RowKeys::gets).collect();
        let response = operation.read(Txn::new().and_then(gets)).await?;
        let found = found_in(&response);
        let (pairs, _) = found.as_chunks::<2>();
        let mut pairs = pairs.iter();
        for keys in named {
            let answer = match keys {
                Ok(keys) => {
                    let found = pairs.next().map(|pair| pair.to_vec());
                    let found = found.and_then(FoundRow::of);
                    of_one(self.load_found(&operation, &keys, found).await)?
                }
                Err(error) => Err(error),
            };
            loaded.push(answer);
        }
        Ok(())
    }

    /// Returns the record in a row that was found.
    async fn load_found(
        &self,
        operation: &Operation<'_>,
        keys: &RowKeys,
        found: Option<FoundRow>,
    ) -> Result<Option<Stored>, Error> {
        let Some(found) = found else {
            return Ok(None);
        };
        let seen = match found.expiry(operation).await? {
            Some(expiry) => {
                let seen = found.seen_until(expiry);
                Some((seen, found.row.into_key_value().1))
            }
            None => self.find(operation, keys).await?,
        };
        Ok(seen.and_then(live))
    }

    /// Returns the row that was seen if it is live, before a write to it. Asks etcd only if it may have
    /// expired.
    async fn still_live(
        &self,
        operation: &Operation<'_>,
        keys: &RowKeys,
        seen: &Revision,
    ) -> Result<Outcome<SeenRow>, Error> {
        let seen = SeenRow::of_revision(seen)?;
        if !seen.may_have_expired() {
            return Ok(Outcome::Done(seen));
        }
        Ok(match self.find(operation, keys).await? {
            Some((there, _)) if !there.is_live() => Outcome::Gone,
            Some((there, _)) if there.mod_revision == seen.mod_revision => Outcome::Done(there),
            Some(_) => Outcome::Conflict,
            None => Outcome::Gone,
        })
    }

    /// Returns the outcome of a write whose conditions did not hold.
    async fn refused<T>(
        &self,
        operation: &Operation<'_>,
        keys: &RowKeys,
        seen: &SeenRow,
    ) -> Result<Outcome<T>, Error> {
        match self.find(operation, keys).await? {
            Some((there, _)) if !there.is_live() => Ok(Outcome::Gone),
            // The row is the one that was seen: the new key of a move is not free.
            Some((there, _)) if there.mod_revision == seen.mod_revision => Err(taken()),
            Some(_) => Ok(Outcome::Conflict),
            None => Ok(Outcome::Gone),
        }
    }

    /// Writes over the row that was seen. `txn` adds the operations for the ID of a lease, and
    /// further conditions.
    async fn change(
        &self,
        keys: &RowKeys,
        seen: &Revision,
        until: Expiry,
        txn: impl Fn(i64) -> (Vec<Compare>, Vec<TxnOp>),
    ) -> Result<Outcome<Revision>, Error> {
        let operation = self.0.requests.operation();
        let seen = match self.still_live(&operation, keys, seen).await? {
            Outcome::Done(seen) => seen,
            Outcome::Conflict => return Ok(Outcome::Conflict),
            Outcome::Gone => return Ok(Outcome::Gone),
        };
        let compared = |lease| {
            let (mut conditions, operations) = txn(lease);
            conditions.push(keys.is_at(seen.mod_revision));
            Txn::new().when(conditions).and_then(operations)
        };
        let (response, lease) = go_leases::write(&operation, until, Some(&seen), compared).await?;
        match response.succeeded() {
            true => Ok(Outcome::Done(revision(&response, lease, until)?)),
            false => self.refused(&operation, keys, &seen).await,
        }
    }
}

/// Returns the record of a row, if the row is live.
fn live((seen, value): (SeenRow, Vec<u8>)) -> Option<Stored> {
    let stored = || Stored::new(Record::new(value, seen.expiry), seen.revision());
    seen.is_live().then(stored)
}

/// Returns the revision of a row that was written with that lease.
fn revision(response: &TxnResponse, lease: i64, expiry: Expiry) -> Result<Revision, Error> {
    let seen = SeenRow {
        mod_revision: revision_of(response)?,
        expiry,
        lease,
        own_lease: lease,
    };
    Ok(seen.revision())
}

#[async_trait]
impl Backend for GoEtcd {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let keys = self.0.keys.of(key)?;
        let found = self.find(&self.0.requests.operation(), &keys).await?;
        Ok(found.and_then(live))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let mut loaded = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ROWS_AT_ONCE) {
            self.load_some(keys, &mut loaded).await?;
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.0.options.check_size(record, REST)?;
        let (keys, operation) = (self.0.keys.of(key)?, self.0.requests.operation());
        let until = record.expiry();
        // A row that is there may be replaced if it has expired.
        let mut there: Option<SeenRow> = None;
        loop {
            let at = there.as_ref().map_or(0, |there| there.mod_revision);
            let txn = |lease| {
                let puts = keys.puts(Some(record.value()), until, lease);
                Txn::new().when([keys.is_at(at)]).and_then(puts)
            };
            let written = go_leases::write(&operation, until, there.as_ref(), txn).await?;
            let (response, lease) = written;
            if response.succeeded() {
                return Ok(Created::Saved(revision(&response, lease, until)?));
            }
            there = match self.find(&operation, &keys).await? {
                Some((found, _)) if found.is_live() => return Ok(Created::Exists),
                found => found.map(|(found, _)| found),
            };
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.0.options.check_size(record, REST)?;
        let (keys, until) = (self.0.keys.of(key)?, record.expiry());
        let puts = |lease| keys.puts(Some(record.value()), until, lease);
        let txn = |lease| (Vec::new(), puts(lease).into());
        self.change(&keys, seen, until, txn).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let keys = self.0.keys.of(key)?;
        let txn = |lease| (Vec::new(), keys.puts(None, until, lease).into());
        self.change(&keys, seen, until, txn).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let (keys, operation) = (self.0.keys.of(key)?, self.0.requests.operation());
        let seen = match self.still_live(&operation, &keys, seen).await? {
            Outcome::Done(seen) => seen,
            Outcome::Conflict => return Ok(Outcome::Conflict),
            Outcome::Gone => return Ok(Outcome::Gone),
        };
        let is_unchanged = keys.is_at(seen.mod_revision);
        let txn = Txn::new().when([is_unchanged]).and_then(keys.deletes());
        let response = operation.write(&txn).await;
        let response = response.map_err(|failure| failure.into_error(Writes))?;
        if !response.succeeded() {
            return self.refused(&operation, &keys, &seen).await;
        }
        go_leases::end_leases_of(&operation, &seen).await;
        Ok(Outcome::Done(()))
    }

    fn layout(&self) -> Layout {
        self.0.keys.package.layout
    }

    fn moves(&self) -> Option<&dyn Moves> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}

#[async_trait]
impl Moves for GoEtcd {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.0.options.check_size(record, REST)?;
        let (keys, new, until) = (self.0.keys.of(key)?, self.0.keys.of(to)?, record.expiry());
        if keys == new {
            return Err(taken());
        }
        let txn = |lease| {
            let mut operations = Vec::from(keys.deletes());
            operations.extend(new.puts(Some(record.value()), until, lease));
            (vec![new.is_at(0)], operations)
        };
        self.change(&keys, seen, until, txn).await
    }
}

/// Shows the members, and the Go package with its keys. Shows no login.
impl fmt::Debug for GoEtcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoEtcd")
            .field("members", &self.0.requests.members.endpoints())
            .field("keys", &self.0.keys.package)
            .finish_non_exhaustive()
    }
}
