//! Guards for routes that need a login, and the user who is logged in.
//!
//! - Let only logged-in users reach a route: [`require_login`].
//! - Ask for the password once more before a dangerous step: [`require_fresh`].
//! - Ask for a second factor: [`require_level`].
//! - Get the user of the request in a handler: [`CurrentUser`].
//! - End the other sessions of a user at their next request, after the password has changed:
//!   [`Users::credentials`].
//! - Lead the user back to the page after the login: [`NextPage`].
//!
//! # A page for users
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::convert::Infallible;
//! use axum::{Form, Router, response::Redirect, routing::{get, post}};
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::session::{CookieStore, Error, Session};
//! use silverback::web::guard::{CurrentUser, NextPage, Users, require_login};
//! use silverback::web::tower::SessionLayer;
//!
//! struct User { id: String, name: String, password_hash: String }
//!
//! /// Your database.
//! struct Database;
//!
//! impl Users for Database {
//!     type User = User;
//!     type Error = Infallible;
//!
//!     async fn find(&self, owner: &str) -> Result<Option<User>, Infallible> {
//!         let name = "Ape".to_owned(); // .. SELECT name, password_hash FROM users WHERE id = $1
//!         Ok(Some(User { id: owner.to_owned(), name, password_hash: "$argon2id$..".to_owned() }))
//!     }
//!
//!     fn credentials(user: &User) -> Option<&[u8]> {
//!         Some(user.password_hash.as_bytes())
//!     }
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Login { name: String, password: String, #[serde(default)] next: NextPage }
//!
//! async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
//!     let user = check_password(&form.name, &form.password);
//!     session.login(&user.id)?;
//!     session.bind_credentials(&user.password_hash)?;
//!     Ok(Redirect::to(form.next.as_str())) // never leads to another site
//! }
//!
//! async fn account(user: CurrentUser<User>) -> String {
//!     format!("Hello, {}.", user.name)
//! }
//!
//! let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
//! let app = Router::new()
//!     .route("/account", get(account))
//!     .route_layer(require_login()) // for the routes above
//!     .route("/login", get("<form method=post>..").post(login))
//!     .layer(SessionLayer::new(store).users(Database).login_page("/login"));
//! # fn check_password(name: &str, _: &str) -> User {
//! #     User { id: name.to_owned(), name: name.to_owned(), password_hash: "$argon2id$..".to_owned() }
//! # }
//! # let mut jar = silverback::session::testing::Jar::new();
//! # let request = axum::http::Request::get("/account?tab=1").header("accept", "text/html");
//! # let response = jar.send(&app, request.body(axum::body::Body::empty())?).await?;
//! # assert_eq!(response.headers()["location"], "/login?next=%2Faccount%3Ftab%3D1");
//! # let request = axum::http::Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
//! # let form = "name=ape&password=right&next=%2Faccount%3Ftab%3D1";
//! # let response = jar.send(&app, request.body(axum::body::Body::from(form))?).await?;
//! # assert_eq!(response.headers()["location"], "/account?tab=1");
//! # let request = axum::http::Request::get("/account").body(axum::body::Body::empty())?;
//! # let response = jar.send(&app, request).await?;
//! # assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, "Hello, Ape.");
//! # Ok(())
//! # }
//! ```
//!
//! In actix-web the same guards go into `.wrap(require_login())`, of a scope or a resource, and the
//! methods of `SessionLayer` are those of `SessionMiddleware`.
//!
//! # Answers to a request without a login
//!
//! | request | answer |
//! |---|---|
//! | GET or HEAD, accepts HTML, and there is a login page | 303 to the login page, with `?next=` and the request's path |
//! | another method, accepts HTML, and there is a login page | 303 to the login page |
//! | any other | 401 |
//! | the login is too old for [`require_fresh`], or has too few factors for [`require_level`] | the same with the confirm page, and 403 instead of 401 |
//! | the server behind the sessions, or [`Users`], does not answer | 503 |
//! | the login page itself has a guard | 401, and an error in the log |
//! | there is no session layer around the guard | 500 |
//!
//! A request accepts HTML if its Accept names `text/html`, as the requests of browsers for pages do.
//! `*/*`, which scripts and programs send, is not enough.
//!
//! # Order of layers
//!
//! The session layer goes around the guard: in axum, call `.layer(SessionLayer::new(..))` after the
//! guards; in actix-web, `.wrap(SessionMiddleware::new(..))` on the `App`. A guard without a session
//! layer around it lets no request through.
//!
//! A guard and [`CurrentUser`] use the session of the first store of the innermost session layer
//! around them. If a guard is outside of a nested session layer, its session is that of the outer
//! layer, and the handler's may be another one: give the guard the same place as the handler.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `users.rs` | [`Users`]: loads the user of a session, once in a request |
//! | `access.rs` | decides whether a request may pass |
//! | `denied.rs` | the answer to a request that may not |
//! | `next_page.rs` | [`NextPage`]: a path of this site |
//! | `current_user.rs` | [`CurrentUser`] |
//! | `login_guard.rs` | [`LoginGuard`] |
//! | `in_tower.rs`, `in_axum.rs`, `in_actix.rs` | the same for each framework |
//!
//! This module has no forms and no passwords: checking them is your part.

pub(super) mod access;
mod current_user;
mod denied;
#[cfg(feature = "actix")]
mod in_actix;
#[cfg(feature = "axum")]
mod in_axum;
#[cfg(feature = "tower")]
mod in_tower;
mod login_guard;
mod next_page;
mod users;

#[cfg(any(feature = "tower", feature = "actix"))]
pub(super) use denied::address;

pub use current_user::CurrentUser;
pub use denied::Denied;
pub use login_guard::{LoginGuard, require_fresh, require_level, require_login};
pub use next_page::NextPage;
pub use users::Users;

#[cfg(feature = "actix")]
pub use in_actix::ActixGuardService;
#[cfg(feature = "tower")]
pub use in_tower::GuardService;
