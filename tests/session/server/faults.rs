//! A server that fails or loses replies, at each backend call of each change of a session.

use std::sync::Arc;

use silverback::backend::{Backend, Memory};
use silverback::session::testing::Jar;
use silverback::session::{Error, Refusal, ServerStore, Session};

use super::super::client::Browser;
use super::super::site::{Framework, Site};
use super::test_backend::Fault;
use super::{IDLE, RUNTIME, Request, Server, count, jar_with, read, visit};

for_each_framework!(
    law_2_an_unavailable_server_is_503,
    law_2_a_failed_save_is_503_and_sets_no_cookie,
    law_2_the_response_of_a_gone_session_sets_no_cookie,
);

type Change = fn(&Session) -> Result<(), Error>;

/// Each change of a session, which writes `after`, and its backend calls.
const CHANGES: [(&str, Change, &str); 8] = [
    ("save", |_| Ok(()), "swap"),
    ("renew", |session| session.renew(), "create swap"),
    (
        "renew an owned session",
        |session| session.renew(),
        "create swap",
    ),
    ("login", |session| session.login("ape"), "begin create swap"),
    (
        "login keeping",
        |session| session.login_keeping_values("ape"),
        "begin create swap",
    ),
    (
        "end others",
        |session| session.end_others(),
        "load revoke swap",
    ),
    ("farewell", |session| session.logout(), "create swap"),
    ("remember", |session| session.remember(true), "extend swap"),
];

/// A server with a session in which `before` is 1, and a request that has loaded it and applied the
/// change.
struct Trial {
    server: Server,
    memory: Arc<Memory>,
    store: ServerStore,
    jar: Jar,
    request: Request,
}

impl Trial {
    async fn new((name, change, _): (&str, Change, &str)) -> Self {
        let memory = Arc::new(Memory::new());
        let server = Server::over(memory.clone());
        let lifetime = silverback::session::Lifetime::new();
        let options = silverback::session::ServerOptions::new().lifetime(lifetime);
        let store = server.store_with(options);
        let is_owned = name.contains("owned") || name.contains("others") || name == "remember";
        let jar = jar_with(&store, |session| {
            if is_owned {
                session.login("ape")?;
            }
            session.insert("before", 1)
        })
        .await;
        let request = Request::of(&jar, &store).await;
        change(&request.session).unwrap();
        request.session.insert("after", 1).unwrap();
        server.backend.calls();
        Trial {
            server,
            memory,
            store,
            jar,
            request,
        }
    }

    /// Returns the number of records, tombstones included.
    async fn records(&self) -> usize {
        let scan = self.memory.scan().unwrap();
        scan.page(None, 100).await.unwrap().entries.len()
    }

    /// Returns whether the old cookie opens the unchanged session.
    async fn is_unchanged(&self) -> bool {
        read(&self.jar, &self.store, ["before", "after"]).await == Some([Some(1), None])
    }

    /// Finishes the request, and returns whether the client's cookie afterwards opens the written
    /// session.
    async fn finish(&self) -> Result<bool, Error> {
        let mut jar = self.jar.clone();
        for set_cookie in self.request.finish().await? {
            jar.receive(&set_cookie);
        }
        let read = read(&jar, &self.store, ["after"]).await;
        Ok(read == Some([Some(1)]))
    }
}

#[test]
fn each_change_makes_only_the_necessary_calls() {
    RUNTIME.block_on(async {
        for change in CHANGES {
            let trial = Trial::new(change).await;
            trial.request.finish().await.unwrap();
            assert_eq!(trial.server.backend.calls(), change.2, "{}", change.0);
        }
    });
}

/// Returns each change with each of its calls.
fn calls() -> impl Iterator<Item = ((&'static str, Change, &'static str), usize, &'static str)> {
    CHANGES.into_iter().flat_map(|change| {
        let calls = change.2.split(' ').enumerate();
        calls.map(move |(place, call)| (change, place, call))
    })
}

#[test]
fn law_2_a_failed_change_is_not_applied() {
    RUNTIME.block_on(async {
        for (change, place, call) in calls() {
            let story = format!("{}: {place} {call}", change.0);
            let trial = Trial::new(change).await;
            let records = trial.records().await;
            trial.server.backend.at(place, Fault::Fails);
            let error = trial.request.finish().await.unwrap_err();
            assert!(
                error.is_unavailable() && !error.is_outcome_unknown(),
                "{story}"
            );
            assert_eq!(error.status(), 503);
            assert!(trial.is_unchanged().await, "{story}");
            assert_eq!(trial.records().await, records, "{story}");
            // The request can be repeated.
            assert!(trial.finish().await.unwrap(), "{story}");
            let jars = usize::from(trial.is_unchanged().await);
            assert_eq!(jars, 0, "{story}");
        }
    });
}

