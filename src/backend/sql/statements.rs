//! [`Statements`]: each operation of a backend as the SQL text of one statement and the list of
//! the values that are bound to it.
//!
//! The texts are whole and readable, here and in the folders of the servers: there is no query
//! builder. This module does not know which server runs a text, or what the answer means.

use std::sync::Arc;

use crate::backend::{Error, Expiry, Generation, Key, Login, OwnerName, Record, Revision};

/// A value that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    /// The time at which the statement runs, for a server that uses this machine's clock.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code))]
    Now,
    /// The row's key.
    Key,
    /// The keys of many rows: a JSON array of texts in hex, which every server can unpack.
    Keys,
    /// The key that the row moves to.
    To,
    /// The key after which a page begins; empty bytes for the first page.
    After,
    /// The revision that the caller has seen.
    Seen,
    /// The revision that the row gets.
    New,
    /// The expiry of the row, or of the owner's row.
    Until,
    /// The record's bytes.
    Value,
    /// The owner's name; NULL without an owner.
    Owner,
    /// The owner's generation; NULL without an owner.
    Generation,
    /// The number of the login that the record belongs to; NULL without an owner.
    Login,
    /// The number of logins to add to the owner's count.
    Logins,
    /// The generation of the login that a revocation keeps, or NULL.
    KeptGeneration,
    /// The number of the login that a revocation keeps, or 0.
    KeptLogin,
    /// The maximum number of rows that the statement returns or deletes.
    Limit,
}

/// A bound value, as servers take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'v> {
    Integer(i64),
    Bytes(&'v [u8]),
    Null,
}

impl<'v> Value<'v> {
    fn of(bytes: Option<&'v [u8]>) -> Self {
        bytes.map_or(Value::Null, Value::Bytes)
    }

    /// Returns the bytes, or none for a number.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(super) fn bytes(&self) -> &'v [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            Value::Integer(_) | Value::Null => &[],
        }
    }

    fn number(number: u64) -> Self {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// SQL that this crate wrote. Values never become part of it.
#[derive(Clone, Debug)]
pub(super) enum Sql {
    Fixed(&'static str),
    /// Generated for the names and types of a table.
    Generated(Arc<str>),
}

impl Sql {
    #[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql", test))]
    pub(super) fn as_str(&self) -> &str {
        match self {
            Sql::Fixed(text) => text,
            Sql::Generated(text) => text,
        }
    }
}

/// The SQL text of a statement, and the values of its parameters in their order.
///
/// It is applied whole or not at all. If one statement of a server cannot do or return what an
/// operation needs, the text has several statements with `;` between them, which the server's
/// engine sends as one transaction. One of them returns the rows. If the number of written rows
/// matters, it is the only column of the only row.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: Sql,
    pub(super) binds: &'static [Bind],
    /// True if the text has several statements.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) is_transaction: bool,
}

impl Statement {
    /// Returns a statement on this crate's own tables.
    pub(super) const fn fixed(sql: &'static str, binds: &'static [Bind]) -> Self {
        Statement {
            sql: Sql::Fixed(sql),
            binds,
            is_transaction: false,
        }
    }

    /// Returns a statement whose text has several statements, which are one transaction.
    #[cfg(feature = "mysql")]
    pub(super) const fn several(sql: &'static str, binds: &'static [Bind]) -> Self {
        Statement {
            sql: Sql::Fixed(sql),
            binds,
            is_transaction: true,
        }
    }

    /// Returns the statement as one whose text has several statements.
    #[cfg(feature = "mysql")]
    pub(super) fn together(self) -> Self {
        Statement {
            is_transaction: true,
            ..self
        }
    }

    /// Returns a statement on the table of a Go package.
    pub(super) fn generated(sql: String, binds: &'static [Bind]) -> Self {
        Statement {
            sql: Sql::Generated(sql.into()),
            binds,
            is_transaction: false,
        }
    }

    /// Returns the values of the parameters in their order. `time` converts an expiry for the
    /// server.
    pub(super) fn values<'v>(
        &self,
        parameters: &Parameters<'v>,
        time: fn(Expiry) -> i64,
    ) -> impl Iterator<Item = Value<'v>> {
        let binds = self.binds.iter();
        binds.map(move |bind| parameters.value(*bind, time))
    }
}

