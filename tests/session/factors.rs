//! Factors of a login, and step-up, in a cookie and in a server.

use std::time::Duration;

use silverback::backend::Memory;
use silverback::session::testing::Jar;
use silverback::session::{Factor, ServerOptions, ServerStore, Session, Stores};

use super::support::{Clock, fresh_codecs, store};

fn stores(clock: &Clock) -> [Stores; 2] {
    let now = clock.clone();
    let options = ServerOptions::new().clock(move || now.now());
    let server = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    [clock.of(store()).into(), server.into()]
}

/// Runs `change` in a request of the jar.
async fn visit<R>(jar: &mut Jar, stores: &Stores, change: impl FnOnce(&Session) -> R) -> R {
    let sessions = jar.sessions(stores.clone());
    let answer = change(&sessions.session().await.unwrap());
    let fields = sessions.finish().await.unwrap();
    jar.receive_all(fields.iter().flat_map(|fields| fields.set_cookies()));
    answer
}

#[tokio::test]
async fn a_level_counts_the_kinds_of_factors_of_the_login() {
    let clock = Clock::starting_now();
    for stores in stores(&clock) {
        let mut jar = Jar::new();
        let level = |session: &Session| (session.level(), session.require_level(2).is_ok());
        assert_eq!(visit(&mut jar, &stores, level).await, (0, false));
        let refused = |session: &Session| session.authenticate([Factor::Otp]);
        let error = visit(&mut jar, &stores, refused).await.unwrap_err();
        assert!(error.is_usage(), "without a login");
        visit(&mut jar, &stores, |session| session.login("ape"))
            .await
            .unwrap();
        assert_eq!(visit(&mut jar, &stores, level).await, (1, false));
        let begun = clock.now();
        clock.pass(100);
        let password = |session: &Session| session.authenticate([Factor::Password, Factor::Pin]);
        visit(&mut jar, &stores, password).await.unwrap();
        assert_eq!(
            visit(&mut jar, &stores, level).await,
            (1, false),
            "one kind"
        );
        clock.pass(100);
        let code = |session: &Session| session.authenticate([Factor::Otp]);
        visit(&mut jar, &stores, code).await.unwrap();
        assert_eq!(visit(&mut jar, &stores, level).await, (2, true));
        visit(&mut jar, &stores, |session| {
            assert_eq!(
                session.factors(),
                [
                    (Factor::Password, begun + Duration::from_secs(100)),
                    (Factor::Pin, begun + Duration::from_secs(100)),
                    (Factor::Otp, clock.now()),
                ]
            );
            assert_eq!(session.authenticated_at(), Some(clock.now()));
            let level_within = |seconds| {
                session
                    .require_fresh_level(2, Duration::from_secs(seconds))
                    .is_ok()
            };
            assert_eq!([100, 99].map(level_within), [true, false]);
            assert!(session.require_fresh(Duration::ZERO).is_ok());
            let error = session.require_level(3).unwrap_err();
            assert!(error.is_level_too_low() && error.status() == 403);
        })
        .await;
        // A login begins anew.
        visit(&mut jar, &stores, |session| {
            session.login_keeping_values("ape")
        })
        .await
        .unwrap();
        assert_eq!(visit(&mut jar, &stores, level).await, (1, false));
    }
}

#[tokio::test]
async fn a_step_up_keeps_the_session_and_changes_its_id() {
    let clock = Clock::starting_now();
    let now = clock.clone();
    let options = ServerOptions::new().clock(move || now.now());
    let store = ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap();
    let stores = Stores::from(store.clone());
    let mut jar = Jar::new();
    visit(&mut jar, &stores, |session| {
        session.login("ape").unwrap();
        session.authenticate([Factor::Password]).unwrap();
        session.bind_credentials(b"hash").unwrap();
        session.remember(true).unwrap();
        session.insert("cart", 3).unwrap();
    })
    .await;
    let id = |session: &Session| session.id().unwrap();
    let before = visit(&mut jar, &stores, id).await;
    let old = jar.clone();
    visit(&mut jar, &stores, |session| {
        session.authenticate([Factor::Otp])
    })
    .await
    .unwrap();
    assert_ne!(visit(&mut jar, &stores, id).await, before);
    visit(&mut jar, &stores, |session| {
        assert!(session.check_credentials(b"hash").unwrap());
        assert!(session.is_remembered());
        assert_eq!(session.get::<u8>("cart").unwrap(), Some(3));
    })
    .await;
    assert_eq!(
        old.session(stores).await.unwrap().owner(),
        None,
        "the old ID opens nothing"
    );
    let listed = store.list("ape").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].factors().len(), 2);
}

/// A request that another one overtakes must not lose the factors of either.
#[tokio::test]
async fn concurrent_step_ups_keep_both_factors() {
    let clock = Clock::starting_now();
    let [_, stores] = stores(&clock);
    let mut jar = Jar::new();
    visit(&mut jar, &stores, |session| session.login("ape"))
        .await
        .unwrap();
    let (one, other) = (jar.sessions(stores.clone()), jar.sessions(stores.clone()));
    let (first, second) = (one.session().await.unwrap(), other.session().await.unwrap());
    first.authenticate([Factor::Password]).unwrap();
    second.authenticate([Factor::Otp]).unwrap();
    for sessions in [one, other] {
        let fields = sessions.finish().await.unwrap();
        jar.receive_all(fields.iter().flat_map(|fields| fields.set_cookies()));
    }
    let level = |session: &Session| session.level();
    assert_eq!(visit(&mut jar, &stores, level).await, 2);
}
