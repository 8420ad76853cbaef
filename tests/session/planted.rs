//! Cookies that another host planted: they are removed, and the application's own cookie never is,
//! so that the next request has the victim's session again.

use std::sync::Arc;

use proptest::prelude::*;
use silverback::backend::Memory;
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session, Sessions, Stores,
};

use super::browser::{Browser, Cookie, CookiePlace, RequestResult};
use super::site::RUNTIME;
use super::support::{fresh_codecs, store_with};

const LOGIN: fn(&Session) -> Result<(), Error> = |session| session.login("victim");
const READ: fn(&Session) -> Result<(), Error> = |_| Ok(());
const WRITE: fn(&Session) -> Result<(), Error> = |session| session.insert("n", 1);
const LOGIN_AND_LOGOUT: fn(&Session) -> Result<(), Error> = |session| {
    session.login("victim")?;
    session.logout()
};
const LOGOUT: fn(&Session) -> Result<(), Error> = |session| session.logout();

fn named(name: &str) -> CookieOptions {
    CookieOptions::new().name(name).unwrap()
}

fn in_cookie(cookie: CookieOptions) -> Stores {
    store_with(cookie, Lifetime::new()).into()
}

fn in_server(cookie: CookieOptions) -> Stores {
    let options = ServerOptions::new().cookie(cookie);
    let store = ServerStore::with_options(fresh_codecs(), Arc::new(Memory::new()), options);
    store.unwrap().into()
}

/// Returns the cookie of a session of the attacker.
async fn attacker_cookie(stores: &Stores, name: &str) -> String {
    let jar = Jar::with(stores.clone(), |session| session.login("attacker")).await;
    jar.unwrap().get(name).unwrap().to_owned()
}

fn found(owner: &str) -> RequestResult {
    (None, Some(owner.to_owned()))
}

const AMBIGUOUS: RequestResult = (Some(Refusal::Ambiguous), None);
const TOO_MANY: RequestResult = (Some(Refusal::TooMany), None);

/// A site with a logged-in user, and the cookies that an attacker plants.
#[derive(Clone, Debug)]
struct Case {
    host: String,
    path: String,
    cookie: CookieOptions,
    planted: Vec<CookiePlace>,
}

/// Returns whether some browser stores a cookie of that place in the place of the application's
/// own.
fn is_like_own(place: &CookiePlace, case_host: &str, own: (&str, Option<&str>)) -> bool {
    let is_host = |domain: &str| domain == case_host;
    let own_domain = own.1.unwrap_or(case_host);
    place.path == own.0
        && (place.domain == own_domain || is_host(&place.domain) && is_host(own_domain))
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "bc", "", "%2f", "d.e"]);
    prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_case() -> impl Strategy<Value = Case> {
    let label = prop::sample::select(vec!["app", "x", "shop-1", "a_b"]);
    let hosts = prop::collection::vec(label, 0..3);
    let host = hosts.prop_map(|labels| [&labels[..], &["example", "com"]].concat().join("."));
    (host, any_path()).prop_flat_map(|(host, path)| {
        let dots = host
            .match_indices('.')
            .map(|(dot, _)| host[dot + 1..].to_owned());
        let mut domains: Vec<String> = std::iter::once(host.clone()).chain(dots).collect();
        domains.pop();
        let ends = path
            .match_indices('/')
            .flat_map(|(slash, _)| [slash, slash + 1]);
        let beginnings = ends
            .map(|end| path[..end].to_owned())
            .filter(|path| !path.is_empty());
        let paths: Vec<String> = beginnings.chain([path.clone()]).collect();
        let own = (
            prop::sample::select(vec!["id", "__Secure-id", "__Http-id"]),
            prop::option::of(prop::sample::select(domains.clone())),
            prop::sample::select(paths.clone()),
            any::<bool>(),
        );
        let place = (
            prop::option::of(prop::sample::select(domains)),
            prop::sample::select(paths),
            any::<bool>(),
        );
        let case_host = host.clone();
        let place = place.prop_map(move |(domain, path, is_partitioned)| CookiePlace {
            is_host_only: domain.is_none(),
            domain: domain.unwrap_or(case_host.clone()),
            path,
            is_partitioned,
        });
        (own, prop::collection::vec(place, 1..7)).prop_map(
            move |((name, domain, own_path, is_partitioned), mut planted)| {
                // A domain must be valid for `domain()`.
                let domain = domain.filter(|domain| !domain.contains('_'));
                planted.retain(|place| !is_like_own(place, &host, (&own_path, domain.as_deref())));
                let mut cookie = named(name).path(own_path).unwrap();
                if let Some(domain) = domain {
                    cookie = cookie.domain(domain).unwrap();
                }
                if is_partitioned {
                    cookie = cookie.partitioned();
                }
                Case {
                    host: host.clone(),
                    path: path.clone(),
                    cookie,
                    planted,
                }
            },
        )
    })
}

