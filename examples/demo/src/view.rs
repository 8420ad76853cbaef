//! The pages, as HTML. They need no script.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use silverback::codec::UnixTime;
use silverback::session::{Error, Refusal, Session};

use super::Keys;
use super::app::{Limits, REMEMBERED, USUAL};
use super::cookie_view::Exchange;

const STYLE: &str = include_str!("style.css");

/// The place where sessions are kept.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Cookie,
    Store,
}

/// A page, as a handler answers with it. The layer `draw` makes HTML of it.
#[derive(Clone)]
pub(crate) struct Page {
    status: StatusCode,
    title: String,
    notes: Vec<Note>,
    /// HTML below the title.
    body: String,
    shows_cookie: bool,
    /// True if the session is remembered when the browser closes.
    pub(crate) is_remembered: bool,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>, body: String) -> Self {
        Page {
            status: StatusCode::OK,
            title: title.into(),
            notes: Vec::new(),
            body,
            shows_cookie: false,
            is_remembered: false,
        }
    }

    pub(crate) fn with_notes(self, notes: Vec<Note>) -> Self {
        Page { notes, ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A message at the top of a page.
#[derive(Clone)]
pub(crate) enum Note {
    Good(String),
    Bad(String),
}

impl Note {
    fn html(&self) -> String {
        let (kind, role, text) = match self {
            Note::Good(text) => ("good", "status", text),
            Note::Bad(text) => ("bad", "alert", text),
        };
        format!(
            r#"<p class="note {kind}" role={role}>{}</p>"#,
            escaped(text)
        )
    }
}

/// The key of a session's messages that are bad news.
pub(crate) const BAD_NEWS: &str = "bad news";

/// Returns the session's messages and the reason why a cookie was refused.
pub(crate) fn notes(session: &Session) -> Result<Vec<Note>, Error> {
    let mut notes: Vec<Note> = session.flashes()?.into_iter().map(Note::Good).collect();
    let bad_news = session.flashes_from(BAD_NEWS)?.into_iter();
    notes.extend(bad_news.map(Note::Bad));
    notes.extend(session.refusal().map(|refusal| Note::Bad(reason(refusal))));
    Ok(notes)
}

/// Says why a cookie opened no session.
pub(crate) fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::NotValid => {
            "Your cookie was refused: its signature does not match any key of this server. Log in \
             again."
        }
        Refusal::Gone | Refusal::Revoked => "You are logged out: your session has ended.",
        Refusal::Idle => "You are logged out: your session was not used for too long.",
        Refusal::Expired => "You are logged out: your session has reached its time limit.",
        Refusal::Moved => "Your cookie was replaced a moment ago. Load this page again.",
        other => return format!("Your cookie was refused: {other}. Log in again."),
    }
    .to_owned()
}

/// Draws a page.
pub(crate) fn html(place: Place, page: &Page, exchange: &Exchange) -> String {
    let place = match place {
        Place::Cookie => "the session is in the cookie",
        Place::Store => "the session is in a store",
    };
    let mut notes = page.notes.clone();
    let mut cookie = String::new();
    if page.shows_cookie {
        notes.extend(exchange.note());
        cookie = exchange.html();
    }
    let notes: String = notes.iter().map(Note::html).collect();
    let title = escaped(&page.title);
    let body = &page.body;
    format!(
        r#"<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{title} · Silverback</title>
<link rel=icon href="data:,">
<style>{STYLE}</style>
<header><a href="/">Silverback</a> <span>{place}</span></header>
<main>
{notes}
<h1>{title}</h1>
{body}
{cookie}
</main>
</html>
"#
    )
}

pub(crate) fn login_form() -> Page {
    let usual = limits(&USUAL);
    let remembered = limits(&REMEMBERED);
    let body = format!(
        r#"<p>Log in and look at the cookie that keeps you logged in. Then rotate its keys, or try to forge it.</p>
<form method=post action=/login>
  <label for=name>Name</label>
  <input type=text id=name name=name maxlength=40 autocomplete=username aria-describedby=any-name autofocus>
  <p class=hint id=any-name>Any name will do. A real application asks for a password, too.</p>
  <label class=check><input type=checkbox name=remember aria-describedby=limits> Remember me on this device</label>
  <p class=hint id=limits>A session ends {usual}, or when you close the browser. If it is remembered, it ends {remembered}.</p>
  <button class=first id=login>Log in</button>
</form>"#
    );
    Page {
        shows_cookie: true,
        ..Page::new("Who are you?", body)
    }
}

