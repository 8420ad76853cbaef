//! A shop on Silverback. `axum_login.rs` is the same shop on axum-login and tower-sessions.
//!
//! `cargo run --features axum --example shop`, then <http://127.0.0.1:3002>; the user is `ape`, with
//! the password `banana`.

#[allow(dead_code)]
mod users;

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::{Deserialize, Serialize};
use silverback::backend::Memory;
use silverback::codec::KeyPairs;
use silverback::session::{Error, ServerStore, Session, Typed, TypedValue};
use silverback::web::guard::{CurrentUser, NextPage, Users, require_login};
use silverback::web::tower::SessionLayer;

use users::{Database, User};

impl Users for Database {
    type User = User;
    type Error = Infallible;

    async fn find(&self, owner: &str) -> Result<Option<User>, Infallible> {
        Ok(self.user(owner))
    }

    fn credentials(user: &User) -> Option<&[u8]> {
        Some(user.password_hash.as_bytes())
    }
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: NextPage,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: NextPage,
}

async fn login_page(session: Session, Query(query): Query<Next>) -> Result<Html<String>, Error> {
    let messages: Vec<String> = session.flashes()?;
    Ok(Html(page(&messages.join(" "), query.next.as_str())))
}

async fn login(
    session: Session,
    State(database): State<Database>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Error> {
    let Some(user) = database.check_password(&form.name, &form.password) else {
        session.add_flash("That is not the password.")?;
        return Ok(Redirect::to("/login"));
    };
    session.login(&user.name)?;
    session.bind_credentials(&user.password_hash)?;
    Ok(Redirect::to(form.next.as_str()))
}

async fn logout(session: Session) -> Result<Redirect, Error> {
    session.logout()?;
    Ok(Redirect::to("/login"))
}

#[derive(Default, Serialize, Deserialize)]
struct Cart(Vec<String>);

impl TypedValue for Cart {
    const KEY: &'static str = "cart";
}

async fn cart(user: CurrentUser<User>, cart: Typed<Cart>) -> Result<String, Error> {
    Ok(format!("{}: {}", user.name, cart.get()?.0.join(", ")))
}

#[derive(Deserialize)]
struct Item {
    item: String,
}

async fn add(cart: Typed<Cart>, Form(form): Form<Item>) -> Result<Redirect, Error> {
    cart.update(move |cart| cart.0.push(form.item.clone()))?; // no concurrent request loses an item
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Password {
    old: String,
    password: String,
}

async fn change_password(
    user: CurrentUser<User>,
    session: Session,
    State(database): State<Database>,
    Form(form): Form<Password>,
) -> Result<Redirect, Error> {
    if database.check_password(&user.name, &form.old).is_none() {
        session.add_flash("That is not the password.")?;
        return Ok(Redirect::to("/"));
    }
    let user = database.set_password(&user.name, &form.password);
    session.bind_credentials(&user.password_hash)?; // the other sessions end: they have the old hash
    Ok(Redirect::to("/"))
}

fn page(message: &str, next: &str) -> String {
    let next = next
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    format!(
        "<p>{message}<form method=post action=/login><input type=hidden name=next value=\"{next}\">\
         <input name=name><input name=password type=password><button>Log in</button></form>"
    )
}

pub(crate) fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let database = Database::new();
    let store = ServerStore::new(KeyPairs::generate(1)?, Memory::new())?;
    let sessions = SessionLayer::new(store)
        .users(database.clone())
        .login_page("/login");
    Ok(Router::new()
        .route("/", get(cart))
        .route("/cart", post(add))
        .route("/password", post(change_password))
        .route("/logout", post(logout))
        .route_layer(require_login())
        .route("/login", get(login_page).post(login))
        .layer(sessions)
        .with_state(database))
}

#[allow(dead_code)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3002").await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app()?).await?)
}
