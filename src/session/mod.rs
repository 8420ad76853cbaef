//! Sessions keep values for a browser between requests: in a signed cookie ([`CookieStore`]), or in
//! a server behind it ([`ServerStore`]).
//!
//! # Tasks
//!
//! - Log in and out: [`Session::login`], [`Session::logout`].
//! - Log out everywhere: [`Session::end_others`] in a request, [`ServerStore::end_all`] and
//!   [`CookieStore::end_all`] outside of one.
//! - List an owner's sessions, end one of them, or limit their number: [`ServerStore::list`],
//!   [`ServerStore::end`], [`ServerOptions::max_sessions`].
//! - Read and change values: [`Session::get`], [`Session::insert`], [`Session::update`].
//! - Show a message once: [`Session::add_flash`], [`Session::flashes`].
//! - Keep a session when the browser closes: [`Session::remember`].
//! - Require a recent login, or a second factor: [`Session::require_fresh`],
//!   [`Session::require_level`].
//! - Get a new ID after a change of rights: [`Session::renew`].
//! - Set the limits of sessions, and the attributes of the cookie: [`Lifetime`], [`CookieOptions`].
//! - Rotate keys: [`Codecs`](crate::codec::Codecs), and the page `guide::rotation`.
//! - Bind a login to the client's device: `binding` (feature `dbsc`).
//! - Use a session after the response, in a WebSocket or a job: [`Session::live`].
//! - Close a WebSocket or a stream when its session ends: [`Session::ended`].
//! - Use several sessions in one request: [`Stores`].
//! - Move to another server, dialect, cookie name or other keys: [`Migrating`].
//! - Share sessions with a Go program: [`Dialect`], [`CookieStore::shared_with_go`].
//! - Count events, and write an audit log: [`events`].
//! - Connect another web framework: [`Sessions`].
//! - Test an application: [`testing`].
//!
//! Errors and refused cookies are logged as `tracing` events. Install a subscriber to see them.
//!
//! # Log out everywhere
//!
//! ```
//! use silverback::backend::Memory;
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::session::{Error, ServerStore, Session, testing::Jar};
//!
//! /// In a request: the user keeps the session on this device, and loses all others.
//! fn change_password(session: &Session) -> Result<(), Error> {
//!     // .. save the new password ..
//!     session.end_others()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
//! let store = ServerStore::new(codecs, Memory::new())?; // or backend::connect(url).await?
//! let phone = Jar::with(store.clone(), |session| session.login("ape")).await?;
//! # let laptop = Jar::with(store.clone(), |session| session.login("ape")).await?;
//! # let sessions = laptop.sessions(store.clone());
//! # change_password(&sessions.session().await?)?;
//! # sessions.finish().await?;
//! # assert_eq!(phone.session(store.clone()).await?.owner(), None);
//! # assert_eq!(store.list("ape").await?.len(), 1);
//!
//! // Outside of a request: when an account is closed.
//! store.end_all("ape").await?;
//! assert_eq!(phone.session(store).await?.owner(), None);
//! # Ok(())
//! # }
//! ```
//!
//! # The laws
//!
//! 1. **Nothing written, nothing sent.** A session without changes needs no Set-Cookie. A session
//!    with changes is saved once, before the response's head leaves. A request that only reads
//!    causes no write until a tenth of the idle limit has passed.
//! 2. **Absent, refused and broken are three answers.** Without a cookie, the request gets a new
//!    session. If a cookie is refused, the request gets a new session, and the handler and the log
//!    get a [`Refusal`]. If a server does not answer, the response is a 503, never an empty
//!    session, and the cookie stays untouched.
//! 3. **Idle and absolute limits hold together.** They are checked whenever a session is loaded.
//!    The times they are checked against are sealed within the session.
//! 4. **Cookies are safe by default**: `__Host-id`, HttpOnly, Secure, SameSite=Lax, dropped when
//!    the browser closes. Shared caches do not store the response to a request that asked for a
//!    session, unless the application declares it public.
//! 5. **Ambiguous cookies open no session.** If a request has valid cookies of two sessions under
//!    one name, another host may have planted one of them. The response removes cookies of that
//!    name from other scopes, and leaves the application's own cookie. The next request is then in
//!    the client's own session. See [`Refusal::Ambiguous`].
//! 6. **All sessions of an owner can be ended at once**, by a [`ServerStore`] if its backend has
//!    owners, and by a [`CookieStore`] that is [revocable](CookieStore::revocable).
//! 7. **Keys rotate silently.** If an older key sealed a cookie, the current key seals it again
//!    when its session is saved. The cookie keeps its date if the lifetime has an absolute limit.
//!
//! [`CookieStore`] lists the promises that a session in a cookie cannot keep.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `session.rs`, `session_values.rs`, `session_factors.rs`, `session_merge.rs`, `session_status.rs`, `typed.rs` | [`Session`]: the handle for handlers, and [`Typed`]: one of its values |
//! | `state.rs`, `commit.rs`, `room.rs` | its state during one request, and how it is saved |
//! | `sessions.rs`, `client_host.rs`, `response_fields.rs`, `clear_site_data.rs` | [`Sessions`]: the sessions of a request by name, and the fields of its response |
//! | `values.rs`, `flashes.rs`, `data_model.rs`, `any_format.rs`, `serialized_values.rs`, `json_texts.rs`, `go_json.rs` | [`Values`]: the values of a session, as gob or in other formats |
//! | `metadata.rs`, `metadata_text.rs`, `lifetime.rs`, `login.rs`, `credentials.rs`, `factors.rs`, `key_binding.rs` | [`Lifetime`]: the limits of a session; its login |
//! | `cookie_options.rs`, `cookie_writer.rs` | [`CookieOptions`]: writing the cookie |
//! | `opened_cookies.rs`, `request_url.rs`, `foreign_cookies.rs` | choosing one of several cookies, and removing cookies that another host planted |
//! | `cookie_life.rs`, `expiry.rs` | the time for which a client keeps the cookie, and the expiry of a row |
//! | `store.rs`, `setup.rs`, `stores.rs` | [`Store`], its settings, and [`Stores`]: all stores of an application |
//! | `cookie_store.rs`, `backend_generations.rs`, `cookie_watch.rs` | [`CookieStore`], the revocation of sessions in cookies, and waiting for it |
//! | `server_store/`, `server_options.rs` | [`ServerStore`]: sessions in a server |
//! | `binding/` | [`binding`]: logins that are bound to the client's device (feature `dbsc`) |
//! | `config.rs` | options as configuration files have them (feature `config`) |
//! | `migrating/` | [`Migrating`]: moves sessions from one store to another |
//! | `stored_session.rs`, `lookup.rs`, `live_session.rs` | sessions outside of a request: [`StoredSession`], a snapshot, and [`LiveSession`], which can be read and changed |
//! | `ended.rs`, `session_end.rs`, `watcher/` | [`Session::ended`]: waiting for the end of a session, by looks at an interval and after changes |
//! | `protocol/`, `rows.rs`, `recent_moves.rs` | the calls to a backend that save, move or end a session, and the resolution of conflicts |
//! | `dialect/`, `id.rs`, `session_id.rs` | the formats of cookies and rows above a backend, and the secret and the public ID of a session |
//! | `session_data.rs` | the values and metadata to save, and a request's changes, which can be replayed after a conflict |
//! | `events/`, `observed.rs` | [`events`]: what happens to sessions, for operators; the calls to a store, each with its event |
//! | `error.rs`, `refusal.rs` | errors, and reasons why a cookie is refused |
//! | `testing.rs` | [`testing`]: helpers for your own tests |
//!
//! This module uses no web framework. The module `web` connects it to some.

