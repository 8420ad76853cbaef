//! Records in SQL databases: the operations once, the statements as data.
//!
//! | file | contents |
//! |---|---|
//! | `table.rs` | `Table`: the operations of a backend over any server, and their outcomes |
//! | `statements.rs` | `Statements`: the SQL text of each operation, and the values bound to it |
//! | `engine.rs` | `Engine`: the interface of a server |
//! | `rows.rs`, `columns.rs` | rows read as records; errors for columns that cannot be used |
//! | `with_sqlx.rs` | statements for sqlx; `Server`: the meaning of a server's errors |
//! | `sender.rs`, `pool.rs` | statements sent to a server, each within a time limit; its connections |
//! | `faults.rs` | errors that servers share |
//! | `go_table.rs` | `GoTable`: the tables of Go packages as data, a preset for each package |
//! | `go_columns.rs` | the columns of such a table as data |
//! | `go_table_check.rs` | the check of such a table's columns |
//! | `go_engine.rs` | `GoEngine`: the engine of such a table, over any server that has one |
//! | `delegate.rs` | public types as handles on a `Table` |
//! | `mysql/`, `postgres/`, `sqlite/` | one server each: its SQL, its schema, its clock, its errors |
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
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod sender;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod table;
mod with_sqlx;

pub use go_table::GoTable;
#[cfg(feature = "mysql")]
pub use mysql::{GoMysql, Mysql, MysqlOptions};
#[cfg(feature = "postgres")]
pub use postgres::{GoPostgres, Postgres, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{GoSqlite, Sqlite, SqliteOptions};
