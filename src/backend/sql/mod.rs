//! Records in SQL databases: the operations once, the statements as data.
//!
//! | file | contents |
//! |---|---|
//! | `table.rs` | `Table`: the operations of a backend over any server, and their outcomes |
//! | `statements.rs` | `Statements`: the SQL text of each operation, and the values bound to it |
//! | `engine.rs` | `Engine`: the interface of a server |
//! | `rows.rs`, `columns.rs` | rows read as records; errors for columns that cannot be used |
//! | `server.rs` | `Server`: how to open and check a connection, and the meaning of a server's errors |
//! | `with_sqlx.rs` | statements for sqlx; `SqlxServer`: a `Server` that sqlx reaches |
//! | `sender.rs`, `pool.rs` | statements sent to a server, each within a time limit; its connections |
//! | `faults.rs` | errors that servers share |
//! | `go_table.rs` | `GoTable`: the tables of Go packages as data, a preset for each package |
//! | `go_columns.rs` | the columns of such a table as data |
//! | `go_table_check.rs` | the check of such a table's columns |
//! | `go_engine.rs` | `GoEngine`: the engine of such a table, over any server that has one |
//! | `delegate.rs` | public types as handles on a `Table` |
//! | `mysql/`, `mssql/`, `postgres/`, `sqlite/` | one server each: its SQL, its schema, its clock, its errors |
//!
//! `CONTRIBUTING.md` lists the files that another server needs. This module knows no sessions.

mod columns;
mod delegate;
mod engine;
mod faults;
mod go_columns;
mod go_engine;
mod go_table;
mod go_table_check;
#[cfg(feature = "mssql")]
mod mssql;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
mod sender;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod table;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod with_sqlx;

pub use go_table::GoTable;
#[cfg(feature = "mssql")]
pub use mssql::{GoMssql, Mssql, MssqlOptions};
#[cfg(feature = "mysql")]
pub use mysql::{GoMysql, Mysql, MysqlOptions};
#[cfg(feature = "postgres")]
pub use postgres::{GoPostgres, Postgres, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{GoSqlite, Sqlite, SqliteOptions};
