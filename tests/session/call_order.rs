//! The store without HTTP: unusual orders of calls, and concurrent calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use silverback::backend::{self, Expiry, Generation, Generations, OwnerName, async_trait};
use silverback::codec::{
    Codec, CodecOptions, Codecs, Error as CodecError, KeyPair, Opened, SecureCookie, UnixTime,
};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, Refusal, Session, Sessions,
};
use tokio::sync::Notify;

use super::site::RUNTIME;
use super::support::{Clock, TestGenerations, fresh_codecs, store, store_with};

/// Runs a request with the cookies of the jar, in which `handle` gets the session.
async fn visit<R>(jar: &mut Jar, store: &CookieStore, handle: impl FnOnce(&Session) -> R) -> R {
    let sessions = jar.sessions(store.clone());
    let answer = handle(&sessions.session().await.unwrap());
    receive(jar, &sessions).await.unwrap();
    answer
}

async fn receive(jar: &mut Jar, sessions: &Sessions) -> Result<(), Error> {
    let fields = sessions.finish().await?.unwrap();
    for set_cookie in fields.set_cookies() {
        jar.receive(set_cookie);
    }
    Ok(())
}

fn remembering() -> CookieStore {
    store_with(CookieOptions::new(), Lifetime::new())
}

#[test]
fn the_first_of_several_refusals_is_reported() {
    let clock = Clock::new();
    let store = clock.of(store());
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
        clock.pass(1_800);
        let idle = jar.cookie();
        let stores = store.clone().into();
        let first = |text: String| Sessions::of_request(&stores, [text.as_bytes()], None, "/");
        let one = first(format!("{idle}; __Host-id=x"))
            .session()
            .await
            .unwrap();
        assert_eq!(one.refusal(), Some(Refusal::Idle));
        let other = first(format!("__Host-id=x; {idle}"))
            .session()
            .await
            .unwrap();
        assert_eq!(other.refusal(), Some(Refusal::NotValid));
    });
}

#[test]
fn a_remembered_session_keeps_its_own_deadline() {
    let clock = Clock::new();
    let store = clock.of(remembering());
    let soon = UnixTime::from_secs(clock.now().as_secs() + 60);
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| {
            session.set_deadline(soon).unwrap();
            session.remember(true).unwrap();
            assert_eq!(session.deadline(), Some(soon));
        })
        .await;
        visit(&mut jar, &store, |session| {
            session.remember(false).unwrap();
            assert_eq!(session.deadline(), Some(soon));
            session.remember(true).unwrap();
            // The current limits of remembered sessions apply.
            let month = UnixTime::from_secs(clock.now().as_secs() + 30 * 86_400);
            session.set_deadline(month).unwrap();
            let beyond = UnixTime::from_secs(month.as_secs() + 1);
            assert!(session.set_deadline(beyond).unwrap_err().is_usage());
            session.login("ape").unwrap();
            let day = UnixTime::from_secs(clock.now().as_secs() + 43_200);
            assert_eq!(session.deadline(), Some(day));
        })
        .await;
        let lifetime = Lifetime::new().without_remembering();
        let store = store_with(CookieOptions::new(), lifetime);
        visit(&mut Jar::new(), &store, |session| {
            let refused = session.remember(true).unwrap_err();
            assert!(refused.is_usage(), "the store remembers no sessions");
        })
        .await;
    });
}

#[test]
fn remembering_by_default_never_shortens_a_session() {
    const DAY: u64 = 86_400;
    let days = |days: u64| Duration::from_secs(days * DAY);
    let remembered = |lifetime| {
        let clock = Clock::new();
        let store = clock.of(store_with(CookieOptions::new(), lifetime));
        RUNTIME.block_on(async {
            let sessions = Jar::new().sessions(store);
            let session = sessions.session().await.unwrap();
            session.remember(true).unwrap();
            let left = session
                .deadline()
                .map(|end| end.saturating_duration_since(clock.now()));
            let fields = sessions.finish().await.unwrap().unwrap();
            let (_, max_age) = fields.set_cookies()[0].split_once("Max-Age=").unwrap();
            (left, max_age.parse::<u64>().unwrap() / DAY)
        })
    };
    let usual = Lifetime::new().absolute(days(60)).without_idle();
    assert_eq!(remembered(Lifetime::new()), (Some(days(30)), 30));
    assert_eq!(remembered(usual.clone()), (Some(days(60)), 60));
    assert_eq!(
        remembered(usual.remembered(days(1), days(90))),
        (Some(days(90)), 90)
    );
    assert_eq!(remembered(Lifetime::nist_aal1()), (Some(days(30)), 30));
    assert_eq!(
        remembered(Lifetime::new().without_absolute()),
        (None, 14),
        "the cookie ends with the session, and use sets it again"
    );
}

