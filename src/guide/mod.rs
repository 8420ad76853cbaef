//! The guide: pages about tasks that take more than one item of the crate.
//!
//! | to | read |
//! |---|---|
//! | log users in and out, in five minutes | the example of [`web`](crate::web#log-in-and-log-out) |
//! | choose where sessions are kept | [`stores`] |
//! | make keys and give them to a service | [`keys`] |
//! | replace a key, or drop one that has leaked | [`rotation`] |
//! | make copied cookies worthless | [`device_binding`] |
//! | know why a cookie is refused | [`refused_cookies`] |
//! | look into cookies and rows, or end sessions, in a shell | [`program`] |
//! | move sessions to another store, without a logout | [`moving_stores`] |
//! | run behind a proxy or a CDN | [`proxies`] |
//! | test an application, or a backend of your own | [`testing`] |
//! | know what is protected, and what remains yours | [`security`] |
//! | move from Go, or share sessions with a Go program | [`from_gorilla`] |
//! | move from tower-sessions and axum-login | [`from_tower_sessions`] |
//! | move from actix-session | [`from_actix_session`] |
//! | move from the jars of the crate `cookie` | [`from_cookie`] |
//! | know why the crate is built as it is | [`design`] |
//!
//! This module holds documentation only. It is part of documentation that is built with all
//! features.

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("device_binding.md")]
pub mod device_binding {}

#[doc = include_str!("from_actix_session.md")]
pub mod from_actix_session {}

#[doc = include_str!("from_cookie.md")]
pub mod from_cookie {}

#[doc = include_str!("from_gorilla.md")]
pub mod from_gorilla {}

#[doc = include_str!("from_tower_sessions.md")]
pub mod from_tower_sessions {}

#[doc = include_str!("keys.md")]
pub mod keys {}

#[doc = include_str!("moving_stores.md")]
pub mod moving_stores {}

#[doc = include_str!("program.md")]
pub mod program {}

#[doc = include_str!("proxies.md")]
pub mod proxies {}

#[doc = include_str!("refused_cookies.md")]
pub mod refused_cookies {}

#[doc = include_str!("rotation.md")]
pub mod rotation {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("stores.md")]
pub mod stores {}

#[doc = include_str!("testing.md")]
pub mod testing {}
