//! The log at its most detailed level contains no owner, no key, no token and no value. The tests
//! cover the stores of sessions and the clients below them, with prepared and unprepared
//! statements, fast and slow.

mod capture;
#[cfg(unix)]
mod causes;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod key_ring;
#[path = "../support/log.rs"]
mod log;
mod operations;
#[path = "../support/required.rs"]
mod required;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/servers/mod.rs"]
mod servers;

mod dynamodb;
mod etcd;
mod memcached;
mod mysql;
mod postgres;
mod redis;
mod sqlite;
