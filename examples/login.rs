//! A web application to open in a browser: log in, read a message once, be remembered,
//! rotate the keys under a living session, tamper with the cookie, log out. The whole
//! session lives in the cookie: no server, no database, nothing to set up.
//!
//! `cargo demo`, then <http://127.0.0.1:3000>

use std::error::Error;
use std::sync::{Arc, RwLock};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::codec::{self, Codec, Codecs, KeyPair, Opened, Serializer, UnixTime};
use silverback::session::{self, CookieOptions, CookieStore, Lifetime, Session};
use silverback::web::tower::SessionLayer;

const HELP: &str = "\
A demonstration of sessions that live in a cookie.

Usage: cargo demo [PORT]     default 3000; 0 takes a free one

It listens on 127.0.0.1 only, makes fresh keys each time, and keeps nothing.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "3000".to_owned());
    let Ok(port) = port.parse::<u16>() else {
        println!("{HELP}");
        return Ok(());
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("open http://{} (Ctrl-C ends it)", listener.local_addr()?);
    axum::serve(listener, app(Lifetime::new().remember_me())?).await?;
    Ok(())
}

/// The application.
pub(crate) fn app(lifetime: Lifetime) -> Result<Router, Box<dyn Error>> {
    let keys = Keys::new()?;
    // Over TLS, leave `insecure_http` out, and the cookie is Secure and called __Host-id.
    let cookie = CookieOptions::new().insecure_http();
    let store = CookieStore::with_options(keys.clone(), cookie, lifetime)?;
    Ok(Router::new()
        .route("/", get(page))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/rotate", post(rotate))
        .route("/tamper", post(tamper))
        .with_state(keys)
        .layer(SessionLayer::new(store)))
}

/// Every view of the page counts, so every view saves the session.
async fn page(
    State(keys): State<Keys>,
    session: Session,
    headers: HeaderMap,
) -> Result<Html<String>, session::Error> {
    let messages = session.flashes::<String>()?;
    let mut notes: Vec<String> = messages.iter().map(|text| note("good", text)).collect();
    if let Some(refusal) = session.refusal() {
        let text = format!("Your cookie was refused: {refusal}. This is a new session.");
        notes.push(note("bad", &text));
    }
    if let Some((came, leaves)) = keys.rotated_since(cookie(&headers)) {
        let text = format!(
            "Your cookie came sealed by key {came} and leaves sealed by key {leaves}. You are \
             still logged in."
        );
        notes.push(note("good", &text));
    }
    let body = match session.owner() {
        None => LOGIN_FORM.to_owned(),
        Some(owner) => {
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
                    format!("{} in the chain; the newest seals", keys.count()),
                ),
            ];
            let facts = facts.map(|(name, fact)| format!("<dt>{name}<dd>{fact}"));
            WELCOME
                .replace("{owner}", &escaped(&owner))
                .replace("{facts}", &facts.concat())
        }
    };
    let page = PAGE.replace("{notes}", &notes.concat());
    Ok(Html(page.replace("{body}", &body)))
}

#[derive(Deserialize)]
struct Login {
    name: String,
    remember: Option<String>,
}

/// A real application checks a password first.
async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, session::Error> {
    let name = match form.name.trim() {
        "" => "nobody in particular",
        name => name,
    };
    session.login(name.chars().take(40).collect::<String>())?;
    session.remember(form.remember.is_some())?;
    session.add_flash("You are logged in. This message is shown once.")?;
    Ok(Redirect::to("/"))
}

async fn logout(session: Session) -> Result<Redirect, session::Error> {
    session.destroy()?;
    Ok(Redirect::to("/"))
}

