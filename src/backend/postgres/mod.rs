//! [`Postgres`]: records in a PostgreSQL database.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Postgres`]: the operations of a backend |
//! | `go.rs`, `go_statements.rs` | [`GoPostgres`]: the same of tables that Go packages keep |
//! | `columns.rs` | what the columns of a table are in fact |
//! | `options.rs` | [`PostgresOptions`] |
//! | `statements.rs` | their SQL |
//! | `connections.rs` | how a statement is sent, and for how long it may take |
//! | `pool.rs` | where connections come from, and which are used again |
//! | `rows.rs` | what is in a row |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | what Postgres could not do |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
mod options;
mod pool;
mod rows;
mod schema;
mod statements;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::PgRow;

use super::sql::{
    Columns, check_size, generation_of, key_of, login_of, new_revision, page_of, sql_limit,
    sql_number, stored_of,
};
use super::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Outcome, Owner, Owners, Page, Purged,
    Record, Revision, Scan, Stored,
};
use connections::Effect::{Reads, Writes};
use connections::Value::{Bytes, Integer, MaybeBytes};
use connections::{Connections, Value};
use errors::reading;
pub use go::GoPostgres;
pub use options::PostgresOptions;
use rows::left_of;

/// What a row holds at most. Postgres takes four times as much; a statement that is sent as
/// text has it twice as long.
const LARGEST: usize = 256 * 1024 * 1024;

/// Keeps records in a PostgreSQL database, 14 or newer.
///
/// Each operation is one statement, which also asks whether the record's owner lets it live:
/// it is done whole or not at all, also when nobody waits for it any more. (That a record was
/// not as it had been seen is looked into with a second one: has it changed, or is it gone?)
///
/// Records expire by the server's clock. An expiry is sent as the time that is left by this
/// machine's, and told in this machine's again: clocks need not agree, and an expiry is as
/// exact as the way to the server is short. Expired records stay until they are purged
/// ([`Cleanup`](super::Cleanup)), which costs what it removes and a look at what expires within
/// the minute, and which several machines may do at once: each leaves alone what another has
/// locked.
///
/// It counts no records: [strangers](super#records-of-strangers) can fill the disk of the server.
/// Watch the size of the table, or give it a tablespace of its own.
///
/// Acknowledged writes outlive a crash of the server unless `fsync` or `synchronous_commit` is
/// off there. It must be one server that is written to and read from: a replica that lags
/// brings back sessions that were ended.
///
/// # TLS
/// As the URL's `sslmode` says. Without it, TLS is used where both sides have it, and nobody's
/// certificate is looked at: on a network that others are on, say `sslmode=verify-full` (and
/// `sslrootcert=FILE`, for an authority of your own). Needs the feature `tls`, or one of sqlx's
/// in your own program; without, `require` and more are refused.
///
/// # Poolers
/// Statements are prepared once for each connection. Behind a pooler that hands each
/// transaction to another connection and does not know of prepared statements (PgBouncer in
/// transaction mode before 1.21, or with `max_prepared_statements = 0`), use
/// [`PostgresOptions::unprepared`].
///
/// Needs tokio, and the Rust that sqlx 0.9 needs: 1.94.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Postgres::connect("postgres://shop@db.example/shop").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Postgres(Arc<Connections>);

