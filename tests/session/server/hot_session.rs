//! Many requests that save one session at the same time: in one process they share their writes,
//! and nothing that one of them does harms the others.
//!
//! The clock of these tests stands still while any task runs, so "once all others wait" is exact.

use std::task::Poll;
use std::time::Duration;

use silverback::session::testing::Jar;
use silverback::session::{Error, ServerOptions, ServerStore, Session};
use tokio::task::JoinHandle;

use super::super::site::{Framework, Site};
use super::watched::{Fault, Gate};
use super::{RUNTIME, Request, Server, count, jar_with, read};

for_each_framework!(an_overloaded_store_asks_the_client_to_retry);

/// How many requests save at once.
const CROWD: u64 = 200;

fn run<F: Future>(test: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

/// Ends once every other task waits for something.
async fn all_wait() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

type Saving = JoinHandle<Result<(), Error>>;

/// A session that holds a counter, a request whose save waits within the backend, and others.
struct Crowd {
    server: Server,
    store: ServerStore,
    jar: Jar,
    gate: Gate,
    first: Saving,
}

impl Crowd {
    async fn new() -> Self {
        let server = Server::new();
        let store = server.store();
        Crowd::of(server, store).await
    }

    async fn of(server: Server, store: ServerStore) -> Self {
        let jar = jar_with(&store, |session| {
            session.login("ape")?;
            session.insert("count", 0)
        });
        let jar = jar.await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "count").unwrap();
        let gate = server.backend.waits_at(0);
        let first = tokio::spawn(async move { request.session.save().await });
        gate.is_reached().await;
        server.backend.calls();
        Crowd {
            server,
            store,
            jar,
            gate,
            first,
        }
    }

    /// One more request, which saves what `change` does.
    async fn saves(&self, change: impl FnOnce(&Session) -> Result<(), Error>) -> Saving {
        let request = Request::of(&self.jar, &self.store).await;
        change(&request.session).unwrap();
        // It has loaded the session; only the save counts.
        self.server.backend.calls();
        tokio::spawn(async move { request.session.save().await })
    }

    async fn counts(&self, requests: u64) -> Vec<Saving> {
        let mut all = Vec::new();
        for _ in 0..requests {
            all.push(
                self.saves(|session| count(session, "count").map(drop))
                    .await,
            );
        }
        all
    }

    /// Lets the first go on, and answers with the calls of all the others.
    async fn go_on(self, others: Vec<Saving>) -> (Vec<Result<(), Error>>, String) {
        all_wait().await;
        self.gate.open();
        self.first.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for other in others {
            answers.push(other.await.unwrap());
        }
        (answers, self.server.backend.calls())
    }

    async fn count(jar: &Jar, store: &ServerStore) -> u64 {
        read(jar, store, ["count"]).await.unwrap()[0].unwrap()
    }
}

/// How often each call is in `calls`.
fn counted(calls: &str, call: &str) -> usize {
    calls.split(' ').filter(|of| *of == call).count()
}

#[test]
fn concurrent_changes_of_one_session_are_one_write() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let others = crowd.counts(CROWD - 1).await;
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(Crowd::count(&jar, &store).await, CROWD, "each counts once");
        let (swaps, loads) = (counted(&calls, "swap"), counted(&calls, "load"));
        println!("{CROWD} writes: {swaps} swaps, {loads} loads");
        assert_eq!(calls, "swap");
    });
}

#[test]
fn requests_that_are_dropped_while_they_wait_cost_nothing() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store, backend) = (
            crowd.jar.clone(),
            crowd.store.clone(),
            crowd.server.backend.clone(),
        );
        let others = crowd.counts(CROWD - 1).await;
        all_wait().await;
        for other in &others {
            other.abort();
        }
        all_wait().await;
        let (_, calls) = crowd.go_on(Vec::new()).await;
        store.drain().await;
        let calls = calls + &backend.calls();
        println!(
            "{} dropped: {} calls",
            CROWD - 1,
            calls.split_whitespace().count()
        );
        assert_eq!((&*calls, Crowd::count(&jar, &store).await), ("", 1));
    });
}

