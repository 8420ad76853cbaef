//! The stores, the routes and their handlers.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::{self, Next};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::backend::Backend;
use silverback::session::{
    self, CookieOptions, CookieStore, Lifetime, ServerOptions, ServerStore, Session, Stores,
};
use silverback::web::tower::SessionLayer;

use super::cookie::{self, Change};
use super::cookie_view::Exchange;
use super::view::{self, Page, Place, Welcome};
use super::{Keys, devices};

/// The limits of a session: the longest time without use, and the longest time at all.
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) absolute: Duration,
}

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) const USUAL: Limits = Limits {
    idle: Duration::from_secs(1_800),
    absolute: HOUR.saturating_mul(12),
};

pub(crate) const REMEMBERED: Limits = Limits {
    idle: HOUR.saturating_mul(24 * 14),
    absolute: HOUR.saturating_mul(24 * 30),
};

/// The way by which browsers reach the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Http,
    Https,
}

impl Transport {
    /// Returns the options of the session's cookie. An application of your own leaves its name out
    /// over TLS: the default is `__Host-id`. The pages here show the cookie under one name.
    fn cookie(self) -> Result<CookieOptions, session::Error> {
        match self {
            Transport::Http => Ok(CookieOptions::new().insecure_http()),
            Transport::Https => CookieOptions::new().name(cookie::NAME),
        }
    }
}

/// Makes the application. Its sessions are kept in `backend` or, without one, in their cookies.
pub(crate) fn app(
    keys: Keys,
    backend: Option<Arc<dyn Backend>>,
    transport: Transport,
) -> Result<Router, Box<dyn Error>> {
    let cookie = transport.cookie()?;
    let lifetime = Lifetime::new()
        .idle(USUAL.idle)
        .absolute(USUAL.absolute)
        .remembered(REMEMBERED.idle, REMEMBERED.absolute);
    let Some(backend) = backend else {
        let store = CookieStore::with_options(keys.clone(), cookie, lifetime)?;
        #[cfg(feature = "https")]
        let store = store.binding(binding()?)?;
        let place = Place::Cookie;
        return Ok(routes(Demo { keys, place }, Router::new(), store));
    };
    let options = ServerOptions::new().cookie(cookie).lifetime(lifetime);
    #[cfg(feature = "https")]
    let options = options.binding(binding()?.required(["/", "/login"]));
    let store = ServerStore::with_options(keys.clone(), backend, options)?;
    let place = Place::Store;
    Ok(routes(
        Demo { keys, place },
        devices::routes(store.clone()),
        store,
    ))
}

/// Binds sessions to the device of their browser. The bound cookie is short, so that its refreshes can
/// be seen.
#[cfg(feature = "https")]
fn binding() -> Result<session::binding::BindingOptions, session::Error> {
    let binding = session::binding::BindingOptions::new("/session")?;
    Ok(binding.cookie_life(Duration::from_secs(60)))
}

/// The state that handlers share.
#[derive(Clone)]
struct Demo {
    keys: Keys,
    place: Place,
}

fn routes(demo: Demo, more: Router, store: impl Into<Stores>) -> Router {
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/rotate", post(rotate))
        .route("/tamper", post(tamper))
        .with_state(demo.clone())
        .merge(more)
        .fallback(not_found)
        .method_not_allowed_fallback(not_found);
    #[cfg(feature = "https")]
    let app = app.layer(silverback::web::binding::BindingEndpoints);
    app.layer(SessionLayer::new(store))
        .layer(middleware::from_fn_with_state(demo, draw))
}

/// Draws the page that a handler has answered with, outside the session's layer: there the
/// response has the cookie that the page shows.
async fn draw(State(demo): State<Demo>, request: Request, next: Next) -> Response {
    let received = cookie::received(request.headers()).map(str::to_owned);
    let mut response = next.run(request).await;
    let Some(page) = response.extensions_mut().remove::<Page>() else {
        return response;
    };
    let change = Change::of(response.headers());
    let exchange = Exchange::new(&demo.keys, received, change, page.is_remembered);
    let html = view::html(demo.place, &page, &exchange);
    let (head, _) = response.into_parts();
    (head, Html(html)).into_response()
}

/// Counts each view of the page, so that each view saves the session.
async fn home(State(demo): State<Demo>, session: Session) -> Result<Page, session::Error> {
    let notes = view::notes(&session)?;
    let page = match session.owner() {
        None => view::login_form(),
        Some(owner) => {
            let views = session.update("views", |views: &mut u64| *views += 1)?;
            let welcome = Welcome {
                owner: &owner,
                views,
                is_remembered: session.is_remembered(),
                device: device(&session),
                keys: &demo.keys,
                place: demo.place,
            };
            welcome.page()
        }
    };
    Ok(page.with_notes(notes))
}

/// Says whether the session is bound to the device.
#[cfg(feature = "https")]
fn device(session: &Session) -> &'static str {
    use silverback::session::binding::Binding;

    match session.binding() {
        Binding::Bound => {
            "The session is bound to this device. Copied cookies open nothing after a minute"
        }
        _ => "The session is not bound to this device: this browser has not registered a key",
    }
}

#[cfg(not(feature = "https"))]
fn device(_: &Session) -> &'static str {
    "The session is not bound to this device. <code>cargo demo --features https -- --https</code> \
     binds it"
}

#[derive(Deserialize)]
struct Login {
    name: String,
    remember: Option<String>,
}

/// Logs in under any name. A real application checks a password first.
async fn login(
    session: Session,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Result<Redirect, session::Error> {
    let name = match form.name.trim() {
        "" => "stranger",
        name => name,
    };
    session.login(name.chars().take(40).collect::<String>())?;
    session.remember(form.remember.is_some())?;
    session.insert(devices::NAME, devices::name(&headers))?;
    session.add_flash("You are logged in. This message is shown once.")?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, session::Error> {
    session.end()?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Rotation {
    encrypts: bool,
}

/// Adds a new key. It loads no session: the next page that saves one sets its cookie anew.
async fn rotate(
    State(demo): State<Demo>,
    Form(rotation): Form<Rotation>,
) -> Result<Redirect, session::Error> {
    let rotated = demo.keys.rotate(rotation.encrypts);
    rotated.map_err(|error| session::Error::unavailable("no new key").with_source(error))?;
    Ok(Redirect::to("/"))
}

/// Changes one character of the cookie, as an attacker might. (A script on the page could not:
/// the cookie is HttpOnly.)
async fn tamper(headers: HeaderMap) -> impl IntoResponse {
    let value = cookie::tampered(cookie::received(&headers).unwrap_or_default());
    let forged = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", cookie::NAME);
    (AppendHeaders([("set-cookie", forged)]), Redirect::to("/"))
}

async fn not_found(address: Uri) -> Page {
    view::not_found(address.path())
}
