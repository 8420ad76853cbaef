//! A future that waits for the end of a session in a cookie: its limits, and revocation.

use std::sync::atomic::Ordering;
use std::time::Duration;

use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, CookieStore, Lifetime, SessionEnd};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::site::RUNTIME;
use super::support::{Clock, TestGenerations, store_with};

const INTERVAL: Duration = Duration::from_millis(20);
const WATCHDOG: Duration = Duration::from_secs(30);
const IDLE: u64 = 30 * 60;

fn store(clock: &Clock, generations: Option<&TestGenerations>) -> CookieStore {
    let store = clock.of(store_with(CookieOptions::new(), Lifetime::new()));
    let store = store.watch_interval(INTERVAL);
    match generations {
        Some(generations) => store.revocable(generations.clone()),
        None => store,
    }
}

async fn watch(jar: &Jar, store: &CookieStore) -> JoinHandle<SessionEnd> {
    let session = jar.session(store.clone()).await.unwrap();
    let watched = store.watched_sessions();
    let ended = tokio::spawn(session.ended());
    eventually(|| store.watched_sessions() > watched).await;
    ended
}

/// Returns a runtime in which time passes only while all tasks wait.
fn paused_runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

async fn eventually(mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, wait).await.expect("in time");
}

async fn end_of(ended: JoinHandle<SessionEnd>) -> SessionEnd {
    let ended = tokio::time::timeout(WATCHDOG, ended).await;
    ended.expect("the session has ended").unwrap()
}

async fn two_looks(generations: &TestGenerations) {
    let before = generations.asked.load(Ordering::SeqCst);
    eventually(|| generations.asked.load(Ordering::SeqCst) >= before + 2).await;
}

#[test]
fn a_limit_in_the_cookie_resolves_the_future() {
    RUNTIME.block_on(async {
        let clock = Clock::new();
        let store = store(&clock, None);
        let jar = Jar::with(store.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        let ended = watch(&jar, &store).await;
        clock.pass(IDLE - 1);
        tokio::time::sleep(5 * INTERVAL).await;
        assert!(!ended.is_finished());
        clock.pass(1);
        assert_eq!(end_of(ended).await, SessionEnd::Idle);

        let soon = clock.now() + Duration::from_secs(60);
        let jar = Jar::with(store.clone(), |session| {
            session.login("ape")?;
            session.set_deadline(soon)
        });
        let ended = watch(&jar.await.unwrap(), &store).await;
        clock.pass(60);
        assert_eq!(end_of(ended).await, SessionEnd::Expired);
        assert_eq!(store.watched_sessions(), 0);
    });
}

#[test]
fn a_revocation_resolves_the_future_and_an_outage_does_not() {
    RUNTIME.block_on(async {
        let (clock, generations) = (Clock::new(), TestGenerations::default());
        let store = store(&clock, Some(&generations));
        let login = async |owner: &str| {
            let jar = Jar::with(store.clone(), |session| session.login(owner)).await;
            jar.unwrap()
        };
        let ape = watch(&login("ape").await, &store).await;
        let other = watch(&login("other").await, &store).await;
        generations.is_down.store(true, Ordering::SeqCst);
        two_looks(&generations).await;
        generations.is_down.store(false, Ordering::SeqCst);
        two_looks(&generations).await;
        assert!(!ape.is_finished() && !other.is_finished());
        store.end_all("ape").await.unwrap();
        assert_eq!(end_of(ape).await, SessionEnd::Ended);
        two_looks(&generations).await;
        assert!(!other.is_finished());
        // The limits end it even during an outage.
        generations.is_down.store(true, Ordering::SeqCst);
        clock.pass(IDLE);
        assert_eq!(end_of(other).await, SessionEnd::Idle);
    });
}

#[test]
fn each_owner_is_asked_for_once_an_interval() {
    paused_runtime().block_on(async {
        let (clock, generations) = (Clock::new(), TestGenerations::default());
        let store = store(&clock, Some(&generations)).watch_interval(Duration::from_secs(5));
        let mut sockets = Vec::new();
        for number in 0..100 {
            let owner = format!("owner {}", number % 3);
            let jar = Jar::with(store.clone(), |session| session.login(owner))
                .await
                .unwrap();
            let session = jar.session(store.clone()).await.unwrap();
            sockets.push(tokio::spawn(session.ended()));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(store.watched_sessions(), 100);
        // From here on, the middle of an interval.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        for _ in 0..3 {
            let before = generations.asked.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(generations.asked.load(Ordering::SeqCst) - before, 3);
        }
    });
}

/// A store with another clock or other generations is another store.
#[test]
fn a_changed_clone_of_a_store_watches_by_itself() {
    RUNTIME.block_on(async {
        let (clock, other_clock) = (Clock::new(), Clock::new());
        let one = store(&clock, None);
        let other = other_clock.of(one.clone());
        let jar = Jar::with(one.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        let (of_one, of_other) = (watch(&jar, &one).await, watch(&jar, &other).await);
        assert_eq!((one.watched_sessions(), other.watched_sessions()), (1, 1));
        other_clock.pass(IDLE);
        assert_eq!(end_of(of_other).await, SessionEnd::Idle);
        tokio::time::sleep(5 * INTERVAL).await;
        assert!(!of_one.is_finished());
    });
}

#[test]
fn a_session_without_a_cookie_is_not_watched() {
    RUNTIME.block_on(async {
        let store = store(&Clock::new(), None);
        let session = Jar::new().session(store).await.unwrap();
        assert_eq!(session.ended().await, SessionEnd::Unwatched);
        session.insert("n", 1).unwrap();
        assert_eq!(session.ended().await, SessionEnd::Unwatched);
    });
}
