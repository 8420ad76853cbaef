//! Many concurrent saves of one session: in one process they share their writes, and a failure of
//! one does not affect the others.
//!
//! The clock of these tests stands still while any task runs, so the tests can wait exactly until
//! all tasks wait.

use std::task::Poll;
use std::time::Duration;

use silverback::session::testing::Jar;
use silverback::session::{Error, ServerOptions, ServerStore, Session};
use tokio::task::JoinHandle;

use super::super::site::{Framework, Site};
use super::test_backend::{Fault, Gate};
use super::{RUNTIME, Request, Server, count, jar_with, read};

for_each_framework!(an_overloaded_store_asks_the_client_to_retry);

/// The number of concurrent saves.
const CROWD: u64 = 200;

fn run<F: Future>(test: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

/// Returns once every other task waits.
async fn all_tasks_wait() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

type SaveTask = JoinHandle<Result<(), Error>>;

/// A session with a counter, a request with a save that waits in the backend, and further requests.
struct Crowd {
    server: Server,
    store: ServerStore,
    jar: Jar,
    gate: Gate,
    first: SaveTask,
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

    /// Starts one more request, which saves the result of `change`.
    async fn start_save(&self, change: impl FnOnce(&Session) -> Result<(), Error>) -> SaveTask {
        let request = Request::of(&self.jar, &self.store).await;
        change(&request.session).unwrap();
        // The load is not counted, only the save.
        self.server.backend.calls();
        tokio::spawn(async move { request.session.save().await })
    }

    async fn start_counts(&self, requests: u64) -> Vec<SaveTask> {
        let mut all = Vec::new();
        for _ in 0..requests {
            all.push(
                self.start_save(|session| count(session, "count").map(drop))
                    .await,
            );
        }
        all
    }

    /// Lets the first save continue. Returns the results of the others, and all backend calls.
    async fn release(self, others: Vec<SaveTask>) -> (Vec<Result<(), Error>>, String) {
        all_tasks_wait().await;
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

/// Returns how often `call` is in `calls`.
fn counted(calls: &str, call: &str) -> usize {
    calls.split(' ').filter(|of| *of == call).count()
}

#[test]
fn concurrent_changes_of_one_session_share_one_write() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let others = crowd.start_counts(CROWD - 1).await;
        let (answers, calls) = crowd.release(others).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(Crowd::count(&jar, &store).await, CROWD, "each counts once");
        let (swaps, loads) = (counted(&calls, "swap"), counted(&calls, "load"));
        println!("{CROWD} writes: {swaps} swaps, {loads} loads");
        assert_eq!(calls, "swap");
    });
}

#[test]
fn a_request_dropped_while_it_waits_makes_no_call() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store, backend) = (
            crowd.jar.clone(),
            crowd.store.clone(),
            crowd.server.backend.clone(),
        );
        let others = crowd.start_counts(CROWD - 1).await;
        all_tasks_wait().await;
        for other in &others {
            other.abort();
        }
        all_tasks_wait().await;
        let (_, calls) = crowd.release(Vec::new()).await;
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
fn a_request_dropped_before_its_save_makes_no_call() {
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
            assert!(waits.await.is_pending(), "the save has not started yet");
        }
        store.drain().await;
        assert_eq!(server.backend.calls(), "");
    });
}

#[test]
fn concurrent_uses_of_one_session_share_one_touch() {
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
        all_tasks_wait().await;
        gate.open();
        for finished in finished {
            assert_eq!(finished.await.unwrap().unwrap(), [""; 0]);
        }
        let calls = server.backend.calls();
        println!("{CROWD} uses: {} touches", counted(&calls, "touch"));
        assert_eq!(calls, "touch");
    });
}

/// Two stores over one backend behave as two processes.
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
        // Each write takes time, so that the others arrive while it runs.
        server.backend.calls();
        server.backend.takes(Duration::from_millis(1));
        let saving: Vec<SaveTask> = requests
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

/// Returns the number of errors that match.
fn count_errors(answers: &[Result<(), Error>], how: fn(&Error) -> bool) -> usize {
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    failed.filter(|error| how(error)).count()
}

#[test]
fn a_failed_change_fails_only_its_own_request() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.start_counts(10).await;
        // This request replaces the counter by text, which the next two cannot count.
        others.push(
            crowd
                .start_save(|session| session.insert("count", "text"))
                .await,
        );
        others.extend(crowd.start_counts(2).await);
        let panics = crowd.start_save(|session| {
            let change = |count: &mut u64| {
                assert_eq!(*count, 0, "the application's own");
                *count = 7;
            };
            session.update("other", |other: &mut u64| *other += 1)?;
            session.update("count", change).map(drop)
        });
        others.push(panics.await);
        others.push(crowd.start_save(|session| session.insert("count", 7)).await);
        others.extend(crowd.start_counts(10).await);
        let (answers, calls) = crowd.release(others).await;
        assert_eq!(count_errors(&answers, Error::is_wrong_type), 3);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 22);
        let read = read(&jar, &store, ["count", "other"]).await;
        assert_eq!(
            read,
            Some([Some(17), None]),
            "no part of a failed change is saved"
        );
        assert_eq!(calls, "swap");
    });
}