/// The statements of a table.
pub(super) struct Statements {
    /// Returns value, expiry, revision, owner, generation and login of the live row, in the form that
    /// [`Columns::stored`](super::rows::Columns::stored) reads.
    pub(super) load: Statement,
    /// Returns the columns of `load` for each row that is live, and its key at
    /// [`Columns::KEY`](super::rows::Columns::KEY).
    pub(super) load_many: Statement,
    /// Returns a row if there is a live one.
    pub(super) find: Statement,
    /// Writes a row under a key that has no live one.
    pub(super) create: Statement,
    /// Deletes the row under the key if it is not live, for a `create` that cannot replace it.
    pub(super) remove_dead: Option<Statement>,
    /// `create` for a record with an owner, if that is another statement.
    pub(super) create_owned: Option<Statement>,
    /// Replaces the live row that has the seen revision.
    pub(super) swap: Statement,
    /// `swap` for a record with an owner, if that is another statement.
    pub(super) swap_owned: Option<Statement>,
    /// Changes the expiry of the live row that has the seen revision.
    pub(super) touch: Statement,
    /// `swap` and `touch` for a row that has no owner and gets none, if those are other statements.
    pub(super) unowned: Option<UnownedStatements>,
    /// Deletes the live row that has the seen revision.
    pub(super) remove: Statement,
    /// Replaces the live row that has the seen revision, its key included. `None` if rows cannot
    /// move.
    pub(super) move_to: Option<Statement>,
    /// Returns key, expiry, owner and the value's length of live rows, in the order of keys.
    pub(super) page: Statement,
    /// Deletes expired rows.
    pub(super) purge: Statement,
    /// `None` if rows have no owners.
    pub(super) owners: Option<OwnerStatements>,
    pub(super) revisions: RevisionSource,
    /// The maximum number of bytes of a value, if the column is smaller than the server's rows.
    pub(super) longest_value: Option<usize>,
}

impl Statements {
    /// Returns a revision for a row to be written, or `None` if the server chooses it. It is
    /// random: no revision is used again, even after rows were restored from a backup.
    pub(super) fn choose_revision(&self, is_owned: bool) -> Result<Option<Revision>, Error> {
        if self.revisions == RevisionSource::Server {
            return Ok(None);
        }
        let random = Generation::random()?;
        let bytes: &[u8] = random.as_bytes();
        let length = match self.unowned.is_some() && !is_owned {
            true => UNOWNED_REVISION,
            false => bytes.len(),
        };
        Ok(bytes.get(..length).map(Revision::new))
    }

    /// Returns the statements for a row without an owner if the revision says that it has none.
    pub(super) fn unowned_at(&self, seen: &Revision) -> Option<&UnownedStatements> {
        let unowned = self.unowned.as_ref();
        unowned.filter(|_| seen.as_bytes().len() == UNOWNED_REVISION)
    }
}

#[cfg(test)]
impl Statements {
    /// Returns all statements, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Statement> {
        let optional = [
            &self.create_owned,
            &self.remove_dead,
            &self.swap_owned,
            &self.move_to,
        ];
        let unowned = self.unowned.iter();
        let unowned = unowned.flat_map(|unowned| [&unowned.swap, &unowned.touch]);
        let owners = self.owners.iter().flat_map(|owners| {
            [
                &owners.generation,
                &owners.begin,
                &owners.revoke,
                &owners.keys,
                &owners.purge,
            ]
        });
        [
            &self.load,
            &self.load_many,
            &self.find,
            &self.create,
            &self.swap,
            &self.touch,
            &self.remove,
            &self.page,
            &self.purge,
        ]
        .into_iter()
        .chain(optional.into_iter().flatten())
        .chain(unowned)
        .chain(owners)
    }
}

/// The statements for a row without an owner, which read no owner. Its revision is one byte shorter
/// than those of other rows. A longer one, of a row that another program wrote, is as valid.
pub(super) struct UnownedStatements {
    /// Replaces the live row that has the seen revision and no owner.
    pub(super) swap: Statement,
    /// Changes the expiry of the live row that has the seen revision and no owner.
    pub(super) touch: Statement,
}

