//! A guard against requests that another origin sends in the name of a user (CSRF), login CSRF
//! included.
//!
//! - Protect an application with sessions: `SessionLayer::new(store).cross_origin(CrossOriginGuard::new())`,
//!   and the same of `SessionMiddleware`.
//! - Protect any application or route: [`CrossOriginGuard`] as a layer or a middleware of its own.
//! - Accept requests of another origin, or of all origins on one route: [`CrossOriginOptions`].
//! - Answer with a page of your own: [`CrossOriginGuard::on_refused`].
//!
//! The guard is off unless you add it. It has no token: forms and scripts stay as they are.
//!
//! ```
//! # #[cfg(not(feature = "axum"))] fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::post};
//! use silverback::codec::KeyPairs;
//! use silverback::session::{CookieStore, Session};
//! use silverback::web::cross_origin::CrossOriginGuard;
//! use silverback::web::tower::SessionLayer;
//!
//! let store = CookieStore::new(KeyPairs::generate(1)?)?;
//! let app = Router::new()
//!     .route("/login", post(async |session: Session| session.login("ape")))
//!     .layer(SessionLayer::new(store).cross_origin(CrossOriginGuard::new()));
//! # let mut jar = silverback::session::testing::Jar::new();
//! # for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200)] {
//! #     let request = axum::http::Request::post("/login").header("sec-fetch-site", site);
//! #     let response = jar.send(&app, request.body(axum::body::Body::empty())?).await?;
//! #     assert_eq!(response.status(), status);
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! In actix-web: `.wrap(SessionMiddleware::new(store).cross_origin(CrossOriginGuard::new()))`.
//!
//! # Rules
//!
//! The guard decides as `http.CrossOriginProtection` of Go 1.26 does (net/http/csrf.go). The first row
//! that applies decides:
//!
//! | request | answer |
//! |---|---|
//! | GET, HEAD or OPTIONS | passes |
//! | Sec-Fetch-Site is `same-origin` or `none` (the user typed the address) | passes |
//! | neither Sec-Fetch-Site nor Origin: not from a browser of today | passes |
//! | no Sec-Fetch-Site, and Origin has the host and port of the request | passes |
//! | the path matches a [bypass pattern](CrossOriginOptions::bypass), or Origin is [trusted](CrossOriginOptions::trusted_origin) | passes |
//! | any other | 403 |
//!
//! All browsers send Sec-Fetch-Site since 2023, over HTTPS and to `localhost`, and no page can change
//! it or Origin. Where the browser does not send it, over plain HTTP to another host, Origin decides.
//! The scheme of Origin is then not compared: send HSTS, so that no page of `http://` exists on your
//! host.
//!
//! # What the guard does not stop
//!
//! - **A GET that changes something.** Links and images on any site send it. Use POST.
//! - **A WebSocket.** Its handshake is a GET. `SameSite=Lax` keeps the cookie out of the handshakes of
//!   other sites, and other hosts of your site can open one: compare Origin in its handler.
//! - **A script in a page of your own origin (XSS)**, and an origin that you trust.
//! - **A page of another origin that reads a response.** This is the matter of CORS. A CORS layer
//!   changes nothing here: also add its origins to the
//!   [trusted ones](CrossOriginOptions::trusted_origin), or the guard refuses their POST requests.
//!
//! # Proxies
//!
//! A proxy must leave Sec-Fetch-Site and Origin as they are. If it also replaces the host, requests
//! without Sec-Fetch-Site are refused: keep the host, or [trust](CrossOriginOptions::trusted_origin)
//! your own origin as browsers write it. The fields `X-Forwarded-Host` and `Forwarded` do not count.
//!
//! # `tower_http::csrf`
//!
//! The crate `tower-http` has such a layer since 0.7 (feature `csrf`), with the same rules. It serves
//! as well as this one if your application is a tower service and has that crate already. Its bypass
//! is a function of the method and the URI, and has no patterns. This guard is also a middleware for
//! actix-web, takes the patterns of a Go program as they are, sees the whole path in nested routers,
//! and is compared with Go's on random requests. Use one of the two.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `guard.rs` | [`CrossOriginGuard`] |
//! | `options.rs` | [`CrossOriginOptions`], and the rules |
//! | `refused.rs`, `page.rs` | [`Refused`], and the answer to the client |
//! | `request.rs` | the parts of a request that decide |
//! | `origin.rs` | parses Origin as Go's `url.Parse` does |
//! | `bypass.rs`, `pattern.rs` | the patterns of Go's ServeMux |
//! | `path.rs`, `escapes.rs` | paths and their escapes |
//! | `in_tower.rs`, `in_actix.rs` | the same for each framework |

mod bypass;
mod escapes;
mod guard;
#[cfg(feature = "actix")]
mod in_actix;
#[cfg(feature = "tower")]
mod in_tower;
mod options;
mod origin;
mod page;
mod path;
mod pattern;
mod refused;
mod request;

pub use guard::CrossOriginGuard;
pub use options::CrossOriginOptions;
pub use page::{DefaultPage, OwnPage, RefusalPage};
pub use refused::Refused;

#[cfg(feature = "actix")]
pub use in_actix::ActixCrossOriginService;
#[cfg(feature = "tower")]
pub use in_tower::{CrossOriginFuture, CrossOriginService};
