//! Sessions in web frameworks: a layer for tower and axum, and a middleware for actix-web.
//!
//! - Add sessions to an application: [`SessionLayer`](tower::SessionLayer) for axum and any
//!   other tower service, [`SessionMiddleware`](actix::SessionMiddleware) for actix-web.
//! - Log in, log out, remember a user, show a flash message: the
//!   [example](#log-in-and-log-out) below.
//! - Let only logged-in users reach a route, and get the user in a handler: [`guard`].
//! - Refuse requests that other sites send in the name of a user: [`cross_origin`].
//! - Answer session errors with a page of your own: `on_error` of the layer.
//! - Run behind a proxy or a CDN: [below](#proxies), and the page `guide::proxies`.
//! - Let caches keep a response: [`Public`].
//! - Use a session after the response, in a WebSocket or a job:
//!   [`Session::live`](crate::session::Session::live).
//! - Close a WebSocket or a stream of events when its session ends: [below](#after-the-response).
//!
//! # Log in and log out
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Form, Router, response::Redirect, routing::{get, post}};
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::session::{CookieStore, Error, Session};
//! use silverback::web::tower::SessionLayer;
//!
//! #[derive(serde::Deserialize)]
//! struct Login { name: String, password: String, remember: Option<String> }
//!
//! async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
//!     if !password_is_right(&form.name, &form.password) {
//!         session.add_flash("That is not the password.")?;
//!         return Ok(Redirect::to("/login"));
//!     }
//!     session.login(form.name)?; // a new session: nothing planted before is in it
//!     session.remember(form.remember.is_some())?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn logout(session: Session) -> Result<Redirect, Error> {
//!     session.logout()?;
//!     session.add_flash("You are logged out.")?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn page(session: Session) -> Result<String, Error> {
//!     let flashes = session.flashes::<String>()?;
//!     let owner = session.owner().unwrap_or_else(|| "stranger".to_owned());
//!     Ok(format!("{} Hello, {owner}.", flashes.join(" ")))
//! }
//!
//! let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
//! let app = Router::new()
//!     .route("/", get(page))
//!     .route("/login", post(login))
//!     .route("/logout", post(logout))
//!     .layer(SessionLayer::new(store));
//! # fn password_is_right(_: &str, password: &str) -> bool { password == "right" }
//! # let mut jar = silverback::session::testing::Jar::new();
//! # let mut visit = async |path: &str, form: Option<&str>| {
//! #     let request = axum::http::Request::builder().uri(path).header("cookie", jar.cookie());
//! #     let request = request.header("content-type", "application/x-www-form-urlencoded");
//! #     let request = request.method(if form.is_some() { "POST" } else { "GET" });
//! #     let request = request.body(axum::body::Body::from(form.unwrap_or_default().to_owned())).unwrap();
//! #     let response = tower_service::Service::call(&mut app.clone(), request).await.unwrap();
//! #     let set_cookies: Vec<_> = response.headers().get_all("set-cookie").iter()
//! #         .map(|field| field.to_str().unwrap().to_owned()).collect();
//! #     set_cookies.iter().for_each(|field| jar.receive(field));
//! #     let status = response.status().as_u16();
//! #     let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
//! #     (status, set_cookies.concat(), String::from_utf8(body.to_vec()).unwrap())
//! # };
//! # assert_eq!(visit("/login", Some("name=ape&password=wrong")).await.0, 303);
//! # assert_eq!(visit("/", None).await.2, "That is not the password. Hello, stranger.");
//! # let (status, set_cookie, _) = visit("/login", Some("name=ape&password=right&remember=on")).await;
//! # assert!(status == 303 && set_cookie.contains("Max-Age=2592000"), "{status} {set_cookie}");
//! # assert_eq!(visit("/", None).await.2, " Hello, ape.");
//! # assert_eq!(visit("/logout", Some("")).await.0, 303);
//! # assert_eq!(visit("/", None).await.2, "You are logged out. Hello, stranger.");
//! # Ok(())
//! # }
//! ```
//!
//! # Order of layers
//!
//! The session layer goes around the handlers: in axum, call `.layer(..)` after adding the
//! routes. CORS goes outside of the session layer (`.layer(sessions).layer(cors)`; in actix-web
//! `.wrap(sessions).wrap(cors)`). The response to a session error then has the CORS fields,
//! which `on_error` would have to add otherwise, and a preflight request opens no session. If a
//! handler outside of the layer asks for a session, it gets a usage error, which is also logged.
//!
//! Layers nest. An inner layer reuses the sessions of the outer one, and adds sessions under
//! names that the outer one does not have. Handlers inside reach both. `Session` as an argument
//! is the session of the innermost layer's first store.
//!
//! # Header fields of a response
//!
//! The session is saved when the response's head is ready, and takes no changes afterwards.
//! Bodies stream, and connections can be upgraded.
//!
//! | request | response |
//! |---|---|
//! | asked for no session | is left as it is |
//! | asked for a session | gets `Vary: Cookie` and `Cache-Control: private, no-cache`, unless the application set `no-store`, or `private` with `no-cache` or a `max-age` |
//! | asked for a session, and a cookie is set or removed | gets `Vary: Cookie`, Set-Cookie and `Cache-Control: no-store` |
//! | asked for a session that [has moved](crate::session::Refusal::Moved) or is [ambiguous](crate::session::Refusal::Ambiguous) | gets `Vary: Cookie` and `Cache-Control: no-store` |
//!
//! A request that asked for a session also takes from its response the fields that caches obey
//! in place of Cache-Control (`CDN-Cache-Control`, `Surrogate-Control` and
//! [similar ones](crate::session::ResponseFields::is_targeted)). If a response does not depend
//! on the session, declare it [`Public`].
//!
//! # Session errors
//!
//! A session error reaches the layer if a handler returns it, an extractor fails, or saving
//! fails. It becomes a response with [its status](crate::session::Error::status) and no body.
//! If a server behind the sessions is unavailable, the status is 503. If the store [is
//! overloaded](crate::session::Error::is_overloaded), the response also has `Retry-After: 1`.
//! `on_error` replaces this response, and can read the request.
//!
//! After a session error no session is saved, and the response leaves the application's own
//! cookies as they are. It may remove cookies that [another host
//! planted](crate::session::Refusal::Ambiguous). Earlier saves stay: those of
//! [`save`](crate::session::Session::save), and, if the request has several sessions, those
//! before the failed one. A new ID among them does not reach the client.
//!
//! Errors and refused cookies are `tracing` events. Install a subscriber to see them
//! (`tracing_subscriber::fmt().init()` of the crate `tracing-subscriber`); without one, a 500
//! has no explanation. In debug builds of an application for axum or actix-web, the default page
//! of a usage error shows its text, too.
//!
//! # Saves of failed requests
//!
//! | event | changes to the session |
//! |---|---|
//! | the handler answers with any status, 4xx and 5xx included | are saved |
//! | a session error reaches the layer | are not saved |
//! | the handler panics | are not saved |
//! | the client disconnects, or a timeout outside of the layer drops the handler | are not saved |
//! | a timeout or a `catch_panic` inside of the layer makes a response | are saved |
//!
//! Changes that the handler has already saved with [`save`](crate::session::Session::save) stay
//! saved in all cases. If a request is dropped, a write to a server that has begun is
//! completed, and a save that still waits for other requests of the same session is not
//! started.
//!
//! # After the response
//!
//! A session takes no changes after the response's head is sent. For a WebSocket, a stream of
//! events or a job, use [`Session::live`](crate::session::Session::live): a handle that
//! outlives the response.
//!
//! A WebSocket or a stream also outlives the logout of its user, unless it waits for it:
//! [`Session::ended`](crate::session::Session::ended) is a future that resolves when the session
//! has ended, by a logout or a revocation elsewhere, or at its limits. A thousand sockets cost
//! the store's server one request at each interval. A stream of events, in axum:
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use axum::{Router, body::Body, response::IntoResponse, routing::get};
//! use silverback::session::Session;
//! use tokio::io::AsyncWriteExt;
//! use tokio_util::io::ReaderStream;
//!
//! async fn events(session: Session) -> impl IntoResponse {
//!     let (mut client, body) = tokio::io::duplex(1_024);
//!     let ended = session.ended();
//!     tokio::spawn(async move {
//!         tokio::pin!(ended);
//!         let mut ticks = tokio::time::interval(Duration::from_millis(10));
//!         loop {
//!             let event = tokio::select! {
//!                 why = &mut ended => break println!("closed: the session is {why}"),
//!                 _ = ticks.tick() => "data: tick\n\n",
//!             };
//!             if client.write_all(event.as_bytes()).await.is_err() {
//!                 break; // the client has gone
//!             }
//!         }
//!     });
//!     let stream = Body::from_stream(ReaderStream::new(body));
//!     ([("content-type", "text/event-stream")], stream)
//! }
//!
//! let app = Router::new().route("/events", get(events)); // and the session layer
//! # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}, session::{ServerOptions, ServerStore, testing::Jar}};
//! # let options = ServerOptions::new().watch_interval(Duration::from_millis(50));
//! # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
//! # let store = ServerStore::with_options(codecs, Memory::new(), options)?;
//! # let app = app.layer(silverback::web::tower::SessionLayer::new(store.clone()));
//! # let jar = Jar::with(store.clone(), |session| session.login("ape")).await?;
//! # let request = axum::http::Request::builder().uri("/events").header("cookie", jar.cookie());
//! # let request = request.body(Body::empty())?;
//! # let response = tower_service::Service::call(&mut app.clone(), request).await?;
//! # assert_eq!(response.status(), 200);
//! # let ends = tokio::spawn(axum::body::to_bytes(response.into_body(), usize::MAX));
//! # tokio::time::sleep(Duration::from_millis(100)).await;
//! # assert!(!ends.is_finished());
//! # store.end_all("ape").await?;
//! # assert!(ends.await??.starts_with(b"data: tick"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }
//! ```
//!
//! A WebSocket does the same: pass `session.ended()` to the closure of `on_upgrade`, and select
//! between it and the socket.
//!
//! # Cross-site requests
//!
//! `SameSite=Lax` keeps the cookie out of POST requests from other sites. Other hosts of the same site
//! (`blog.example.com`) still send it, and a request that begins a session needs no cookie: a page can
//! log its visitor in as the attacker (login CSRF). `cross_origin(CrossOriginGuard::new())` on the
//! layer refuses both: see [`cross_origin`].
//!
//! Neither protects a handler that changes something in answer to a GET: links on any site reach it.
//! Use POST.
//!
//! # Proxies
//!
//! To remove a cookie that [another host planted](crate::session::Refusal::Ambiguous), the
//! layer needs the path and the host of the browser's request. A proxy must keep both, or send
//! the host as `X-Forwarded-Host` or in `Forwarded`. An application for axum needs the feature
//! `axum`: it restores the part of the path that nested routers strip. The page `guide::proxies`
//! has the settings of a proxy, of TLS and of a CDN.
//!
//! # Source files
//!
//! | module | contents | feature |
//! |---|---|---|
//! | [`tower`] | any tower service: [`SessionLayer`](tower::SessionLayer) | `tower` |
//! | `axum.rs`, `axum_parts.rs` | axum: the extractors `Session` and `Sessions`, on top of the layer | `axum` |
//! | [`actix`] | actix-web: [`SessionMiddleware`](actix::SessionMiddleware) and the same extractors | `actix` |
//! | [`guard`] | guards and the current user, for all frameworks | |
//! | `binding/` | the endpoints of device bindings, for all frameworks | `dbsc` |
//! | [`cross_origin`] | the guard against requests of other origins, for all frameworks | |
//! | `target.rs` | the target of a request, before nested routers strip it | `tower` |
//! | `testing.rs` | [`Jar::send`](crate::session::testing::Jar::send): requests of tests | `tower` |
//! | `axum_cookies.rs`, `actix_cookies.rs` | the extractor [`SealedCookies`](crate::jar::SealedCookies), for cookies without a session | `cookie` |
//! | `fields.rs` | header fields, shared by all frameworks | |
//!
//! This module only moves header fields between a framework and
//! [`Sessions`](crate::session::Sessions). [`session`](crate::session) decides which cookies
//! count and which fields a response carries; [`codec`](crate::codec) encodes the values.

