//! Law 6: no update is lost. Two requests have loaded a session, and both change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use silverback::codec::{CodecOptions, Codecs, Serializer, UnixTime};
use silverback::session::{Error, Lifetime, ServerOptions, Session, Values};

use super::{RUNTIME, Request, Server, count, jar_with, native, read, visit};

type Change = fn(&Session) -> Result<(), Error>;

/// Returns the value of each key that any of these tests writes, and whether the session is
/// remembered.
fn contents(session: &Session) -> String {
    let values = session.values();
    let mut all: Vec<String> = values
        .keys()
        .map(|key| match key {
            "_flash" => format!("{key}: {:?}", values.get::<Vec<String>>(key).unwrap()),
            _ => format!("{key}: {:?}", values.get::<u64>(key).unwrap().unwrap()),
        })
        .collect();
    all.sort();
    format!("{} {}", all.join(", "), session.is_remembered())
}

/// Merges two concurrent changes, ours after theirs, and checks the result.
#[track_caller]
fn merged(ours: Change, theirs: Change, expected: &str) {
    for serializer in [Serializer::Gob, Serializer::Json] {
        merged_in(serializer, ours, theirs, expected);
    }
}

#[track_caller]
fn merged_in(serializer: Serializer, ours: Change, theirs: Change, expected: &str) {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new();
        let options = CodecOptions::new()
            .max_age(Duration::ZERO)
            .serializer(serializer);
        let codecs = Codecs::from_pairs_with([server.pair.clone()], &options).unwrap();
        let store = server.store_of(native(codecs), ServerOptions::new().lifetime(lifetime));
        let mut jar = jar_with(&store, |session| {
            session.insert("count", 10)?;
            session.insert("left", 1)?;
            session.add_flash("one")?;
            session.add_flash("two")
        })
        .await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| theirs(session).unwrap()).await;
        ours(&request.session).unwrap();
        server.backend.calls();
        request.finish_into(&mut jar).await;
        assert_eq!(server.backend.calls(), "swap load swap");
        let session = jar.session(store).await.unwrap();
        assert_eq!(contents(&session), expected);
        assert_eq!(
            contents(&request.session),
            expected,
            "the handle has the same values"
        );
    });
}

const ALL: &str = "_flash: Some([\"one\", \"two\"]), count: 10, left: 1 false";

#[test]
fn law_6_updates_of_one_counter_add_up() {
    let change: Change = |session| count(session, "count").map(drop);
    merged(change, change, &ALL.replace("10", "12"));
    merged(
        |session| session.insert("count", 20),
        change,
        &ALL.replace("10", "20"),
    );
    merged(
        change,
        |session| session.insert("count", 20),
        &ALL.replace("10", "21"),
    );
    merged(
        change,
        |session| session.remove("count").map(drop),
        &ALL.replace("10", "1"),
    );
}

#[test]
fn law_6_changes_of_different_values_are_both_kept() {
    merged(
        |session| session.insert("ours", 1),
        |session| session.insert("theirs", 1),
        "_flash: Some([\"one\", \"two\"]), count: 10, left: 1, ours: 1, theirs: 1 false",
    );
    merged(
        |session| session.remove("left").map(drop),
        |session| session.remove("count").map(drop),
        "_flash: Some([\"one\", \"two\"]) false",
    );
    merged(
        |session| session.clear(),
        |session| session.insert("theirs", 1),
        " false",
    );
    merged(
        |session| session.insert("ours", 1),
        |session| session.clear(),
        "ours: 1 false",
    );
}