#[test]
fn a_change_that_panics_fails_only_its_own_request() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.start_counts(1).await;
        let panics = crowd.start_save(|session| {
            let change = |count: &mut u64| {
                assert_eq!(*count, 0, "the application's own");
                *count = 7;
            };
            session.update("count", change).map(drop)
        });
        others.push(panics.await);
        others.extend(crowd.start_counts(1).await);
        let (answers, calls) = crowd.release(others).await;
        assert_eq!(count_errors(&answers, Error::is_usage), 1);
        assert!(answers[0].is_ok() && answers[2].is_ok());
        assert_eq!((Crowd::count(&jar, &store).await, &*calls), (3, "swap"));
    });
}

#[test]
fn a_session_too_large_fails_only_the_request_that_filled_it() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        crowd.server.backend.refuses_values_over(4_000);
        let mut others = crowd.start_counts(9).await;
        let large = |session: &Session| session.insert("large", "a".repeat(4_000));
        others.push(crowd.start_save(large).await);
        others.extend(crowd.start_counts(10).await);
        let (answers, calls) = crowd.release(others).await;
        assert_eq!(count_errors(&answers, Error::is_too_large), 1);
        assert!(answers[9].is_err(), "the tenth");
        assert_eq!(Crowd::count(&jar, &store).await, 20);
        // The batch is halved repeatedly: five refusals at most, and six writes of the rest.
        assert!(counted(&calls, "swap") <= 11, "{calls}");
    });
}

/// The session remains the same login, so that waiting saves succeed.
#[test]
fn end_others_loses_no_waiting_save() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let revokes = crowd.start_save(|session| {
            session.insert("revoked", 1)?;
            session.end_others()
        });
        let mut others = vec![revokes.await];
        all_tasks_wait().await;
        others.extend(crowd.start_counts(20).await);
        let (answers, calls) = crowd.release(others).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let read = read(&jar, &store, ["count", "revoked"]).await;
        assert_eq!(read, Some([Some(21), Some(1)]));
        assert_eq!(counted(&calls, "revoke"), 1, "{calls}");
        assert!(counted(&calls, "swap") <= 4, "{calls}");
    });
}

#[test]
fn a_login_is_not_merged_with_waiting_saves() {
    run(async {
        let crowd = Crowd::new().await;
        let (old, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut jar = old.clone();
        let login = Request::of(&jar, &store).await;
        login.session.login("bonobo").unwrap();
        let session = login.session.clone();
        let mut others = vec![tokio::spawn(async move { session.save().await })];
        all_tasks_wait().await;
        others.extend(crowd.start_counts(20).await);
        let (answers, calls) = crowd.release(others).await;
        assert!(answers[0].is_ok());
        assert_eq!(count_errors(&answers, Error::is_gone), 20, "{calls}");
        login.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("bonobo"));
        assert!(!session.contains("count"));
        assert_eq!(read(&old, &store, []).await, None);
    });
}

#[test]
fn a_logout_runs_before_waiting_saves() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut others = crowd.start_counts(CROWD - 1).await;
        all_tasks_wait().await;
        others.push(crowd.start_save(|session| session.logout()).await);
        let (answers, calls) = crowd.release(others).await;
        assert!(answers.last().unwrap().is_ok());
        assert_eq!(count_errors(&answers, Error::is_gone), 199);
        assert_eq!(read(&jar, &store, []).await, None);
        // The logout has to read the first save; the others find the tombstone.
        assert_eq!(calls, "swap load swap load");
    });
}

/// A farewell after a logout turns the end of the session into a save, with the same priority.
#[test]
fn a_logout_with_a_farewell_runs_before_waiting_saves() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(8));
        let crowd = Crowd::of(server, store).await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        // The number of saves that may wait for one session: one more is refused.
        let mut others = crowd.start_counts(2).await;
        all_tasks_wait().await;
        let refused = crowd.start_counts(1).await.remove(0).await.unwrap();
        assert!(refused.unwrap_err().is_overloaded());
        let farewell = |session: &Session| {
            session.logout()?;
            session.add_flash("bye")
        };
        others.push(crowd.start_save(farewell).await);
        let (answers, _) = crowd.release(others).await;
        assert!(answers.last().unwrap().is_ok(), "{answers:?}");
        assert_eq!(count_errors(&answers, Error::is_gone), 2);
        assert_eq!(read(&jar, &store, []).await, None);
    });
}

