//! [`GoTable`]: the tables of Go's session stores as data. Each server has its own SQL for them.

use std::time::Duration;

use crate::backend::{Error, Layout};

use super::go_columns::{Column, ColumnType, Rule};

/// The table of a Go package: its name, and the names and types of its columns.
///
/// A preset is for the databases that its Go package has. Other databases refuse it.
///
/// ```
/// use silverback::backend::GoTable;
///
/// let table = GoTable::scs_postgresstore().named("web_sessions").in_schema("shop");
/// assert_ne!(table, GoTable::scs_postgresstore());
/// ```
///
/// A table that people created may have other types. They are checked before the table is used. In
/// Postgres:
///
/// | column | types |
/// |---|---|
/// | the key | `bytea`, `text`, `varchar` or `char` of 52 or more (of 43 for scs) |
/// | the value | `bytea`; for gorilla's packages also `text`, or `varchar` of 4096 or more |
/// | the expiry and the dates | `timestamptz` |
///
/// In SQL Server:
///
/// | column | types |
/// |---|---|
/// | the key | `varchar` or `char` of 43 or more |
/// | the value | `varbinary(max)` |
/// | the expiry | `datetime2(6)` for mssqlstore, `datetimeoffset(7)` for gormstore |
///
/// In MySQL and MariaDB:
///
/// | column | types |
/// |---|---|
/// | the key | `varbinary`, `blob`, `varchar`, `char` or `text` of 52 or more (of 43 for scs) |
/// | the value | `longblob`, or `blob` or `varbinary` of 4096 or more; for gorilla's packages also `longtext`, or `text` or `varchar` of 4096 or more |
/// | the expiry and the dates | the type of the Go package: `timestamp(6)` or `datetime(3)` |
///
/// The table must have an engine with transactions, such as InnoDB.
///
/// In SQLite, where a column's declared type decides how values are stored:
///
/// | column | types |
/// |---|---|
/// | the key | any type of text or bytes, as the primary key or with a unique index |
/// | the value | `blob`; for gorilla's packages also any type of text |
/// | the expiry and the dates | `real` for scs's own store, `datetime` or `timestamp` for gorm's |
///
/// # Expiries of gorm on SQLite
///
/// gorm's expiries in SQLite are text with a time zone: scs writes UTC, wader/gormstore the Go
/// program's zone. Go compares them with the time in its own zone, as text: in a Go program whose
/// zone is not UTC, sessions in UTC end hours too early or too late. Silverback compares the
/// moments, reads any zone, and writes UTC. Set `TZ=UTC` for Go programs that share the table.
///
/// A purge finds expired rows by the index on the expiry. It also reads the rows that expire in the
/// next 14 hours, since the zones of the texts differ by as much.
///
/// # Packages without a preset
///
/// The ID of michaeljs1990/sqlitestore is the number of its row. With `MaxAge: -1` the package keeps
/// the row, so an old copy of the cookie still opens the session. If the row were deleted, SQLite
/// could give its number to a new row, and the old cookie would open another user's session. So a
/// session in such a table cannot end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GoTable {
    pub(super) database: Database,
    /// `None` for a package with one kind of database.
    gorm: Option<GormPackage>,
    pub(super) schema: Option<String>,
    pub(super) name: String,
    layout: Layout,
    /// A number that the server gives to each row. No session fills it.
    pub(super) row_number: Option<Column>,
    pub(super) key: Column,
    pub(super) value: Column,
    pub(super) dates: Option<Dates>,
    pub(super) expiry: Column,
    /// `None` if the Go package creates no index on the expiry.
    pub(super) expiry_index: Option<IndexName>,
    /// `None` if the key's rule creates an index.
    pub(super) key_index: Option<IndexName>,
    /// True if the table refuses a second row with the same key.
    pub(super) key_is_unique: bool,
    /// The time that a row written with `MaxAge: 0` stays valid.
    pub(super) without_max_age: Option<Duration>,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Postgres,
    Mysql,
    Mssql,
    Sqlite,
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Database::Postgres => "Postgres",
            Database::Mysql => "MySQL",
            Database::Mssql => "SQL Server",
            Database::Sqlite => "SQLite",
        }
    }

    /// Returns the type that gorm has for a time.
    fn gorm_time(self) -> ColumnType {
        match self {
            Database::Postgres | Database::Mssql => ColumnType::TimestampTz,
            Database::Mysql => ColumnType::Datetime(3),
            Database::Sqlite => ColumnType::TimeText,
        }
    }
}

