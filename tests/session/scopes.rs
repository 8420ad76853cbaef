//! A running site changes the Domain or Path of its cookie: no user is logged out, a logout leaves
//! no copy, and no browser keeps two cookies of one name.

use std::sync::Arc;

use silverback::backend::Memory;
use silverback::codec::{Codecs, KeyPair};
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session,
    Sessions, Stores,
};

use super::browser::{Browser, CookiePlace};
use super::site::RUNTIME;
use super::support::codecs;

const PAGE: (&str, &str) = ("shop.example.com", "/app/");

const LOGIN: fn(&Session) -> Result<(), Error> = |session| session.login("ape");
const WRITE: fn(&Session) -> Result<(), Error> = |session| session.insert("n", 1);
const READ: fn(&Session) -> Result<(), Error> = |_| Ok(());
const LOGOUT: fn(&Session) -> Result<(), Error> = |session| session.logout();

fn places(browser: &Browser) -> Vec<CookiePlace> {
    let cookies = browser.cookies.iter();
    cookies.map(|cookie| cookie.place.clone()).collect()
}

fn options() -> CookieOptions {
    CookieOptions::new().name("sid").unwrap()
}

/// Returns a site before and after a change of the cookie's scope.
fn each_site() -> Vec<(Stores, Stores)> {
    let moves = [
        (
            options(),
            options()
                .domain("example.com")
                .unwrap()
                .former_scope("/", None),
        ),
        (
            options().domain("example.com").unwrap(),
            options().former_scope("/", Some("example.com")),
        ),
        (
            options(),
            options().path("/app").unwrap().former_scope("/", None),
        ),
    ];
    let pair = KeyPair::generate().unwrap();
    let codecs = || -> Codecs { codecs([pair.clone()]) };
    let backend = Arc::new(Memory::new());
    let in_cookie = |cookie| {
        let store = CookieStore::with_options(codecs(), cookie, Lifetime::new());
        Stores::from(store.unwrap())
    };
    let in_server = |cookie| {
        let options = ServerOptions::new().cookie(cookie);
        let store = ServerStore::with_options(codecs(), backend.clone(), options);
        Stores::from(store.unwrap())
    };
    moves
        .into_iter()
        .flat_map(|(before, after)| {
            let after = after.unwrap();
            [
                (in_cookie(before.clone()), in_cookie(after.clone())),
                (in_server(before), in_server(after)),
            ]
        })
        .collect()
}

#[test]
fn a_changed_scope_logs_no_user_out() {
    let ape = (None, Some("ape".to_owned()));
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, PAGE, LOGIN).await;
            let old = places(&browser);
            assert_eq!(browser.visit(&after, PAGE, READ).await, ape);
            for change in [WRITE, LOGIN, WRITE, READ] {
                assert_eq!(browser.visit(&after, PAGE, change).await, ape);
                assert_eq!(browser.cookies.len(), 1, "there is one cookie of the name");
            }
            // A write in a server that did not set the cookie again leaves it in its place.
            assert_ne!(places(&browser), old);
        }
    });
}

#[test]
fn a_logout_leaves_no_copy_in_the_former_scope() {
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, PAGE, LOGIN).await;
            browser.visit(&after, PAGE, LOGOUT).await;
            assert!(browser.cookies.is_empty());
            // A browser without a cookie gets no removal.
            let sessions = Sessions::of_request(&after, [&b""[..]], None, "/");
            sessions.session().await.unwrap().login("ape").unwrap();
            let fields = sessions.finish().await.unwrap().unwrap();
            assert_eq!(fields.set_cookies().len(), 1);
        }
    });
}

#[test]
fn a_login_leaves_one_of_two_valid_cookies_in_our_scopes() {
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, PAGE, LOGIN).await;
            let former = browser.cookies.clone();
            browser.cookies.clear();
            browser.visit(&after, PAGE, LOGIN).await;
            browser.cookies.extend(former);
            let both = browser.cookies.clone();
            assert_eq!(both.len(), 2);
            // Either cookie may be the good one.
            for change in [READ, WRITE, LOGOUT] {
                let (refusal, _) = browser.visit(&after, PAGE, change).await;
                assert_eq!(refusal, Some(Refusal::Ambiguous));
                assert_eq!(browser.cookies, both);
            }
            browser.visit(&after, PAGE, LOGIN).await;
            assert_eq!(browser.cookies.len(), 1);
            let ape = (None, Some("ape".to_owned()));
            assert_eq!(browser.visit(&after, PAGE, READ).await, ape);
        }
    });
}
