//! Runs the `silverback` program as a user does: every command, every exit code, and each
//! cookie of the vectors.

#[cfg(all(feature = "sqlite", feature = "mysql"))]
mod bare_rows;
mod commands;
mod described;
mod edit;
mod exact;
#[cfg(all(feature = "sqlite", feature = "mysql"))]
mod go_rows;
#[cfg(all(feature = "sqlite", feature = "mysql", feature = "etcd"))]
mod go_rows_in_etcd;
#[cfg(all(
    feature = "sqlite",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
))]
mod go_rows_in_memcached;
#[cfg(all(feature = "sqlite", feature = "mysql", feature = "redis"))]
mod go_rows_in_redis;
#[cfg(all(
    feature = "sqlite",
    feature = "mysql",
    feature = "redis",
    feature = "memcached",
    feature = "legacy"
))]
mod go_rows_of_dolab;
#[cfg(all(feature = "postgres", feature = "mysql"))]
mod go_servers;
#[cfg(feature = "sqlite")]
mod go_sessions;
mod json;
mod keys;
mod migrate;
#[cfg(unix)]
mod other_users;
mod program;
#[path = "../support/required.rs"]
mod required;
mod revoke;
#[path = "../support/scratch.rs"]
mod scratch;
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "aws",
    feature = "etcd"
))]
#[path = "../support/servers/mod.rs"]
mod servers;
mod sessions;
mod vectors;
mod why;
mod wrong_use;
