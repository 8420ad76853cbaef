//! A future that waits for the end of a session resolves before the interval if the store hears of the
//! end: from this process always, from another one if the backend reports changes. A report that is
//! lost changes nothing else.

use std::time::Duration;

use silverback::backend::{Changes, Key};
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore, SessionEnd};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::interleavings::Change;
use super::test_backend::Reports;
use super::{Server, jar_with, visit};

const INTERVAL: Duration = Duration::from_secs(5);
/// Longer than changes are gathered, twice, and far shorter than the interval.
const AT_ONCE: Duration = Duration::from_millis(200);
const LOGIN: Change = |session| session.login("ape");

/// Runs a test in which time passes only while all tasks wait.
fn in_paused_time(test: impl Future<Output = ()>) {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// Returns the store of one process. All stores of a server have one interval.
fn process(server: &Server) -> ServerStore {
    server.store_with(ServerOptions::new().watch_interval(INTERVAL))
}

/// Waits for the end of the jar's session in a task of its own.
async fn watch(jar: &Jar, store: &ServerStore) -> JoinHandle<SessionEnd> {
    let session = jar.session(store.clone()).await.unwrap();
    let ended = tokio::spawn(session.ended());
    tokio::time::sleep(AT_ONCE).await;
    assert!(!ended.is_finished());
    ended
}

/// A way in which a request to a process ends the jar's session.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Logout,
    LogoutAfterRenewal,
    LoginOfAnother,
    OfAll,
    OfOthers,
    ById,
}

const ENDINGS: [Ending; 6] = [
    Ending::Logout,
    Ending::LogoutAfterRenewal,
    Ending::LoginOfAnother,
    Ending::OfAll,
    Ending::OfOthers,
    Ending::ById,
];

impl Ending {
    async fn run(self, jar: &mut Jar, store: &ServerStore) {
        match self {
            Ending::Logout => visit(jar, store, |session| session.logout().unwrap()).await,
            Ending::LogoutAfterRenewal => {
                visit(jar, store, |session| session.renew().unwrap()).await;
                visit(jar, store, |session| session.logout().unwrap()).await;
            }
            Ending::LoginOfAnother => {
                visit(jar, store, |session| session.login("bonobo").unwrap()).await;
            }
            Ending::OfAll => store.end_all("ape").await.unwrap(),
            Ending::OfOthers => {
                let mut other = jar_with(store, LOGIN).await;
                visit(&mut other, store, |session| session.end_others().unwrap()).await;
            }
            Ending::ById => {
                let id = store.list("ape").await.unwrap()[0].id().clone();
                assert!(store.end("ape", &id).await.unwrap());
            }
        }
    }
}

#[test]
fn an_end_in_this_process_is_seen_at_once() {
    in_paused_time(async {
        for ending in ENDINGS {
            let server = Server::new();
            let store = process(&server);
            let mut jar = jar_with(&store, LOGIN).await;
            let ended = watch(&jar, &store).await;
            ending.run(&mut jar, &store).await;
            tokio::time::sleep(AT_ONCE).await;
            assert!(ended.is_finished(), "{ending:?}");
            assert_eq!(ended.await.unwrap(), SessionEnd::Ended, "{ending:?}");
        }
    });
}

#[test]
fn a_reported_end_in_another_process_is_seen_at_once() {
    in_paused_time(async {
        for ending in ENDINGS {
            let server = Server::new();
            server.backend.reports(Reports::Arrive);
            let (store, other) = (process(&server), process(&server));
            let mut jar = jar_with(&store, LOGIN).await;
            let ended = watch(&jar, &store).await;
            ending.run(&mut jar, &other).await;
            tokio::time::sleep(AT_ONCE).await;
            assert!(ended.is_finished(), "{ending:?}");
            assert_eq!(ended.await.unwrap(), SessionEnd::Ended, "{ending:?}");
        }
    });
}

#[test]
fn an_end_without_a_report_is_seen_at_the_interval() {
    in_paused_time(async {
        for reports in [Reports::AreLost, Reports::Fail, Reports::Hang] {
            for ending in ENDINGS {
                let server = Server::new();
                server.backend.reports(reports);
                let (store, other) = (process(&server), process(&server));
                let mut jar = jar_with(&store, LOGIN).await;
                let ended = watch(&jar, &store).await;
                ending.run(&mut jar, &other).await;
                tokio::time::sleep(AT_ONCE).await;
                assert!(!ended.is_finished(), "{ending:?}");
                tokio::time::sleep(INTERVAL).await;
                assert!(ended.is_finished(), "{ending:?}");
                assert_eq!(ended.await.unwrap(), SessionEnd::Ended, "{ending:?}");
            }
        }
    });
}