#[test]
fn law_6_a_lost_reply_of_a_write_is_resolved_by_a_read() {
    RUNTIME.block_on(async {
        for (change, place, call) in calls() {
            if !["create", "swap"].contains(&call) {
                continue;
            }
            for fault in [Fault::LosesRequest, Fault::LosesReply] {
                let trial = Trial::new(change).await;
                trial.server.backend.at(place, fault.clone());
                assert!(trial.finish().await.unwrap(), "{}: {place}", change.0);
                assert!(!trial.is_unchanged().await, "{}: {place}", change.0);
            }
        }
    });
}

#[test]
fn law_6_an_unresolvable_lost_reply_is_an_error() {
    RUNTIME.block_on(async {
        for (change, place, call) in calls() {
            if !["create", "swap"].contains(&call) {
                continue;
            }
            for fault in [Fault::LosesRequest, Fault::LosesReply] {
                let story = format!("{}: {place} {call}", change.0);
                let trial = Trial::new(change).await;
                trial.server.backend.at(place, fault);
                // This read would determine the outcome.
                trial.server.backend.and_at(place + 1, Fault::Fails);
                let session = &trial.request.session;
                let error = session.save().await.unwrap_err();
                assert!(
                    error.is_outcome_unknown() && error.is_unavailable(),
                    "{story}"
                );
                // The store does not repeat it, even if the handler tries.
                trial.server.backend.calls();
                assert!(session.insert("more", 1).unwrap_err().is_outcome_unknown());
                assert!(session.login("ape").unwrap_err().is_outcome_unknown());
                assert!(
                    trial
                        .request
                        .finish()
                        .await
                        .unwrap_err()
                        .is_outcome_unknown()
                );
                assert_eq!(trial.server.backend.calls(), "", "{story}");
            }
        }
    });
}

#[test]
fn law_6_a_lost_write_is_not_applied_twice_after_a_concurrent_save() {
    RUNTIME.block_on(async {
        for fault in [Fault::LosesRequest, Fault::LosesReply] {
            let server = Server::new();
            let store = server.store();
            let mut jar = jar_with(&store, |session| session.insert("count", 0)).await;
            let request = Request::of(&jar, &store).await;
            count(&request.session, "count").unwrap();
            let is_done = matches!(fault, Fault::LosesReply);
            server.backend.at(0, fault);
            // Another process saves before the store reads the row.
            let gate = server.backend.and_waits_at(1);
            let saving = tokio::spawn(async move { request.finish().await });
            gate.is_reached().await;
            let elsewhere = server.store();
            visit(&mut jar, &elsewhere, |session| {
                count(session, "count").unwrap()
            })
            .await;
            gate.open();
            assert!(saving.await.unwrap().unwrap_err().is_outcome_unknown());
            let expected = 1 + u64::from(is_done);
            assert_eq!(read(&jar, &store, ["count"]).await, Some([Some(expected)]));
        }
    });
}

#[test]
fn law_6_a_logout_succeeds_if_its_reply_is_lost() {
    RUNTIME.block_on(async {
        for fault in [Fault::LosesRequest, Fault::LosesReply] {
            let server = Server::new();
            let store = server.store();
            let jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let request = Request::of(&jar, &store).await;
            request.session.end().unwrap();
            server.backend.at(0, fault);
            let set = request.finish().await.unwrap();
            assert!(set[0].contains("Max-Age=0"), "{set:?}");
            assert_eq!(read(&jar, &store, []).await, None);
        }
    });
}

#[test]
fn law_2_a_failed_logout_is_an_error_and_can_be_repeated() {
    RUNTIME.block_on(async {
        for fault in [Fault::Fails, Fault::LosesRequest] {
            let server = Server::new();
            let store = server.store();
            let jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let request = Request::of(&jar, &store).await;
            request.session.end().unwrap();
            server.backend.at(0, fault);
            server.backend.and_at(1, Fault::Fails);
            let error = request.session.save().await.unwrap_err();
            assert!(error.is_unavailable());
            server.backend.calls();
            assert_eq!(request.finish().await.unwrap().len(), 1);
            assert_eq!(read(&jar, &store, []).await, None);
        }
    });
}

#[test]
fn a_transaction_that_cannot_be_saved_is_undone() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("count", 0)).await;
        let request = Request::of(&jar, &store).await;
        request.session.insert("a", 1).unwrap();
        server.backend.at(0, Fault::Fails);
        let transaction = request.session.transact(|values| values.insert("b", 1));
        assert!(transaction.await.unwrap_err().is_unavailable());
        assert!(!request.session.contains("b"));
        request.finish_into(&mut jar).await;
        assert_eq!(read(&jar, &store, ["a", "b"]).await, Some([Some(1), None]));
    });
}