mod any_format;
mod backend_generations;
#[cfg(feature = "dbsc")]
pub mod binding;
mod caller;
mod clear_site_data;
mod client_host;
mod commit;
#[cfg(feature = "config")]
mod config;
mod cookie_life;
mod cookie_options;
mod cookie_store;
mod cookie_watch;
mod cookie_writer;
mod credentials;
mod data_model;
mod dialect;
mod ended;
mod error;
pub mod events;
mod expiry;
mod factors;
mod flashes;
mod foreign_cookies;
#[cfg(feature = "json")]
pub(crate) mod go_json;
mod id;
#[cfg(feature = "json")]
mod json_texts;
mod key_binding;
mod lifetime;
mod live_session;
mod login;
mod lookup;
mod metadata;
mod metadata_text;
mod migrating;
mod observed;
mod opened_cookies;
mod protocol;
mod recent_moves;
mod refusal;
mod request_url;
mod response_fields;
mod room;
mod rows;
mod serialized_values;
mod server_options;
mod server_store;
#[allow(clippy::module_inception)] // the handle is what the room is about
mod session;
mod session_data;
mod session_end;
mod session_factors;
mod session_id;
mod session_merge;
mod session_status;
mod session_values;
mod sessions;
mod setup;
mod state;
mod store;
mod stored_session;
mod stores;
pub mod testing;
mod typed;
mod values;
mod watcher;

pub use clear_site_data::ClearSiteData;
pub use client_host::client_host;
#[cfg(feature = "cookie")]
pub(crate) use cookie_options::InsecureHttp;
pub use cookie_options::{CookieOptions, SameSite};
pub use cookie_store::CookieStore;
#[cfg(feature = "json")]
pub use dialect::DolabDialect;
pub use dialect::{Dialect, GorillaDialect, NativeDialect, ScsDialect};
pub use error::Error;
pub use factors::{Factor, FactorKind};
pub use lifetime::Lifetime;
pub use live_session::LiveSession;
pub use lookup::Lookup;
pub use migrating::{Migrating, MigrationStage, OldStore, Transfer};
pub use refusal::Refusal;
pub use response_fields::ResponseFields;
pub use server_options::ServerOptions;
pub use server_store::{ServerStore, StoredPage};
pub use session::Session;
pub use session_end::SessionEnd;
pub use session_id::SessionId;
pub use session_status::SessionStatus;
pub use sessions::Sessions;
pub use store::Store;
pub use stored_session::StoredSession;
pub use stores::Stores;
pub use typed::{Typed, TypedValue};
pub use values::Values;
