//! [`GoTable`]: the tables of Go's session stores as data. The SQL for them is the servers'.

use std::time::Duration;

use crate::backend::{Error, Layout};

/// The table of a Go package: its name, and the names of its columns.
///
/// A table that people created may have other types. They are checked before the table is used:
///
/// | column | types |
/// |---|---|
/// | the key | `bytea`, `text`, `varchar` or `char` of 52 or more (of 43 for scs) |
/// | the value | `bytea`; for gorilla's packages also `text`, or `varchar` of 4096 or more |
/// | the expiry and the dates | `timestamptz` |
///
/// ```
/// use silverback::backend::GoTable;
///
/// let table = GoTable::scs().named("web_sessions").in_schema("shop");
/// assert_ne!(table, GoTable::scs());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GoTable {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) expiry: String,
    /// The times of the row's creation and of its last write.
    pub(super) dates: Option<[String; 2]>,
    /// The time that a row written with `MaxAge: 0` stays valid.
    pub(super) without_max_age: Option<Duration>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// rafaelespinoza/pgstore: the key is text.
    Pgstore,
    /// antonlindstrom/pgstore: the primary key is a number, and the key is bytes, without a unique
    /// index.
    AntonlindstromPgstore,
    /// alexedwards/scs's own stores.
    Scs,
    /// alexedwards/scs/gormstore.
    Gorm,
}

impl Kind {
    pub(super) fn layout(self) -> Layout {
        match self {
            Kind::Pgstore | Kind::AntonlindstromPgstore => Layout::Pgstore,
            Kind::Scs | Kind::Gorm => Layout::Scs,
        }
    }
}

impl GoTable {
    fn new(kind: Kind, name: &str, [key, expiry]: [&str; 2], dates: Option<[&str; 2]>) -> Self {
        GoTable {
            schema: None,
            name: name.to_owned(),
            key: key.to_owned(),
            value: "data".to_owned(),
            expiry: expiry.to_owned(),
            dates: dates.map(|dates| dates.map(str::to_owned)),
            without_max_age: None,
            kind,
        }
    }

    /// `http_sessions` of rafaelespinoza/pgstore, for the dialect
    /// [`Gorilla`](Layout::Gorilla).
    pub fn pgstore() -> Self {
        GoTable::http_sessions(Kind::Pgstore)
    }

    /// `http_sessions` of antonlindstrom/pgstore, for the dialect
    /// [`Gorilla`](Layout::Gorilla).
    ///
    /// The table accepts a second row of the same key, unless you add a unique index on the column
    /// `key`: two concurrent creations may both win, and a [move](crate::backend::Moves) may reach a
    /// key that is taken. Random IDs make neither happen by chance.
    pub fn antonlindstrom_pgstore() -> Self {
        GoTable::http_sessions(Kind::AntonlindstromPgstore)
    }

    fn http_sessions(kind: Kind) -> Self {
        let dates = Some(["created_on", "modified_on"]);
        GoTable::new(kind, "http_sessions", ["key", "expires_on"], dates)
    }

    /// `sessions` of alexedwards/scs's `postgresstore` and `pgxstore`, for the dialect
    /// [`Scs`](Layout::Scs).
    pub fn scs() -> Self {
        GoTable::new(Kind::Scs, "sessions", ["token", "expiry"], None)
    }

    /// `sessions` of alexedwards/scs's `gormstore`, for the dialect [`Scs`](Layout::Scs).
    pub fn gorm() -> Self {
        GoTable::new(Kind::Gorm, "sessions", ["token", "expiry"], None)
    }

    /// Sets the table's name. It is used exactly as given: do not quote it, and mind its case.
    pub fn named(self, name: impl Into<String>) -> Self {
        GoTable {
            name: name.into(),
            ..self
        }
    }

    /// Sets the schema. Without it, the first schema of the search path that has the table counts.
    pub fn in_schema(self, schema: impl Into<String>) -> Self {
        GoTable {
            schema: Some(schema.into()),
            ..self
        }
    }

    /// Sets the names of the columns of the key, the value and the expiry.
    pub fn with_columns(
        self,
        key: impl Into<String>,
        value: impl Into<String>,
        expiry: impl Into<String>,
    ) -> Self {
        GoTable {
            key: key.into(),
            value: value.into(),
            expiry: expiry.into(),
            ..self
        }
    }

    /// Treats rows that Go saved with `MaxAge: 0` as valid for `lasting` (in whole milliseconds)
    /// after `modified_on`. Only pgstore's tables have that column.
    ///
    /// pgstore computes `expires_on` as now plus `MaxAge`. With 0 (a cookie that ends when the
    /// browser closes) a row has expired when it is written, and Go reads it all the same. Without
    /// this option such rows are missing here, and a purge removes them. A row that this program
    /// writes has a real expiry, until Go saves the session again.
    ///
    /// Go's own cleanup deletes such rows in any case.
    pub fn without_max_age(self, lasting: Duration) -> Self {
        GoTable {
            without_max_age: Some(lasting),
            ..self
        }
    }

    /// Returns the layout of the rows, which a store's dialect must match.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.kind.layout()
    }

    /// Refuses names that a database would cut (at 63 bytes) or not accept, and options of other
    /// tables.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.without_max_age.is_some() && self.dates.is_none() {
            return Err(Error::usage(
                "without_max_age needs the table of pgstore, whose rows have the time of their last \
                 write",
            ));
        }
        let dates = self.dates.iter().flatten();
        let names = [&self.name, &self.key, &self.value, &self.expiry];
        let is_name = |name: &String| (1..=63).contains(&name.len()) && !name.contains('\0');
        match names
            .into_iter()
            .chain(&self.schema)
            .chain(dates)
            .all(is_name)
        {
            true => Ok(()),
            false => Err(Error::usage(
                "the name of a table or column must have 1 to 63 bytes, and no zero byte",
            )),
        }
    }
}
