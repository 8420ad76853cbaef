//! Events: each save and each end gives exactly one outcome, whatever the server and concurrent
//! requests do.

use std::sync::{Arc, Mutex};

use silverback::backend::Memory;
use silverback::codec::{Codecs, HashKey, KeyPair};
use silverback::session::events::{Event, EventKind, Observer, TracingEvents};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session,
    SessionStatus, Stores,
};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::super::log::Log;
use super::super::support::{Clock, TestGenerations, codecs};
use super::test_backend::Fault;
use super::{ABSOLUTE, IDLE, RUNTIME, Request, Server, jar_with, native};

/// An observer that keeps the kinds of all events.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<EventKind>>>);

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(event.kind());
    }
}

impl Recorder {
    fn take(&self) -> Vec<EventKind> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn take_outcomes(&self) -> Vec<EventKind> {
        let mut kinds = self.take();
        kinds.retain(|kind| kind.is_outcome());
        kinds
    }

    /// Returns the names of the events, in order.
    fn names(&self) -> String {
        let names: Vec<&str> = self.take().into_iter().map(EventKind::name).collect();
        names.join(" ")
    }
}

type Change = fn(&Session) -> Result<(), Error>;

const CHANGES: [(&str, Change); 9] = [
    ("nothing", |_| Ok(())),
    ("save", |session| session.insert("after", 1)),
    ("renew", |session| session.renew()),
    ("login", |session| session.login("ape")),
    ("login keeping", |session| {
        session.login_keeping_values("ape")
    }),
    ("end others", |session| {
        session.insert("after", 1)?;
        session.end_others()
    }),
    ("farewell", |session| {
        session.logout()?;
        session.add_flash("bye")
    }),
    ("logout", |session| session.logout()),
    ("end", |session| session.end()),
];

/// What a concurrent request does between the load and the save.
const CONCURRENT: [(&str, Change); 5] = [
    ("nothing", |_| Ok(())),
    ("save", |session| session.insert("theirs", 1)),
    ("renew", |session| session.renew()),
    ("login", |session| session.login("kong")),
    ("end", |session| session.end()),
];

/// Returns whether the outcome is the one of that result.
fn fits(kind: EventKind, result: &Result<(), Error>) -> bool {
    match result {
        Ok(()) => !kind.is_failure() && kind != EventKind::Conflict,
        Err(error) if error.is_gone() => kind == EventKind::Gone,
        Err(error) if error.is_conflict() => kind == EventKind::Conflict,
        Err(error) if error.is_outcome_unknown() => kind == EventKind::OutcomeUnknown,
        Err(error) if error.is_unavailable() => kind == EventKind::Unavailable,
        Err(_) => kind == EventKind::Failed,
    }
}

/// Every change, after every concurrent request, with every fault at every call.
#[test]
fn each_save_has_exactly_one_outcome() {
    let mut seen = std::collections::BTreeMap::new();
    RUNTIME.block_on(async {
        for (change_name, change) in CHANGES {
            for (concurrent_name, concurrent) in CONCURRENT {
                for fault in [
                    None,
                    Some(Fault::Fails),
                    Some(Fault::LosesRequest),
                    Some(Fault::LosesReply),
                ] {
                    let calls = if fault.is_some() { 6 } else { 1 };
                    for call in 0..calls {
                        let story = format!("{change_name} after {concurrent_name}, call {call}");
                        let recorder = Recorder::default();
                        let server = Server::new();
                        let options = ServerOptions::new().observer(recorder.clone());
                        let store = server.store_with(options);
                        let jar = jar_with(&store, |session| session.login("ape")).await;
                        let request = Request::of(&jar, &store).await;
                        let mut theirs = jar.clone();
                        super::visit(&mut theirs, &store, |session| concurrent(session).unwrap())
                            .await;
                        change(&request.session).unwrap();
                        recorder.take();
                        server.backend.calls();
                        if let Some(fault) = &fault {
                            server.backend.at(call, fault.clone());
                        }
                        let is_unchanged = request.session.status() == SessionStatus::Unmodified;
                        let result = request.session.save().await;
                        let outcomes = recorder.take_outcomes();
                        if is_unchanged {
                            assert_eq!(outcomes, [], "{story}");
                            continue;
                        }
                        assert_eq!(outcomes.len(), 1, "{story}: {outcomes:?}");
                        assert!(
                            fits(outcomes[0], &result),
                            "{story}: {outcomes:?} {result:?}"
                        );
                        *seen.entry(outcomes[0].name()).or_insert(0) += 1;
                    }
                }
            }
        }
    });
    let names: Vec<&str> = seen.keys().copied().collect();
    let expected = [
        "ended",
        "gone",
        "logged_in",
        "outcome_unknown",
        "renewed",
        "saved",
        "unavailable",
    ];
    for name in expected {
        assert!(
            names.contains(&name),
            "no run had the outcome {name}: {seen:?}"
        );
    }
}

