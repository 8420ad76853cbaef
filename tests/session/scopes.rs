//! A running site changes the Domain or Path of its cookie: nobody is logged out by that, a
//! logout leaves no copy behind, and no browser is stuck with two cookies of one name.

use std::collections::BTreeMap;
use std::sync::Arc;

use silverback::backend::Memory;
use silverback::codec::{Codecs, KeyPair};
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session,
    Sessions, Stores,
};

use super::site::RUNTIME;
use super::support::codecs;

/// A browser at `shop.example.com/app/`, which keeps a cookie for each domain and path, as
/// RFC 6265bis, section 5.7 has it.
#[derive(Default)]
struct Browser(BTreeMap<Scope, String>);

/// Domain, none for the host alone, and path.
type Scope = (Option<String>, String);

impl Browser {
    fn receive(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split("; ");
        let (_, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: BTreeMap<_, _> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let domain = attributes.get("Domain").map(|domain| (*domain).to_owned());
        let scope = (domain, attributes["Path"].to_owned());
        match attributes.get("Max-Age") {
            Some(&"0") => self.0.remove(&scope),
            _ => self.0.insert(scope, value.to_owned()),
        };
    }

    /// A whole request: the refusal and the owner that it found.
    async fn visit(
        &mut self,
        stores: &Stores,
        change: fn(&Session) -> Result<(), Error>,
    ) -> (Option<Refusal>, Option<String>) {
        let pairs: Vec<String> = self
            .0
            .values()
            .map(|value| format!("sid={value}"))
            .collect();
        let field = pairs.join("; ");
        let sessions = Sessions::of_request(stores, [field.as_bytes()], None);
        let session = sessions.session().await.unwrap();
        let found = (session.refusal(), session.owner());
        change(&session).unwrap();
        for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
            self.receive(set_cookie);
        }
        found
    }
}

const LOGIN: fn(&Session) -> Result<(), Error> = |session| session.login("ape");
const WRITE: fn(&Session) -> Result<(), Error> = |session| session.insert("n", 1);
const READ: fn(&Session) -> Result<(), Error> = |_| Ok(());
const LOGOUT: fn(&Session) -> Result<(), Error> = |session| session.logout();

fn options() -> CookieOptions {
    CookieOptions::new().name("sid").unwrap()
}

/// A site before and after its cookie has another scope.
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
fn nobody_is_logged_out_by_another_scope() {
    let ape = (None, Some("ape".to_owned()));
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, LOGIN).await;
            let old: Vec<Scope> = browser.0.keys().cloned().collect();
            assert_eq!(browser.visit(&after, READ).await, ape);
            for change in [WRITE, LOGIN, WRITE, READ] {
                assert_eq!(browser.visit(&after, change).await, ape);
                assert_eq!(browser.0.len(), 1, "one cookie of the name");
            }
            // A cookie that a write in a server did not set again stays where it was.
            assert_ne!(browser.0.keys().cloned().collect::<Vec<_>>(), old);
        }
    });
}

#[test]
fn a_logout_leaves_no_copy_in_the_former_scope() {
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, LOGIN).await;
            browser.visit(&after, LOGOUT).await;
            assert!(browser.0.is_empty());
            // And a browser that had none is sent nothing to remove.
            let sessions = Sessions::of_request(&after, [&b""[..]], None);
            sessions.session().await.unwrap().login("ape").unwrap();
            let fields = sessions.finish().await.unwrap().unwrap();
            assert_eq!(fields.set_cookies().len(), 1);
        }
    });
}

#[test]
fn two_valid_cookies_are_removed_from_every_scope() {
    RUNTIME.block_on(async {
        for (before, after) in each_site() {
            let mut browser = Browser::default();
            browser.visit(&before, LOGIN).await;
            let [(scope, first)] = &browser.0.clone().into_iter().collect::<Vec<_>>()[..] else {
                panic!("one cookie");
            };
            browser.0.clear();
            browser.visit(&after, LOGIN).await;
            browser.0.insert(scope.clone(), first.clone());
            assert_eq!(browser.0.len(), 2);
            let (refusal, _) = browser.visit(&after, READ).await;
            assert_eq!(refusal, Some(Refusal::Ambiguous));
            assert!(browser.0.is_empty());
        }
    });
}