#[test]
fn a_request_that_is_dropped_before_its_save_begins_costs_nothing() {
    run(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("count", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "count").unwrap();
        server.backend.calls();
        {
            let mut saving = std::pin::pin!(request.session.save());
            let waits = std::future::poll_fn(|context| Poll::Ready(saving.as_mut().poll(context)));
            assert!(waits.await.is_pending(), "its task has not run yet");
        }
        store.drain().await;
        assert_eq!(server.backend.calls(), "");
    });
}

#[test]
fn concurrent_uses_of_one_session_are_noted_once() {
    run(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        server.clock.pass(super::IDLE / 2);
        let mut requests = Vec::new();
        for _ in 0..CROWD {
            requests.push(Request::of(&jar, &store).await);
        }
        let gate = server.backend.waits_at(0);
        let finished: Vec<_> = requests
            .into_iter()
            .map(|request| tokio::spawn(async move { request.finish().await }))
            .collect();
        gate.is_reached().await;
        all_wait().await;
        gate.open();
        for finished in finished {
            assert_eq!(finished.await.unwrap().unwrap(), [""; 0]);
        }
        let calls = server.backend.calls();
        println!("{CROWD} uses: {} touches", counted(&calls, "touch"));
        assert_eq!(calls, "touch");
    });
}

/// Two stores over one backend are two processes to each other.
#[test]
fn two_processes_share_a_hot_session() {
    run(async {
        let server = Server::new();
        let stores = [server.store(), server.store()];
        let jar = jar_with(&stores[0], |session| session.insert("count", 0)).await;
        let mut requests = Vec::new();
        for number in 0..CROWD {
            let store = &stores[usize::from(number % 2 == 0)];
            let request = Request::of(&jar, store).await;
            count(&request.session, "count").unwrap();
            requests.push(request);
        }
        // Each write takes its time, so that the others come while it is under way.
        server.backend.calls();
        server.backend.takes(Duration::from_millis(1));
        let saving: Vec<Saving> = requests
            .into_iter()
            .map(|request| tokio::spawn(async move { request.session.save().await }))
            .collect();
        for saved in saving {
            saved.await.unwrap().unwrap();
        }
        let calls = server.backend.calls();
        assert_eq!(Crowd::count(&jar, &stores[0]).await, CROWD);
        let (swaps, loads) = (counted(&calls, "swap"), counted(&calls, "load"));
        println!("{CROWD} writes of two processes: {swaps} swaps, {loads} loads");
        assert!(swaps + loads <= 40, "{calls}");
    });
}

/// The answers of those whose request ended so.
fn ended(answers: &[Result<(), Error>], how: fn(&Error) -> bool) -> usize {
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    failed.filter(|error| how(error)).count()
}

#[test]
fn a_change_that_fails_fails_only_its_own_request() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.counts(10).await;
        // It makes a text of the counter, which the next two cannot count.
        others.push(crowd.saves(|session| session.insert("count", "text")).await);
        others.extend(crowd.counts(2).await);
        let panics = crowd.saves(|session| {
            let change = |count: &mut u64| {
                assert_eq!(*count, 0, "the application's own");
                *count = 7;
            };
            session.update("other", |other: &mut u64| *other += 1)?;
            session.update("count", change).map(drop)
        });
        others.push(panics.await);
        others.push(crowd.saves(|session| session.insert("count", 7)).await);
        others.extend(crowd.counts(10).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert_eq!(ended(&answers, Error::is_wrong_type), 3);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 22);
        let read = read(&jar, &store, ["count", "other"]).await;
        assert_eq!(
            read,
            Some([Some(17), None]),
            "nothing of a change that failed"
        );
        assert_eq!(calls, "swap");
    });
}