/// The page of a user who is logged in.
pub(crate) struct Welcome<'a> {
    pub(crate) owner: &'a str,
    pub(crate) views: u64,
    pub(crate) is_remembered: bool,
    /// Says whether the session is bound to the device, as HTML.
    pub(crate) device: &'static str,
    pub(crate) keys: &'a Keys,
    pub(crate) place: Place,
}

impl Welcome<'_> {
    pub(crate) fn page(&self) -> Page {
        let body = format!("{}{}", self.facts(), self.actions());
        Page {
            shows_cookie: true,
            is_remembered: self.is_remembered,
            ..Page::new(format!("Hello, {}", self.owner), body)
        }
    }

    fn facts(&self) -> String {
        let times = plural(self.views, "time");
        let ends = match self.is_remembered {
            true => format!(
                "{}. Closing the browser does not end it",
                limits(&REMEMBERED)
            ),
            false => format!("{}, or when you close the browser", limits(&USUAL)),
        };
        let keys = match self.keys.count() {
            1 => "One key signs new cookies and checks those that arrive".to_owned(),
            count => format!(
                "New cookies use the newest of {count} keys. Cookies of the older keys are still accepted"
            ),
        };
        let device = self.device;
        format!(
            "<dl>
<dt>This page<dd>Seen {times} since you logged in.
<dt>Your session<dd>Ends {ends}.
<dt>Keys<dd>{keys}.
<dt>Device<dd>{device}.
</dl>"
        )
    }

    fn actions(&self) -> String {
        let devices = match self.place {
            Place::Cookie => String::new(),
            Place::Store => action(
                "get",
                "/devices",
                r#"<button id=devices>Your devices</button>"#,
                "Lists where you are logged in, and logs out other devices.",
            ),
        };
        let encrypts = self.keys.encrypt();
        let rotate = format!(
            r#"<input type=hidden name=encrypts value={encrypts}><button id=rotate>Rotate the keys</button>"#
        );
        let (other, effect) = match encrypts {
            true => (
                "Stop encrypting",
                "Adds a key that only signs: you can read the cookie.",
            ),
            false => (
                "Encrypt again",
                "Adds a key that encrypts: only the server reads the cookie.",
            ),
        };
        let change = format!(
            r#"<input type=hidden name=encrypts value={}><button id=encryption>{other}</button>"#,
            !encrypts
        );
        [
            "<h2>Try it</h2><ul class=actions>".to_owned(),
            action(
                "get",
                "/",
                "<button id=again class=first>Look again</button>",
                "Loads this page once more. The count goes up.",
            ),
            action(
                "post",
                "/rotate",
                &rotate,
                "Adds a new key. Your cookie changes; you stay logged in.",
            ),
            action("post", "/rotate", &change, effect),
            devices,
            action(
                "post",
                "/tamper",
                "<button id=tamper class=danger>Tamper with the cookie</button>",
                "Changes one character of the cookie: you are logged out.",
            ),
            action(
                "post",
                "/logout",
                "<button id=logout class=danger>Log out</button>",
                "Ends the session and removes the cookie.",
            ),
            "</ul>".to_owned(),
        ]
        .concat()
    }
}

/// A button, and the line that says what it does.
pub(crate) fn action(method: &str, address: &str, button: &str, effect: &str) -> String {
    format!("<li><form method={method} action={address}>{button}</form><p>{effect}</p>\n")
}

pub(crate) fn not_found(path: &str) -> Page {
    let body = format!(
        r#"<p>There is no page at <code>{}</code>, or it cannot be opened in this way.</p>
<p><a class=button href="/">Back to the start</a></p>"#,
        escaped(path)
    );
    Page {
        status: StatusCode::NOT_FOUND,
        ..Page::new("Page not found", body)
    }
}

fn limits(limits: &Limits) -> String {
    let idle = length(limits.idle);
    let absolute = length(limits.absolute);
    format!("after {idle} without use, after {absolute} in any case")
}

/// Says how long ago `time` was.
pub(crate) fn ago(time: UnixTime) -> String {
    let age = UnixTime::now().saturating_duration_since(time);
    match age.as_secs() {
        ..60 => "just now".to_owned(),
        _ => format!("{} ago", length(age)),
    }
}

/// Says a length of time of a minute or more.
fn length(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        ..60 => plural(minutes, "minute"),
        60..2_880 => plural(minutes / 60, "hour"),
        _ => plural(minutes / 1_440, "day"),
    }
}

fn plural(count: u64, unit: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{s}")
}

pub(crate) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