/// A mark for a response that does not depend on the session, so that caches may keep it. Put it
/// into the response's extensions.
///
/// If a request asked for a session, its response loses the fields that let shared caches keep
/// it, unless the response has this mark. This matters if a middleware opens the session of
/// every request, for example to log the owner: pages that are the same for everyone then need
/// the mark. A response with a Set-Cookie is never public, even with the mark.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Extension, response::IntoResponse};
/// use silverback::web::Public;
///
/// /// One response.
/// async fn style() -> impl IntoResponse {
///     (Extension(Public), [("cache-control", "public, max-age=3600")], "body { color: gray }")
/// }
///
/// /// All responses of a route: in axum, by `map_response`.
/// fn public<B>(mut response: http::Response<B>) -> http::Response<B> {
///     response.extensions_mut().insert(Public);
///     response
/// }
/// # let layer = axum::middleware::map_response(async |response: axum::response::Response| public(response));
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(style).layer(layer));
/// # }
/// ```
///
/// In actix-web: `response.extensions_mut().insert(Public)`, on an `HttpResponse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public;

/// A mark for a response that was made from a session error.
#[derive(Clone)]
struct ErrorMark {
    error: crate::session::Error,
    /// True if a layer has already replaced the response by its own. Outer layers then keep
    /// that response, and save nothing.
    is_answered: bool,
}

