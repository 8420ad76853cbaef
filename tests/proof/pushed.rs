//! Ends of sessions in another process, which the server reports: a waiting future resolves long
//! before the interval at which its store looks.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::Backend;
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore, Session, SessionEnd};
use tokio::time::timeout;

use crate::requests::Keys;
use crate::{ROUNDS, RUNTIME};

const WATCHDOG: Duration = Duration::from_secs(30);

/// The store looks twice within its longest request, so at half an hour: after the watchdog.
fn options() -> ServerOptions {
    let hour = Duration::from_secs(3_600);
    ServerOptions::new()
        .longest_request(hour)
        .watch_interval(hour)
}

async fn visit(jar: &mut Jar, store: &ServerStore, change: impl FnOnce(&Session)) {
    let sessions = jar.sessions(store.clone());
    change(&sessions.session().await.unwrap());
    if let Some(fields) = sessions.finish().await.unwrap() {
        jar.receive_all(fields.set_cookies());
    }
}

/// Has sessions watched through the backend of one process, and ends them through that of another.
pub(crate) fn ends_are_reported(watching: Arc<dyn Backend>, ending: Arc<dyn Backend>) -> String {
    RUNTIME.block_on(async {
        let keys = Keys::new();
        let [watching, ending] =
            [watching, ending].map(|backend| keys.store_of(backend, options()));
        for round in 0..*ROUNDS {
            let owner = format!("ape {}", round % 5);
            let login = |session: &Session| session.login(&owner);
            let mut jar = Jar::with(ending.clone(), login).await.unwrap();
            let session = jar.session(watching.clone()).await.unwrap();
            let ended = tokio::spawn(session.ended());
            // Otherwise the end comes before the server is asked for reports of the session.
            if round % 8 < 4 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            match round % 4 {
                0 => visit(&mut jar, &ending, |session| session.logout().unwrap()).await,
                1 => ending.end_all(&owner).await.unwrap(),
                2 => {
                    for _ in 0..3 {
                        visit(&mut jar, &ending, |session| session.renew().unwrap()).await;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    assert!(!ended.is_finished(), "a renewed session goes on");
                    visit(&mut jar, &ending, |session| session.logout().unwrap()).await;
                }
                _ => {
                    let mut other = Jar::with(ending.clone(), login).await.unwrap();
                    visit(&mut other, &ending, |session| session.end_others().unwrap()).await;
                }
            }
            let end = timeout(WATCHDOG, ended).await;
            let end = end.unwrap_or_else(|_| panic!("round {round} was not reported"));
            assert_eq!(end.unwrap(), SessionEnd::Ended);
        }
        format!("{} ends were reported", *ROUNDS)
    })
}
