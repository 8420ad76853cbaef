//! The page of a user's devices: each is a session of its owner in the store.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::session::{Error, Refusal, ServerStore, Session, SessionId, StoredSession};

use super::view::{self, Page, ago, escaped};

/// The value of a session that names its device.
pub(crate) const NAME: &str = "device";

pub(crate) fn routes(store: ServerStore) -> Router {
    Router::new()
        .route("/devices", get(devices))
        .route("/devices/end", post(end))
        .route("/devices/end-others", post(end_others))
        .with_state(store)
}

/// Lists this device first, then the others, the latest login first.
async fn devices(State(store): State<ServerStore>, session: Session) -> Result<Response, Error> {
    let Some(owner) = session.owner() else {
        return Ok(to_login(&session)?.into_response());
    };
    let mut devices = store.list(&owner).await?;
    devices.sort_by_key(|device| !device.is_same_session(&session));
    let notes = view::notes(&session)?;
    let page = Page::new("Your devices", body(&devices, &session)).with_notes(notes);
    Ok(page.into_response())
}

fn body(devices: &[StoredSession], session: &Session) -> String {
    let lines = devices
        .iter()
        .map(|device| line(device, device.is_same_session(session)));
    let lines: String = lines.collect();
    let end_others = match devices.len() {
        ..2 => String::new(),
        _ => view::action(
            "post",
            "/devices/end-others",
            "<button id=end-others class=danger>Log out all others</button>",
            "Ends your sessions on all other devices.",
        ),
    };
    let back = view::action(
        "get",
        "/",
        "<button id=back class=first>Back</button>",
        "Shows the cookie of this device.",
    );
    format!("<ul class=devices>{lines}</ul><ul class=actions>{back}{end_others}</ul>")
}

/// Redirects to the login. It keeps the reason why there is no session for the next page: this
/// response removes the cookie of a session that has ended.
fn to_login(session: &Session) -> Result<Redirect, Error> {
    match session.refusal() {
        // The browser keeps its cookie, or receives another one.
        None | Some(Refusal::Moved) => {}
        Some(refusal) => session.add_flash_to(view::BAD_NEWS, view::reason(refusal))?,
    }
    Ok(Redirect::to("/"))
}

/// Ends a session of the owner. The ID of another user's session has no effect.
async fn end(
    State(store): State<ServerStore>,
    session: Session,
    Form(Device { id }): Form<Device>,
) -> Result<Redirect, Error> {
    let Some(owner) = session.owner() else {
        return to_login(&session);
    };
    session.add_flash(match store.end(&owner, &id).await? {
        true => "That device is logged out.",
        false => "That device was logged out already.",
    })?;
    Ok(Redirect::to("/devices"))
}

#[derive(Deserialize)]
struct Device {
    id: SessionId,
}

async fn end_others(session: Session) -> Result<Redirect, Error> {
    if session.owner().is_none() {
        return to_login(&session);
    }
    session.end_others()?;
    session.add_flash("All other devices are logged out.")?;
    Ok(Redirect::to("/devices"))
}

fn line(device: &StoredSession, is_this: bool) -> String {
    let name = device.values().get::<String>(NAME);
    let name = escaped(&name.ok().flatten().unwrap_or_default());
    let login = device.authenticated_at().map(ago).unwrap_or_default();
    let seen = ago(device.last_seen());
    let id = escaped(device.id().as_str());
    let action = match is_this {
        true => "<strong>this device</strong>".to_owned(),
        false => format!(
            r#"<form method=post action=/devices/end><input type=hidden name=id value="{id}"><button class=danger aria-label="Log out {name}">Log out</button></form>"#
        ),
    };
    format!(
        "<li><div><b>{name}</b><p class=hint>Logged in {login}. Last used {seen}.</p></div>{action}\n"
    )
}

/// Names a device after its User-Agent, so that its owner recognizes it. A client may send any
/// User-Agent: the name proves nothing.
pub(crate) fn name(headers: &HeaderMap) -> String {
    let agent = headers
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok());
    let agent = agent.unwrap_or_default();
    // Browsers also send the names of older ones: the first that is found counts.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "a Mac"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        let mut names = names.iter();
        let found = names.find(|(mark, _)| agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    let browser = find(&browsers).unwrap_or("A program");
    match find(&systems) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    }
}