/// Runs one request, and returns the names of its events.
async fn events_of(
    recorder: &Recorder,
    jar: &mut Jar,
    stores: impl Into<Stores>,
    change: impl FnOnce(&Session),
) -> String {
    recorder.take();
    let sessions = jar.sessions(stores);
    if let Ok(session) = sessions.session().await {
        change(&session);
        if let Ok(Some(fields)) = sessions.finish().await {
            jar.receive_all(fields.set_cookies());
        }
    }
    recorder.names()
}

#[test]
fn a_life_of_a_session_in_a_server_gives_its_events_in_order() {
    RUNTIME.block_on(async {
        let recorder = Recorder::default();
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().observer(recorder.clone()));
        let mut jar = Jar::new();
        let steps: [(&str, Change); 11] = [
            ("", |_| Ok(())),
            ("created", |session| session.insert("n", 1)),
            ("", |_| Ok(())),
            ("saved", |session| session.insert("n", 2)),
            ("replaced logged_in", |session| session.login("ape")),
            ("renewed", |session| session.renew()),
            ("revoked saved", |session| session.end_others()),
            ("replaced created", |session| {
                session.logout()?;
                session.add_flash("bye")
            }),
            ("replaced logged_in", |session| session.login("ape")),
            ("revoked ended", |session| {
                session.end_others()?;
                session.logout()
            }),
            ("created", |session| session.add_flash("a")),
        ];
        for (place, (expected, change)) in steps.into_iter().enumerate() {
            let change = |session: &Session| change(session).unwrap();
            let events = events_of(&recorder, &mut jar, store.clone(), change).await;
            assert_eq!(events, expected, "step {place}");
        }
        server.clock.pass(IDLE / 2);
        let touched = events_of(&recorder, &mut jar, store.clone(), |_| {}).await;
        assert_eq!(touched, "touched");
        server.clock.pass(ABSOLUTE);
        let gone = events_of(&recorder, &mut jar, store.clone(), |_| {}).await;
        assert_eq!(gone, "refused");

        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        let id = jar.session(store.clone()).await.unwrap().id().unwrap();
        recorder.take();
        assert!(store.end("ape", &id).await.unwrap());
        assert_eq!(recorder.names(), "ended");
        store.end_all("ape").await.unwrap();
        assert_eq!(recorder.names(), "revoked");
        let refused = events_of(&recorder, &mut jar, store.clone(), |_| {}).await;
        assert_eq!(refused, "refused");
        server.backend.is_down(true);
        let mut jar = jar_of_cookie(&server).await;
        let failed = events_of(&recorder, &mut jar, store.clone(), |_| {}).await;
        assert_eq!(failed, "load_failed");
        assert!(store.end_all("ape").await.is_err());
        assert_eq!(recorder.names(), "unavailable");
    });
}

/// Returns a jar with a cookie that the store's keys open.
async fn jar_of_cookie(server: &Server) -> Jar {
    let store = ServerStore::new(native(server.codecs()), Memory::new()).unwrap();
    jar_with(&store, |session| session.insert("n", 1)).await
}

