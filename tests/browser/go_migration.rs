//! The shop of `examples/go_migration` in a browser: its Go program, its Rust program and its proxy.
//! The user goes from one program to the other, and stays logged in.
//!
//! The tests need `go`, and those of pgstore and scs need PostgreSQL.

use std::path::Path;
use std::process::Command;

use super::driver::Browser;
use super::required::not_run;
use super::scratch::Scratch;
use super::shop::{self, Plan, Running, Settings, Step, StoreName};

const GO_SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/go_migration/go");

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Go,
    Rust,
}

impl Side {
    fn path(self) -> &'static str {
        match self {
            Side::Go => "/go/",
            Side::Rust => "/rust/",
        }
    }
}

/// The shop, and a browser that counts its visits.
struct Visitor {
    browser: Browser,
    folder: Scratch,
    running: Running,
    /// The visits of the session.
    visits: u32,
}

impl Visitor {
    /// Starts all programs, or returns `None` after a message if one is missing and not required.
    async fn start(store: StoreName, database: Option<String>) -> Option<Self> {
        if let Err(why) = Command::new("go").arg("version").output() {
            not_run("go", &why.to_string());
            return None;
        }
        let browser = Browser::start().await?;
        let folder = Scratch::new("SILVERBACK_SHOPS");
        let settings = Settings {
            port: 0,
            store,
            database,
            folder: folder.path().to_owned(),
        };
        let running = Running::start(settings, Path::new(GO_SOURCE)).await;
        Some(Visitor {
            browser,
            folder,
            running: running.unwrap(),
            visits: 0,
        })
    }

    async fn close(self) {
        self.browser.close().await;
        self.running.stop().await;
    }

    fn url(&self, side: Side) -> String {
        format!("http://{}{}", self.running.address(), side.path())
    }

    async fn open(&mut self, side: Side) {
        self.browser.open(&self.url(side)).await;
        self.arrives().await;
    }

    /// Presses a button that leads to a page of the same session.
    async fn press(&mut self, button: &str) {
        self.browser.click(button).await;
        self.arrives().await;
    }

    /// Waits until a page shows the next visit. Both programs count it, so a counter that either
    /// program cannot read would begin again.
    async fn arrives(&mut self) {
        self.visits += 1;
        let visits = self.visits.to_string();
        self.browser.reads("#visits", &visits).await;
    }

    /// Opens a page, and checks whether Ape is logged in.
    async fn finds(&self, side: Side, is_logged_in: bool) {
        self.browser.open(&self.url(side)).await;
        self.browser.sees(&format!("{side:?} answered")).await;
        let title = match is_logged_in {
            true => "Hello, Ape",
            false => "You are not logged in",
        };
        self.browser.sees(title).await;
    }

    async fn log_in(&mut self, name: &str) {
        self.browser.type_into("#name", name).await;
        self.press("#login").await;
        self.browser.sees(&format!("Hello, {name}")).await;
    }

    /// Logs out. The next page begins a new session.
    async fn log_out(&mut self) {
        self.visits = 0;
        self.press("#logout").await;
        self.browser.sees("You are not logged in").await;
    }

    async fn add(&mut self, item: &str) {
        self.browser.type_into("#item", item).await;
        self.press("#add").await;
    }

    /// Opens both pages, and checks that each program answers and has this session.
    async fn both_know(&mut self, user: &str, cart: &str) {
        for side in [Side::Go, Side::Rust, Side::Go] {
            self.open(side).await;
            self.browser.sees(&format!("{side:?} answered")).await;
            self.browser.sees(&format!("Hello, {user}")).await;
            self.browser.reads("#cart", cart).await;
        }
        let types = "user string, since time.Time, cart []string, visits int";
        self.browser.reads("#types", types).await;
    }

    async fn cookie(&self) -> String {
        let cookie = self.browser.cookie("shop").await.unwrap();
        cookie.value().to_owned()
    }

    /// Puts a cookie back that the browser had before.
    async fn put_back(&self, value: &str) {
        self.browser.delete_cookie("shop").await;
        let script = format!("document.cookie = 'shop={value}; Path=/'");
        self.browser.script(&script).await;
    }

    fn rotate(&self, step: Step) {
        shop::rotate(self.folder.path(), step).unwrap();
    }

    fn route(&self, plan: Plan) {
        shop::route(self.folder.path(), plan).unwrap();
    }
}

/// Each program reads the login, the cart, the counter and the messages of the other.
async fn walk(visitor: &mut Visitor) {
    visitor.open(Side::Go).await;
    visitor.browser.sees("You are not logged in").await;
    visitor.log_in("Koko <3").await;
    visitor.add("apple").await;
    visitor.press("#flash").await;
    visitor.browser.sees("Rust answered").await;
    visitor.browser.sees("A message from Go, shown once.").await;
    visitor.open(Side::Rust).await;
    visitor.browser.sees_no("A message").await;
    visitor.add("pear & plum").await;
    visitor.press("#flash").await;
    visitor.browser.sees("Go answered").await;
    visitor
        .browser
        .sees("A message from Rust, shown once.")
        .await;
    visitor.open(Side::Go).await;
    visitor.browser.sees_no("A message").await;
    visitor.both_know("Koko <3", "apple, pear & plum").await;

    visitor.log_out().await;
    visitor.open(Side::Rust).await;
    visitor.browser.sees("You are not logged in").await;
    visitor.browser.reads("#cart", "empty").await;
    visitor.add("fig").await;
    visitor.log_in("Ape").await;
    visitor.both_know("Ape", "fig").await;
}

