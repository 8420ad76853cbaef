//! Sessions in web frameworks: what moves header fields between a framework and
//! [`Sessions`](crate::session::Sessions), and nothing else; and, for applications that
//! stay with another crate's sessions, our backends beneath those.
//!
//! | module | framework | feature |
//! |---|---|---|
//! | [`tower`] | any tower service: [`SessionLayer`](tower::SessionLayer) | `tower` |
//! | `axum.rs` | axum: the extractors `Session` and `Sessions`, on top of the layer | `axum` |
//! | [`actix`] | actix-web: [`SessionMiddleware`](actix::SessionMiddleware) and the same extractors | `actix` |
//! | `fields.rs` | header fields, once for all of them | |
//! | [`tower_sessions`] | applications on the `tower-sessions` crate: [`BackendStore`](tower_sessions::BackendStore) | `tower-sessions`, `tower-sessions-0-14` |
//!
//! What a session is, which cookies count and what a response must carry is the
//! business of [`session`](crate::session); how its values travel is that of
//! [`codec`](crate::codec).
//!
//! # Logging in and out
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
//! # What a response carries
//!
//! If the request's session was written to, a Set-Cookie and `Cache-Control: no-store`;
//! if it was asked for, `Vary: Cookie` and `Cache-Control: private, no-cache`, unless the
//! application said `no-store`, or `private` with a `max-age` of its own; else nothing. A
//! response that was asked for loses the fields that caches obey in place of Cache-Control
//! (`CDN-Cache-Control`, `Surrogate-Control` and
//! [their kind](crate::session::ResponseFields::is_targeted)). One that the session did not
//! shape can be declared [`Public`]. Bodies stream, connections upgrade: the session is saved
//! when the head is ready, and takes no changes after.
//!
//! # Cross-site requests
//!
//! `SameSite=Lax` keeps the cookie out of what other sites post. A handler that changes
//! something in answer to a GET is open to links from anywhere: let it be a POST.
//!
//! # When something fails
//!
//! A session error that reaches the layer, from a handler that returns it, from an
//! extractor or from saving, becomes a response with [its
//! status](crate::session::Error::status) and no body: 503, if a server behind the
//! sessions is unavailable, and with `Retry-After: 1` if the store [is
//! overloaded](crate::session::Error::is_overloaded). `on_error` makes another response of it, and sees the request. No
//! session is saved from then on, and no cookie is touched. What was saved before stays saved:
//! by [`save`](crate::session::Session::save), or, of several sessions, before the one that
//! failed. A new ID among it does not reach the client.
//!
//! The error is logged as a `tracing` event, and so are refused cookies: install a subscriber
//! to see them (`tracing_subscriber::fmt().init()` of the crate `tracing-subscriber`), or a
//! 500 says nothing. In debug builds of an application for axum or actix-web, an error in the
//! use of this crate is shown on the page, too.
//!
//! # What is saved when a request fails
//!
//! | what happens | what was written |
//! |---|---|
//! | the handler answers with any status, 4xx and 5xx included | is saved |
//! | a session error reaches the layer | is not saved |
//! | the handler panics | is not saved |
//! | the client goes away, or a timeout outside of the layer drops the handler | is not saved |
//! | a timeout or a `catch_panic` inside of the layer makes a response | is saved |
//!
//! [`save`](crate::session::Session::save) before is saved whatever follows. If a request is
//! dropped, a write to a server that has begun is finished; a save that still waits for other
//! requests of the same session is not done.
//!
//! # After the response
//!
//! A session takes no changes once the response's head has left. For a WebSocket, a stream of
//! events or a job there is [`Session::live`](crate::session::Session::live): a handle that
//! outlives the response.
//!
//! # Proxies
//!
//! Cookies that [another host planted](crate::session::Refusal::Ambiguous) are removed by the
//! path and the host that the browser asked for. So let a proxy keep both, or send the host as
//! `X-Forwarded-Host` or in `Forwarded`.
//! An application for axum takes the feature `axum`, which knows what nested routers strip.
//!
//! # Where the layer goes
//!
//! Around the handlers: in axum, `.layer(..)` after the routes it is for. CORS goes outside of
//! it (`.layer(sessions).layer(cors)`; in actix-web `.wrap(sessions).wrap(cors)`): the response
//! to a session error then has its fields, which `on_error` would have to add otherwise, and a
//! preflight request costs no session. A handler outside
//! of it that asks for a session gets a usage error, and the log says so.
//!
//! Layers nest. A layer within another takes the sessions that are there, and adds those of
//! its own names that are new; handlers inside reach both, and `Session` alone is the first
//! store of the innermost layer.

/// Says of a response that the session did not shape it, so that caches may keep it: to be put
/// among the response's extensions.
///
/// Without it, each response whose request asked for a session loses what would let shared
/// caches keep it. A layer that looks at every session, to log its owner say, asks for the
/// session of pages that are the same for everyone, too. A response with a Set-Cookie is never
/// public, whatever it says.
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
#[cfg(any(feature = "tower", feature = "actix"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public;

/// Marks a response that stands for a session error.
#[cfg(any(feature = "tower", feature = "actix"))]
#[derive(Clone)]
struct Failed {
    error: crate::session::Error,
    /// Whether a layer has made its own response of it: then the layers around only save
    /// nothing.
    is_answered: bool,
}

/// The page of a session error that the developer can do something about, in debug builds. A
/// client of a release build learns nothing.
#[cfg(any(feature = "axum", feature = "actix"))]
fn page_for_developers(error: &crate::session::Error) -> Option<String> {
    let is_shown = cfg!(debug_assertions) && error.is_usage();
    is_shown.then(|| format!("{error}\n\n(Only debug builds of silverback show this page.)\n"))
}

/// The type of that page.
#[cfg(any(feature = "axum", feature = "actix"))]
const TEXT: &str = "text/plain; charset=utf-8";

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "tower", feature = "actix"))]
mod fields;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-0-14"))]
pub mod tower_sessions;