#[test]
fn waiting_saves_follow_a_renewal() {
    run(async {
        let crowd = Crowd::new().await;
        let (old, store) = (crowd.jar.clone(), crowd.store.clone());
        let mut jar = old.clone();
        let renews = Request::of(&jar, &store).await;
        renews.session.renew().unwrap();
        let session = renews.session.clone();
        let mut others = vec![tokio::spawn(async move { session.save().await })];
        all_tasks_wait().await;
        others.extend(crowd.start_counts(CROWD - 1).await);
        let (answers, calls) = crowd.release(others).await;
        assert!(answers.iter().all(Result::is_ok));
        renews.finish_into(&mut jar).await;
        assert_eq!(read(&old, &store, []).await, None);
        assert_eq!(Crowd::count(&jar, &store).await, CROWD);
        let (swaps, loads) = (counted(&calls, "swap"), counted(&calls, "load"));
        assert!(swaps <= 4 && loads <= 3, "{calls}");
    });
}

#[test]
fn a_lost_reply_of_a_shared_write_is_resolved_for_all() {
    for fault in [Fault::LosesRequest, Fault::LosesReply] {
        run(async {
            let crowd = Crowd::new().await;
            let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
            let others = crowd.start_counts(CROWD - 1).await;
            crowd.server.backend.at(0, fault.clone());
            let (answers, _) = crowd.release(others).await;
            assert!(answers.iter().all(Result::is_ok));
            assert_eq!(Crowd::count(&jar, &store).await, CROWD, "each counts once");
        });
    }
}

#[test]
fn an_unresolvable_shared_write_is_unknown_for_all() {
    for (fault, count) in [(Fault::LosesRequest, 1), (Fault::LosesReply, CROWD)] {
        run(async {
            let crowd = Crowd::new().await;
            let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
            let others = crowd.start_counts(CROWD - 1).await;
            crowd.server.backend.at(0, fault.clone());
            crowd.server.backend.and_at(1, Fault::Fails);
            let (answers, _) = crowd.release(others).await;
            assert_eq!(count_errors(&answers, Error::is_outcome_unknown), 199);
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
        all_tasks_wait().await;
        crowd.release(Vec::new()).await;
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
        let mut late = crowd.start_counts(10).await;
        late.push(crowd.start_save(|session| session.renew()).await);
        let began = tokio::time::Instant::now();
        for late in late {
            let error = late.await.unwrap().unwrap_err();
            assert!(error.is_overloaded() && error.is_unavailable(), "{error}");
            assert!(error.to_string().contains("within 3s"), "{error}");
        }
        assert_eq!(began.elapsed().as_secs(), 3);
        let others = crowd.start_counts(10).await;
        let (answers, calls) = crowd.release(others).await;
        assert!(
            answers.iter().all(Result::is_ok),
            "the saves within the timeout"
        );
        assert_eq!(Crowd::count(&jar, &store).await, 11);
        assert_eq!(calls, "swap", "a save that timed out makes no call");
    });
}

#[test]
fn a_timeout_may_exceed_the_range_of_the_clock() {
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
fn a_read_succeeds_if_the_touch_is_refused() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(1));
        let crowd = Crowd::of(server, store).await;
        crowd.server.clock.pass(super::IDLE / 2);
        let reads = Request::of(&crowd.jar, &crowd.store).await;
        assert_eq!(reads.finish().await.unwrap(), [""; 0]);
        crowd.release(Vec::new()).await;
    });
}

#[test]
fn saves_beyond_the_limit_fail_at_once() {
    run(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_concurrent_saves(8));
        let crowd = Crowd::of(server, store).await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        // The first save writes, and a quarter of the limit waits.
        let others = crowd.start_counts(2).await;
        all_tasks_wait().await;
        let refused = crowd
            .start_counts(1)
            .await
            .remove(0)
            .await
            .unwrap()
            .unwrap_err();
        assert!(refused.is_overloaded() && refused.status() == 503);
        // A save of another session succeeds as long as the store has room.
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
        others.push(crowd.start_save(|session| session.logout()).await);
        for (gate, saving, _) in gates {
            gate.open();
            saving.await.unwrap().unwrap();
        }
        let (answers, _) = crowd.release(others).await;
        assert!(answers.last().unwrap().is_ok());
        assert_eq!(read(&jar, &store, []).await, None);
        // There is room again.
        request.session.save().await.unwrap();
    });
}

#[test]
fn a_drain_waits_for_all_saves() {
    run(async {
        let crowd = Crowd::new().await;
        let (jar, store) = (crowd.jar.clone(), crowd.store.clone());
        let others = crowd.start_counts(CROWD - 1).await;
        all_tasks_wait().await;
        let draining = tokio::spawn({
            let store = store.clone();
            async move { store.drain().await }
        });
        all_tasks_wait().await;
        assert!(!draining.is_finished());
        crowd.release(others).await;
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
