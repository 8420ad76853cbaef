//! The pages, as text.

use axum::response::Html;
use silverback::session::{Error, Refusal, Session};

/// Where the sessions live.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Cookie,
    Server,
}

pub(crate) fn page(place: Place, notes: &[String], body: &str) -> Html<String> {
    let place = match place {
        Place::Cookie => "a session in a cookie",
        Place::Server => "a session in a server",
    };
    let page = PAGE.replace("{place}", place);
    let page = page.replace("{notes}", &notes.concat());
    Html(page.replace("{body}", body))
}

pub(crate) fn welcome(place: Place, owner: &str, facts: &[(&str, String)]) -> String {
    let facts = facts
        .iter()
        .map(|(name, fact)| format!("<dt>{name}<dd>{fact}"));
    let devices = match place {
        Place::Cookie => "",
        Place::Server => DEVICES_BUTTON,
    };
    WELCOME
        .replace("{facts}", &facts.collect::<String>())
        .replace("{devices}", devices)
        .replace("{owner}", &escaped(owner))
}

/// What there is to say once: the session's messages, and what became of the cookie.
pub(crate) fn notes(session: &Session) -> Result<Vec<String>, Error> {
    let messages = session.flashes::<String>()?;
    let mut notes: Vec<String> = messages.iter().map(|text| note("good", text)).collect();
    let refusal = session.refusal();
    notes.extend(refusal.map(|refusal| note("bad", &reason(refusal))));
    Ok(notes)
}

/// Why a client's cookie opened no session.
pub(crate) fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Gone => "You are logged out: your session has ended.".to_owned(),
        refusal => format!("Your cookie was refused: {refusal}. This is a new session."),
    }
}

pub(crate) fn note(kind: &str, text: &str) -> String {
    format!("<p class=\"note {kind}\" role=status>{}</p>", escaped(text))
}

pub(crate) fn escaped(text: &str) -> String {
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
  .actions > :last-child:nth-child(odd) { grid-column: 1 / -1 }
  button { font: inherit; width: 100%; height: 100%; padding: .65rem 1rem; border: 1px solid var(--quiet); border-radius: .4rem; background: none; color: inherit; cursor: pointer }
  button.first { background: var(--ink); border-color: var(--ink); color: Canvas }
  ul { list-style: none; padding: 0; margin: 0 0 1.5rem; border-top: 1px solid var(--line) }
  li { display: grid; grid-template-columns: 1fr auto; align-items: center; gap: .25rem 1rem; padding: .75rem 0; border-bottom: 1px solid var(--line) }
  li b { overflow-wrap: anywhere }
  small { display: flex; flex-wrap: wrap; column-gap: .75rem; opacity: .7 }
  .tag { color: var(--ink) }
  @media (max-width: 26rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .6rem } .actions { grid-template-columns: 1fr } }
</style>
<header><b>Silverback</b><span>{place}</span></header>
{notes}
<main>{body}</main>
</html>
"#;

pub(crate) const LOGIN_FORM: &str = r#"
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
  {devices}<form method=post action=/rotate><button id=rotate>Rotate the keys now</button></form>
  <form method=post action=/tamper><button id=tamper>Tamper with my cookie</button></form>
  <form method=post action=/logout><button id=logout>Log out</button></form>
</div>
"#;

const DEVICES_BUTTON: &str = r#"
  <form method=get action=/devices><button id=devices>Your devices</button></form>
"#;

pub(crate) const DEVICES: &str = r#"
<h1>Your devices</h1>
<ul>{devices}</ul>
<div class=actions>
  <form method=get action=/><button id=back class=first>Back</button></form>
  {end-others}
</div>
"#;

pub(crate) const DEVICE: &str = r#"
<li><div><b>{name}</b><small><span>Logged in {login}</span> <span>Last used {seen}</span></small></div>{action}</li>
"#;

pub(crate) const END: &str = r#"
<form method=post action=/devices/end>
  <input type=hidden name=id value="{id}"><button class=end aria-label="Log out {name}">Log out</button>
</form>
"#;

pub(crate) const END_OTHERS: &str = r#"
<form method=post action=/devices/end-others><button id=end-others>Log out everywhere else</button></form>
"#;