fn site(store: &ServerStore) -> Site {
    Site::new(store.clone())
        .on("/none", async |_| Ok(""))
        .on("/count", async |sessions| {
            count(&sessions.session().await?, "count")
        })
        .on("/login", async |sessions| {
            sessions.session().await?.login("ape")?;
            Ok("")
        })
        .on("/renew", async |sessions| {
            sessions.session().await?.renew()?;
            Ok("")
        })
        .on("/end", async |sessions| {
            sessions.session().await?.end()?;
            Ok("")
        })
        .on("/read", async |sessions| {
            let session = sessions.session().await?;
            let count = session.get::<u64>("count")?.unwrap_or_default();
            Ok(format!("{count} {:?}", session.refusal()))
        })
        .error_page("come back later")
}

fn law_2_an_unavailable_server_is_503(framework: Framework) {
    let server = Server::new();
    let mut browser = site(&server.store()).browse(framework);
    browser.get("/count");
    server.backend.is_down(true);
    for path in ["/read", "/count", "/login", "/renew", "/end", "/extracted"] {
        let broken = browser.get(path);
        assert_eq!(
            (broken.status, &*broken.body),
            (503, "come back later"),
            "{path}"
        );
        assert!(broken.set_cookies().is_empty(), "{path}");
        assert_eq!(broken.cache_control(), ["no-store"], "{path}");
    }
    assert_eq!(browser.get("/none").status, 200, "a page without a session");
    let mut other = browser.another();
    assert_eq!(
        other.get("/read").body,
        "0 None",
        "a client without a cookie"
    );
    assert_eq!(other.get("/count").status, 503, "a write without a cookie");
    other.jar.set(super::COOKIE, "forged");
    assert_eq!(other.get("/read").body, "0 Some(NotValid)");
    server.backend.is_down(false);
    assert_eq!(browser.get("/read").body, "1 None", "nothing was lost");
}

fn law_2_a_failed_save_is_503_and_sets_no_cookie(framework: Framework) {
    let server = Server::new();
    let mut browser = site(&server.store()).browse(framework);
    browser.get("/count");
    let cookie = browser.jar.cookie();
    // Load and swap; load, create and swap; load and swap to a tombstone.
    let calls = [
        ("/count", 1),
        ("/renew", 1),
        ("/renew", 2),
        ("/login", 1),
        ("/end", 1),
    ];
    for (path, call) in calls {
        server.backend.at(call, Fault::Fails);
        let broken = browser.get(path);
        assert_eq!(
            (broken.status, &*broken.body),
            (503, "come back later"),
            "{path}"
        );
        assert!(broken.set_cookies().is_empty(), "{path}");
        server.backend.calls();
        assert_eq!(browser.get("/read").body, "1 None", "{path}");
    }
    server.clock.pass(IDLE / 10);
    server.backend.at(1, Fault::Fails);
    let broken = browser.get("/read");
    assert_eq!(
        (broken.status, broken.set_cookies().len()),
        (503, 0),
        "a touch"
    );
    assert_eq!(browser.get("/read").body, "1 None");
    assert_eq!(browser.jar.cookie(), cookie);
}

/// Returns a browser that requests `/late` while its session ends.
fn browser_of_ended_session(framework: Framework, reports: bool) -> Browser {
    let server = Server::new();
    let store = server.store();
    let ending = store.clone();
    let route = move |sessions: silverback::session::Sessions| {
        let store = ending.clone();
        async move {
            let session = sessions.session().await?;
            let id = session.id().unwrap();
            let owner = session.owner().unwrap();
            assert!(store.end(&owner, &id).await?);
            session.insert("late", 1)?;
            match reports {
                false => Ok("late".to_owned()),
                true => {
                    let error = session.save().await.unwrap_err();
                    assert!(error.is_gone());
                    Err(error)
                }
            }
        }
    };
    site(&store).on("/late", route).browse(framework)
}

fn law_2_the_response_of_a_gone_session_sets_no_cookie(framework: Framework) {
    for (reports, status, body) in [(false, 200, "late"), (true, 409, "come back later")] {
        let mut browser = browser_of_ended_session(framework, reports);
        browser.get("/login");
        let late = browser.get("/late");
        assert_eq!((late.status, &*late.body), (status, body));
        assert!(late.set_cookies().is_empty());
        assert_eq!(
            browser.get("/read").body,
            format!("0 {:?}", Some(Refusal::Gone))
        );
    }
}
