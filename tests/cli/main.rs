//! The `silverback` program, run as a user runs it: every command, every exit
//! code, and each cookie of the vectors.

mod commands;
mod edit;
mod program;
#[cfg(feature = "postgres")]
#[path = "../support/required.rs"]
mod required;
#[cfg(feature = "postgres")]
#[path = "../support/servers/mod.rs"]
mod servers;
mod sessions;
mod vectors;