#[test]
fn max_age_is_never_over_400_days() {
    let clock = Clock::new();
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let lifetime = Lifetime::new().remembered(days(400), days(400));
    let store = store_with(CookieOptions::new(), lifetime);
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &clock.of(store.clone()), |session| {
            session.remember(true).unwrap();
        })
        .await;
        // Another machine has a clock that is a minute late.
        let behind = UnixTime::from_secs(clock.now().as_secs() - 60);
        let sessions = jar.sessions(store.clock(move || behind));
        sessions.session().await.unwrap().insert("a", 1).unwrap();
        let fields = sessions.finish().await.unwrap().unwrap();
        assert!(fields.set_cookies()[0].ends_with("; Max-Age=34560000"));
    });
}

#[test]
fn a_clock_that_goes_back_shortens_no_session() {
    let clock = Clock::new();
    let store = clock.of(store());
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.insert("a", 1).unwrap()).await;
        clock.pass(600);
        visit(&mut jar, &store, |session| session.insert("a", 2).unwrap()).await;
        let before = UnixTime::from_secs(clock.now().as_secs() - 30);
        visit(&mut jar, &store.clone().clock(move || before), |session| {
            session.insert("a", 3).unwrap();
        })
        .await;
        clock.pass(1_799);
        assert_eq!(jar.session(store).await.unwrap().refusal(), None);
    });
}

#[test]
fn a_change_that_never_ends_is_an_error() {
    RUNTIME.block_on(async {
        visit(&mut Jar::new(), &store(), |session| {
            let inner = session.clone();
            let endless = session.update("a", move |a: &mut u64| {
                inner.insert("b", *a).unwrap();
                *a += 1;
            });
            assert!(endless.unwrap_err().is_usage());
        })
        .await;
    });
}

#[test]
fn concurrent_tasks_lose_no_update() {
    RUNTIME.block_on(async {
        visit(&mut Jar::new(), &store(), |session| {
            // Both tasks have read before either writes.
            let barrier = Arc::new(Barrier::new(2));
            let tasks = [session.clone(), session.clone()].map(|session| {
                let barrier = barrier.clone();
                std::thread::spawn(move || {
                    let first = AtomicU64::new(0);
                    session.update("a", move |a: &mut u64| {
                        if first.fetch_add(1, Ordering::SeqCst) == 0 {
                            barrier.wait();
                        }
                        *a += 1;
                    })
                })
            });
            let mut answers = tasks.map(|task| task.join().unwrap().unwrap());
            answers.sort_unstable();
            assert_eq!(answers, [1, 2]);
        })
        .await;
    });
}

#[test]
fn a_transaction_that_cannot_be_saved_is_undone() {
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        let store = store();
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.insert("a", 1).unwrap();
        let large = session.transact(|values| values.insert("large", "x".repeat(4_000)));
        assert!(large.await.unwrap_err().is_too_large());
        let refused = session.transact(|values| {
            values.insert("b", 1)?;
            values.insert("_session", 1)
        });
        assert!(refused.await.unwrap_err().is_usage());
        receive(&mut jar, &sessions).await.unwrap();
        assert_eq!(jar.session(store).await.unwrap().keys(), ["a"]);
    });
}

/// A codec that counts how often it seals.
#[derive(Clone)]
struct CountingCodec(Arc<AtomicU64>, Codecs);

impl Codec for CountingCodec {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), CodecError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, CodecError> {
        self.1.open_into(name, cookie, now, out)
    }
}