impl Postgres {
    /// The tables, their indexes and triggers, as SQL, for a migration of yours: whoever runs
    /// it needs the right to create in a schema of the search path. What is there already is
    /// left as it is.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    /// Records in the database that the URL names, as `libpq` and sqlx read it. The tables are
    /// made, if they are missing; where they are there, no right to create is needed.
    ///
    /// At most [ten](PostgresOptions::max_connections) connections are opened, when they are
    /// needed; those that were idle for ten
    /// minutes, or are half an hour old, are closed by a later operation. A server that refuses
    /// connections is unavailable at once. With `statement-cache-capacity=0` among the URL's
    /// options statements are [not prepared](PostgresOptions::unprepared).
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, and for tables that are there
    /// with other columns; [unavailable](Error::is_unavailable), if the database cannot be
    /// reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Postgres::connect_with(url, PostgresOptions::new()).await
    }

    /// As [`connect`](Postgres::connect), with options.
    ///
    /// # Errors
    /// As [`connect`](Postgres::connect).
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, Error> {
        let backend = Postgres(Arc::new(Connections::open(url, &options)?));
        backend.make_tables().await?;
        Ok(backend)
    }

    /// As [`connect`](Postgres::connect), of a database that has the tables already. Makes
    /// nothing: for programs that look after the store of a service.
    ///
    /// # Errors
    /// As [`connect`](Postgres::connect); usage, if the tables are not there.
    pub async fn connect_existing(url: &str) -> Result<Self, Error> {
        let connections = Connections::open(url, &PostgresOptions::new())?;
        connections.make(schema::find_tables).await??;
        Ok(Postgres(Arc::new(connections)))
    }

    /// Records in the database of a pool of your own, which has the tables of
    /// [`SCHEMA`](Postgres::SCHEMA) already, or is told to
    /// [make them](Postgres::make_tables).
    ///
    /// Sets nothing in the pool but what [`unprepared`](PostgresOptions::unprepared) says. The pool asks the server whether a connection is there when it
    /// comes back, and, with `test_before_acquire`, which sqlx has on, before it is used:
    /// [`connect`](Postgres::connect) does without.
    #[must_use]
    pub fn with_pool(pool: PgPool) -> Self {
        Postgres::with_options(pool, PostgresOptions::new())
    }

    /// As [`with_pool`](Postgres::with_pool), with options.
    #[must_use]
    pub fn with_options(pool: PgPool, options: PostgresOptions) -> Self {
        Postgres(Arc::new(Connections::of_pool(pool, &options)))
    }

    /// Makes the tables that are missing. Several may at once.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table that is there with other columns, which it names;
    /// [unavailable](Error::is_unavailable), if the database cannot be reached, or does not
    /// let its user create tables.
    pub async fn make_tables(&self) -> Result<(), Error> {
        self.0.make(schema::make_tables).await?
    }

    /// Closes the connections, of a pool of your own too, once the statements that are still
    /// going on have ended, for which it waits as long as an operation may take. Those that
    /// come later are [unavailable](Error::is_unavailable).
    pub async fn close(&self) {
        self.0.close().await;
    }

    /// Whether the statement wrote anything.
    async fn writes(&self, statement: &'static str, values: &[Value<'_>]) -> Result<bool, Error> {
        Ok(!self.0.rows(Writes, statement, values).await?.is_empty())
    }

    /// What the one row of a statement that always has one says.
    async fn one<T>(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&PgRow) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.0.rows(Writes, statement, values).await?.as_slice() {
            [row] => read(row),
            _ => Err(Error::corrupt("a statement has not one row")),
        }
    }

    /// Does something to a row that was seen, if it still is as it was.
    async fn change<T>(
        &self,
        key: &Key,
        statement: &'static str,
        values: &[Value<'_>],
        done: T,
    ) -> Result<Outcome<T>, Error> {
        if self.writes(statement, values).await? {
            return Ok(Outcome::Done(done));
        }
        // A revision never comes back, so what was not as it had been seen is not so again:
        // whatever lives here now is another state, and nothing is as good as gone.
        let find = [Bytes(key.as_bytes())];
        match self
            .0
            .rows(Reads, statements::FIND, &find)
            .await?
            .is_empty()
        {
            false => Ok(Outcome::Conflict),
            true => Ok(Outcome::Gone),
        }
    }

    /// Keeps the owner's record, and adds to its number of logins.
    async fn count_logins(&self, owner: &str, until: Expiry, more: i64) -> Result<Login, Error> {
        Owner::check_name(owner)?;
        let fresh = Generation::random()?;
        let values = [
            Bytes(owner.as_bytes()),
            Bytes(fresh.as_bytes()),
            Integer(left_of(until)),
            Integer(more),
        ];
        self.one(statements::BEGIN, &values, login_of).await
    }

    async fn purge_some(&self, statement: &'static str, limit: usize) -> Result<usize, Error> {
        let values = [Integer(sql_limit(limit))];
        let count = |row: &PgRow| row.integer(0).map_err(reading);
        let purged = self.one(statement, &values, count).await?;
        Ok(usize::try_from(purged).unwrap_or(limit))
    }
}

