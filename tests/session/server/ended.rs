//! A future that waits for the end of a session in a server: what ends it, what does not, and what it
//! costs the backend.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Layout, Memory, Record};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, Lifetime, Lookup, ServerOptions, ServerStore, SessionEnd};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::in_layout::InLayout;
use super::super::site::{Framework, Site};
use super::interleavings::{Change, on_each_backend};
use super::{IDLE, RUNTIME, Server, jar_with, visit};

for_each_framework!(
    a_stream_learns_of_a_logout_in_another_request,
    a_stream_goes_on_after_a_renewal_in_another_request,
);

const INTERVAL: Duration = Duration::from_millis(20);
const WATCHDOG: Duration = Duration::from_secs(30);
const LOGIN: Change = |session| session.login("ape");

fn options() -> ServerOptions {
    ServerOptions::new().watch_interval(INTERVAL)
}

/// Waits for the end of the jar's session in a task of its own.
async fn watch(jar: &Jar, store: &ServerStore) -> JoinHandle<SessionEnd> {
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

/// Waits until the store has looked twice: once for certain after this call.
async fn two_looks(server: &Server) {
    server.backend.calls();
    let mut looks = 0;
    eventually(|| {
        looks += server.backend.calls().matches("load_many").count();
        looks >= 2
    })
    .await;
}

#[test]
fn each_end_of_a_session_resolves_the_future() {
    on_each_backend(async |server| {
        let store = server.store_with(options());
        let ends: [Change; 2] = [|session| session.logout(), |session| session.end()];
        for end in ends {
            let mut jar = jar_with(&store, LOGIN).await;
            let ended = watch(&jar, &store).await;
            visit(&mut jar, &store, |session| end(session).unwrap()).await;
            assert_eq!(end_of(ended).await, SessionEnd::Ended);
        }
        // From another device: all others, this one from a list, and all.
        let jar = jar_with(&store, LOGIN).await;
        let mut phone = jar_with(&store, LOGIN).await;
        let (ended, of_phone) = (watch(&jar, &store).await, watch(&phone, &store).await);
        visit(&mut phone, &store, |session| session.end_others().unwrap()).await;
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
        two_looks(&server).await;
        assert!(!of_phone.is_finished());
        let id = store.list("ape").await.unwrap()[0].id().clone();
        assert!(store.end("ape", &id).await.unwrap());
        assert_eq!(end_of(of_phone).await, SessionEnd::Ended);
        let ended = watch(&jar_with(&store, LOGIN).await, &store).await;
        store.end_all("ape").await.unwrap();
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
        // By an operator, who has the row's key.
        let jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        let (key, _) = server.row(&jar, &store).await;
        let found = store.end_by_key(&key).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)));
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
        assert_eq!(store.watched_sessions(), 0);
    });
}

#[test]
fn a_limit_of_the_session_resolves_the_future() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let mut jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        // A request in between begins the idle limit again.
        server.clock.pass(IDLE - 1);
        visit(&mut jar, &store, |_| ()).await;
        server.clock.pass(IDLE - 1);
        two_looks(&server).await;
        assert!(!ended.is_finished());
        server.clock.pass(1);
        assert_eq!(end_of(ended).await, SessionEnd::Idle);

        let lifetime = Lifetime::new().without_idle();
        let store = server.store_with(options().lifetime(lifetime));
        let soon = server.now() + Duration::from_secs(60);
        let jar = jar_with(&store, |session| {
            session.login("ape")?;
            session.set_deadline(soon)
        });
        let ended = watch(&jar.await, &store).await;
        server.clock.pass(59);
        two_looks(&server).await;
        assert!(!ended.is_finished());
        server.clock.pass(1);
        assert_eq!(end_of(ended).await, SessionEnd::Expired);
    });
}

#[test]
fn waiting_does_not_extend_the_idle_limit() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        let (_, before) = server.row(&jar, &store).await;
        server.clock.pass(IDLE / 2);
        two_looks(&server).await;
        let (_, after) = server.row(&jar, &store).await;
        assert_eq!(before, after);
        server.clock.pass(IDLE / 2);
        assert_eq!(end_of(ended).await, SessionEnd::Idle);
    });
}

