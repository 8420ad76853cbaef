//! Sessions through the public API: every law of a session, in a cookie or in a server, through
//! real HTTP, for axum and actix-web.

#[macro_use]
mod framework_tests;

#[cfg(feature = "tower-sessions-0-14")]
mod axum_login;
#[cfg(feature = "dbsc")]
mod binding;
#[cfg(feature = "dbsc")]
mod binding_forgeries;
#[cfg(feature = "dbsc")]
mod binding_races;
#[cfg(feature = "dbsc")]
mod bound_client;
mod browser;
mod caches;
mod call_order;
mod clearing;
mod client;
mod concurrency;
mod cookie_header;
mod cross_origin;
mod dead_cookies;
#[cfg(feature = "dbsc")]
mod device;
#[cfg(all(feature = "json", feature = "legacy"))]
#[path = "../support/dolab_cookie.rs"]
mod dolab_cookie;
mod ended_cookies;
mod endings;
mod errors;
mod factors;
mod frameworks;
mod gorilla;
mod guards;
#[path = "../support/in_layout.rs"]
mod in_layout;
mod key_ring;
mod laws;
mod layers;
#[path = "../support/log.rs"]
mod log;
mod long_responses;
mod many_keys;
mod migrating;
mod planted;
mod room_left;
mod scopes;
mod server;
mod shared_with_go;
#[cfg(feature = "tower-sessions-0-14")]
mod shop;
mod site;
mod support;
mod tower;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;
mod values;
