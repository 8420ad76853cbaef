//! Sealed cookies in the jars of the crate `cookie`, through the public API: one table over real
//! HTTP for axum-extra, actix-web and `SealedCookies` in both, and a comparison with `SignedJar`.

mod actix;
#[path = "../session/client.rs"]
#[allow(dead_code)] // the sessions' tests use the rest
mod client;
mod handlers;
mod options;
mod sealed_cookies;
mod servers;
mod signed_jar;
mod table;