#[test]
fn a_saved_session_is_not_saved_again() {
    let seals = Arc::new(AtomicU64::new(0));
    let clock = Clock::new();
    let store = CookieStore::new(CountingCodec(seals.clone(), fresh_codecs())).unwrap();
    let store = clock.of(store);
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        // Building a store seals once, to check that it can.
        seals.store(0, Ordering::SeqCst);
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.insert("a", 1).unwrap();
        for _ in 0..3 {
            session.save().await.unwrap();
        }
        clock.pass(60);
        receive(&mut jar, &sessions).await.unwrap();
        assert_eq!(seals.load(Ordering::SeqCst), 1);
        // A touched session is not touched again.
        clock.pass(600);
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.save().await.unwrap();
        receive(&mut jar, &sessions).await.unwrap();
        assert_eq!(seals.load(Ordering::SeqCst), 2);
        // A session without any write is not saved either.
        let sessions = Jar::new().sessions(store);
        let session = sessions.session().await.unwrap();
        clock.pass(600);
        session.save().await.unwrap();
        assert_eq!(seals.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn an_owners_record_is_kept_as_long_as_the_longest_session() {
    let generations = TestGenerations::default();
    let clock = Clock::new();
    let store = clock.of(remembering()).revocable(generations.clone());
    let until = || generations.records.lock().unwrap()["ape"].1.as_millis() / 1_000;
    let begin = clock.now().as_secs().cast_signed();
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.login("ape").unwrap();
        session.save().await.unwrap();
        session.insert("a", 1).unwrap();
        session.save().await.unwrap();
        assert_eq!(generations.asked.load(Ordering::SeqCst), 1, "once at login");
        assert_eq!(until(), begin + 43_200);
        receive(&mut jar, &sessions).await.unwrap();

        visit(&mut jar, &store, |session| session.remember(true).unwrap()).await;
        assert_eq!(until(), begin + 30 * 86_400);
        assert!(!jar.session(store.clone()).await.unwrap().is_new());

        store.end_all("ape").await.unwrap();
        assert_eq!(until(), begin + 30 * 86_400, "the longest possible expiry");
        assert!(jar.session(store).await.unwrap().is_new());
    });
}

#[test]
fn a_revocation_between_load_and_a_longer_deadline_is_kept() {
    let generations = TestGenerations::default();
    let store = remembering().revocable(generations.clone());
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        store.end_all("ape").await.unwrap();
        session.remember(true).unwrap();
        receive(&mut jar, &sessions).await.unwrap();
        let refusal = jar.session(store).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Revoked));
    });
}

#[test]
fn a_session_that_cannot_be_sealed_revokes_no_owner() {
    let generations = TestGenerations::default();
    let store = store().revocable(generations);
    RUNTIME.block_on(async {
        let mut phone = Jar::new();
        visit(&mut phone, &store, |session| session.login("ape").unwrap()).await;
        let (mut fits, mut does_not) = (0, 0);
        // The sizes around the largest one that fits, byte by byte.
        for size in 1_950..2_150 {
            let sessions = Jar::new().sessions(store.clone());
            let session = sessions.session().await.unwrap();
            session.login("ape").unwrap();
            session.insert("large", "x".repeat(size)).unwrap();
            session.end_others().unwrap();
            let ended = session.save().await.is_ok();
            let refusal = phone.session(store.clone()).await.unwrap().refusal();
            assert_eq!(refusal.is_some(), ended, "{size}");
            if ended {
                fits += 1;
                phone = Jar::new();
                visit(&mut phone, &store, |session| session.login("ape").unwrap()).await;
            } else {
                does_not += 1;
            }
        }
        assert!(fits > 10 && does_not > 10, "{fits} {does_not}");
    });
}

/// Generations that count calls. The first `extend` waits for a signal.
#[derive(Clone, Default)]
struct Slow {
    inner: TestGenerations,
    go_on: Arc<Notify>,
    extensions: Arc<AtomicU64>,
}

#[async_trait]
impl Generations for Slow {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, backend::Error> {
        tokio::task::yield_now().await;
        self.inner.generation(owner).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        let generation = self.inner.extend(owner, until).await;
        if self.extensions.fetch_add(1, Ordering::SeqCst) == 0 {
            self.go_on.notified().await;
        }
        generation
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        self.inner.revoke(owner, until).await
    }
}