#[test]
fn law_6_each_flash_is_shown_exactly_once() {
    let take: Change = |session| session.flashes::<String>().map(drop);
    merged(take, take, "count: 10, left: 1 false");
    merged(
        take,
        |session| session.add_flash("three"),
        &ALL.replace("\"one\", \"two\"", "\"three\""),
    );
    merged(
        |session| session.add_flash("three"),
        take,
        &ALL.replace("\"one\", \"two\"", "\"three\""),
    );
    merged(
        |session| session.add_flash("three"),
        |session| session.add_flash("four"),
        &ALL.replace("\"two\"", "\"two\", \"four\", \"three\""),
    );
    merged(
        take,
        |session| {
            session.flashes::<String>()?;
            session.add_flash("three")
        },
        &ALL.replace("\"one\", \"two\"", "\"three\""),
    );
}

#[test]
fn law_6_remember_is_merged_too() {
    merged(
        |session| session.remember(true),
        |session| session.insert("count", 20),
        &ALL.replace("10", "20").replace("false", "true"),
    );
    merged(
        |session| session.insert("count", 20),
        |session| session.remember(true),
        &ALL.replace("10", "20").replace("false", "true"),
    );
}

#[test]
fn law_6_deadlines_are_merged_too() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new();
        let store = server.store_with(ServerOptions::new().lifetime(lifetime));
        let after = |seconds| UnixTime::from_secs(server.now().as_secs() + seconds);
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| {
            session.set_deadline(after(600)).unwrap()
        })
        .await;
        request.session.remember(true).unwrap();
        request.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(
            session.deadline(),
            Some(after(600)),
            "the deadline of the other request is kept"
        );
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| session.remember(false).unwrap()).await;
        request.session.set_deadline(after(1_200)).unwrap();
        request.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), Some(after(1_200)));
        assert!(!session.is_remembered());
    });
}

/// Takes an amount from the balance, if it is large enough.
fn withdraw(amount: u64) -> impl Fn(&mut Values) -> Result<u64, Error> + Send + Sync + 'static {
    move |values| {
        let money = values.get::<u64>("money")?.unwrap_or_default();
        let left = money.checked_sub(amount);
        let left = left.ok_or_else(|| Error::usage("the balance is too low"))?;
        values.insert("money", left)?;
        Ok(left)
    }
}

#[test]
fn law_6_a_transaction_returns_the_saved_result() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, |session| session.insert("money", 10)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| {
            session.insert("money", 5).unwrap()
        })
        .await;
        assert_eq!(request.session.transact(withdraw(3)).await.unwrap(), 2);
        assert_eq!(read(&jar, &store, ["money"]).await, Some([Some(2)]));
        // The next transaction also starts with the saved value.
        visit(&mut jar, &store, |session| {
            session.insert("money", 9).unwrap()
        })
        .await;
        assert_eq!(request.session.transact(withdraw(2)).await.unwrap(), 7);
    });
}

#[test]
fn law_6_a_transaction_that_fails_on_merged_values_is_undone() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("money", 10)).await;
        let request = Request::of(&jar, &store).await;
        request.session.insert("before", 1).unwrap();
        visit(&mut jar, &store, |session| {
            session.insert("money", 1).unwrap();
            session.insert("theirs", 1).unwrap();
        })
        .await;
        server.backend.calls();
        let refused = request.session.transact(withdraw(3)).await.unwrap_err();
        assert!(refused.is_usage(), "the error of the application");
        assert_eq!(server.backend.calls(), "swap load", "no value was written");
        request.session.insert("after", 1).unwrap();
        request.finish_into(&mut jar).await;
        let keys = ["money", "before", "after", "theirs"];
        let one = Some(1);
        assert_eq!(read(&jar, &store, keys).await, Some([one; 4]));
    });
}

#[test]
fn law_6_a_change_that_fails_on_merged_values_writes_nothing() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("count", 1)).await;
        for renews in [false, true] {
            visit(&mut jar, &store, |session| {
                session.insert("count", 1).unwrap()
            })
            .await;
            let request = Request::of(&jar, &store).await;
            count(&request.session, "count").unwrap();
            if renews {
                request.session.renew().unwrap();
            }
            visit(&mut jar, &store, |session| {
                session.insert("count", "text").unwrap()
            })
            .await;
            assert!(request.finish().await.unwrap_err().is_wrong_type());
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.get::<String>("count").unwrap().unwrap(), "text");
        }
    });
}