async fn play(case: Case) {
    let stores = in_cookie(case.cookie.clone());
    let name = format!("{:?}", stores);
    let name = name.trim_matches(['[', ']', '"']).to_owned();
    let url = (&*case.host, &*case.path);
    let mut browser = Browser::default();
    browser.visit(&stores, url, LOGIN).await;
    let own = browser.cookies.clone();
    assert_eq!(own.len(), 1);
    for (number, place) in case.planted.iter().enumerate() {
        let value = attacker_cookie(&stores, &name).await;
        let name = name.clone();
        let place = place.clone();
        browser.cookies.retain(|cookie| cookie.place != place);
        browser.cookies.push(Cookie { name, value, place });
        assert!(number < 8);
    }
    let planted = browser.cookies.len() - own.len();
    for responses in 0.. {
        assert!(responses < 200, "{browser:?}");
        for change in [WRITE, LOGOUT] {
            let mut other = browser.clone();
            let found = other.visit(&stores, url, change).await;
            assert_ne!(found.1.as_deref(), Some("attacker"));
            if found == AMBIGUOUS {
                assert!(other.cookies.contains(&own[0]), "{other:?}");
            }
        }
        let found = browser.visit(&stores, url, READ).await;
        assert!(browser.cookies.contains(&own[0]), "{browser:?}");
        if found != AMBIGUOUS {
            assert_eq!(found, self::found("victim"));
            break;
        }
        assert!(planted > 0);
        // One response removes as many as fit into it.
        let is_small = case.host.split('.').count() <= 3 && case.path.len() <= 3;
        assert!(!is_small || browser.cookies == own, "{browser:?}");
    }
    assert_eq!(browser.cookies, own);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_planted_cookies_are_removed_and_our_own_never_is(case in any_case()) {
        RUNTIME.block_on(play(case));
    }
}

const HOST: &str = "app.example.com";
const PAGE: (&str, &str) = (HOST, "/get");

/// Returns both kinds of stores with that cookie.
fn both(cookie: &CookieOptions) -> [Stores; 2] {
    [in_cookie(cookie.clone()), in_server(cookie.clone())]
}

/// Returns a browser with a login, and the attacker's cookie set by `host` with these attributes.
async fn logged_in_with_planted(
    stores: &Stores,
    name: &str,
    browser: Browser,
    (host, attributes): (&str, &str),
) -> (Browser, Cookie) {
    let mut browser = browser;
    browser.visit(stores, (HOST, "/"), LOGIN).await;
    let own = browser.cookies[0].clone();
    let planted = attacker_cookie(stores, name).await;
    browser.receive(host, &format!("{name}={planted}; {attributes}"));
    assert_eq!(browser.cookies.len(), 2, "{attributes}");
    (browser, own)
}

#[test]
fn a_login_removes_cookies_that_a_browser_may_confuse_with_our_own() {
    // A subdomain can set a cookie for the application's host; a partition belongs to no other
    // host.
    let child = ("child.app.example.com", "Domain=app.example.com; Path=/");
    let twin = (HOST, "Path=/; Secure; Partitioned");
    RUNTIME.block_on(async {
        for (name, planted) in [("id", child), ("id", twin), ("__Host-id", twin)] {
            for stores in both(&named(name)) {
                let browser = Browser::default();
                let (mut browser, own) =
                    logged_in_with_planted(&stores, name, browser, planted).await;
                for change in [READ, WRITE, LOGOUT, LOGIN_AND_LOGOUT, READ] {
                    assert_eq!(browser.visit(&stores, PAGE, change).await, AMBIGUOUS);
                    assert!(browser.cookies.contains(&own));
                }
                assert_eq!(browser.visit(&stores, PAGE, LOGIN).await, AMBIGUOUS);
                assert_eq!(browser.cookies.len(), 1, "{browser:?}");
                assert_eq!(browser.cookies[0].place, own.place);
                assert_eq!(browser.visit(&stores, PAGE, READ).await, found("victim"));
            }
        }
    });
}

#[test]
fn our_own_cookie_stays_if_a_browser_would_apply_a_removal_to_it() {
    let of_suffix = Browser {
        public_suffixes: vec![HOST.to_owned()],
        ..Browser::default()
    };
    let older = Browser {
        knows_no_partitions: true,
        ..Browser::default()
    };
    let planted = (HOST, "Path=/get");
    RUNTIME.block_on(async {
        for browser in [of_suffix, older] {
            for stores in both(&named("id")) {
                let (mut browser, own) =
                    logged_in_with_planted(&stores, "id", browser.clone(), planted).await;
                assert_eq!(browser.visit(&stores, PAGE, READ).await, AMBIGUOUS);
                assert_eq!(browser.cookies, [own]);
                assert_eq!(browser.visit(&stores, PAGE, READ).await, found("victim"));
            }
        }
    });
}