#[test]
fn a_change_that_panics_fails_only_its_own_request() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.counts(1).await;
        let panics = crowd.saves(|session| {
            let change = |count: &mut u64| {
                assert_eq!(*count, 0, "the application's own");
                *count = 7;
            };
            session.update("count", change).map(drop)
        });
        others.push(panics.await);
        others.extend(crowd.counts(1).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert_eq!(ended(&answers, Error::is_usage), 1);
        assert!(answers[0].is_ok() && answers[2].is_ok());
        assert_eq!((Crowd::count(&jar, &store).await, &*calls), (3, "swap"));
    });
}

#[test]
fn a_session_too_large_fails_only_the_request_that_made_it_so() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        crowd.server.backend.refuses_values_over(4_000);
        let mut others = crowd.counts(9).await;
        let large = |session: &Session| session.insert("large", "a".repeat(4_000));
        others.push(crowd.saves(large).await);
        others.extend(crowd.counts(10).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert_eq!(ended(&answers, Error::is_too_large), 1);
        assert!(answers[9].is_err(), "the tenth");
        assert_eq!(Crowd::count(&jar, &store).await, 20);
        // Halves of halves: five refusals at most, and six writes of what is left.
        assert!(counted(&calls, "swap") <= 11, "{calls}");
    });
}

/// The session stays the same login, so that what waits goes on.
#[test]
fn a_revocation_of_others_loses_nothing_that_waits() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let revokes = crowd.saves(|session| {
            session.insert("revoked", 1)?;
            session.end_others()
        });
        let mut others = vec![revokes.await];
        all_wait().await;
        others.extend(crowd.counts(20).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let read = read(&jar, &store, ["count", "revoked"]).await;
        assert_eq!(read, Some([Some(21), Some(1)]));
        assert_eq!(counted(&calls, "revoke"), 1, "{calls}");
        assert!(counted(&calls, "swap") <= 4, "{calls}");
    });
}

#[test]
fn a_login_mixes_with_nothing_that_waits() {
    run(async {
        let crowd = Crowd::new().await;
        let (old, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut jar = old.clone();
        let login = Request::of(&jar, &store).await;
        login.session.login("bonobo").unwrap();
        let session = login.session.clone();
        let mut others = vec![tokio::spawn(async move { session.save().await })];
        all_wait().await;
        others.extend(crowd.counts(20).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers[0].is_ok());
        assert_eq!(ended(&answers, Error::is_gone), 20, "{calls}");
        login.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("bonobo"));
        assert!(!session.contains("count"));
        assert_eq!(read(&old, &store, []).await, None);
    });
}

#[test]
fn a_logout_overtakes_all_that_wait() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.counts(CROWD - 1).await;
        all_wait().await;
        others.push(crowd.saves(|session| session.logout()).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers.last().unwrap().is_ok());
        assert_eq!(ended(&answers, Error::is_gone), 199);
        assert_eq!(read(&jar, &store, []).await, None);
        // Of what the first saved the logout has to read; the others find the tombstone.
        assert_eq!(calls, "swap load swap load");
    });
}

/// A farewell after a logout makes the end of the session a save: it is as urgent.
#[test]
fn a_logout_with_a_farewell_overtakes_all_that_wait() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(8));
        let crowd = Crowd::of(server, store).await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        // As many as may wait for one session: one more is refused.
        let mut others = crowd.counts(2).await;
        all_wait().await;
        let refused = crowd.counts(1).await.remove(0).await.unwrap();
        assert!(refused.unwrap_err().is_overloaded());
        let farewell = |session: &Session| {
            session.logout()?;
            session.add_flash("bye")
        };
        others.push(crowd.saves(farewell).await);
        let (answers, _) = crowd.go_on(others).await;
        assert!(answers.last().unwrap().is_ok(), "{answers:?}");
        assert_eq!(ended(&answers, Error::is_gone), 2);
        assert_eq!(read(&jar, &store, []).await, None);
    });
}