/// The owner's name, and the generation and the number of the login.
fn owner_of(owner: &Owner) -> [Value<'_>; 3] {
    let Owner { name, login } = owner;
    let (generation, number) = (&login.generation, sql_number(login.number));
    [
        Bytes(name.as_bytes()),
        Bytes(generation.as_bytes()),
        Integer(number),
    ]
}

#[async_trait]
impl Backend for Postgres {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let rows = self
            .0
            .rows(Reads, statements::LOAD, &[Bytes(key.as_bytes())])
            .await?;
        rows.first().map(stored_of).transpose()
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        check_size(key, record, LARGEST)?;
        let revision = new_revision()?;
        let (key, left) = (Bytes(key.as_bytes()), Integer(left_of(record.expiry())));
        let (new, value) = (Bytes(revision.as_bytes()), Bytes(record.value()));
        let created = match record.owner() {
            None => {
                self.writes(statements::CREATE, &[key, new, left, value])
                    .await
            }
            Some(of) => {
                let [owner, generation, login] = owner_of(of);
                let values = [key, new, left, value, owner, generation, login];
                self.writes(statements::CREATE_OWNED, &values).await
            }
        };
        match created? {
            true => Ok(Created::Saved(revision)),
            false => Ok(Created::Exists),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        check_size(key, record, LARGEST)?;
        let revision = new_revision()?;
        let (place, seen) = (Bytes(key.as_bytes()), Bytes(seen.as_bytes()));
        let (left, value) = (Integer(left_of(record.expiry())), Bytes(record.value()));
        let (new, done) = (Bytes(revision.as_bytes()), revision.clone());
        match record.owner() {
            None => {
                let values = [place, seen, left, value, new];
                self.change(key, statements::SWAP, &values, done).await
            }
            Some(of) => {
                let [owner, generation, login] = owner_of(of);
                let values = [place, seen, left, value, owner, generation, login, new];
                self.change(key, statements::SWAP_OWNED, &values, done)
                    .await
            }
        }
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let revision = new_revision()?;
        let values = [
            Bytes(key.as_bytes()),
            Bytes(seen.as_bytes()),
            Integer(left_of(until)),
            Bytes(revision.as_bytes()),
        ];
        self.change(key, statements::TOUCH, &values, revision.clone())
            .await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let values = [Bytes(key.as_bytes()), Bytes(seen.as_bytes())];
        self.change(key, statements::REMOVE, &values, ()).await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

#[async_trait]
impl Owners for Postgres {
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error> {
        let values = [Bytes(owner.as_bytes())];
        let rows = self.0.rows(Reads, statements::GENERATION, &values).await?;
        rows.first().map(generation_of).transpose()
    }

    async fn begin(&self, owner: &str, until: Expiry, _: &Key) -> Result<Login, Error> {
        self.count_logins(owner, until, 1).await
    }

    async fn extend(&self, owner: &str, until: Expiry) -> Result<Generation, Error> {
        Ok(self.count_logins(owner, until, 0).await?.generation)
    }

    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error> {
        Owner::check_name(owner)?;
        let generation = Generation::random()?;
        let values = [
            Bytes(owner.as_bytes()),
            Bytes(generation.as_bytes()),
            Integer(left_of(until)),
            MaybeBytes(keep.map(|login| &login.generation.as_bytes()[..])),
            Integer(keep.map_or(0, |login| sql_number(login.number))),
        ];
        self.writes(statements::REVOKE, &values).await?;
        Ok(generation)
    }

    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error> {
        let values = [Bytes(owner.as_bytes())];
        let rows = self.0.rows(Reads, statements::KEYS, &values).await?;
        rows.iter().map(key_of).collect()
    }
}

#[async_trait]
impl Scan for Postgres {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let after = after.map_or(&[][..], Key::as_bytes); // no key is empty
        let values = [Bytes(after), Integer(sql_limit(limit))];
        let rows = self.0.rows(Reads, statements::PAGE, &values).await?;
        page_of(&rows, limit)
    }

    /// Owners that are over go first, all of them: their records are then over too.
    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let owners = limit.max(1);
        while self.purge_some(statements::PURGE_OWNERS, owners).await? == owners {}
        let removed = self.purge_some(statements::PURGE, limit).await?;
        Ok(Purged::removed(removed))
    }
}

/// The server and the database; no password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.pool.connect_options();
        f.debug_struct("Postgres")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}
