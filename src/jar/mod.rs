//! Signed and encrypted cookies in jars of the crate [`cookie`](https://docs.rs/cookie), for
//! applications that need one cookie and no session (feature `cookie`).
//!
//! - Seal and open cookies in a `CookieJar`: [`CookieJarExt`], in the shape of its own `signed` and
//!   `private`.
//! - Seal and open cookies in axum and actix-web, with the application's keys: [`SealedCookies`].
//! - Seal and open one cookie for the jar of axum-extra or Rocket, or for actix-web's own cookies:
//!   [`CookieCodec`], and the [examples](#in-a-web-framework) below.
//! - Start from safe attributes: [`safe_cookie`].
//! - Convert [`CookieOptions`](crate::session::CookieOptions) to a `CookieBuilder` and back: their
//!   `TryFrom` (feature `session`).
//! - Move from `SignedJar` or `PrivateJar`: the page `guide::from_cookie`.
//!
//! The module has the name that the crate `cookie` gives to a set of cookies that remembers its
//! changes. It is not [`session::testing::Jar`](crate::session::testing::Jar), which plays a browser
//! in tests.
//!
//! # Seal a cookie
//!
//! ```
//! use cookie::CookieJar;
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::jar::{CookieJarExt, safe_cookie};
//!
//! let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
//! let mut jar = CookieJar::new();
//! jar.sealed_mut(&codecs).add(safe_cookie(("theme", "dark")))?;
//! jar.sealed_mut(&codecs).add_value(safe_cookie("cart"), &vec![3, 5])?;
//!
//! let cart = jar.sealed(&codecs).get_value::<Vec<u32>>("cart")?;
//! assert_eq!(cart.map(|cart| cart.into_value()), Some(vec![3, 5]));
//! # Ok::<(), silverback::codec::Error>(())
//! ```
//!
//! # What is sealed
//!
//! The value of a cookie is gorilla/securecookie's frame under the cookie's name, and nothing more.
//! So a Go program opens it with `securecookie.Decode`, and a cookie cannot be moved to another
//! name. `add` passes the value through the codec's serializer as a text, which Go reads as a
//! `string`. `add_value` passes any value.
//!
//! `get` returns `Ok(None)` if there is no cookie, and an error if the cookie was refused. Opening
//! also returns the age of the cookie, and whether an [older key](crate::codec::Opened::is_stale)
//! sealed it.
//!
//! The path and the other attributes are not sealed: browsers do not send them back. The longest
//! cookie has 4,096 bytes, with its name. A longer one is refused when it is added.
//!
//! The name says what a value is for. Give each kind of value a name of its own, and never a name
//! that a client chose: under the name of a session's cookie, and with the same keys, a sealed value
//! could be taken for a session.
//!
//! A removal only asks the browser to drop the cookie. A copy of the cookie opens until its `max_age`.
//! For a logout that holds, use sessions in a server.
//!
//! # In a web framework
//!
//! | read with | cookies of one name | `%3D` in a value | opened by Go |
//! |---|---|---|---|
//! | [`SealedCookies`] | two valid ones are refused | is refused, as in Go | yes |
//! | `CookieJar` of axum-extra 0.12 | the last counts | is decoded, and sent | only if it does not end with `=` |
//! | actix-web 4, `cookie` | the first counts | is decoded, and not sent | yes |
//! | Rocket 0.5, `CookieJar` | the last counts | is decoded, and sent | only if it does not end with `=` |
//!
//! The jars of axum-extra and Rocket percent-encode the values that they send. Two of three sealed
//! values end with `=`, which becomes `%3D`. They read it back, but Go's net/http does not decode
//! it, and neither does this crate. To share a cookie with Go, use [`SealedCookies`], or write the
//! Set-Cookie field with the cookie's `to_string()`.
//!
//! With axum-extra:
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, extract::State, routing::get};
//! use axum_extra::extract::CookieJar;
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::jar::{CookieCodec, Error, safe_cookie};
//!
//! async fn visit(State(codecs): State<Codecs>, jar: CookieJar) -> Result<(CookieJar, String), Error> {
//!     let visits = jar.get("visits").and_then(|cookie| codecs.open_value::<u32>(cookie).ok());
//!     let visits = visits.map_or(0, |visits| visits.into_value()) + 1;
//!     let jar = jar.add(codecs.seal_value(safe_cookie("visits"), &visits)?);
//!     Ok((jar, format!("visit {visits}")))
//! }
//!
//! let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
//! let app: Router = Router::new().route("/", get(visit)).with_state(codecs);
//! # let request = axum::http::Request::new(axum::body::Body::empty());
//! # let response = tower_service::Service::call(&mut app.clone(), request).await?;
//! # assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, "visit 1");
//! # Ok(())
//! # }
//! ```
//!
//! actix-web 4 uses version 0.16 of the crate `cookie`, whose types are others. Names and values are
//! texts in both:
//!
//! ```
//! use actix_web::cookie::{Cookie, SameSite};
//! use actix_web::error::ErrorInternalServerError;
//! use actix_web::{App, HttpRequest, HttpResponse, web};
//! use silverback::codec::{Codec, Codecs, KeyPairs};
//!
//! async fn visit(request: HttpRequest, codecs: web::Data<Codecs>) -> actix_web::Result<HttpResponse> {
//!     let visits = request.cookie("visits");
//!     let visits = visits.and_then(|cookie| codecs.decode::<u32>("visits", cookie.value()).ok());
//!     let visits = visits.unwrap_or(0) + 1;
//!     let sealed = codecs.encode("visits", &visits).map_err(ErrorInternalServerError)?;
//!     let cookie = Cookie::build("visits", sealed).path("/").secure(true).http_only(true);
//!     let cookie = cookie.same_site(SameSite::Lax).finish();
//!     Ok(HttpResponse::Ok().cookie(cookie).body(format!("visit {visits}")))
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let codecs = web::Data::new(Codecs::from_pairs(KeyPairs::generate(1)?)?);
//! let app = App::new().app_data(codecs.clone()).route("/", web::get().to(visit));
//! # let app = actix_web::test::init_service(app).await;
//! # let cookie = Cookie::new("visits", codecs.encode("visits", &7_u32)?);
//! # let request = actix_web::test::TestRequest::get().cookie(cookie).to_request();
//! # let response = actix_web::test::call_service(&app, request).await;
//! # assert_eq!(actix_web::test::read_body(response).await, "visit 8");
//! # Ok(())
//! # }
//! ```
//!
//! Rocket 0.5 uses version 0.18 of the crate `cookie`, so that [`CookieCodec`] works on its cookies:
//!
//! ```ignore
//! #[rocket::get("/")]
//! fn visit(jar: &rocket::http::CookieJar<'_>, codecs: &rocket::State<Codecs>) -> Result<String, Status> {
//!     let codecs = codecs.inner();
//!     let visits = jar.get("visits").and_then(|cookie| codecs.open_value::<u32>(cookie).ok());
//!     let visits = visits.map_or(0, |visits| visits.into_value()) + 1;
//!     let sealed = codecs.seal_value(safe_cookie("visits"), &visits);
//!     jar.add(sealed.map_err(|_| Status::InternalServerError)?);
//!     Ok(format!("visit {visits}"))
//! }
//! ```
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `cookie_codec.rs` | [`CookieCodec`]: seals and opens one cookie |
//! | `sealed_jar.rs` | [`SealedJar`], [`CookieJarExt`]: a sealed view of a `CookieJar` |
//! | `sealed_cookies.rs`, `error.rs` | [`SealedCookies`]: the cookies of a request, and why they are refused |
//! | `safe_cookie.rs` | [`safe_cookie`]: safe attributes |
//! | `options.rs` | conversions of `CookieOptions` (feature `session`) |
//!
//! This module uses no web framework. The extractors are in `web`.

mod cookie_codec;
mod error;
#[cfg(feature = "session")]
mod options;
mod safe_cookie;
mod sealed_cookies;
mod sealed_jar;

pub use cookie_codec::CookieCodec;
pub use error::Error;
pub use safe_cookie::safe_cookie;
pub use sealed_cookies::SealedCookies;
pub use sealed_jar::{CookieJarExt, SealedJar};
