//! The session stores of Go packages, under their own names and with their own defaults, and a
//! store for applications on the crate `tower-sessions`.
//!
//! - Share the sessions of alexedwards/scs: [`SessionManager`], with an `ScsStore` for its SQL stores
//!   (features `postgres`, `mysql`, `mssql`, `sqlite`), and those in Redis and etcd (features `redis`,
//!   `etcd`).
//! - Share the sessions of gorilla/sessions' `FilesystemStore`: [`GorillaStore`] (feature `files`).
//! - Share the sessions of pgstore: [`PgStore`] (feature `postgres`).
//! - Share the sessions of wader/gormstore: `WaderGormStore` (features `postgres`, `mysql`, `sqlite`).
//! - Share the sessions of redistore, of rbcervilla/redisstore, and of gin-contrib/sessions with Redis:
//!   `RediStore` (feature `redis`).
//! - Share the sessions of gorilla-sessions-memcache, and of gin-contrib/sessions with Memcached:
//!   `MemcacheStore` (feature `memcached`).
//! - Share the sessions of dolab/session: `DolabStore` (features `legacy`, and `redis` or `memcached`).
//! - Share the sessions of dynamostore: [`DynamoStore`] (feature `aws`).
//! - Keep the sessions of an application on `tower-sessions` in one of our backends:
//!   [`BackendStore`](tower_sessions::BackendStore) (features `tower-sessions` and
//!   `tower-sessions-0-14`).
//!
//! # Stores of Go packages
//!
//! Use these stores if a service moves from Go to Rust, or runs next to a Go program.
//!
//! Each page has a table from the Go package's items to ours. For other Go stores, and for
//! settings that the Go package does not have, use a
//! [`ServerStore`](crate::session::ServerStore) with a [`Dialect`](crate::session::Dialect):
//! these stores add only constructors.
//!
//! Each constructor has the lifetimes and the cookie persistence of its Go package. When one
//! route moves from Go to Rust, no user is logged out, and no cookie ends sooner. The cookies'
//! flags are safe (HttpOnly, Secure, SameSite=Lax) unless you change them.
//!
//! The page `guide::from_gorilla` moves an application from Go, route by route. The page
//! `guide::from_tower_sessions` moves one from tower-sessions.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `scs.rs` | [`SessionManager`]: alexedwards/scs |
//! | `scs_store.rs` | `ScsStore`: the SQL stores of alexedwards/scs, and those in Redis and etcd |
//! | `gorilla_store.rs` | [`GorillaStore`]: the server stores for gorilla/sessions |
//! | `pgstore.rs` | [`PgStore`]: rafaelespinoza/pgstore and antonlindstrom/pgstore |
//! | `wader_gormstore.rs` | `WaderGormStore`: wader/gormstore |
//! | `redistore.rs` | `RediStore`: boj/redistore and rbcervilla/redisstore |
//! | `gorilla_sessions_memcache.rs` | `MemcacheStore`: bradleypeabody/gorilla-sessions-memcache |
//! | `dolab.rs` | `DolabStore`: dolab/session |
//! | `dolab_value.rs` | `DolabValue`: the typed getters of dolab/session |
//! | `dynamostore.rs` | [`DynamoStore`]: pratikju/dynamostore |
//! | [`tower_sessions`] | [`BackendStore`](tower_sessions::BackendStore): applications on the crate `tower-sessions`, above any of our backends |

#![doc(alias = "gorilla")]

#[cfg(all(
    feature = "session",
    feature = "json",
    feature = "legacy",
    any(feature = "redis", feature = "memcached")
))]
mod dolab;
#[cfg(all(feature = "session", feature = "json"))]
mod dolab_value;
#[cfg(all(feature = "aws", feature = "session"))]
mod dynamostore;
#[cfg(all(feature = "memcached", feature = "session"))]
mod gorilla_sessions_memcache;
#[cfg(feature = "session")]
mod gorilla_store;
#[cfg(all(feature = "postgres", feature = "session"))]
mod pgstore;
#[cfg(all(feature = "redis", feature = "session"))]
mod redistore;
#[cfg(feature = "session")]
mod scs;
#[cfg(all(
    feature = "session",
    any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite",
        feature = "redis",
        feature = "etcd"
    )
))]
mod scs_store;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-0-14"))]
pub mod tower_sessions;
#[cfg(all(
    feature = "session",
    any(feature = "postgres", feature = "mysql", feature = "sqlite")
))]
mod wader_gormstore;

#[cfg(all(
    feature = "session",
    feature = "json",
    feature = "legacy",
    any(feature = "redis", feature = "memcached")
))]
pub use dolab::{DolabConfig, DolabStore, dolab};
#[cfg(all(feature = "session", feature = "json"))]
pub use dolab_value::{DolabValue, DolabValueError};
#[cfg(all(feature = "aws", feature = "session"))]
pub use dynamostore::{DynamoStore, DynamoStoreConfig};
#[cfg(all(feature = "memcached", feature = "session"))]
pub use gorilla_sessions_memcache::{MemcacheStore, StoreMethod, gorilla_sessions_memcache};
#[cfg(feature = "session")]
pub use gorilla_store::GorillaStore;
#[cfg(all(feature = "postgres", feature = "session"))]
pub use pgstore::PgStore;
#[cfg(all(feature = "redis", feature = "session"))]
pub use redistore::{RediStore, rbcervilla_redisstore, redistore};
#[cfg(feature = "session")]
pub use scs::SessionManager;
#[cfg(all(feature = "session", feature = "etcd"))]
pub use scs_store::scs_etcdstore;
#[cfg(all(
    feature = "session",
    any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite"
    )
))]
pub use scs_store::scs_gormstore;
#[cfg(all(feature = "session", feature = "mssql"))]
pub use scs_store::scs_mssqlstore;
#[cfg(all(feature = "session", feature = "mysql"))]
pub use scs_store::scs_mysqlstore;
#[cfg(all(feature = "session", feature = "postgres"))]
pub use scs_store::scs_postgresstore;
#[cfg(all(feature = "session", feature = "sqlite"))]
pub use scs_store::scs_sqlite3store;
#[cfg(all(
    feature = "session",
    any(
        feature = "postgres",
        feature = "mysql",
        feature = "mssql",
        feature = "sqlite",
        feature = "redis",
        feature = "etcd"
    )
))]
pub use scs_store::{ScsStore, ScsStoreOptions};
#[cfg(all(feature = "session", feature = "redis"))]
pub use scs_store::{scs_goredisstore, scs_redisstore};
#[cfg(all(
    feature = "session",
    any(feature = "postgres", feature = "mysql", feature = "sqlite")
))]
pub use wader_gormstore::{WaderGormStore, wader_gormstore};
