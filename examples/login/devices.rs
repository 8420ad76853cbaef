//! The devices that somebody is logged in on: each is a session of its owner, in the server.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use silverback::codec::UnixTime;
use silverback::session::{Error, Refusal, ServerStore, Session, StoredSession};

use super::view::{self, Place, escaped};

/// The value under which a session keeps what its device is called.
pub(crate) const NAME: &str = "device";

pub(crate) fn pages(store: ServerStore) -> Router {
    Router::new()
        .route("/devices", get(devices))
        .route("/devices/end", post(end))
        .route("/devices/end-others", post(end_others))
        .with_state(store)
}

async fn devices(State(store): State<ServerStore>, session: Session) -> Result<Response, Error> {
    let Some(owner) = session.owner() else {
        return Ok(to_login(&session)?.into_response());
    };
    let mut devices = store.list(&owner).await?;
    // This one first; the others stay as they are, the latest login first.
    devices.sort_by_key(|device| !device.is(&session));
    let lines: Vec<String> = devices
        .iter()
        .map(|device| line(device, device.is(&session)))
        .collect();
    let end_others = match devices.len() {
        ..2 => "",
        _ => view::END_OTHERS,
    };
    let body = view::DEVICES
        .replace("{end-others}", end_others)
        .replace("{devices}", &lines.concat());
    let notes = view::notes(&session)?;
    Ok(view::page(Place::Server, &notes, &body).into_response())
}

/// The next page says why there is no session. The response to this one removes the cookie of a
/// session that has ended, so that it has to be said now.
fn to_login(session: &Session) -> Result<Redirect, Error> {
    match session.refusal() {
        // The cookie stays, and another one is on its way.
        None | Some(Refusal::Moved) => {}
        Some(refusal) => session.add_flash(view::reason(refusal))?,
    }
    Ok(Redirect::to("/"))
}

/// Only what is the owner's own ends, whatever ID came.
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
    id: String,
}

async fn end_others(session: Session) -> Result<Redirect, Error> {
    if session.owner().is_none() {
        return to_login(&session);
    }
    session.destroy_others()?;
    session.add_flash("You are logged out everywhere else.")?;
    Ok(Redirect::to("/devices"))
}

fn line(device: &StoredSession, is_this: bool) -> String {
    let name = device.values().get::<String>(NAME);
    let name = name.ok().flatten().unwrap_or_default();
    let login = device.authenticated_at().map(ago).unwrap_or_default();
    let action = match is_this {
        true => "<span class=tag>this device</span>",
        false => view::END,
    };
    view::DEVICE
        .replace("{action}", action)
        .replace("{id}", &escaped(device.id()))
        .replace("{login}", &login)
        .replace("{seen}", &ago(device.last_seen()))
        .replace("{name}", &escaped(&name))
}

fn ago(time: UnixTime) -> String {
    let minutes = UnixTime::now().since(time).as_secs() / 60;
    let (count, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// What a device calls itself, as far as that is said at all: good for its owner to know it
/// by, and no proof of anything.
pub(crate) fn name(headers: &HeaderMap) -> String {
    let agent = headers
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok());
    let agent = agent.unwrap_or_default();
    // Browsers name each other, so the first that fits is right.
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
