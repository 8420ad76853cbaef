//! The Rust program: its routes and their handlers. They are the same for each store.

use std::error::Error;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::codec::{KeyPairs, UnixTime};
use silverback::gob::{Int, Time};
use silverback::session::{self, Session};
use silverback::web::tower::SessionLayer;
use tower_service::Service;

use super::page::{self, Page};
use super::storage::{Storage, StoreName};
use super::watched::Watched;

/// The page of a path. If the proxy sends all routes to this program, it serves both.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Go,
    Rust,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Go => "go",
            Side::Rust => "rust",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Side::Go => Side::Rust,
            Side::Rust => Side::Go,
        }
    }

    fn redirect(self) -> Redirect {
        Redirect::to(&format!("/{}/", self.name()))
    }
}

/// Makes the application with the keys of a file: when they change, with a new store.
pub(crate) fn app(
    keys: std::path::PathBuf,
    store: StoreName,
    storage: Storage,
) -> Result<Router, Box<dyn Error>> {
    let with_keys = Watched::open(keys, move |text| {
        let stores = storage.stores(text.parse::<KeyPairs>()?)?;
        Ok(routes(store).layer(SessionLayer::new(stores)))
    })?;
    Ok(Router::new()
        .fallback(answer)
        .with_state(Arc::new(with_keys)))
}

async fn answer(State(with_keys): State<Arc<Watched<Router>>>, request: Request) -> Response {
    match with_keys.get().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn routes(store: StoreName) -> Router {
    Router::new()
        .route("/", get(async || Side::Rust.redirect()))
        .route("/{side}/", get(show))
        .route("/{side}/login", post(login))
        .route("/{side}/logout", post(logout))
        .route("/{side}/cart", post(add_to_cart))
        .route("/{side}/flash", post(flash_for_other))
        .with_state(store)
}

async fn show(
    State(store): State<StoreName>,
    Path(side): Path<Side>,
    session: Session,
) -> Result<impl IntoResponse, session::Error> {
    // Go reads the counter as an `int`; a Rust integer would be an `int64`, and Go would begin
    // again at 0.
    let Int(visits) = session.update("visits", |visits: &mut Int| visits.0 += 1)?;
    let page = Page {
        side,
        store,
        visits,
        refusal: session.refusal(),
        flashes: session.flashes()?,
        user: session.get("user")?,
        since: session.get("since")?,
        cart: session.get("cart")?.unwrap_or_default(),
    };
    Ok(Html(page::html(&page)))
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

/// Logs in under any name. A real application checks a password first.
///
/// `Session::login` would also record an owner in Silverback's own notes, which a login or logout
/// in Go does not change. So the user is a value, as in Go, until no Go program is left.
async fn login(
    Path(side): Path<Side>,
    session: Session,
    Form(form): Form<Login>,
) -> Result<Redirect, session::Error> {
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    session.renew()?;
    session.insert("user", text(&form.name, "stranger"))?;
    session.insert("since", Time::from_unix(now, 0))?;
    Ok(side.redirect())
}

async fn logout(Path(side): Path<Side>, session: Session) -> Result<Redirect, session::Error> {
    session.end()?;
    Ok(side.redirect())
}

#[derive(Deserialize)]
struct Item {
    item: String,
}

async fn add_to_cart(
    Path(side): Path<Side>,
    session: Session,
    Form(form): Form<Item>,
) -> Result<Redirect, session::Error> {
    let item = text(&form.item, "banana");
    session.update("cart", move |cart: &mut Vec<String>| {
        cart.push(item.clone())
    })?;
    Ok(side.redirect())
}

/// Sets a message, and goes to the other page, which shows it once.
async fn flash_for_other(
    Path(side): Path<Side>,
    session: Session,
) -> Result<Redirect, session::Error> {
    session.add_flash("A message from Rust, shown once.")?;
    Ok(side.other().redirect())
}

/// Returns the text of a field, or a default text if it is empty.
fn text(field: &str, fallback: &str) -> String {
    match field.trim() {
        "" => fallback.to_owned(),
        text => text.chars().take(40).collect(),
    }
}