#[test]
fn a_late_save_undoes_no_change() {
    type Later = fn(&Session) -> Result<(), Error>;
    let later: [(Later, Option<&str>); 3] = [
        (|session| session.end_others(), Some("ape")),
        (|session| session.login("bonobo"), Some("bonobo")),
        (|session| session.logout(), None),
    ];
    for ((later, owner), saves) in later
        .into_iter()
        .flat_map(|later| [(later, true), (later, false)])
    {
        let slow = Slow::default();
        let store = store().revocable(slow.clone());
        RUNTIME.block_on(async {
            let mut jar = Jar::new();
            let sessions = jar.sessions(store.clone());
            let session = sessions.session().await.unwrap();
            session.login("ape").unwrap();
            let first = tokio::spawn({
                let session = session.clone();
                async move { session.save().await }
            });
            while slow.extensions.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            later(&session).unwrap();
            let second = saves.then(|| {
                let session = session.clone();
                tokio::spawn(async move { session.save().await })
            });
            slow.go_on.notify_one();
            first.await.unwrap().unwrap();
            if let Some(second) = second {
                second.await.unwrap().unwrap();
            }
            receive(&mut jar, &sessions).await.unwrap();
            let session = jar.session(store).await.unwrap();
            assert_eq!(
                (session.refusal(), session.owner().as_deref()),
                (None, owner)
            );
        });
    }
}

/// A change that a transaction of several tasks makes.
async fn large(session: &Session) -> Result<(), Error> {
    session
        .transact(|values| values.insert("large", "x".repeat(4_000)))
        .await
}

#[test]
fn a_failed_transaction_undoes_no_logout() {
    let store = store();
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
        let sessions = jar.sessions(store);
        let session = sessions.session().await.unwrap();
        session.logout().unwrap();
        assert!(large(&session).await.unwrap_err().is_too_large());
        receive(&mut jar, &sessions).await.unwrap();
        assert_eq!(jar.cookie(), "");
    });
}

#[test]
fn no_value_of_an_ended_session_is_in_the_next() {
    RUNTIME.block_on(async {
        let sessions = Jar::new().sessions(store());
        let session = sessions.session().await.unwrap();
        session.insert("secret", 41).unwrap();
        // Another task logs out while each of these runs between its read and its write.
        let once = AtomicU64::new(0);
        let inner = session.clone();
        let counted = session.update("secret", move |secret: &mut u64| {
            if once.fetch_add(1, Ordering::SeqCst) == 0 {
                inner.logout().unwrap();
            }
            *secret += 1;
        });
        assert_eq!(counted.unwrap(), 1);
        session.insert("secret", 41).unwrap();
        let once = AtomicU64::new(0);
        let inner = session.clone();
        let transaction = session.transact(move |values| {
            if once.fetch_add(1, Ordering::SeqCst) == 0 {
                inner.logout().unwrap();
            }
            values.insert("x", 1)
        });
        transaction.await.unwrap();
        assert_eq!(session.keys(), ["x"]);
    });
}

#[test]
fn a_dropped_transaction_is_undone() {
    let slow = Slow::default();
    let store = store().revocable(slow.clone());
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.login("ape").unwrap();
        let transaction = session.transact(|values| values.insert("money", 1));
        let late = tokio::time::timeout(Duration::from_millis(20), transaction);
        assert!(late.await.is_err());
        assert!(!session.contains("money"));
        receive(&mut jar, &sessions).await.unwrap();
        let session = jar.session(store).await.unwrap();
        assert_eq!(
            (session.owner().as_deref(), session.contains("money")),
            (Some("ape"), false)
        );
    });
}

#[test]
fn a_failed_transaction_keeps_earlier_changes() {
    RUNTIME.block_on(async {
        let sessions = Jar::new().sessions(store());
        let session = sessions.session().await.unwrap();
        let once = AtomicU64::new(0);
        let inner = session.clone();
        let transaction = session.transact(move |values| {
            if once.fetch_add(1, Ordering::SeqCst) == 0 {
                inner.insert("cart", 1).unwrap();
            }
            values.insert("large", "x".repeat(4_000))
        });
        assert!(transaction.await.unwrap_err().is_too_large());
        assert_eq!(session.keys(), ["cart"]);
    });
}