/// The length of the revisions that are only for rows without an owner.
const UNOWNED_REVISION: usize = 15;

/// The statements of the owners' table.
pub(super) struct OwnerStatements {
    /// Returns the generation of the live row.
    pub(super) generation: Statement,
    /// Creates or extends the owner's row, adds to its logins, and returns its generation and its
    /// number of logins.
    pub(super) begin: Statement,
    /// Gives the owner another generation.
    pub(super) revoke: Statement,
    /// Returns the keys of the owner's live rows.
    pub(super) keys: Statement,
    /// Deletes expired owners.
    pub(super) purge: Statement,
}

/// The origin of a written row's revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevisionSource {
    /// This crate chooses it ([`Bind::New`]), and the statement returns the number of written rows.
    Client,
    /// The server chooses it, and statements that write return it as their only column.
    Server,
}

/// The values that an operation offers to a statement.
#[derive(Clone, Copy, Default)]
pub(super) struct Parameters<'p> {
    pub(super) key: Option<&'p Key>,
    pub(super) keys: Option<&'p [u8]>,
    pub(super) to: Option<&'p Key>,
    pub(super) seen: Option<&'p Revision>,
    pub(super) new: Option<&'p Revision>,
    pub(super) until: Option<Expiry>,
    pub(super) value: Option<&'p [u8]>,
    pub(super) owner: Option<&'p OwnerName>,
    pub(super) generation: Option<&'p Generation>,
    pub(super) login: Option<u64>,
    pub(super) logins: u64,
    pub(super) kept: Option<&'p Login>,
    pub(super) limit: usize,
}

impl<'p> Parameters<'p> {
    pub(super) fn of_key(key: &'p Key) -> Self {
        Parameters {
            key: Some(key),
            ..Parameters::default()
        }
    }

    pub(super) fn of_owner(owner: &'p OwnerName) -> Self {
        Parameters {
            owner: Some(owner),
            ..Parameters::default()
        }
    }

    /// Adds the values of a record to be written.
    pub(super) fn with_record(self, record: &'p Record) -> Self {
        let owner = record.owner();
        Parameters {
            until: Some(record.expiry()),
            value: Some(record.value()),
            owner: owner.map(|owner| &owner.name),
            generation: owner.map(|owner| &owner.login.generation),
            login: owner.map(|owner| owner.login.number),
            ..self
        }
    }

    /// Returns the value that `bind` names. `time` converts an expiry for the server.
    fn value(&self, bind: Bind, time: fn(Expiry) -> i64) -> Value<'p> {
        let key = |key: Option<&'p Key>| Value::of(key.map(Key::as_bytes));
        let revision = |revision: Option<&'p Revision>| Value::of(revision.map(Revision::as_bytes));
        let generation = |of: Option<&'p Generation>| Value::of(of.map(|of| &of.as_bytes()[..]));
        match bind {
            Bind::Now => Value::Integer(time(Expiry::now())),
            Bind::Key => key(self.key),
            Bind::Keys => Value::of(self.keys),
            Bind::To => key(self.to),
            // No key is empty.
            Bind::After => Value::Bytes(self.key.map_or(&[], Key::as_bytes)),
            Bind::Seen => revision(self.seen),
            Bind::New => revision(self.new),
            Bind::Until => Value::Integer(time(self.until.unwrap_or(Expiry::NEVER))),
            Bind::Value => Value::of(self.value),
            Bind::Owner => Value::of(self.owner.map(|owner| owner.as_str().as_bytes())),
            Bind::Generation => generation(self.generation),
            Bind::Login => self.login.map_or(Value::Null, Value::number),
            Bind::Logins => Value::number(self.logins),
            Bind::KeptGeneration => generation(self.kept.map(|login| &login.generation)),
            Bind::KeptLogin => Value::number(self.kept.map_or(0, |login| login.number)),
            Bind::Limit => Value::number(self.limit as u64),
        }
    }
}