#[test]
fn a_listener_that_fails_is_opened_again() {
    in_paused_time(async {
        let server = Server::new();
        server.backend.reports(Reports::Fail);
        let (store, other) = (process(&server), process(&server));
        let mut jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        tokio::time::sleep(INTERVAL * 3).await;
        // Once at the beginning, and once after each interval.
        assert_eq!(server.backend.listeners(), 4);
        server.backend.reports(Reports::Arrive);
        tokio::time::sleep(INTERVAL).await;
        Ending::Logout.run(&mut jar, &other).await;
        tokio::time::sleep(AT_ONCE).await;
        assert!(ended.is_finished());
    });
}

/// The looks at changes never delay the look at all sessions.
#[test]
fn the_bound_holds_while_another_session_keeps_changing() {
    in_paused_time(async {
        let server = Server::new();
        server.backend.reports(Reports::AreLost);
        let (store, other) = (process(&server), process(&server));
        let mut jar = jar_with(&store, LOGIN).await;
        let busy = jar_with(&store, |session| session.login("bonobo")).await;
        let key = store.list("bonobo").await.unwrap()[0].id().clone();
        let change = silverback::backend::Change::Record(Key::new(key.as_str()).unwrap());
        let (ended, busy_ended) = (watch(&jar, &store).await, watch(&busy, &store).await);
        Ending::Logout.run(&mut jar, &other).await;
        server.backend.reports(Reports::Arrive);
        let call = Duration::from_secs(2);
        server.backend.takes(call);
        let start = Instant::now();
        while !ended.is_finished() {
            assert!(start.elapsed() <= INTERVAL + call + AT_ONCE);
            server.backend.announce(&change).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!busy_ended.is_finished());
    });
}

#[test]
fn a_session_is_followed_through_renewals_in_another_process() {
    in_paused_time(async {
        let server = Server::new();
        server.backend.reports(Reports::Arrive);
        let (store, other) = (process(&server), process(&server));
        let mut jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        for _ in 0..5 {
            visit(&mut jar, &other, |session| session.renew().unwrap()).await;
            tokio::time::sleep(AT_ONCE).await;
            assert!(!ended.is_finished());
        }
        Ending::Logout.run(&mut jar, &other).await;
        tokio::time::sleep(AT_ONCE).await;
        assert!(ended.is_finished());
    });
}

#[test]
fn the_listener_is_dropped_with_the_last_future() {
    in_paused_time(async {
        let server = Server::new();
        server.backend.reports(Reports::Fail);
        let store = process(&server);
        let jar = jar_with(&store, LOGIN).await;
        let ended = watch(&jar, &store).await;
        ended.abort();
        tokio::time::sleep(AT_ONCE).await;
        let opened = server.backend.listeners();
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(
            (server.backend.listeners(), store.watched_sessions()),
            (opened, 0)
        );
    });
}

/// Sessions that end in this process and are not watched cost nothing, and many ends one look.
#[test]
fn many_ends_are_few_looks() {
    const SESSIONS: usize = 100;
    in_paused_time(async {
        let server = Server::new();
        let store = process(&server);
        let mut jars = Vec::new();
        let mut sockets = Vec::new();
        for number in 0..SESSIONS {
            let jar = jar_with(&store, LOGIN).await;
            if number % 2 == 0 {
                let session = jar.session(store.clone()).await.unwrap();
                sockets.push(tokio::spawn(session.ended()));
            }
            jars.push(jar);
        }
        tokio::time::sleep(AT_ONCE).await;
        let looks = || server.backend.calls().matches("load_many").count();
        looks();
        for jar in jars.iter_mut().skip(1).step_by(2) {
            Ending::Logout.run(jar, &store).await;
        }
        tokio::time::sleep(AT_ONCE).await;
        assert_eq!((looks(), store.watched_sessions()), (0, SESSIONS / 2));
        for jar in jars.iter_mut().step_by(2) {
            Ending::Logout.run(jar, &store).await;
        }
        tokio::time::sleep(AT_ONCE).await;
        assert_eq!((looks(), store.watched_sessions()), (1, 0));
        assert!(sockets.iter().all(JoinHandle::is_finished));
    });
}