#[test]
fn end_others_revokes_each_owner_of_a_request() {
    let store = store().revocable(TestGenerations::default());
    RUNTIME.block_on(async {
        let mut phones = [Jar::new(), Jar::new()];
        for (phone, owner) in phones.iter_mut().zip(["ape", "bonobo"]) {
            visit(phone, &store, |session| session.login(owner).unwrap()).await;
        }
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| {
            session.login("ape").unwrap();
            session.end_others().unwrap();
            session.login("bonobo").unwrap();
            session.end_others().unwrap();
        })
        .await;
        for phone in phones {
            let refusal = phone.session(store.clone()).await.unwrap().refusal();
            assert_eq!(refusal, Some(Refusal::Revoked));
        }
        let session = jar.session(store).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("bonobo"));
    });
}

/// Generations that answer the first revocation last.
#[derive(Clone, Default)]
struct SlowRevoke(TestGenerations, Arc<AtomicU64>);

#[async_trait]
impl Generations for SlowRevoke {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, backend::Error> {
        self.0.generation(owner).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        self.0.extend(owner, until).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        let generation = self.0.revoke(owner, until).await;
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        generation
    }
}

#[test]
fn two_concurrent_saves_revoke_once() {
    let generations = SlowRevoke::default();
    let store = store().revocable(generations.clone());
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        session.login("ape").unwrap();
        session.end_others().unwrap();
        let (one, other) = tokio::join!(session.save(), session.save());
        one.and(other).unwrap();
        receive(&mut jar, &sessions).await.unwrap();
        assert_eq!(generations.1.load(Ordering::SeqCst), 1);
        assert_eq!(jar.session(store).await.unwrap().refusal(), None);
    });
}

#[test]
fn a_later_deadline_extends_the_owners_record() {
    let generations = TestGenerations::default();
    let clock = Clock::new();
    let store = clock.of(store()).revocable(generations.clone());
    let after = |seconds| UnixTime::from_secs(clock.now().as_secs() + seconds);
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| {
            session.login("ape").unwrap();
            session.set_deadline(after(600)).unwrap();
        })
        .await;
        visit(&mut jar, &store, |session| {
            session.set_deadline(after(3_600)).unwrap()
        })
        .await;
        let until = generations.records.lock().unwrap()["ape"].1;
        assert_eq!(until, Expiry::from(after(3_600)));
    });
}

#[test]
fn concurrent_calls_get_the_same_session() {
    let slow = Slow::default();
    slow.extensions.store(1, Ordering::SeqCst);
    let store = store().revocable(slow);
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
        let sessions = jar.sessions(store);
        let (one, other) = tokio::join!(sessions.session(), sessions.session());
        one.unwrap().insert("a", 1).unwrap();
        assert_eq!(other.unwrap().get::<u64>("a").unwrap(), Some(1));
    });
}

#[test]
fn a_codec_that_refuses_fresh_cookies_builds_no_store() {
    let options = CodecOptions::new().min_age(Duration::from_secs(1));
    let codec = SecureCookie::with_options(KeyPair::generate().unwrap(), &options).unwrap();
    assert!(CookieStore::new(codec).unwrap_err().is_usage());
}

/// The clock is the application's: it may access the session.
#[test]
fn no_lock_is_held_during_a_clock_call() {
    let seen: Arc<Mutex<Option<Session>>> = Arc::default();
    let looking = seen.clone();
    let store = store().clock(move || {
        if let Some(session) = looking.lock().unwrap().clone() {
            let _ = session.keys();
        }
        UnixTime::now()
    });
    RUNTIME.block_on(async {
        visit(&mut Jar::new(), &store, |session| {
            *seen.lock().unwrap() = Some(session.clone());
            session.login("ape").unwrap();
            session.logout().unwrap();
            session.login("ape").unwrap();
            session.require_fresh(Duration::from_secs(60)).unwrap();
            session.end().unwrap();
        })
        .await;
        *seen.lock().unwrap() = None;
    });
}
