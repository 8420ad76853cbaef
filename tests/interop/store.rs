//! The two CookieStores, live: a gorilla program and ours share a browser's session.

use std::task::{Context, Poll, Waker};

use serde_json::json;
use silverback::codec::{BlockKey, CodecOptions, HashKey, KeyPair, SecureCookie, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, CookieStore, Lifetime, Session};

use crate::gorilla::{Gorilla, payload};
use crate::sessions::{hex, seeds};

const HASH_KEY: [u8; 64] = [7; 64];
const BLOCK_KEY: [u8; 32] = [9; 32];

fn store() -> CookieStore {
    let keys = KeyPair::new(HashKey::new(&HASH_KEY).unwrap(), BlockKey::from(BLOCK_KEY));
    let codec = SecureCookie::with_options(keys, &CodecOptions::new().max_length(0));
    let options = CookieOptions::new().name("session").unwrap();
    CookieStore::with_options(codec.unwrap(), options, Lifetime::new()).unwrap()
}

/// A store of cookies waits for nothing.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// A request with the cookies of the jar, in which `handle` has the session.
fn visit(jar: &mut Jar, handle: impl FnOnce(&Session)) {
    let sessions = jar.sessions(store());
    handle(&at_once(sessions.session()).unwrap());
    let fields = at_once(sessions.finish()).unwrap().unwrap();
    for set_cookie in fields.set_cookies() {
        jar.receive(set_cookie);
    }
}

#[test]
fn a_go_program_and_ours_share_a_session() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let (hash_key, block_key) = (hex(&HASH_KEY), hex(&BLOCK_KEY));
    for seed in seeds(300) {
        let made = gorilla.must(&json!({
            "op": "http-make", "seed": seed, "hash_key": hash_key, "block_key": block_key,
        }));
        let mut jar = Jar::new();
        jar.set("session", made["cookie"].as_str().unwrap());
        visit(&mut jar, |session| {
            assert_eq!(session.refusal(), None, "seed {seed}");
            session.insert("changed", 42_i64).unwrap();
        });
        gorilla.must(&json!({
            "op": "http-same",
            "kind": "session",
            "hash_key": hash_key,
            "block_key": block_key,
            "cookie": jar.get("session").unwrap(),
            "before": hex(&payload(&made)),
            "changed": "changed",
        }));
    }
}

/// What the session knows of itself travels through a Go program.
#[test]
fn a_go_program_carries_the_limits_along() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let mut jar = Jar::new();
    let deadline = UnixTime::from_secs(UnixTime::now().as_secs() + 600);
    visit(&mut jar, |session| {
        session.login("ape").unwrap();
        session.set_deadline(deadline).unwrap();
    });
    let edited = gorilla.must(&json!({
        "op": "http-edit",
        "hash_key": hex(&HASH_KEY),
        "block_key": hex(&BLOCK_KEY),
        "cookie": jar.get("session").unwrap(),
    }));
    jar.set("session", edited["cookie"].as_str().unwrap());
    visit(&mut jar, |session| {
        assert_eq!(
            session.get::<String>("go").unwrap().as_deref(),
            Some("was here")
        );
        assert_eq!(session.owner().as_deref(), Some("ape"));
        assert_eq!(session.deadline(), Some(deadline));
    });
}
