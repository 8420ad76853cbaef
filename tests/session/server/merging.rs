//! Law 6: no update is lost. Two requests have loaded a session, and both change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use silverback::codec::{CodecOptions, Codecs, Serializer, UnixTime};
use silverback::session::{Error, Lifetime, ServerOptions, Session, Values};

use super::{RUNTIME, Request, Server, count, jar_with, native, read, visit};

type Change = fn(&Session) -> Result<(), Error>;

/// What is under each key that any of these tests writes to, and until when it lasts.
fn told(session: &Session) -> String {
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

/// Ours is made again on theirs, and theirs on ours: what both come to.
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
        assert_eq!(told(&session), expected);
        assert_eq!(told(&request.session), expected, "the handle says the same");
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
fn law_6_changes_of_different_values_are_both_there() {
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
fn law_6_flashes_are_shown_once_and_none_is_lost() {
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
fn law_6_what_is_remembered_is_merged_too() {
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
        assert_eq!(session.deadline(), Some(after(600)), "one's own stays");
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| session.remember(false).unwrap()).await;
        request.session.set_deadline(after(1_200)).unwrap();
        request.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), Some(after(1_200)));
        assert!(!session.is_remembered());
    });
}

/// Takes so much, if it is there.
fn take(amount: u64) -> impl Fn(&mut Values) -> Result<u64, Error> + Send + Sync + 'static {
    move |values| {
        let money = values.get::<u64>("money")?.unwrap_or_default();
        let left = money.checked_sub(amount);
        let left = left.ok_or_else(|| Error::usage("there is not enough"))?;
        values.insert("money", left)?;
        Ok(left)
    }
}

#[test]
fn law_6_a_transaction_answers_with_what_was_saved() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, |session| session.insert("money", 10)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| {
            session.insert("money", 5).unwrap()
        })
        .await;
        assert_eq!(request.session.transact(take(3)).await.unwrap(), 2);
        assert_eq!(read(&jar, &store, ["money"]).await, Some([Some(2)]));
        // And the next one goes on from there.
        visit(&mut jar, &store, |session| {
            session.insert("money", 9).unwrap()
        })
        .await;
        assert_eq!(request.session.transact(take(2)).await.unwrap(), 7);
    });
}

#[test]
fn law_6_a_transaction_that_fails_on_what_others_saved_did_not_happen() {
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
        let refused = request.session.transact(take(3)).await.unwrap_err();
        assert!(refused.is_usage(), "its own error");
        assert_eq!(server.backend.calls(), "swap load", "nothing was written");
        request.session.insert("after", 1).unwrap();
        request.finish_into(&mut jar).await;
        let keys = ["money", "before", "after", "theirs"];
        let one = Some(1);
        assert_eq!(read(&jar, &store, keys).await, Some([one; 4]));
    });
}

#[test]
fn law_6_a_change_that_cannot_be_made_again_is_an_error_and_writes_nothing() {
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
fn law_6_who_loses_again_and_again_is_told() {
    // The pauses between the tries take no time.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("count", 0)).await;
        let request = Request::of(&jar, &store).await;
        // Whenever the change is made again, somebody else has saved before it is.
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
        // Pauses grow to half a second, and the save has ten.
        assert!((20..200).contains(&made), "{made}");
        let [count, theirs] = read(&jar, &store, ["count", "theirs"]).await.unwrap();
        assert_eq!((count, theirs), (Some(0), Some(made)));
    });
}

#[test]
fn a_handle_is_free_while_a_change_is_made_again() {
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
fn a_change_that_panics_when_it_is_made_again_is_an_error() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, |session| session.insert("count", 1)).await;
        let request = Request::of(&jar, &store).await;
        let change = |count: &mut u64| {
            assert_ne!(*count, 7, "the user's own");
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
fn changes_that_are_never_saved_are_forgotten() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("count", 1)).await;
        for ends in ["abandoned", "failed", "gone"] {
            let request = Request::of(&jar, &store).await;
            let token = Arc::new(());
            let left = Arc::downgrade(&token);
            let (inner, moved) = (request.session.clone(), token);
            // It holds the session, which holds it.
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
