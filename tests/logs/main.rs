//! What the log holds at its finest level: of sessions' stores, of the clients below them, prepared or
//! not, slow or not, no owner, no key, no token and no value.

mod captured;
#[cfg(unix)]
mod causes;
#[cfg(unix)]
mod files;
#[path = "../support/log.rs"]
mod log;
#[path = "../support/required.rs"]
mod required;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/servers/mod.rs"]
mod servers;
mod tried;

mod dynamodb;
mod postgres;
mod sqlite;