#[test]
fn a_renewal_is_followed_by_all_that_wait() {
    run(async {
        let crowd = Crowd::new().await;
        let (old, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut jar = old.clone();
        let renews = Request::of(&jar, &store).await;
        renews.session.renew().unwrap();
        let session = renews.session.clone();
        let mut others = vec![tokio::spawn(async move { session.save().await })];
        all_wait().await;
        others.extend(crowd.counts(CROWD - 1).await);
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers.iter().all(Result::is_ok));
        renews.finish_into(&mut jar).await;
        assert_eq!(read(&old, &store, []).await, None);
        assert_eq!(Crowd::count(&jar, &store).await, CROWD);
        let (swaps, loads) = (counted(&calls, "swap"), counted(&calls, "load"));
        assert!(swaps <= 4 && loads <= 3, "{calls}");
    });
}

#[test]
fn a_lost_reply_of_a_common_write_is_found_out_for_all() {
    for fault in [Fault::IsLost, Fault::LosesItsReply] {
        run(async {
            let crowd = Crowd::new().await;
            let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
            let others = crowd.counts(CROWD - 1).await;
            crowd.server.backend.at(0, fault.clone());
            let (answers, _) = crowd.go_on(others).await;
            assert!(answers.iter().all(Result::is_ok));
            assert_eq!(Crowd::count(&jar, &store).await, CROWD, "each counts once");
        });
    }
}

#[test]
fn a_common_write_that_cannot_be_found_out_is_in_doubt_for_all() {
    for (fault, count) in [(Fault::IsLost, 1), (Fault::LosesItsReply, CROWD)] {
        run(async {
            let crowd = Crowd::new().await;
            let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
            let others = crowd.counts(CROWD - 1).await;
            crowd.server.backend.at(0, fault.clone());
            crowd.server.backend.and_at(1, Fault::Fails);
            let (answers, _) = crowd.go_on(others).await;
            assert_eq!(ended(&answers, Error::is_outcome_unknown), 199);
            assert_eq!(Crowd::count(&jar, &store).await, count);
        });
    }
}

#[test]
fn each_transaction_returns_its_own_result() {
    run(async {
        let crowd = Crowd::new().await;
        let mut others = Vec::new();
        for _ in 1..CROWD {
            let request = Request::of(&crowd.jar, &crowd.store).await;
            others.push(tokio::spawn(async move {
                let transaction = request.session.transact(|values| {
                    let count = values.get::<u64>("count")?.unwrap_or_default() + 1;
                    values.insert("count", count)?;
                    Ok(count)
                });
                transaction.await
            }));
        }
        all_wait().await;
        crowd.go_on(Vec::new()).await;
        let mut results = Vec::new();
        for other in others {
            results.push(other.await.unwrap().unwrap());
        }
        results.sort_unstable();
        assert_eq!(results, (2..=CROWD).collect::<Vec<_>>());
    });
}

#[test]
fn a_save_waits_no_longer_than_its_timeout() {
    run(async {
        let server = Server::new();
        let options = ServerOptions::new().save_timeout(Duration::from_secs(3));
        let store = server.store_with(options);
        let crowd = Crowd::of(server, store).await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut late = crowd.counts(10).await;
        late.push(crowd.saves(|session| session.renew()).await);
        let began = tokio::time::Instant::now();
        for late in late {
            let error = late.await.unwrap().unwrap_err();
            assert!(error.is_overloaded() && error.is_unavailable(), "{error}");
            assert!(error.to_string().contains("within 3s"), "{error}");
        }
        assert_eq!(began.elapsed().as_secs(), 3);
        let others = crowd.counts(10).await;
        let (answers, calls) = crowd.go_on(others).await;
        assert!(answers.iter().all(Result::is_ok), "those in time");
        assert_eq!(Crowd::count(&jar, &store).await, 11);
        assert_eq!(calls, "swap", "what is late costs nothing");
    });
}

