//! Sessions: what a web application remembers of a browser between requests, in a
//! signed cookie.
//!
//! | file | what lives there |
//! |---|---|
//! | `session.rs`, `state.rs`, `saving.rs`, `room.rs` | [`Session`]: the handle of a handler, what happens to it in one request, and how it is saved |
//! | `sessions.rs`, `client_host.rs`, `response_fields.rs` | [`Sessions`]: a request's sessions by name, and what its response carries |
//! | `values.rs`, `flashes.rs`, `data_model.rs`, `self_describing.rs` | [`Values`]: what a session holds, as gob or in other formats |
//! | `metadata.rs`, `lifetime.rs` | how long it lives: [`Lifetime`] |
//! | `cookie_options.rs`, `cookie_writer.rs`, `cookie_header.rs` | the cookie as it is set and as it is read: [`CookieOptions`] |
//! | `opened_cookies.rs`, `request_url.rs`, `foreign_cookies.rs` | which cookie of several counts, and how cookies that another host planted are removed |
//! | `cookie_life.rs` | how long a client keeps it |
//! | `store.rs`, `cookie_store.rs`, `epochs.rs`, `backend_epochs.rs` | [`Store`], [`CookieStore`], and revoking what lives in cookies: [`Epochs`] |
//! | `server_store/`, `server_options.rs` | [`ServerStore`]: sessions that live in a server |
//! | `stored_session.rs`, `live_session.rs` | one of them outside of any request: [`StoredSession`], as it was, and [`LiveSession`], as it is |
//! | `protocol/`, `rows.rs`, `recent_moves.rs` | who was first: what is asked of a backend to save, move or end a session, and the asking |
//! | `dialect/`, `id.rs` | whose bytes are spoken above a backend |
//! | `content.rs` | what is saved, and a request's changes to it, to be made again on what others saved |
//! | `error.rs`, `refusal.rs` | what goes wrong here, and what is wrong with a cookie |
//! | `testing.rs` | [`testing`]: for tests of your own |
//!
//! No web framework lives here: `web` moves the fields.
//!
//! # The laws
//!
//! 1. **Nothing written, nothing sent.** A session that nobody wrote to costs no
//!    Set-Cookie. One that is written to is saved once, before the response's head
//!    leaves. Reading costs no write until a tenth of the idle limit has passed.
//! 2. **Absent, refused and broken are three answers.** No cookie: a new session. A cookie
//!    that is refused: a new session, and a [`Refusal`] for the handler and the log. A
//!    server that does not answer: 503, never an empty session, never a touched cookie.
//! 3. **Idle and absolute limits hold together**, and are judged whenever a session is
//!    loaded, from what is sealed within.
//! 4. **Cookies are safe by default**: `__Host-id`, HttpOnly, Secure, SameSite=Lax, gone
//!    with the browser. Caches keep no response that has to do with a session.
//! 5. **Ambiguous cookies open no session**: valid cookies of two sessions under one name, of
//!    which another host may have planted one. The response removes cookies of the name from
//!    other scopes and leaves the application's own alone, so that the next request is in the
//!    client's own session. See [`Refusal::Ambiguous`].
//! 6. **Owners' sessions end at once**, where [`Epochs`] are asked.
//! 7. **Keys rotate silently**: a cookie sealed by an older key is sealed anew when its
//!    session is saved, with its old date.
//!
//! What a session in a cookie can *not* keep, [`CookieStore`] says.
//!
//! Errors and refused cookies are logged as `tracing` events: install a subscriber to see them.

mod backend_epochs;
mod caller;
mod client_host;
mod content;
mod cookie_header;
mod cookie_life;
mod cookie_options;
mod cookie_store;
mod cookie_writer;
mod data_model;
mod dialect;
mod epochs;
mod error;
mod flashes;
mod foreign_cookies;
mod id;
mod lifetime;
mod live_session;
mod login;
mod metadata;
mod opened_cookies;
mod protocol;
mod recent_moves;
mod refusal;
mod request_url;
mod response_fields;
mod room;
mod rows;
mod saving;
mod self_describing;
mod server_options;
mod server_store;
#[allow(clippy::module_inception)] // the handle is what the room is about
mod session;
mod sessions;
mod state;
mod store;
mod stored_session;
pub mod testing;
mod values;

/// For implementations of [`Epochs`].
pub use async_trait::async_trait;
pub use backend_epochs::BackendEpochs;
pub use client_host::client_host;
pub use cookie_options::{CookieOptions, SameSite};
pub use cookie_store::CookieStore;
pub use dialect::Dialect;
pub use epochs::{Epoch, Epochs};
pub use error::Error;
pub use lifetime::Lifetime;
pub use live_session::LiveSession;
pub use refusal::Refusal;
pub use response_fields::ResponseFields;
pub use server_options::ServerOptions;
pub use server_store::ServerStore;
pub use session::Session;
pub use sessions::Sessions;
pub use store::{Store, Stores};
pub use stored_session::StoredSession;
pub use values::Values;