#[test]
fn a_renewed_session_goes_on_and_so_does_one_whose_owner_logs_in_again() {
    on_each_backend(async |server| {
        let store = server.store_with(options());
        let changes: [Change; 3] = [
            |session| session.renew(),
            LOGIN,
            |session| session.login_keeping_values("ape"),
        ];
        for change in changes {
            let mut jar = jar_with(&store, LOGIN).await;
            let ended = watch(&jar, &store).await;
            for _ in 0..2 {
                visit(&mut jar, &store, |session| change(session).unwrap()).await;
                two_looks(&server).await;
                assert!(!ended.is_finished());
            }
            // Several renewals between two looks.
            for _ in 0..3 {
                visit(&mut jar, &store, |session| session.renew().unwrap()).await;
            }
            two_looks(&server).await;
            assert!(!ended.is_finished());
            visit(&mut jar, &store, |session| session.logout().unwrap()).await;
            assert_eq!(end_of(ended).await, SessionEnd::Ended);
        }
    });
}

#[test]
fn a_login_of_another_user_ends_the_session_and_so_does_a_logout_before_a_login() {
    on_each_backend(async |server| {
        // Both steps are between two looks.
        let slow = ServerOptions::new().watch_interval(Duration::from_millis(500));
        let store = server.store_with(slow);
        let visitor: Change = |session| session.insert("n", 1);
        let begins_anew: Change = |session| {
            session.logout()?;
            session.insert("n", 1)
        };
        let steps: [(Change, &[Change]); 5] = [
            (LOGIN, &[|session| session.login("bonobo")]),
            (LOGIN, &[|session| session.login_keeping_values("bonobo")]),
            (visitor, &[LOGIN]),
            (LOGIN, &[begins_anew, LOGIN]),
            (LOGIN, &[|session| session.logout(), LOGIN]),
        ];
        for (first, steps) in steps {
            let mut jar = jar_with(&store, first).await;
            let ended = watch(&jar, &store).await;
            for step in steps {
                visit(&mut jar, &store, |session| step(session).unwrap()).await;
            }
            assert_eq!(end_of(ended).await, SessionEnd::Ended);
        }
    });
}

#[test]
fn an_outage_does_not_end_a_session_before_its_last_known_limit() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let mut jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        let until_idle = watch(&jar, &store).await;
        server.backend.is_down(true);
        two_looks(&server).await;
        server.backend.is_down(false);
        two_looks(&server).await;
        assert!(!ended.is_finished());
        // The look after this request knows the new limit.
        server.clock.pass(IDLE / 2);
        visit(&mut jar, &store, |_| ()).await;
        two_looks(&server).await;
        server.backend.is_down(true);
        server.clock.pass(IDLE - 1);
        two_looks(&server).await;
        assert!(!until_idle.is_finished());
        server.clock.pass(1);
        assert_eq!(end_of(until_idle).await, SessionEnd::Idle);
        assert_eq!(end_of(ended).await, SessionEnd::Idle);
    });
}

#[test]
fn a_row_that_cannot_be_read_ends_only_its_own_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let (broken, jar) = (jar_with(&store, LOGIN).await, jar_with(&store, LOGIN).await);
        let (of_broken, ended) = (watch(&broken, &store).await, watch(&jar, &store).await);
        let (key, stored) = server.row(&broken, &store).await;
        let garbage = Record::new("garbage", stored.record.expiry());
        let swapped = server.backend.swap(&key, &stored.revision, &garbage).await;
        assert!(swapped.unwrap().done().is_some());
        assert_eq!(end_of(of_broken).await, SessionEnd::Ended);
        two_looks(&server).await;
        assert!(!ended.is_finished());
    });
}

