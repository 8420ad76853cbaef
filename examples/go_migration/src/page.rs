//! The page, as HTML. It has the markup of `go/page.html`.

use silverback::gob::Time;
use silverback::session::Refusal;

use super::app::Side;
use super::storage::StoreName;

pub(crate) struct Page {
    pub(crate) side: Side,
    pub(crate) store: StoreName,
    pub(crate) visits: i64,
    /// The reason why the request's cookie opened no session.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) flashes: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) since: Option<Time>,
    pub(crate) cart: Vec<String>,
}

pub(crate) fn html(page: &Page) -> String {
    let (side, store) = (page.side.name(), page.store.title());
    let title = match &page.user {
        Some(user) => format!("Hello, {}", escaped(user)),
        None => "You are not logged in".to_owned(),
    };
    format!(
        r#"<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width">
<title>/{side}/ answered by Rust</title>
<link rel=stylesheet href=/style.css>
<header>
<nav aria-label="The two pages">
{}
{}
</nav>
<p class="program rust"><strong>Rust</strong> answered <span>with {store}</span></p>
</header>
<main>
{}<h1>{title}</h1>
{}<h2>Change the session</h2>
{}</main>
"#,
        link(Side::Go, page.side),
        link(Side::Rust, page.side),
        notes(page),
        values(page),
        forms(page),
    )
}

fn link(to: Side, current: Side) -> String {
    let mark = if to == current {
        " aria-current=page"
    } else {
        ""
    };
    let name = to.name();
    format!("<a href=/{name}/{mark}>/{name}/</a>")
}

fn notes(page: &Page) -> String {
    let note = |text: &String| format!("<p class=note role=status>{}</p>\n", escaped(text));
    let mut notes: String = page.flashes.iter().map(note).collect();
    if let Some(refusal) = page.refusal {
        notes +=
            &format!("<p class=\"note bad\" role=alert>The cookie was refused: {refusal}</p>\n");
    }
    notes
}

fn values(page: &Page) -> String {
    let since = page.since.map(|since| {
        let since = since.to_string().replace('T', " ").replace('Z', " UTC");
        format!("<dt>Logged in<dd>since {since}\n")
    });
    let cart = match page.cart.is_empty() {
        true => "empty".to_owned(),
        false => escaped(&page.cart.join(", ")),
    };
    format!(
        "<dl>\n{}<dt>Visits<dd id=visits>{}\n<dt>Cart<dd id=cart>{cart}\n</dl>\n",
        since.unwrap_or_default(),
        page.visits
    )
}

fn forms(page: &Page) -> String {
    let login = match page.user {
        Some(_) => {
            r#"<form method=post action=logout>
<button id=logout class=danger>Log out here</button>
</form>
"#
        }
        None => {
            r#"<form method=post action=login>
<label for=name>Your name</label>
<div class=row><input id=name name=name maxlength=40 autocomplete=off><button id=login class=first>Log in here</button></div>
</form>
"#
        }
    };
    let other = page.side.other().name();
    format!(
        r#"{login}<form method=post action=cart>
<label for=item>Something to buy</label>
<div class=row><input id=item name=item maxlength=40 autocomplete=off><button id=add>Add to the cart</button></div>
</form>
<form method=post action=flash>
<button id=flash>Send a message to the page /{other}/</button>
</form>
"#
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
