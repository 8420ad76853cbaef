//! A cookie that can never open a session again is removed. Otherwise each later request would send
//! it, refuse it and log it.

use std::time::Duration;

use silverback::codec::{CodecOptions, Codecs, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, CookieStore, Lifetime, Refusal, Stores};

use super::site::{Framework, RUNTIME, Site};
use super::support::{Clock, TestGenerations, codecs};

for_each_framework!(a_dead_cookie_is_removed_once);

const IDLE: u64 = 30 * 60;

fn a_dead_cookie_is_removed_once(framework: Framework) {
    let clock = Clock::new();
    let store = clock.of(super::support::store());
    let mut browser = Site::new(store)
        .on("/write", async |sessions| {
            sessions.session().await?.insert("n", 1)?;
            Ok("")
        })
        .on("/read", async |sessions| {
            Ok(format!("{:?}", sessions.session().await?.refusal()))
        })
        .on("/none", async |_| Ok(""))
        .browse(framework);
    browser.get("/write");
    clock.pass(IDLE);
    assert!(browser.get("/none").set_cookies().is_empty());
    let read = browser.get("/read");
    assert_eq!(read.body, "Some(Idle)");
    assert_eq!(read.set_cookies().len(), 1);
    assert_eq!(read.cache_control(), ["no-store"]);
    assert_eq!(browser.jar.cookie(), "");
    let read = browser.get("/read");
    assert_eq!((&*read.body, read.set_cookies().len()), ("None", 0));
    // A written cookie replaces it: one field is enough.
    browser.get("/write");
    clock.pass(IDLE);
    assert_eq!(browser.get("/write").set_cookies().len(), 1);
    assert_ne!(browser.jar.cookie(), "");
}

/// Returns the refusal of the cookie in the jar, and the number of removals.
async fn refusal(jar: &Jar, stores: impl Into<Stores>) -> (Option<Refusal>, usize) {
    let sessions = jar.sessions(stores);
    let refusal = sessions.session().await.unwrap().refusal();
    let fields = sessions.finish().await.unwrap().unwrap();
    (refusal, fields.set_cookies().len())
}

/// Another host can plant a dead cookie, and it arrives alone if SameSite keeps the good one back.
#[test]
fn a_dead_cookie_stays_if_other_hosts_can_set_its_name() {
    RUNTIME.block_on(async {
        for (name, removals) in [("__Host-id", 1), ("__Secure-id", 0), ("id", 0)] {
            let clock = Clock::new();
            let options = CookieOptions::new().name(name).unwrap();
            let store = CookieStore::with_options(
                codecs([KeyPair::generate().unwrap()]),
                options,
                Lifetime::new(),
            );
            let store = clock.of(store.unwrap());
            let jar = Jar::with(store.clone(), |session| session.insert("n", 1));
            let jar = jar.await.unwrap();
            clock.pass(IDLE);
            assert_eq!(
                refusal(&jar, store).await,
                (Some(Refusal::Idle), removals),
                "{name}"
            );
        }
    });
}

#[test]
fn a_cookie_that_another_machine_may_accept_stays() {
    RUNTIME.block_on(async {
        let clock = Clock::new();
        let pair = KeyPair::generate().unwrap();
        let generations = TestGenerations::default();
        let store = clock.of(CookieStore::new(codecs([pair.clone()])).unwrap());
        let store = store.revocable(generations);
        let jar = Jar::with(store.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        assert_eq!(refusal(&jar, store.clone()).await, (None, 0));

        // Another machine may already have other keys, or a shorter limit.
        let other_keys = codecs([KeyPair::generate().unwrap()]);
        let elsewhere = clock.of(CookieStore::new(other_keys.clone()).unwrap());
        assert_eq!(refusal(&jar, elsewhere).await, (Some(Refusal::NotValid), 0));
        let bounds = CodecOptions::new().max_age(Duration::ZERO).max_length(8);
        let short = Codecs::from_pairs_with([pair.clone()], &bounds);
        let bounded = CookieStore::new(short.unwrap()).unwrap();
        assert_eq!(
            refusal(&jar, clock.of(bounded)).await,
            (Some(Refusal::TooLong), 0)
        );

        // Unless the store knows that no other machine has other keys.
        let options = CookieOptions::new().remove_not_valid();
        let alone = CookieStore::with_options(other_keys, options, Lifetime::new());
        assert_eq!(
            refusal(&jar, alone.unwrap()).await,
            (Some(Refusal::NotValid), 1)
        );

        // A revoked or expired cookie opens no session on any machine.
        store.end_all("ape").await.unwrap();
        assert_eq!(
            refusal(&jar, store.clone()).await,
            (Some(Refusal::Revoked), 1)
        );
        clock.pass(12 * 60 * 60);
        assert_eq!(refusal(&jar, store).await, (Some(Refusal::Expired), 1));
    });
}