async fn take_screenshots(visitor: &mut Visitor, store: &str) {
    for (side, other) in [(Side::Go, Side::Rust), (Side::Rust, Side::Go)] {
        visitor.open(other).await;
        visitor.press("#flash").await;
        let name = |kind| format!("shop-{store}{}{kind}", side.path().trim_end_matches('/'));
        let name = |kind| name(kind).replace('/', "-");
        visitor.browser.screenshot(&name(""), 900, 900).await;
        visitor.browser.screenshot(&name("-phone"), 390, 844).await;
    }
}

/// Rotates the keys. Between two steps, only `side` answers.
async fn rotate(visitor: &mut Visitor, side: Side) {
    let old = visitor.cookie().await;
    for step in [Step::Append, Step::Promote] {
        visitor.rotate(step);
        visitor.open(side).await;
        visitor.browser.sees("Hello, Ape").await;
    }
    visitor.rotate(Step::Drop);
    visitor.both_know("Ape", "fig").await;

    let new = visitor.cookie().await;
    let visits = visitor.visits;
    for side in [Side::Go, Side::Rust] {
        visitor.put_back(&old).await;
        visitor.visits = 0;
        visitor.open(side).await;
        visitor.browser.sees("You are not logged in").await;
    }
    visitor.browser.sees("The cookie was refused").await;
    visitor.put_back(&new).await;
    visitor.visits = visits;
    visitor.both_know("Ape", "fig").await;
}

/// All paths go back to Go, and then on to Rust.
async fn roll_back(visitor: &mut Visitor) {
    for (plan, program) in [
        (Plan::Go, Side::Go),
        (Plan::Rust, Side::Rust),
        (Plan::Go, Side::Go),
    ] {
        visitor.route(plan);
        for side in [Side::Rust, Side::Go] {
            visitor.open(side).await;
            visitor.browser.sees(&format!("{program:?} answered")).await;
            visitor.browser.sees("Hello, Ape").await;
            visitor.browser.reads("#cart", "fig").await;
        }
    }
    visitor.add("quince").await;
    visitor.route(Plan::Split);
    visitor.both_know("Ape", "fig, quince").await;
}

/// After a logout in Rust, a copy of the cookie opens nothing in either program, or, if the session
/// is in the cookie, opens the session. (pgstore begins an empty session under the ID of the copy.)
async fn log_out_in_rust(visitor: &mut Visitor, opens_a_copy: bool) {
    visitor.open(Side::Rust).await;
    let copy = visitor.cookie().await;
    visitor.log_out().await;
    visitor.open(Side::Go).await;
    visitor.browser.sees("You are not logged in").await;
    for side in [Side::Go, Side::Rust] {
        visitor.put_back(&copy).await;
        visitor.finds(side, opens_a_copy).await;
    }
}

/// A request in Go that has loaded the session saves it after a logout in Rust.
const SAVE_AFTER_LOGOUT: &str = "(async () => {
  const send = (path, method) => fetch(path, {method, cache: 'no-store'});
  const slow = send('/go/slow', 'POST');
  while (await (await send('/go/slow', 'GET')).text() === '0');
  await send('/rust/logout', 'POST');
  await send('/go/slow/finish', 'POST');
  await slow;
  document.querySelector('h1').textContent = 'saved after the logout';
})()";

async fn save_slowly(visitor: &mut Visitor, comes_back: bool) {
    visitor.browser.delete_cookie("shop").await;
    visitor.visits = 0;
    visitor.open(Side::Rust).await;
    visitor.log_in("Ape").await;
    visitor.browser.script(SAVE_AFTER_LOGOUT).await;
    visitor.browser.sees("saved after the logout").await;
    for side in [Side::Rust, Side::Go] {
        visitor.finds(side, comes_back).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_moves_from_gorillas_cookie_store() {
    let Some(mut visitor) = Visitor::start(StoreName::Cookie, None).await else {
        return;
    };
    for side in [Side::Rust, Side::Go] {
        visitor.open(side).await;
        let name = format!("shop-login-{side:?}").to_lowercase();
        visitor.browser.screenshot(&name, 900, 900).await;
    }
    walk(&mut visitor).await;
    take_screenshots(&mut visitor, "cookie").await;
    rotate(&mut visitor, Side::Go).await;
    rotate(&mut visitor, Side::Rust).await;
    roll_back(&mut visitor).await;
    log_out_in_rust(&mut visitor, true).await;
    save_slowly(&mut visitor, true).await;
    visitor.close().await;
}

#[cfg(feature = "postgres")]
async fn with_postgres(
    store: StoreName,
) -> Option<(Visitor, shop::servers::postgres::PostgresServer)> {
    match shop::servers::postgres::PostgresServer::start() {
        Ok(server) => {
            let visitor = Visitor::start(store, Some(server.url())).await?;
            Some((visitor, server))
        }
        Err(why) => {
            not_run("postgres", &why);
            None
        }
    }
}

/// pgstore updates rows, so a late save of Go does not bring an ended session back.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_moves_from_pgstore() {
    let Some((mut visitor, _server)) = with_postgres(StoreName::Pgstore).await else {
        return;
    };
    walk(&mut visitor).await;
    rotate(&mut visitor, Side::Go).await;
    rotate(&mut visitor, Side::Rust).await;
    roll_back(&mut visitor).await;
    log_out_in_rust(&mut visitor, false).await;
    save_slowly(&mut visitor, false).await;
    visitor.close().await;
}

/// scs inserts rows or updates them, so a late save of Go brings an ended session back. It has no
/// keys.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_moves_from_scs() {
    let Some((mut visitor, _server)) = with_postgres(StoreName::Scs).await else {
        return;
    };
    walk(&mut visitor).await;
    take_screenshots(&mut visitor, "scs").await;
    roll_back(&mut visitor).await;
    log_out_in_rust(&mut visitor, false).await;
    save_slowly(&mut visitor, true).await;
    visitor.close().await;
}