#[test]
fn a_former_scope_may_hold_the_good_cookie() {
    let options = || named("id").domain("example.com").unwrap();
    let options = options().former_scope("/", None).unwrap();
    RUNTIME.block_on(async {
        for stores in both(&options) {
            let mut browser = Browser::default();
            browser.visit(&stores, PAGE, LOGIN).await;
            // The site's cookie before it got the domain.
            let own = &mut browser.cookies[0];
            (own.place.domain, own.place.is_host_only) = (HOST.to_owned(), true);
            let own = own.clone();
            let planted = attacker_cookie(&stores, "id").await;
            browser.receive(
                "evil.example.com",
                &format!("id={planted}; Domain=example.com; Path=/"),
            );
            assert_eq!(browser.visit(&stores, PAGE, READ).await, AMBIGUOUS);
            assert!(browser.cookies.contains(&own));
            browser.visit(&stores, PAGE, LOGIN).await;
            assert_eq!(browser.cookies.len(), 1);
            assert_eq!(browser.visit(&stores, PAGE, READ).await, found("victim"));
        }
    });
}

#[test]
fn too_many_cookies_of_the_name_are_removed() {
    let page = (HOST, "/a/b/c/d");
    RUNTIME.block_on(async {
        for stores in both(&named("id")) {
            let mut browser = Browser::default();
            browser.visit(&stores, (HOST, "/"), LOGIN).await;
            let own = browser.cookies.clone();
            for path in [
                "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/b/c/", "/a/b/c/d",
            ] {
                let set_cookie = format!("id=x; Domain=example.com; Path={path}");
                browser.receive("evil.example.com", &set_cookie);
            }
            assert_eq!(browser.cookies.len(), 9);
            for change in [READ, WRITE, LOGOUT] {
                let mut other = browser.clone();
                assert_eq!(other.visit(&stores, page, change).await, TOO_MANY);
                assert!(other.cookies.contains(&own[0]));
                assert!(other.cookies.len() < 9);
                assert_eq!(other.visit(&stores, page, READ).await, found("victim"));
            }
            assert_eq!(browser.visit(&stores, page, LOGIN).await, TOO_MANY);
            assert_eq!(browser.visit(&stores, page, READ).await, found("victim"));
        }
    });
}

#[test]
fn the_removals_of_all_sessions_fit_into_the_head() {
    let deep = format!("/{}", "long-segment/".repeat(60));
    let each = [in_cookie(named("id")), in_cookie(named("cart"))];
    let stores = each[0].clone().and(each[1].clone()).unwrap();
    RUNTIME.block_on(async {
        let mut field = String::new();
        for store in [&each[0], &each[0], &each[1], &each[1]] {
            let jar = Jar::with(store.clone(), |session| session.login("ape"));
            field += &format!("{}; ", jar.await.unwrap().cookie());
        }
        let sessions = Sessions::of_request(
            &stores,
            [field.as_bytes()],
            Some(b"a.b.c.d.e.example.com"),
            &deep,
        );
        for name in ["id", "cart"] {
            let session = sessions.get(name).await.unwrap();
            assert_eq!(session.refusal(), Some(Refusal::Ambiguous));
        }
        let fields = sessions.finish().await.unwrap().unwrap();
        let bytes: usize = fields
            .set_cookies()
            .iter()
            .map(|field| field.len() + 14)
            .sum();
        assert!((2_000..=3_072).contains(&bytes), "{bytes}");
    });
}

/// Sends a request with these cookies.
async fn found_with(stores: &Stores, cookies: [&String; 2]) -> RequestResult {
    let field = cookies.map(|value| format!("id={value}")).join("; ");
    let sessions = Sessions::of_request(stores, [field.as_bytes()], None, "/");
    let session = sessions.session().await.unwrap();
    (session.refusal(), session.owner())
}

/// A late request has the ID from before a renewal or a login, and the planted cookie.
#[test]
fn a_planted_cookie_never_replaces_a_renewed_id() {
    RUNTIME.block_on(async {
        for change in [|session: &Session| session.renew(), LOGIN] {
            let stores = in_server(named("id"));
            let mut browser = Browser::default();
            browser.visit(&stores, PAGE, LOGIN).await;
            let old = browser.cookies[0].value.clone();
            browser.visit(&stores, PAGE, change).await;
            let new = browser.cookies[0].value.clone();
            assert_ne!(old, new);
            let planted = attacker_cookie(&stores, "id").await;
            for both in [[&old, &planted], [&planted, &old]] {
                assert_eq!(found_with(&stores, both).await, AMBIGUOUS);
            }
            // With its own successor the cookies open one session.
            for both in [[&old, &new], [&new, &old]] {
                assert_eq!(found_with(&stores, both).await, found("victim"));
            }
            assert_eq!(
                found_with(&stores, [&old, &old]).await,
                (Some(Refusal::Moved), None)
            );
        }
    });
}