/// A new key goes to the front of the chain; the older ones still open. No session is
/// asked for here: the cookie is sealed anew when its session is next saved.
async fn rotate(State(keys): State<Keys>) -> Result<Redirect, session::Error> {
    keys.rotate()
        .map_err(|error| session::Error::unavailable("no new key").with_source(error))?;
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

/// The chain of keys, and a way to put a new one in front while cookies are in use. A
/// service that reads its keys from a file would build its chain once, at the start.
#[derive(Clone)]
pub(crate) struct Keys(Arc<RwLock<(Vec<KeyPair>, Codecs)>>);

impl Keys {
    fn new() -> Result<Self, codec::Error> {
        let pairs = vec![KeyPair::generate()?];
        let codecs = Codecs::from_pairs(pairs.clone())?;
        Ok(Keys(Arc::new(RwLock::new((pairs, codecs)))))
    }

    fn rotate(&self) -> Result<(), codec::Error> {
        let mut keys = self.0.write().unwrap_or_else(|poison| poison.into_inner());
        let mut pairs = keys.0.clone();
        pairs.insert(0, KeyPair::generate()?);
        let codecs = Codecs::from_pairs(pairs.clone())?;
        *keys = (pairs, codecs);
        Ok(())
    }

    fn codecs(&self) -> Codecs {
        let keys = self.0.read().unwrap_or_else(|poison| poison.into_inner());
        keys.1.clone()
    }

    fn count(&self) -> usize {
        self.codecs().openings().len() + 1
    }

    /// Which key sealed the cookie that came, and which one seals now, if it is another;
    /// the first ever is key 1.
    fn rotated_since(&self, cookie: Option<&str>) -> Option<(usize, usize)> {
        let opened = self.codecs().open("id", cookie?).ok()?;
        let newest = self.count();
        opened.is_stale().then(|| (newest - opened.key(), newest))
    }
}

/// The store sees one codec, whatever its keys are at the moment.
impl Codec for Keys {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), codec::Error> {
        self.codecs().seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, codec::Error> {
        self.codecs().open_into(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.codecs().serializer()
    }
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

fn note(kind: &str, text: &str) -> String {
    format!("<p class=\"note {kind}\" role=status>{}</p>", escaped(text))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;")
}

const PAGE: &str = r#"<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>Silverback</title>
<link rel=icon href="data:,">
<style>
  :root { color-scheme: light dark; --line: #8884; --quiet: #8888; --ink: #2f6f4f }
  @media (prefers-color-scheme: dark) { :root { --ink: #8fd0ae } }
  * { box-sizing: border-box }
  body { font: 1.0625rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 2rem 1.25rem }
  header { display: flex; align-items: baseline; gap: .75rem; border-bottom: 1px solid var(--line); margin-bottom: 1.5rem }
  header b { font-size: 1.25rem; color: var(--ink) }
  header span { opacity: .7 }
  h1 { font-size: 1.5rem; margin: 0 0 1rem; overflow-wrap: anywhere }
  .note { padding: .75rem 1rem; border-left: .25rem solid var(--ink); background: #8881 }
  .bad { border-color: #c0392b }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .4rem 1rem; margin: 0 0 1.5rem }
  dt { opacity: .7 }
  dd { margin: 0 }
  label { display: block; margin-bottom: 1rem }
  .row { display: flex; align-items: center; gap: .6rem }
  input[type=text] { display: block; width: 100%; font: inherit; padding: .6rem; margin-top: .25rem; border: 1px solid var(--quiet); border-radius: .4rem }
  .actions { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem }
  button { font: inherit; width: 100%; height: 100%; padding: .65rem 1rem; border: 1px solid var(--quiet); border-radius: .4rem; background: none; color: inherit; cursor: pointer }
  button.first { background: var(--ink); border-color: var(--ink); color: Canvas }
  @media (max-width: 26rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem } }
</style>
<header><b>Silverback</b><span>a session in a cookie</span></header>
{notes}
<main>{body}</main>
</html>
"#;

const LOGIN_FORM: &str = r#"
<h1>Who are you?</h1>
<form method=post action=/login>
  <label>Name <input type=text name=name maxlength=40 autocomplete=username autofocus placeholder="any name will do"></label>
  <label class=row><input type=checkbox name=remember> Remember me on this device</label>
  <button class=first id=login>Log in</button>
</form>
"#;

const WELCOME: &str = r#"
<h1>Hello, {owner}</h1>
<dl>{facts}</dl>
<div class=actions>
  <form method=get action=/><button id=again class=first>Look again</button></form>
  <form method=post action=/rotate><button id=rotate>Rotate the keys now</button></form>
  <form method=post action=/tamper><button id=tamper>Tamper with my cookie</button></form>
  <form method=post action=/logout><button id=logout>Log out</button></form>
</div>
"#;