#[test]
fn a_timeout_may_be_longer_than_any_clock_can_tell() {
    run(async {
        let store = Server::new().store_with(ServerOptions::new().save_timeout(Duration::MAX));
        let jar = jar_with(&store, |session| session.insert("count", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "count").unwrap();
        request.session.save().await.unwrap();
        assert_eq!(Crowd::count(&jar, &store).await, 2);
    });
}

#[test]
fn a_request_that_only_reads_is_answered_when_its_use_cannot_be_noted() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(1));
        let crowd = Crowd::of(server, store).await;
        crowd.server.clock.pass(super::IDLE / 2);
        let reads = Request::of(&crowd.jar, &crowd.store).await;
        assert_eq!(reads.finish().await.unwrap(), [""; 0]);
        crowd.go_on(Vec::new()).await;
    });
}

#[test]
fn saves_beyond_the_limit_fail_at_once() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(8));
        let crowd = Crowd::of(server, store).await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        // The first writes, and a quarter of the limit waits.
        let others = crowd.counts(2).await;
        all_wait().await;
        let refused = crowd.counts(1).await.remove(0).await.unwrap().unwrap_err();
        assert!(refused.is_overloaded() && refused.status() == 503);
        // Another session's is saved, as long as the store has room.
        let mut gates = Vec::new();
        for _ in 0..5 {
            let gate = crowd.server.backend.and_waits_at(0);
            let (request, store) = (Request::of(&Jar::new(), &store).await, store.clone());
            request.session.insert("a", 1).unwrap();
            let saving = tokio::spawn(async move { request.session.save().await });
            gate.is_reached().await;
            gates.push((gate, saving, store));
        }
        let request = Request::of(&Jar::new(), &store).await;
        request.session.insert("a", 1).unwrap();
        let refused = request.session.save().await.unwrap_err();
        assert!(refused.is_overloaded(), "{refused}");
        // A logout is never refused.
        let mut others = others;
        others.push(crowd.saves(|session| session.logout()).await);
        for (gate, saving, _) in gates {
            gate.open();
            saving.await.unwrap().unwrap();
        }
        let (answers, _) = crowd.go_on(others).await;
        assert!(answers.last().unwrap().is_ok());
        assert_eq!(read(&jar, &store, []).await, None);
        // There is room again.
        request.session.save().await.unwrap();
    });
}

#[test]
fn a_drain_waits_for_all_that_wait() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let others = crowd.counts(CROWD - 1).await;
        all_wait().await;
        let draining = tokio::spawn({
            let store = store.clone();
            async move { store.drain().await }
        });
        all_wait().await;
        assert!(!draining.is_finished());
        crowd.go_on(others).await;
        draining.await.unwrap();
        assert_eq!(Crowd::count(&jar, &store).await, CROWD);
    });
}

fn an_overloaded_store_asks_the_client_to_retry(framework: Framework) {
    for error_page in [None, Some("come back later")] {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(1));
        let site = Site::new(store).on("/count", async |sessions| {
            count(&sessions.session().await?, "count")
        });
        let site = match error_page {
            Some(page) => site.error_page(page),
            None => site,
        };
        let mut browser = site.browse(framework);
        let mut other = browser.another();
        let gate = server.backend.waits_at(0);
        let first = std::thread::spawn(move || browser.get("/count"));
        RUNTIME.block_on(gate.is_reached());
        let refused = other.get("/count");
        assert_eq!(refused.status, 503);
        assert_eq!(refused.body, error_page.unwrap_or_default());
        assert_eq!(refused.all("retry-after"), ["1"]);
        assert_eq!(refused.cache_control(), ["no-store"]);
        assert!(refused.set_cookies().is_empty());
        gate.open();
        assert_eq!(first.join().unwrap().status, 200);
        assert_eq!(other.get("/count").status, 200);
        server.backend.is_down(true);
        let down = other.get("/count");
        assert_eq!((down.status, down.all("retry-after").len()), (503, 0));
    }
}
