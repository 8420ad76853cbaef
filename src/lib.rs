//! Signed and encrypted cookies, byte-compatible with Go's
//! [gorilla/securecookie](https://github.com/gorilla/securecookie), and the
//! sessions built on them.
//!
//! # Where things live
//!
//! | module | what it is for |
//! |---|---|
//! | [`codec`] | bytes, a name and a key pair become cookie text, and back: [`SecureCookie`](codec::SecureCookie), the key chain [`Codecs`](codec::Codecs), keys, serializers |
//! | [`gob`] | Go's `encoding/gob`, the serializer gorilla uses by default: a lossless `Value`, and serde types |
//! | `session` | what a web application remembers of a browser: `Session`, lifetimes, flashes; in its cookie (`CookieStore`) or in a server (`ServerStore`) (feature `session`) |
//! | `backend` | where records live, for sessions in servers: the trait and its laws, memory, files, SQLite, PostgreSQL, DynamoDB (feature `backend`) |
//! | `web` | sessions in tower, axum and actix-web (features `tower`, `axum`, `actix`; `tower-sessions` for applications on that crate) |
//! | `compat` | the stores of Go programs by their own names and defaults: scs (feature `session`), pgstore (`postgres`), dynamostore (`aws`) |
//!
//! Arrows point one way only: `codec` uses `gob`, `session` uses both and `backend`, `web`
//! uses `session`, and `backend` beneath other crates' sessions, `compat` uses all that it
//! puts together, and `backend` uses nothing of ours.
//!
//! # A session in five lines
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use silverback::{codec::{Codecs, KeyPairs}, session::{CookieStore, Error, Session}, web::tower::SessionLayer};
//!
//! async fn visit(session: Session) -> Result<String, Error> {
//!     Ok(format!("visit {}", session.update("visits", |visits: &mut u64| *visits += 1)?))
//! }
//!
//! let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?; // or KeyPairs::from_env(..)
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
//! # Features
//!
//! Features only add. A cookie codec alone compiles no async runtime and no HTTP.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `gob` | yes | [`Serializer::Gob`](codec::Serializer) works; without it, it answers with a usage error |
//! | `json` | yes | `Serializer::Json` |
//! | `bincode` | no | `Serializer::Bincode` (an unmaintained format, read only after the MAC holds) |
//! | `session` | no | `session`: sessions in cookies and in servers; brings `backend` |
//! | `tower` | no | `web::tower`: a layer for any tower service; brings `session` |
//! | `axum` | no | axum's extractors on top of it; brings `tower` |
//! | `actix` | no | `web::actix`: middleware and extractors for actix-web; brings `session` |
//! | `tower-sessions` | no | `web::tower_sessions`: our backends beneath an application on the `tower-sessions` crate; brings `backend` and `json` |
//! | `tower-sessions-0-14` | no | the same for its version 0.14, which axum-login 0.18 is built on |
//! | `backend` | no | `backend`: records, their laws, and a backend in memory |
//! | `files` | no | `backend::Files`: records in files |
//! | `sqlite` | no | `backend::Sqlite`: records in an SQLite database, with SQLite itself; needs Rust 1.94 |
//! | `postgres` | no | `backend::Postgres`, and `GoPostgres` for tables of Go packages; needs Rust 1.94 |
//! | `dynamodb` | no | `backend::DynamoDb`, over an `aws-sdk-dynamodb` client of yours, and `GoDynamoDb` for tables of Go packages |
//! | `aws` | no | clients for it as AWS's own tools make them, from the environment; brings `dynamodb` |
//! | `tls` | no | TLS to servers (rustls with ring, and the certificates that the system trusts) |
//! | `conformance` | no | `backend::conformance`: the laws as code, for backends of your own |
//! | `legacy` | no | `codec::legacy`: readers for formats that were never safe |
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
mod cause;
pub mod codec;
#[cfg(feature = "session")]
pub mod compat;
pub mod gob;
#[cfg(feature = "session")]
pub mod session;
#[cfg(any(
    feature = "tower",
    feature = "actix",
    feature = "tower-sessions",
    feature = "tower-sessions-0-14"
))]
pub mod web;

/// The README's examples, compiled and run as documentation tests.
#[cfg(all(doctest, feature = "json", feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