#[test]
fn a_life_of_a_session_in_a_cookie_gives_its_events_in_order() {
    RUNTIME.block_on(async {
        let [old, new] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        let recorder = Recorder::default();
        let clock = Clock::new();
        let generations = TestGenerations::default();
        let store = |codecs: Codecs| {
            let store = CookieStore::with_options(codecs, CookieOptions::new(), Lifetime::new());
            let store = store.unwrap().observer(recorder.clone());
            clock.of(store.revocable(Arc::new(generations.clone())))
        };
        let first = store(codecs([old.clone()]));
        let mut jar = Jar::new();
        let steps: [(&str, Change); 6] = [
            ("created", |session| session.insert("n", 1)),
            ("saved", |session| session.insert("n", 2)),
            ("replaced logged_in", |session| session.login("ape")),
            ("saved", |session| session.remember(true)),
            ("ended", |session| session.logout()),
            ("logged_in", |session| session.login("ape")),
        ];
        for (place, (expected, change)) in steps.into_iter().enumerate() {
            let change = |session: &Session| change(session).unwrap();
            let events = events_of(&recorder, &mut jar, first.clone(), change).await;
            assert_eq!(events, expected, "step {place}");
        }
        let second = store(codecs([new, old]));
        let stale = events_of(&recorder, &mut jar, second.clone(), |_| {}).await;
        assert_eq!(stale, "stale_key");
        let change = |session: &Session| session.insert("n", 3).unwrap();
        let stale = events_of(&recorder, &mut jar, second.clone(), change).await;
        assert_eq!(stale, "stale_key saved");
        let fresh = events_of(&recorder, &mut jar, second.clone(), |_| {}).await;
        assert_eq!(fresh, "");
        clock.pass(IDLE);
        let idle = events_of(&recorder, &mut jar, second.clone(), |_| {}).await;
        assert_eq!(idle, "refused");
        jar.set("__Host-id", "nonsense");
        let logout = |session: &Session| session.logout().unwrap();
        let refused = events_of(&recorder, &mut jar, second.clone(), logout).await;
        assert_eq!(refused, "refused", "there is no session to end");
        let mut jar = Jar::with(second.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        second.end_all("ape").await.unwrap();
        assert_eq!(recorder.names(), "logged_in revoked");
        let sessions = jar.sessions(second.clone());
        sessions.session().await.unwrap();
        assert_eq!(recorder.take(), [EventKind::Refused(Refusal::Revoked)]);
        generations
            .is_down
            .store(true, std::sync::atomic::Ordering::SeqCst);
        let failed = events_of(&recorder, &mut jar, second, |_| {}).await;
        assert_eq!(failed, "load_failed");
    });
}

/// A failed save is reported once, also if the request tries again.
#[test]
fn a_failure_is_reported_once() {
    RUNTIME.block_on(async {
        let recorder = Recorder::default();
        let store = Server::new().store_with(ServerOptions::new().observer(recorder.clone()));
        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        let request = Request::of(&jar, &store).await;
        super::visit(&mut jar, &store, |session| session.logout().unwrap()).await;
        recorder.take();
        request.session.insert("late", 1).unwrap();
        assert!(request.session.save().await.unwrap_err().is_gone());
        request.finish().await.unwrap();
        assert_eq!(recorder.names(), "gone");
    });
}

#[test]
fn an_end_that_fails_is_no_end() {
    RUNTIME.block_on(async {
        let recorder = Recorder::default();
        let store = CookieStore::new(codecs([KeyPair::generate().unwrap()])).unwrap();
        let store = store.observer(recorder.clone());
        let mut jar = Jar::with(store.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        let change = |session: &Session| {
            session.end_others().unwrap(); // which this store cannot do
            session.logout().unwrap();
        };
        assert_eq!(
            events_of(&recorder, &mut jar, store, change).await,
            "failed"
        );
    });
}

#[test]
fn a_login_beyond_the_limit_ends_the_oldest() {
    RUNTIME.block_on(async {
        let recorder = Recorder::default();
        let options = ServerOptions::new()
            .observer(recorder.clone())
            .max_sessions(1);
        let store = Server::new().store_with(options);
        jar_with(&store, |session| session.login("ape")).await;
        assert_eq!(recorder.names(), "logged_in");
        jar_with(&store, |session| session.login("ape")).await;
        assert_eq!(recorder.names(), "ended logged_in");
    });
}

/// An event and the adapter's log show a fingerprint, and no ID, owner, value or cookie.
#[test]
fn no_event_shows_a_session() {
    let salt = HashKey::generate().unwrap();
    let shown = Arc::new(Mutex::new(String::new()));
    let ids = Arc::new(Mutex::new(Vec::new()));
    let (to, seen) = (shown.clone(), ids.clone());
    let show = move |event: &Event<'_>| {
        to.lock().unwrap().push_str(&format!("{event:?}"));
        seen.lock().unwrap().extend(event.session_id());
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false);
    let subscriber = subscriber
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone());
    let guard = subscriber.set_default();
    let options = ServerOptions::new().observer((show, TracingEvents::new(&salt)));
    let store = Server::new().store_with(options);
    // Only this thread writes to the log.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let jar = runtime.block_on(async {
        let mut jar = jar_with(&store, |session| session.login("secret owner")).await;
        let write = |session: &Session| session.insert("key", "secret value").unwrap();
        super::visit(&mut jar, &store, write).await;
        super::visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        jar
    });
    drop(guard);
    let ids = ids.lock().unwrap();
    assert_eq!(ids.len(), 3);
    let fingerprint = TracingEvents::new(&salt).fingerprint(&ids[0]);
    assert_eq!(fingerprint.len(), 16);
    let other = TracingEvents::new(&HashKey::generate().unwrap()).fingerprint(&ids[0]);
    assert_ne!(fingerprint, other, "the salt counts");
    let text = format!("{}{}", shown.lock().unwrap(), log.text());
    assert!(
        text.contains(&fingerprint) && text.contains("renewed"),
        "{text}"
    );
    let cookie = jar.get("__Host-id").unwrap();
    let secrets = ["secret owner", "secret value", cookie].map(str::to_owned);
    for secret in secrets
        .into_iter()
        .chain(ids.iter().map(ToString::to_string))
    {
        assert!(!text.contains(&secret), "{secret} is in {text}");
    }
}