#[test]
fn law_6_repeated_conflicts_are_an_error() {
    // The pauses between the attempts take no time.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("count", 0)).await;
        let request = Request::of(&jar, &store).await;
        // Another request saves before each retry of the change.
        let (theirs, tries) = (jar.clone(), Arc::new(AtomicU64::new(0)));
        let own_store = server.store();
        let tried = tries.clone();
        let change = move |count: &mut u64| {
            *count += 1;
            if tried.fetch_add(1, Ordering::SeqCst) == 0 {
                return;
            }
            let (mut jar, store) = (theirs.clone(), own_store.clone());
            let other = std::thread::spawn(move || {
                RUNTIME.block_on(visit(&mut jar, &store, |session| {
                    super::count(session, "theirs").unwrap()
                }))
            });
            other.join().unwrap();
        };
        request.session.update("count", change).unwrap();
        visit(&mut jar.clone(), &store, |session| {
            count(session, "theirs").unwrap()
        })
        .await;
        let error = request.session.save().await.unwrap_err();
        assert!(error.is_overloaded() && error.status() == 503);
        let made = tries.load(Ordering::SeqCst);
        // Pauses grow to half a second, and the save has ten seconds.
        assert!((20..200).contains(&made), "{made}");
        let [count, theirs] = read(&jar, &store, ["count", "theirs"]).await.unwrap();
        assert_eq!((count, theirs), (Some(0), Some(made)));
    });
}

#[test]
fn a_change_may_use_the_handle_during_a_retry() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, |session| session.insert("count", 1)).await;
        let request = Request::of(&jar, &store).await;
        let inner = request.session.clone();
        let change = move |count: &mut u64| {
            let _ = (inner.keys(), inner.id(), inner.owner());
            *count += 1;
        };
        request.session.update("count", change).unwrap();
        visit(&mut jar, &store, |session| count(session, "count").unwrap()).await;
        request.finish_into(&mut jar).await;
        assert_eq!(read(&jar, &store, ["count"]).await, Some([Some(3)]));
    });
}

#[test]
fn a_change_that_panics_in_a_retry_is_an_error() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, |session| session.insert("count", 1)).await;
        let request = Request::of(&jar, &store).await;
        let change = |count: &mut u64| {
            assert_ne!(*count, 7, "an assertion of the application");
            *count += 1;
        };
        request.session.update("count", change).unwrap();
        visit(&mut jar, &store, |session| {
            session.insert("count", 7).unwrap()
        })
        .await;
        let error = request.finish().await.unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains("panicked"),
            "{error}"
        );
        assert_eq!(read(&jar, &store, ["count"]).await, Some([Some(7)]));
        store.drain().await;
    });
}

#[test]
fn unsaved_changes_are_dropped() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("count", 1)).await;
        for ends in ["abandoned", "failed", "gone"] {
            let request = Request::of(&jar, &store).await;
            let token = Arc::new(());
            let left = Arc::downgrade(&token);
            let (inner, moved) = (request.session.clone(), token);
            // The change holds the session, which holds the change.
            let change = move |count: &mut u64| {
                let _ = (&moved, inner.keys());
                *count += 1;
            };
            request.session.update("count", change).unwrap();
            match ends {
                "abandoned" => {
                    request.sessions.abandon();
                }
                "failed" => {
                    server.backend.is_down(true);
                    request.finish().await.unwrap_err();
                    server.backend.is_down(false);
                }
                _ => {
                    visit(&mut jar.clone(), &store, |session| session.end().unwrap()).await;
                    request.finish().await.unwrap();
                }
            }
            drop(request);
            assert!(left.upgrade().is_none(), "{ends}");
        }
    });
}