/// A package over gorm, which has a table in each kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GormPackage {
    Scs,
    Wader,
}

impl GormPackage {
    /// Returns the package's table in that kind of database, if this crate supports it.
    fn table_in(self, database: Database) -> Option<GoTable> {
        match self {
            GormPackage::Scs => Some(GoTable::scs_gormstore_in(database)),
            GormPackage::Wader if database == Database::Mssql => None,
            GormPackage::Wader => Some(GoTable::wader_gormstore_in(database)),
        }
    }
}

/// The columns of the times of a row's creation and of its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    pub(super) created: Column,
    pub(super) modified: Column,
}

/// The name of an index: the table's, between these texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexName(&'static str, &'static str);

impl IndexName {
    pub(super) fn of(self, table: &GoTable) -> String {
        let IndexName(before, after) = self;
        [before, &table.name, after].concat()
    }
}

/// The presets, one for each Go package.
impl GoTable {
    /// Returns `http_sessions` of rafaelespinoza/pgstore, with the layout
    /// [`Pgstore`](Layout::Pgstore), for `Dialect::gorilla`.
    pub fn pgstore() -> Self {
        let key = Column::new("key", ColumnType::Varchar(63)).rule(Rule::PrimaryKey);
        GoTable {
            expiry_index: Some(IndexName("", "_expires_on")),
            ..GoTable::http_sessions(key)
        }
    }

    /// Returns `http_sessions` of antonlindstrom/pgstore, with the layout
    /// [`Pgstore`](Layout::Pgstore), for `Dialect::gorilla`.
    ///
    /// The table accepts a second row of the same key, unless you add a unique index on the column
    /// `key`: two concurrent creations may both win, and a [move](crate::backend::Moves) may reach
    /// a key that is taken. Random IDs make neither happen by chance.
    pub fn antonlindstrom_pgstore() -> Self {
        let number = Column::new("id", ColumnType::Counter).rule(Rule::PrimaryKey);
        GoTable {
            row_number: Some(number),
            key_index: Some(IndexName("", "_key_idx")),
            key_is_unique: false,
            ..GoTable::http_sessions(Column::new("key", ColumnType::Bytes))
        }
    }

    /// Returns the table of both packages for gorilla, with another key.
    fn http_sessions(key: Column) -> Self {
        let timestamp = |name| Column::new(name, ColumnType::TimestampTz);
        let dates = Dates {
            created: timestamp("created_on").rule(Rule::DefaultsToNow),
            modified: timestamp("modified_on"),
        };
        GoTable {
            dates: Some(dates),
            ..GoTable::new(
                "http_sessions",
                Layout::Pgstore,
                [
                    key,
                    Column::new("data", ColumnType::Bytes),
                    timestamp("expires_on"),
                ],
            )
        }
    }