#[test]
fn an_observer_that_panics_harms_no_session() {
    RUNTIME.block_on(async {
        let options =
            ServerOptions::new().observer(|_: &Event<'_>| panic!("a fault of an observer"));
        let store = Server::new().store_with(options);
        let jar = jar_with(&store, |session| session.login("ape")).await;
        let session = jar.session(store).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("ape"));
    });
}

/// A request that loads and saves a session allocates the same with an observer that does nothing,
/// so no event allocates, and without an observer.
#[test]
fn events_allocate_nothing() {
    let pair = KeyPair::generate().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let allocations = |store: CookieStore| {
        let stores = Stores::from(store);
        let request = || {
            runtime.block_on(async {
                let sessions = Jar::new().sessions(stores.clone());
                let session = sessions.session().await.unwrap();
                session.login("ape").unwrap();
                sessions.finish().await.unwrap();
            });
        };
        request();
        allocation_counter::measure(request).count_total
    };
    let store = || CookieStore::new(codecs([pair.clone()])).unwrap();
    let without = allocations(store());
    let with = allocations(store().observer(|_: &Event<'_>| {}));
    assert!(without > 0);
    assert_eq!(
        with - without,
        1,
        "the name of the owner is copied for the event"
    );
}

/// Counters have the documented name and labels, and no label of a session.
#[cfg(feature = "metrics")]
#[test]
fn events_are_counted() {
    use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder};
    use metrics::{SharedString, Unit};
    use silverback::session::events::MetricsEvents;

    type Counts = Arc<Mutex<std::collections::BTreeMap<String, u64>>>;

    #[derive(Default)]
    struct Counters(Counts);

    struct OneCounter(String, Counts);

    impl CounterFn for OneCounter {
        fn increment(&self, value: u64) {
            *self.1.lock().unwrap().entry(self.0.clone()).or_insert(0) += value;
        }

        fn absolute(&self, _: u64) {
            unreachable!("events are only counted");
        }
    }

    impl Recorder for Counters {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels = key
                .labels()
                .map(|label| format!(" {}={}", label.key(), label.value()));
            let key = format!("{}{}", key.name(), labels.collect::<String>());
            Counter::from_arc(Arc::new(OneCounter(key, self.0.clone())))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            unreachable!("there are only counters")
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            unreachable!("there are only counters")
        }
    }

    let recorder = Counters::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        let options = ServerOptions::new().observer(MetricsEvents::new());
        let store = Server::new().store_with(options);
        runtime.block_on(async {
            let mut jar = jar_with(&store, |session| session.login("secret owner")).await;
            super::visit(&mut jar, &store, |session| session.insert("n", 1).unwrap()).await;
            super::visit(&mut jar, &store, |session| session.insert("n", 2).unwrap()).await;
            jar.set("__Host-id", "nonsense");
            jar.session(store.clone()).await.unwrap();
        });
    });
    let counts = recorder.0.lock().unwrap();
    let shown: Vec<String> = counts
        .iter()
        .map(|(key, count)| format!("{key} {count}"))
        .collect();
    let name = "silverback_session_events_total";
    let expected = [
        format!("{name} event=logged_in cookie=__Host-id reason= 1"),
        format!("{name} event=refused cookie=__Host-id reason=not valid 1"),
        format!("{name} event=saved cookie=__Host-id reason= 2"),
    ];
    assert_eq!(shown, expected);
}
