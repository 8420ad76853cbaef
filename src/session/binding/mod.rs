//! Binds a login to the device of its client, so that copied cookies soon open nothing: Device Bound
//! Session Credentials (DBSC).
//!
//! The browser makes a key that does not leave the device, and proves every few minutes that it has
//! the key. The server answers with a *bound cookie* that lasts as long. A thief who copies all
//! cookies can send requests only until the bound cookie expires. (A WebSocket that was opened in that
//! time stays open: close it after [`cookie_life`](BindingOptions::cookie_life).)
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use silverback::backend::Memory;
//! use silverback::codec::KeyPairs;
//! use silverback::session::{ServerOptions, ServerStore, binding::BindingOptions};
//! use silverback::web::{binding::BindingEndpoints, tower::SessionLayer};
//!
//! let binding = BindingOptions::new("/session")?.required(["/login"]);
//! let options = ServerOptions::new().binding(binding);
//! let store = ServerStore::with_options(KeyPairs::generate(1)?, Memory::new(), options)?;
//! let app: Router = Router::new()
//!     .route("/", get(async || "hello"))
//!     .layer(BindingEndpoints)
//!     .layer(SessionLayer::new(store));
//! # Ok(())
//! # }
//! ```
//!
//! The page `guide::device_binding` says which browsers take part, what this protects from and what
//! not, and how to try it.
//!
//! # The protocol
//!
//! | step | request | response |
//! |---|---|---|
//! | login | any | `Secure-Session-Registration` with a challenge |
//! | registration | POST to `PATH/registration`, with a proof that contains the public key | the session's row keeps the key; the bound cookie; the next challenge |
//! | refresh | POST to `PATH/refresh`, with a proof | a new bound cookie; the next challenge. Without a good proof 403 with a challenge. `continue: false` if the session has ended |
//! | other requests | have the bound cookie | 403 with a challenge if the binding is [required](BindingOptions::required) and the cookie is missing |
//!
//! # The laws
//!
//! 1. **The server stores no challenge.** The codec chain seals each challenge with the ID of the
//!    binding, the number of the proof and the date.
//! 2. **No proof counts twice.** The row counts the proofs. A proof is for the next number, and the
//!    count is saved by compare-and-swap. (A session in its cookie has no row: see below.)
//! 3. **A key stays.** It is registered once, within five minutes of the login, by a client that has
//!    the login's response. Only another login takes another key.
//! 4. **A bound cookie is for one key of one login.** The codec chain seals it with a date. It proves
//!    nothing for another login. A bound cookie that is not good is removed, so that the browser
//!    refreshes it.
//! 5. **A binding lasts as long as its login.** A renewal keeps it. After a logout, a revocation or
//!    the end of a limit, the next refresh is answered `continue: false`.
//! 6. **Only a certain answer ends a binding.** During an outage, and while the response with a new ID
//!    is on its way, a refresh is answered 503.
//!
//! # Stores
//!
//! A [`ServerStore`](super::ServerStore) in the native [dialect](super::Dialect) keeps all laws, on
//! every backend. Rows of Go packages have no place for a key.
//!
//! A [`CookieStore`](super::CookieStore) keeps the key in the session's cookie, and cannot keep laws 2
//! and 3. Every copy of the cookie from before the registration opens the session without a key, and
//! a response that overtakes the one of the registration brings such a cookie back. A proof can be
//! sent again until its challenge expires, five minutes after the bound cookie. So this store refuses
//! `required`. [`Session::require_bound`](super::Session::require_bound) in a handler still needs a
//! key and its bound cookie.
//!
//! In a [`Migrating`](super::Migrating) store, give both stores the same options.
//!
//! # Sources
//!
//! Device Bound Session Credentials (W3C draft), and what Chromium 156 sends. Two differ: Chromium
//! sends the proof and the ID without the quotes of an sf-string, so both forms are read. Without a
//! new challenge Chromium repeats its last proof, so each success has the next challenge.
//!
//! | file | contents |
//! |---|---|
//! | `options.rs` | [`BindingOptions`] |
//! | `store_binding.rs`, `seals.rs` | the texts of a store: challenges, bound cookies, header fields |
//! | `proof.rs` | parsing and verifying proofs |
//! | `endpoint.rs` | the two endpoints |
//! | `request.rs`, `marks.rs` | the check of each request, and the fields of its response |

mod endpoint;
mod marks;
mod options;
mod proof;
mod request;
mod seals;
mod store_binding;

pub use endpoint::{Endpoint, EndpointAnswer, EndpointRequest};
pub(super) use marks::{RequestBindings, SessionProof};
pub use options::BindingOptions;
pub(super) use store_binding::StoreBinding;

/// The binding of a session to the client's device, as [`Session::binding`](super::Session::binding)
/// returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Binding {
    /// There is no login, or its store offers no binding.
    NotOffered,
    /// The client has not registered a key. Many browsers never do.
    Unbound,
    /// The client has registered a key, and this request has no good bound cookie: it may come from
    /// another device.
    Unproven,
    /// The client has registered a key, and this request has the bound cookie.
    Bound,
}
