//! A shop on axum-login and tower-sessions. `silverback.rs` is the same shop on Silverback.
//!
//! `cargo run --features axum --example shop-axum-login`, then <http://127.0.0.1:3002>; the user is
//! `ape`, with the password `banana`.

#[allow(dead_code)]
mod users;

use std::convert::Infallible;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::tower_sessions::cookie::SameSite;
use axum_login::tower_sessions::{MemoryStore, Session, SessionManagerLayer};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, login_required};
use serde::Deserialize;

use users::{Database, User};

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password_hash.as_bytes()
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    next: Option<String>,
}

impl AuthnBackend for Database {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, of: Credentials) -> Result<Option<User>, Infallible> {
        Ok(self.check_password(&of.name, &of.password))
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Infallible> {
        Ok(self.user(name))
    }
}

type AuthSession = axum_login::AuthSession<Database>;

fn failed(_: impl std::error::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn login_page(
    session: Session,
    Query(query): Query<Next>,
) -> Result<Html<String>, StatusCode> {
    let message: Option<String> = session.remove("message").await.map_err(failed)?;
    let next = query.next.filter(|next| is_own(next)).unwrap_or("/".into());
    Ok(Html(page(&message.unwrap_or_default(), &next)))
}

/// axum-login checks no target of a redirect.
fn is_own(next: &str) -> bool {
    let after_slash = next.strip_prefix('/');
    after_slash.is_some_and(|rest| !rest.starts_with(['/', '\\'])) && next.is_ascii()
}

async fn login(
    mut auth: AuthSession,
    session: Session,
    Form(credentials): Form<Credentials>,
) -> Result<Redirect, StatusCode> {
    let next = credentials.next.clone().filter(|next| is_own(next));
    let Some(user) = auth.authenticate(credentials).await.map_err(failed)? else {
        let message = "That is not the password.";
        session.insert("message", message).await.map_err(failed)?;
        return Ok(Redirect::to("/login"));
    };
    auth.login(&user).await.map_err(failed)?;
    Ok(Redirect::to(next.as_deref().unwrap_or("/")))
}

async fn logout(mut auth: AuthSession) -> Result<Redirect, StatusCode> {
    auth.logout().await.map_err(failed)?;
    Ok(Redirect::to("/login"))
}

async fn cart(auth: AuthSession, session: Session) -> Result<String, Response> {
    let user = auth.user.ok_or(StatusCode::UNAUTHORIZED.into_response())?;
    let items: Vec<String> = session
        .get("cart")
        .await
        .map_err(|error| failed(error).into_response())?
        .unwrap_or_default();
    Ok(format!("{}: {}", user.name, items.join(", ")))
}

#[derive(Deserialize)]
struct Item {
    item: String,
}

async fn add(session: Session, Form(form): Form<Item>) -> Result<Redirect, StatusCode> {
    // Two concurrent requests lose one of the items.
    let mut items: Vec<String> = session
        .get("cart")
        .await
        .map_err(failed)?
        .unwrap_or_default();
    items.push(form.item);
    session.insert("cart", items).await.map_err(failed)?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Password {
    old: String,
    password: String,
}

async fn change_password(
    mut auth: AuthSession,
    session: Session,
    Form(form): Form<Password>,
) -> Result<Redirect, StatusCode> {
    let name = auth
        .user
        .as_ref()
        .ok_or(StatusCode::UNAUTHORIZED)?
        .name
        .clone();
    if auth.backend.check_password(&name, &form.old).is_none() {
        let message = "That is not the password.";
        session.insert("message", message).await.map_err(failed)?;
        return Ok(Redirect::to("/"));
    }
    let user = auth.backend.set_password(&name, &form.password);
    auth.login(&user).await.map_err(failed)?; // the other sessions end: their hash is another one
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

pub(crate) fn app() -> Router {
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_same_site(SameSite::Lax);
    let auth = AuthManagerLayerBuilder::new(Database::new(), sessions).build();
    Router::new()
        .route("/", get(cart))
        .route("/cart", post(add))
        .route("/password", post(change_password))
        .route("/logout", post(logout))
        .route_layer(login_required!(Database, login_url = "/login"))
        .route("/login", get(login_page).post(login))
        .layer(auth)
}

#[allow(dead_code)]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3002").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app()).await
}
