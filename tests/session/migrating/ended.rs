//! A future that waits for the end of a session, which moves to the other store while it waits.

use std::time::Duration;

use silverback::session::testing::Jar;
use silverback::session::{Migrating, MigrationStage, OldStore, ServerStore, Session, SessionEnd};
use tokio::task::JoinHandle;

use super::super::site::RUNTIME;
use super::{Kind, MOVE, More, PREPARE, Site};

const INTERVAL: Duration = Duration::from_millis(20);
const WATCHDOG: Duration = Duration::from_secs(30);

async fn visit(jar: &mut Jar, store: &Migrating, change: fn(&Session)) {
    let sessions = jar.sessions(store.clone());
    change(&sessions.session().await.unwrap());
    let fields = sessions.finish().await.unwrap();
    jar.receive_all(fields.iter().flat_map(|fields| fields.set_cookies()));
}

/// Returns the stores of a process at the stage `Move`, which look often.
fn moving(site: &Site) -> (ServerStore, ServerStore, Migrating) {
    let watched: More = |options| options.watch_interval(INTERVAL);
    let (old, new) = (site.old_rows_with(watched), site.new_rows_with(watched));
    let store = Migrating::new(OldStore::from(old.clone()), new.clone()).unwrap();
    (old, new, store.stage(MigrationStage::Move))
}

async fn end_of(ended: JoinHandle<SessionEnd>) -> SessionEnd {
    let ended = tokio::time::timeout(WATCHDOG, ended).await;
    ended.expect("the session has ended").unwrap()
}

async fn eventually(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, wait).await.expect("in time");
}

#[test]
fn a_session_that_moves_to_the_new_store_goes_on_there() {
    for kind in [Kind::Server, Kind::Scs, Kind::Keys, Kind::CookieName] {
        RUNTIME.block_on(async {
            let site = Site::new(kind);
            let (old, new, store) = moving(&site);
            let mut jar = site.jar(PREPARE, Some("ape")).await;
            let session = jar.session(store.clone()).await.unwrap();
            let ended = tokio::spawn(session.ended());
            eventually(|| old.watched_sessions() == 1).await;
            visit(&mut jar, &store, |session| session.insert("n", 1).unwrap()).await;
            eventually(|| new.watched_sessions() == 1).await;
            visit(&mut jar, &store, |session| session.renew().unwrap()).await;
            tokio::time::sleep(5 * INTERVAL).await;
            assert!(!ended.is_finished(), "{kind:?}");
            visit(&mut jar, &store, |session| session.logout().unwrap()).await;
            assert_eq!(end_of(ended).await, SessionEnd::Ended, "{kind:?}");
        });
    }
}

#[test]
fn a_session_that_ends_in_either_store_has_ended() {
    for kind in [Kind::Server, Kind::Scs] {
        for process in [PREPARE, MOVE] {
            RUNTIME.block_on(async {
                let site = Site::new(kind);
                let (old, new, store) = moving(&site);
                let mut jar = site.jar(process, Some("ape")).await;
                let session = jar.session(store.clone()).await.unwrap();
                let ended = tokio::spawn(session.ended());
                eventually(|| old.watched_sessions() + new.watched_sessions() == 1).await;
                visit(&mut jar, &store, |session| session.logout().unwrap()).await;
                assert_eq!(
                    end_of(ended).await,
                    SessionEnd::Ended,
                    "{kind:?} {process:?}"
                );
            });
        }
    }
}
