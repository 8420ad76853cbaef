//! Runs the `silverback` program as a user does: every command, every exit code, and each
//! cookie of the vectors.

mod commands;
mod edit;
#[cfg(feature = "sqlite")]
mod go_rows;
#[cfg(feature = "sqlite")]
mod go_sessions;
#[cfg(unix)]
mod other_users;
mod program;
#[path = "../support/required.rs"]
mod required;
#[cfg(feature = "postgres")]
#[path = "../support/servers/mod.rs"]
mod servers;
mod sessions;
mod vectors;