/// Returns the page for a usage error, which the developer can mend. Only debug builds have such
/// a page: a client of a release build learns nothing.
#[cfg(any(feature = "axum", feature = "actix"))]
fn page_for_developers(is_usage: bool, error: &dyn std::fmt::Display) -> Option<String> {
    let is_shown = cfg!(debug_assertions) && is_usage;
    is_shown.then(|| format!("{error}\n\n(Only debug builds of silverback show this page.)\n"))
}

/// Logs an error of sealed cookies for the operator, since the response does not show it to the
/// client.
#[cfg(all(feature = "cookie", any(feature = "axum", feature = "actix")))]
fn log_cookie_error(error: &crate::jar::Error) {
    match error.is_refused() {
        // Any visitor can cause this error.
        true => tracing::debug!(%error, "a sealed cookie was refused"),
        false => tracing::error!(%error, "a sealed cookie failed"),
    }
}

/// The content type of the page for developers.
#[cfg(any(feature = "axum", feature = "actix"))]
const TEXT: &str = "text/plain; charset=utf-8";

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(all(feature = "actix", feature = "cookie"))]
mod actix_cookies;
#[cfg(feature = "axum")]
mod axum;
#[cfg(all(feature = "axum", feature = "cookie"))]
mod axum_cookies;
#[cfg(feature = "axum")]
mod axum_parts;
#[cfg(feature = "dbsc")]
pub mod binding;
pub mod cross_origin;
mod fields;
pub mod guard;
#[cfg(feature = "tower")]
mod target;
#[cfg(feature = "tower")]
mod testing;
#[cfg(feature = "tower")]
pub mod tower;
