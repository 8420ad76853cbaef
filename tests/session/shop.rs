//! The example shop, and the same shop on axum-login: the same walk gives the same pages.

// Both have the same users.
#[allow(clippy::duplicate_mod)]
#[path = "../../examples/shop/axum_login.rs"]
mod on_axum_login;
#[allow(clippy::duplicate_mod)]
#[path = "../../examples/shop/silverback.rs"]
mod on_silverback;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use silverback::session::testing::Jar;

use super::site::RUNTIME;

/// A browser, and the pages that it got.
struct Walk {
    app: Router,
    jar: Jar,
}

impl Walk {
    fn of(app: &Router) -> Self {
        let (app, jar) = (app.clone(), Jar::new());
        Walk { app, jar }
    }

    /// Sends a request, and returns the status, and the Location or the body.
    fn send(&mut self, method: &str, target: &str, form: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(target);
        let request = request.header("accept", "text/html");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Body::from(form.to_owned())).unwrap();
        RUNTIME.block_on(async {
            let response = self.jar.send(&self.app, request).await.unwrap();
            let status = response.status().as_u16();
            let location = response.headers().get("location").cloned();
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let location = location.map(|location| location.to_str().unwrap().to_owned());
            (status, location.unwrap_or(body))
        })
    }

    fn get(&mut self, target: &str) -> (u16, String) {
        self.send("GET", target, "")
    }

    fn log_in(&mut self, password: &str, next: &str) -> (u16, String) {
        let form = format!("name=ape&password={password}&next={next}");
        self.send("POST", "/login", &form)
    }
}

fn redirect(to: &str) -> (u16, String) {
    (303, to.to_owned())
}

/// `after` is the status of redirects of the login guard.
fn walk(app: &Router, guard_status: u16) {
    let mut phone = Walk::of(app);
    let (status, location) = phone.get("/?a=b");
    assert_eq!(status, guard_status);
    assert!(location.starts_with("/login?next=%2F%3Fa"), "{location}");
    assert_eq!(phone.log_in("wrong", "/"), redirect("/login"));
    let (status, body) = phone.get("/login?next=/%3Fa=b");
    assert_eq!(status, 200);
    assert!(
        body.contains("not the password") && body.contains("value=\"/?a=b\""),
        "{body}"
    );
    let (_, body) = phone.get("/login?next=//evil.example");
    assert!(
        body.contains("value=\"/\"") && !body.contains("not the password"),
        "{body}"
    );
    assert_eq!(phone.log_in("banana", "//evil.example"), redirect("/"));
    assert_eq!(phone.send("POST", "/cart", "item=fig"), redirect("/"));
    assert_eq!(phone.send("POST", "/cart", "item=kiwi"), redirect("/"));
    assert_eq!(phone.get("/"), (200, "ape: fig, kiwi".to_owned()));

    let mut laptop = Walk::of(app);
    assert_eq!(laptop.log_in("banana", "/?a=b"), redirect("/?a=b"));
    let change = |old: &str| format!("old={old}&password=leaf");
    let changed = laptop.send("POST", "/password", &change("wrong"));
    assert_eq!(changed, redirect("/"));
    assert_eq!(phone.get("/").0, 200, "the password is the same");
    let changed = laptop.send("POST", "/password", &change("banana"));
    assert_eq!(changed, redirect("/"));
    assert_eq!(laptop.get("/"), (200, "ape: ".to_owned()));
    assert_eq!(
        phone.get("/").0,
        guard_status,
        "the password is another one"
    );
    assert_eq!(phone.log_in("leaf", "/"), redirect("/"));
    assert_eq!(phone.send("POST", "/logout", ""), redirect("/login"));
    assert_eq!(phone.get("/").0, guard_status);
    assert_eq!(laptop.get("/").0, 200);
}

#[test]
fn the_shop_answers_as_its_original_does() {
    walk(&on_silverback::app().unwrap(), 303);
    walk(&on_axum_login::app(), 307);
}