    /// Returns `sessions` of alexedwards/scs's `postgresstore` and `pgxstore`, with the layout
    /// [`Scs`](Layout::Scs).
    #[doc(alias = "pgxstore")]
    pub fn scs_postgresstore() -> Self {
        let columns = [
            Column::new("token", ColumnType::Text).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::Bytes).rule(Rule::NotNull),
            Column::new("expiry", ColumnType::TimestampTz).rule(Rule::NotNull),
        ];
        GoTable::new("sessions", Layout::Scs, columns)
    }

    /// Returns `sessions` of alexedwards/scs's `mysqlstore`, with the layout
    /// [`Scs`](Layout::Scs).
    ///
    /// The column of the expiry holds no time after 2038-01-19 03:14:07 UTC: a later expiry becomes
    /// that time. A row holds 65,535 bytes.
    pub fn scs_mysqlstore() -> Self {
        let columns = [
            Column::new("token", ColumnType::Char(43)).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::BytesUpTo(65_535)).rule(Rule::NotNull),
            Column::new("expiry", ColumnType::Timestamp(6)).rule(Rule::NotNull),
        ];
        GoTable {
            database: Database::Mysql,
            ..GoTable::new("sessions", Layout::Scs, columns)
        }
    }

    /// Returns `sessions` of alexedwards/scs's `sqlite3store`, with the layout
    /// [`Scs`](Layout::Scs).
    pub fn scs_sqlite3store() -> Self {
        let columns = [
            Column::new("token", ColumnType::Text).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::Bytes).rule(Rule::NotNull),
            Column::new("expiry", ColumnType::JulianDay).rule(Rule::NotNull),
        ];
        GoTable {
            database: Database::Sqlite,
            ..GoTable::new("sessions", Layout::Scs, columns)
        }
    }

    /// Returns `sessions` of alexedwards/scs's `gormstore`, with the layout [`Scs`](Layout::Scs),
    /// in any of its databases. [In SQLite](GoTable#expiries-of-gorm-on-sqlite), its expiries are
    /// text.
    pub fn scs_gormstore() -> Self {
        GoTable::scs_gormstore_in(Database::Postgres)
    }

    fn scs_gormstore_in(database: Database) -> Self {
        let columns = [
            Column::new("token", ColumnType::Varchar(43)).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::Bytes),
            Column::new("expiry", database.gorm_time()),
        ];
        GoTable {
            database,
            gorm: Some(GormPackage::Scs),
            expiry_index: Some(IndexName("idx_", "_expiry")),
            ..GoTable::new("sessions", Layout::Scs, columns)
        }
    }

    /// Returns `sessions` of alexedwards/scs's `mssqlstore`, with the layout [`Scs`](Layout::Scs).
    /// Its expiry is UTC without a zone.
    pub fn scs_mssqlstore() -> Self {
        let columns = [
            Column::new("token", ColumnType::Char(43)).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::Bytes).rule(Rule::NotNull),
            Column::new("expiry", ColumnType::Datetime(6)).rule(Rule::NotNull),
        ];
        GoTable {
            database: Database::Mssql,
            ..GoTable::new("sessions", Layout::Scs, columns)
        }
    }

    /// Returns `sessions` of wader/gormstore, with the layout [`Gorilla`](Layout::Gorilla), in
    /// Postgres, MySQL and SQLite. The `gorm` store of gin-contrib/sessions has the same table. [In
    /// SQLite](GoTable#expiries-of-gorm-on-sqlite), its expiries are text.
    ///
    /// The package creates no index on the expiry, so a purge reads the whole table. If there are
    /// many sessions, add an index on `expires_at`.
    pub fn wader_gormstore() -> Self {
        GoTable::wader_gormstore_in(Database::Postgres)
    }

    fn wader_gormstore_in(database: Database) -> Self {
        let key = match database {
            Database::Mysql => ColumnType::Varchar(191),
            _ => ColumnType::Text,
        };
        let time = |name| Column::new(name, database.gorm_time());
        let columns = [
            Column::new("id", key).rule(Rule::PrimaryKey),
            Column::new("data", ColumnType::Text),
            time("expires_at"),
        ];
        let dates = Dates {
            created: time("created_at"),
            modified: time("updated_at"),
        };
        GoTable {
            database,
            gorm: Some(GormPackage::Wader),
            dates: Some(dates),
            expiry_index: None,
            ..GoTable::new("sessions", Layout::Gorilla, columns)
        }
    }

    fn new(name: &str, layout: Layout, [key, value, expiry]: [Column; 3]) -> Self {
        GoTable {
            database: Database::Postgres,
            gorm: None,
            schema: None,
            name: name.to_owned(),
            layout,
            row_number: None,
            key,
            value,
            dates: None,
            expiry,
            expiry_index: Some(IndexName("", "_expiry_idx")),
            key_index: None,
            key_is_unique: true,
            without_max_age: None,
        }
    }
}

/// The settings.
impl GoTable {
    /// Sets the table's name. It is used exactly as given: do not quote it. In PostgreSQL, its case
    /// matters; elsewhere, the server's settings decide.
    pub fn named(self, name: impl Into<String>) -> Self {
        GoTable {
            name: name.into(),
            ..self
        }
    }