#[test]
fn a_dropped_future_is_watched_no_longer_and_the_last_one_stops_the_looks() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let jar = jar_with(&store, LOGIN).await;
        assert_eq!(store.watched_sessions(), 0);
        let (one, two) = (watch(&jar, &store).await, watch(&jar, &store).await);
        assert_eq!(store.watched_sessions(), 2);
        one.abort();
        eventually(|| store.watched_sessions() == 1).await;
        two_looks(&server).await;
        two.abort();
        eventually(|| store.watched_sessions() == 0).await;
        // A look may be under way.
        tokio::time::sleep(INTERVAL).await;
        server.backend.calls();
        tokio::time::sleep(10 * INTERVAL).await;
        assert_eq!(server.backend.calls(), "");
        // The next one starts them again.
        let ended = watch(&jar, &store).await;
        two_looks(&server).await;
        store.end_all("ape").await.unwrap();
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
    });
}

#[test]
fn a_future_that_was_never_polled_costs_nothing() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(options());
        let jar = jar_with(&store, LOGIN).await;
        let ended = jar.session(store.clone()).await.unwrap().ended();
        assert_eq!(store.watched_sessions(), 0);
        drop(ended);
    });
}

#[test]
fn a_thousand_sockets_are_one_call_an_interval() {
    const SESSIONS: usize = 400;
    const SOCKETS: usize = 1_000;
    paused_runtime().block_on(async {
        let interval = Duration::from_secs(5);
        let server = Server::new();
        let store = server.store(); // 5 seconds are the default
        let mut jars = Vec::new();
        for _ in 0..SESSIONS {
            jars.push(jar_with(&store, LOGIN).await);
        }
        let mut sockets = Vec::new();
        for jar in jars.iter().cycle().take(SOCKETS) {
            let session = jar.session(store.clone()).await.unwrap();
            sockets.push(tokio::spawn(session.ended()));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(store.watched_sessions(), SOCKETS);
        // From here on, the middle of an interval.
        tokio::time::sleep(interval / 2).await;
        server.backend.calls();
        for _ in 0..10 {
            tokio::time::sleep(interval).await;
            assert_eq!(server.backend.calls(), "load_many");
        }
        // Each key once, although sockets share sessions.
        assert_eq!(server.backend.last_load_many(), SESSIONS);
        // Another process renews and ends a session. A renewal costs one call more, once.
        let other = server.store();
        visit(&mut jars[0], &other, |session| session.renew().unwrap()).await;
        server.backend.calls();
        tokio::time::sleep(interval).await;
        assert_eq!(server.backend.calls(), "load_many load_many");
        tokio::time::sleep(interval).await;
        assert_eq!(server.backend.calls(), "load_many");
        // An end is seen within the interval, by the sockets of that session only.
        visit(&mut jars[0], &other, |session| session.logout().unwrap()).await;
        tokio::time::sleep(interval).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let sockets_of_one = SOCKETS.div_ceil(SESSIONS);
        assert_eq!(store.watched_sessions(), SOCKETS - sockets_of_one);
        assert!(sockets[0].is_finished() && !sockets[1].is_finished());
    });
}

#[test]
fn the_looks_go_on_after_the_end_of_the_runtime_that_began_them() {
    let server = Server::new();
    let store = server.store_with(options());
    let jar = RUNTIME.block_on(jar_with(&store, LOGIN));
    let worker = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let first = worker.block_on(watch(&jar, &store));
    let ended = RUNTIME.block_on(watch(&jar, &store));
    worker.shutdown_timeout(WATCHDOG);
    drop(first);
    RUNTIME.block_on(async {
        two_looks(&server).await;
        assert_eq!(store.watched_sessions(), 1);
        store.end_all("ape").await.unwrap();
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
    });
}

#[test]
fn a_session_that_is_not_saved_is_not_watched() {
    RUNTIME.block_on(async {
        let store = Server::new().store_with(options());
        let session = Jar::new().session(store.clone()).await.unwrap();
        assert_eq!(session.ended().await, SessionEnd::Unwatched);
        session.login("ape").unwrap();
        assert_eq!(session.ended().await, SessionEnd::Unwatched);
        // The future looks at the session when it is polled first.
        let ended = session.ended();
        session.save().await.unwrap();
        let ended = tokio::spawn(ended);
        eventually(|| store.watched_sessions() == 1).await;
        store.end_all("ape").await.unwrap();
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
        // A session that this request has ended.
        let jar = jar_with(&store, LOGIN).await;
        let session = jar.session(store.clone()).await.unwrap();
        session.logout().unwrap();
        assert_eq!(session.ended().await, SessionEnd::Ended);
        // A late request with an old ID must not wait for the new one's session.
        let mut jar = jar_with(&store, LOGIN).await;
        let old = jar.clone();
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        let session = old.session(store.clone()).await.unwrap();
        assert_eq!(session.ended().await, SessionEnd::Unwatched);
    });
}

/// Go's rows leave no tombstone: the process remembers its own moves.
#[test]
fn a_session_in_the_row_of_a_go_package_is_followed_within_the_process() {
    RUNTIME.block_on(async {
        let rows = InLayout::new(Memory::new(), Layout::Scs);
        let server = Server::over(Arc::new(rows));
        let store = server.store_of(Dialect::scs(), options());
        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        let ended = watch(&jar, &store).await;
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        two_looks(&server).await;
        assert!(!ended.is_finished());
        visit(&mut jar, &store, |session| session.logout().unwrap()).await;
        assert_eq!(end_of(ended).await, SessionEnd::Ended);
    });
}

#[test]
fn an_interval_of_zero_is_refused_and_a_long_one_shortened() {
    let server = Server::new();
    let zero = ServerOptions::new().watch_interval(Duration::ZERO);
    assert!(
        server
            .try_store_of(super::native(server.codecs()), zero)
            .unwrap_err()
            .is_usage()
    );
    // A tombstone is kept for the longest request: it must be seen.
    paused_runtime().block_on(async {
        let long = ServerOptions::new().watch_interval(Duration::from_secs(3_600));
        let store = server.store_with(long);
        let jar = jar_with(&store, LOGIN).await;
        let _ended = watch(&jar, &store).await;
        server.backend.calls();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(server.backend.calls(), "load_many load_many");
    });
}

/// A site with a stream for each request to `/watch`, whose end it reports.
fn streaming() -> (Site, mpsc::UnboundedReceiver<SessionEnd>) {
    let (report, reports) = mpsc::unbounded_channel();
    let site = Site::new(Server::new().store_with(options()))
        .on("/login", async |sessions| {
            sessions.session().await?.login("ape").map(|()| "")
        })
        .on("/renew", async |sessions| {
            sessions.session().await?.renew().map(|()| "")
        })
        .on("/logout", async |sessions| {
            sessions.session().await?.logout().map(|()| "")
        })
        .on("/watch", move |sessions| {
            let report = report.clone();
            async move {
                let ended = sessions.session().await?.ended();
                tokio::spawn(async move {
                    let _ = report.send(ended.await);
                });
                Ok("")
            }
        });
    (site, reports)
}

fn report(reports: mpsc::UnboundedReceiver<SessionEnd>) -> SessionEnd {
    let mut reports = reports;
    RUNTIME.block_on(async {
        let report = tokio::time::timeout(WATCHDOG, reports.recv()).await;
        report.expect("the stream has ended").unwrap()
    })
}

fn a_stream_learns_of_a_logout_in_another_request(framework: Framework) {
    let (site, reports) = streaming();
    let mut browser = site.browse(framework);
    browser.get("/login");
    browser.get("/watch");
    browser.get("/logout");
    assert_eq!(report(reports), SessionEnd::Ended);
}

fn a_stream_goes_on_after_a_renewal_in_another_request(framework: Framework) {
    let (site, mut reports) = streaming();
    let mut browser = site.browse(framework);
    browser.get("/login");
    browser.get("/watch");
    browser.get("/renew");
    std::thread::sleep(5 * INTERVAL);
    assert!(reports.try_recv().is_err());
    browser.get("/logout");
    assert_eq!(report(reports), SessionEnd::Ended);
}
