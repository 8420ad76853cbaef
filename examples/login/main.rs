//! A web application to open in a browser: log in, read a message once, be remembered,
//! rotate the keys under a living session, tamper with the cookie, log out. The whole
//! session lives in the cookie: no server, no database, nothing to set up.
//!
//! `cargo demo`, then <http://127.0.0.1:3000>
//!
//! With `--store files:target/demo` the cookie holds no more than an ID, and the session
//! lives in a server: then there is a page of one's devices, to log out the others from.
//!
//! | file | what lives there |
//! |---|---|
//! | `main.rs` | the stores, and the page that everybody sees |
//! | `devices.rs` | the page of one's devices |
//! | `keys.rs` | keys that rotate while they are in use |
//! | `view.rs` | the pages, as text |

mod devices;
mod keys;
mod view;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::backend::{self, Backend, Cleanup};
use silverback::codec::UnixTime;
use silverback::session::{
    self, CookieOptions, CookieStore, Lifetime, ServerOptions, ServerStore, Session,
};
use silverback::web::tower::SessionLayer;

pub(crate) use keys::Keys;
use view::{Place, note};

const HELP: &str = "\
A demonstration of sessions.

Usage: cargo demo [PORT] [--store URL]

PORT is 3000 unless said; 0 takes a free one. Sessions live in their cookies or, with
--store, in a server: --store files:target/demo keeps them in a folder.

It listens on 127.0.0.1 only. Its keys are those in SILVERBACK_KEYS or, without, new ones each
time, and then no session outlives it. Keys that it rotates to are forgotten when it ends.";

/// How often expired sessions are dropped from the store.
const CLEANUP: Duration = Duration::from_secs(300);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some((port, store)) = arguments() else {
        println!("{HELP}");
        return Ok(());
    };
    // Without a subscriber, nobody sees why a session failed or a cookie was refused.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let backend = match &store {
        Some(url) => Some(backend::connect(url).await?),
        None => None,
    };
    let on_error = |error: &backend::Error| eprintln!("not purged: {error}");
    let _cleanup = backend
        .clone()
        .map(|backend| Cleanup::every(CLEANUP, backend, on_error));
    if backend.is_some() && !Keys::are_in_env() {
        println!("the keys are new: sessions of an earlier run do not open");
    }
    let app = app(Keys::from_env()?, backend)?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("open http://{} (Ctrl-C ends it)", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// The port and the store; none, if something else was said.
fn arguments() -> Option<(u16, Option<String>)> {
    let (mut port, mut store) = (3000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--store" => store = Some(arguments.next()?),
            number => port = number.parse().ok()?,
        }
    }
    Some((port, store))
}

/// The application: its sessions live in their cookies or, if there is one, in a server.
pub(crate) fn app(keys: Keys, backend: Option<Arc<dyn Backend>>) -> Result<Router, Box<dyn Error>> {
    // Over TLS, leave `insecure_http` out, and the cookie is Secure and called __Host-id.
    let cookie = CookieOptions::new().insecure_http();
    let lifetime = Lifetime::new();
    let Some(backend) = backend else {
        let store = CookieStore::with_options(keys.clone(), cookie, lifetime)?;
        let place = Place::Cookie;
        return Ok(pages(Demo { keys, place }).layer(SessionLayer::new(store)));
    };
    let options = ServerOptions::new().cookie(cookie).lifetime(lifetime);
    let store = ServerStore::with_options(keys.clone(), backend, options)?;
    let place = Place::Server;
    let app = pages(Demo { keys, place }).merge(devices::pages(store.clone()));
    Ok(app.layer(SessionLayer::new(store)))
}

/// What the handlers know besides the session.
#[derive(Clone)]
struct Demo {
    keys: Keys,
    place: Place,
}

fn pages(demo: Demo) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/rotate", post(rotate))
        .route("/tamper", post(tamper))
        .with_state(demo)
}

/// Every view of the page counts, so every view saves the session.
async fn home(
    State(Demo { keys, place }): State<Demo>,
    session: Session,
    headers: HeaderMap,
) -> Result<Html<String>, session::Error> {
    let mut notes = view::notes(&session)?;
    let body = match session.owner() {
        None => view::LOGIN_FORM.to_owned(),
        Some(owner) => {
            notes.extend(rotation(&keys, &headers));
            let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
            let times = if visits == 1 { "time" } else { "times" };
            let facts = [
                (
                    "This page",
                    format!("seen {visits} {times} since you logged in"),
                ),
                ("Your session", ends(&session)),
                (
                    "Keys",
                    format!("{} in the chain; key 1, the newest, seals", keys.count()),
                ),
            ];
            view::welcome(place, &owner, &facts)
        }
    };
    Ok(view::page(place, &notes, &body))
}

fn rotation(keys: &Keys, headers: &HeaderMap) -> Option<String> {
    let key = keys.older_key_of(cookie(headers))?;
    let text = format!(
        "Your cookie came sealed by key {key} and leaves sealed by key 1, the newest. You are \
         still logged in."
    );
    Some(note("good", &text))
}

#[derive(Deserialize)]
struct Login {
    name: String,
    remember: Option<String>,
}

/// A real application checks a password first.
async fn login(
    session: Session,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Result<Redirect, session::Error> {
    let name = match form.name.trim() {
        "" => "nobody in particular",
        name => name,
    };
    session.login(name.chars().take(40).collect::<String>())?;
    session.remember(form.remember.is_some())?;
    session.insert(devices::NAME, devices::name(&headers))?;
    session.add_flash("You are logged in. This message is shown once.")?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, session::Error> {
    session.destroy()?;
    Ok(Redirect::to("/"))
}

/// A new key goes to the front of the chain; the older ones still open. No session is
/// asked for here: the cookie is sealed anew when its session is next saved.
async fn rotate(State(demo): State<Demo>) -> Result<Redirect, session::Error> {
    let rotated = demo.keys.rotate();
    rotated.map_err(|error| session::Error::unavailable("no new key").with_source(error))?;
    Ok(Redirect::to("/"))
}

/// Does what an attacker would: sends the cookie back with one character changed. (The
/// page's own scripts could not: the cookie is HttpOnly.)
async fn tamper(headers: HeaderMap) -> impl IntoResponse {
    let mut value = cookie(&headers).unwrap_or_default().to_owned();
    let other = if value.pop() == Some('A') { 'B' } else { 'A' };
    let forged = format!("id={value}{other}; Path=/; HttpOnly; SameSite=Lax");
    (AppendHeaders([("set-cookie", forged)]), Redirect::to("/"))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get("cookie")?.to_str().ok()?;
    let mut pairs = cookies.split("; ");
    pairs.find_map(|pair| pair.strip_prefix("id="))
}

fn ends(session: &Session) -> String {
    let left = session
        .deadline()
        .map(|deadline| deadline.since(UnixTime::now()));
    let hours = left.map_or(0, |left| left.as_secs().div_ceil(3_600));
    let ends = match hours {
        ..48 => format!("ends in {hours} hours at the latest"),
        _ => format!("ends in {} days at the latest", hours / 24),
    };
    match session.is_remembered() {
        true => format!("{ends}, and survives closing the browser"),
        false => format!("{ends}, or with the browser"),
    }
}