    /// Sets the schema: in PostgreSQL and SQL Server a schema, in MySQL a database, in SQLite the
    /// name of an attached database. Default: the first schema of the search path that has the table
    /// (PostgreSQL), the user's default schema (SQL Server), the connection's database (MySQL),
    /// `main` (SQLite).
    pub fn in_schema(self, schema: impl Into<String>) -> Self {
        GoTable {
            schema: Some(schema.into()),
            ..self
        }
    }

    /// Sets the names of the columns of the key, the value and the expiry.
    pub fn with_columns(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
        expiry: impl Into<String>,
    ) -> Self {
        self.key.name = key.into();
        self.value.name = value.into();
        self.expiry.name = expiry.into();
        self
    }

    /// Treats rows that Go saved with `MaxAge: 0` as valid for `lasting` (in whole milliseconds)
    /// after `modified_on`. Only pgstore's tables have that column.
    ///
    /// pgstore computes `expires_on` as now plus `MaxAge`. With 0 (a cookie that ends when the
    /// browser closes) a row has expired when it is written, and Go still reads it. Without
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
        self.layout
    }
}

/// Facts about the table for its statements and checks.
impl GoTable {
    /// Returns the name as SQL, with its schema if it has one. `quoted` quotes an identifier.
    #[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
    pub(super) fn name_in_sql(&self, quoted: fn(&str) -> String) -> String {
        let schema = self.schema.as_deref().map(|schema| quoted(schema) + ".");
        schema.unwrap_or_default() + &quoted(&self.name)
    }

    /// Returns the columns in the order in which the Go package creates them.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        let number = self.row_number.iter();
        number.chain([&self.key, &self.value]).chain(self.times())
    }

    /// Returns the columns of times.
    pub(super) fn times(&self) -> impl Iterator<Item = &Column> {
        let dates = self.dates.iter();
        dates
            .flat_map(|dates| [&dates.created, &dates.modified])
            .chain([&self.expiry])
    }

    /// Returns the maximum length of a key: of gorilla's IDs, or of scs's tokens.
    pub(super) fn longest_key(&self) -> u32 {
        match self.layout {
            Layout::Scs => 43,
            _ => 52,
        }
    }

    /// Returns the maximum length of a value by the package's defaults, or `None` if values are not
    /// text.
    pub(super) fn longest_text(&self) -> Option<u32> {
        match self.layout {
            Layout::Scs => None, // gob
            _ => Some(4_096),
        }
    }

    /// Returns the table in that kind of database, with the names and options of this one.
    ///
    /// # Errors
    /// Returns a usage error if the Go package has no table there, and the errors of the check.
    pub(super) fn in_database(self, database: Database) -> Result<GoTable, Error> {
        let other = || self.gorm.and_then(|package| package.table_in(database));
        let table = match self.database == database {
            true => self,
            false => {
                let other = other().ok_or_else(|| self.missing_in(database))?;
                GoTable {
                    schema: self.schema,
                    name: self.name,
                    without_max_age: self.without_max_age,
                    ..other.with_columns(self.key.name, self.value.name, self.expiry.name)
                }
            }
        };
        table.check()?;
        Ok(table)
    }

    /// Returns the error of a package without a table in that kind of database.
    fn missing_in(&self, database: Database) -> Error {
        let name = database.name();
        Error::usage(match self.gorm {
            None => format!(
                "the GoTable is for {}, and the database is {name}: use a preset for {name}",
                self.database.name()
            ),
            Some(_) => format!(
                "the GoTable of this package cannot be used in {name}: use Postgres, MySQL or SQLite"
            ),
        })
    }

    /// Refuses names that a database would cut (at 63 bytes) or not accept, and options of other
    /// tables.
    fn check(&self) -> Result<(), Error> {
        if self.without_max_age.is_some() && self.layout != Layout::Pgstore {
            return Err(Error::usage(
                "without_max_age needs the table of pgstore, whose rows have the time of their last \
                 write",
            ));
        }
        let columns = self.columns().map(|column| &column.name);
        let is_name = |name: &String| (1..=63).contains(&name.len()) && !name.contains('\0');
        match columns.chain([&self.name]).chain(&self.schema).all(is_name) {
            true => Ok(()),
            false => Err(Error::usage(
                "the name of a table or column must have 1 to 63 bytes, and no zero byte",
            )),
        }
    }
}
