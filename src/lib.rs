//! Sessions for web applications, and the signed and encrypted cookies below them,
//! byte-compatible with Go's
//! [gorilla/securecookie](https://github.com/gorilla/securecookie).
//!
//! - Add sessions to an application: the [example](#a-session-in-five-lines) below.
//! - Log a user in and out, and show a flash message: the example of `web`.
//! - Let only logged-in users reach a route: `web::guard`.
//! - Keep sessions in a server, list the sessions of a user, and log out everywhere:
//!   `session`, with a store of `backend`.
//! - Rotate keys: [`Codecs`](codec::Codecs); without a restart: [`KeyRing`](codec::KeyRing).
//! - Share sessions with a Go program: `compat`, or `session::Dialect`.
//! - Seal and open a cookie without sessions: [`codec`], or `jar` with the crate `cookie`.
//! - Read and change a value that Go wrote: [`gob`].
//! - Choose a store, rotate keys, run behind a proxy, move from another library: the pages of
//!   `guide`, which are part of the documentation with all features.
//!
//! # A session in five lines
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use silverback::{codec::KeyPairs, session::{CookieStore, Error, Session}, web::tower::SessionLayer};
//!
//! async fn visit(session: Session) -> Result<String, Error> {
//!     Ok(format!("visit {}", session.update("visits", |visits: &mut u64| *visits += 1)?))
//! }
//!
//! let store = CookieStore::new(KeyPairs::generate(1)?)?; // or CookieStore::from_env("SILVERBACK_KEYS")?
//! let app = axum::Router::new().route("/", axum::routing::get(visit)).layer(SessionLayer::new(store));
//! # let request = axum::http::Request::new(axum::body::Body::empty());
//! # let response = tower_service::Service::call(&mut app.clone(), request).await?;
//! # assert!(response.headers().contains_key("set-cookie"));
//! # let body = axum::body::to_bytes(response.into_body(), 100).await?;
//! # assert_eq!(body, "visit 1");
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`codec`] | turns bytes, a name and a key pair into cookie text, and back: [`SecureCookie`](codec::SecureCookie), the key chain [`Codecs`](codec::Codecs), keys, serializers |
//! | [`gob`] | Go's `encoding/gob`, the serializer that gorilla uses by default: a lossless `Value`, and serde types |
//! | `session` | the sessions of a web application: `Session`, lifetimes, flashes; in a cookie (`CookieStore`) or in a server (`ServerStore`) (feature `session`) |
//! | `jar` | signed and encrypted cookies in jars of the crate `cookie`, for applications that need a cookie and no session: `SealedJar`, and `SealedCookies` for axum and actix-web (feature `cookie`) |
//! | `backend` | stores of records, for sessions in a server: the trait and its laws, memory, files, SQLite, PostgreSQL, MySQL and MariaDB, SQL Server (not yet tested with a real server), Redis and Valkey, Memcached, DynamoDB, etcd (feature `backend`) |
//! | `web` | sessions in tower, axum and actix-web (features `tower`, `axum`, `actix`) |
//! | `compat` | the stores of Go programs under their own names and with their own defaults: scs and gorilla's `FilesystemStore` (feature `session`), scs's SQL stores (`postgres`, `mysql`, `mssql`, `sqlite`), wader/gormstore (`postgres`, `mysql`, `sqlite`), pgstore (`postgres`), dynamostore (`aws`), dolab/session (`legacy`, and `redis` or `memcached`); a store for applications on the crate `tower-sessions` (`tower-sessions`) |
//! | `guide` | documentation only: one page for each larger task |
//!
//! Modules depend on each other in one direction only. `gob` and `backend` use no other module.
//! `codec` uses `gob`. `session` uses `gob`, `codec` and `backend`. `jar` uses `codec`, and
//! `session` to convert its `CookieOptions`. `web` uses `session`, `jar` and `codec`. `compat`
//! uses `codec`, `session` and `backend`.
//!
//! # Features
//!
//! Features only add. The codec alone compiles no async runtime and no HTTP.
//!
//! | feature | default | contents |
//! |---|---|---|
//! | `gob` | yes | [`Serializer::Gob`](codec::Serializer), which returns a usage error without this feature |
//! | `json` | yes | `Serializer::Json` |
//! | `bincode` | no | `Serializer::Bincode` (an unmaintained format, read only after the MAC is verified) |
//! | `cookie` | no | `jar`: sealed cookies in jars of the crate `cookie` 0.18; with `axum` or `actix`, the extractor `jar::SealedCookies` |
//! | `session` | no | `session`: sessions in cookies and in servers; brings `backend` |
//! | `metrics` | no | `session::events::MetricsEvents`: counters of session events for the crate `metrics`; brings `session` |
//! | `dbsc` | no | `session::binding`: logins that are bound to the client's device (Device Bound Session Credentials); with `tower`, `axum` or `actix`, `web::binding` |
//! | `config` | no | options of codecs, cookies, lifetimes and backends as `serde::Deserialize`, for configuration files |
//! | `tower` | no | `web::tower`: a layer for any tower service; brings `session` |
//! | `axum` | no | axum's extractors on top of that layer; brings `tower` |
//! | `actix` | no | `web::actix`: middleware and extractors for actix-web; brings `session` |
//! | `tower-sessions` | no | `compat::tower_sessions`: our backends as a store for the crate `tower-sessions`; brings `backend` and `json` |
//! | `tower-sessions-0-14` | no | the same for version 0.14 of that crate, which axum-login 0.18 uses |
//! | `backend` | no | `backend`: records, their laws, and a backend in memory |
//! | `files` | no | `backend::Files`: records in files |
//! | `sqlite` | no | `backend::Sqlite`: records in an SQLite database, and `GoSqlite` for tables of Go packages; SQLite is compiled in; needs Rust 1.94 |
//! | `postgres` | no | `backend::Postgres`, and `GoPostgres` for tables of Go packages; needs Rust 1.94 |
//! | `mysql` | no | `backend::Mysql` for MySQL and MariaDB, and `GoMysql` for tables of Go packages; needs Rust 1.94 |
//! | `redis` | no | `backend::Redis` for Redis and Valkey: one server, behind sentinels, or a cluster |
//! | `memcached` | no | `backend::Memcached`, for sessions that may be lost at any time |
//! | `mssql` | no | `backend::Mssql`, and `GoMssql` for tables of Go packages; not yet tested with a real server |
//! | `dynamodb` | no | `backend::DynamoDb`, with an `aws-sdk-dynamodb` client of your own, and `GoDynamoDb` for tables of Go packages |
//! | `aws` | no | DynamoDB clients configured from the environment, as AWS's own tools are; brings `dynamodb` |
//! | `etcd` | no | `backend::Etcd`; its build needs `protoc` and its includes (Debian's packages `protobuf-compiler` and `libprotobuf-dev`) |
//! | `tls` | no | TLS to servers (rustls with ring, and the certificates that the system trusts) |
//! | `conformance` | no | `backend::conformance`: the laws as code, for backends of your own |
//! | `legacy` | no | `codec::legacy`: readers for formats that were never safe; with `json`, `Dialect::dolab` reads the old cookie of dolab/session |
//! | `cli` | no | the `silverback` program; brings `session` and `files` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "backend")]
pub mod backend;
mod calendar;
mod cause;
pub mod codec;
#[cfg(any(
    feature = "session",
    feature = "tower-sessions",
    feature = "tower-sessions-0-14"
))]
pub mod compat;
#[cfg(any(feature = "cookie", feature = "session"))]
mod cookie_header;
#[cfg(feature = "config")]
mod duration_text;
#[cfg(feature = "backend")]
mod fault;
pub mod gob;
// Documentation only. Its pages name items of all these features.
#[cfg(all(
    any(doc, doctest),
    feature = "actix",
    feature = "aws",
    feature = "axum",
    feature = "conformance",
    feature = "cookie",
    feature = "dbsc",
    feature = "etcd",
    feature = "files",
    feature = "mssql",
    feature = "postgres",
    feature = "sqlite",
    feature = "tower-sessions"
))]
pub mod guide;
#[cfg(feature = "cookie")]
pub mod jar;
#[cfg(feature = "session")]
pub mod session;
#[cfg(any(feature = "tower", feature = "actix"))]
pub mod web;

/// The README, so that its examples run as documentation tests.
#[cfg(all(doctest, feature = "json", feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
