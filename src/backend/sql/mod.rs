//! Records in SQL databases: the operations once, the statements as data.
//!
//! | file | what lives there |
//! |---|---|
//! | `table.rs` | `Table`: the operations of a backend over any server; what is a conflict, what is gone |
//! | `statements.rs` | `Statements`: which SQL text an operation runs, and what is bound to it |
//! | `engine.rs` | `Engine`: what a server must offer |
//! | `rows.rs`, `columns.rs` | rows read as records; errors for tables that people made |
//! | `with_sqlx.rs` | statements as sqlx takes them; `Server`: what the errors of a server mean |
//! | `sender.rs`, `pool.rs` | statements sent to a server, each within a time limit; its connections |
//! | `faults.rs` | errors that servers share |
//! | `go_table.rs` | `GoTable`: the tables of Go packages as data, a preset for each package |
//! | `go_columns.rs` | the columns of such a table, and the check of those that it has in fact |
//! | `go_engine.rs` | `GoEngine`: the engine of such a table, over any server that has one |
//! | `delegate.rs` | public types as handles on a `Table` |
//! | `postgres/`, `sqlite/` | a server each: its SQL, its schema, its clock, its errors |
//!
//! `CONTRIBUTING.md` lists the files that another server needs. Sessions never appear here.

mod columns;
mod delegate;
mod engine;
#[cfg(feature = "postgres")]
mod faults;
#[cfg(feature = "postgres")]
mod go_columns;
#[cfg(feature = "postgres")]
mod go_engine;
#[cfg(feature = "postgres")]
mod go_table;
#[cfg(feature = "postgres")]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
#[cfg(feature = "postgres")]
mod sender;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod table;
mod with_sqlx;

#[cfg(feature = "postgres")]
pub use go_table::GoTable;
#[cfg(feature = "postgres")]
pub use postgres::{GoPostgres, Postgres, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteOptions};
