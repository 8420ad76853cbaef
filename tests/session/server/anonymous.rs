//! Sessions without a login, which any client can make: their lifetime, their room in the store,
//! and the size of a session.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Expiry, Memory, MemoryOptions};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session};

use super::interleavings::on_each_backend;
use super::{IDLE, RUNTIME, Request, Server, jar_with, read, visit};

const ANONYMOUS_IDLE: u64 = 10 * 60;
const MAX_ROW_SIZE: usize = 65_536;

/// Returns a store with the default limits.
fn store_with(server: &Server, options: ServerOptions) -> ServerStore {
    server.store_of(server.codecs(), options)
}

/// Returns how many visits without a login, and then how many logins, are saved.
async fn flood(backend: MemoryOptions, visits: usize, logins: usize) -> [usize; 2] {
    let server = Server::over(Arc::new(Memory::with_options(backend)));
    let store = store_with(&server, ServerOptions::new());
    let mut saved = [0, 0];
    for _ in 0..visits {
        let is_saved = is_saved(&store, |session| session.insert("a", 1)).await;
        saved[0] += usize::from(is_saved);
    }
    for number in 0..logins {
        let is_saved = is_saved(&store, |session| session.login(number.to_string())).await;
        saved[1] += usize::from(is_saved);
    }
    saved
}

/// Returns whether a new session is saved. An error must be a 503.
async fn is_saved(store: &ServerStore, fill: impl FnOnce(&Session) -> Result<(), Error>) -> bool {
    match Jar::with(store.clone(), fill).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.status(), 503, "{error}");
            false
        }
    }
}

#[test]
fn anonymous_sessions_leave_memory_for_logins() {
    RUNTIME.block_on(async {
        let options = || MemoryOptions::new().capacity(1_000);
        let unbounded = options().capacity_without_owner(1_000);
        assert_eq!(flood(unbounded, 2_000, 400).await, [1_000, 0]);
        assert_eq!(flood(options(), 2_000, 400).await, [500, 400]);
        let small = options().capacity_without_owner(10);
        assert_eq!(flood(small, 2_000, 1_200).await, [10, 990]);
    });
}

#[test]
fn idle_anonymous_sessions_free_their_memory() {
    RUNTIME.block_on(async {
        let options = MemoryOptions::new().capacity(20);
        let backend: Arc<dyn Backend> = Arc::new(Memory::with_options(options));
        let server = Server::over(backend.clone());
        let dialect = Dialect::native(server.codecs()).anonymous_idle(Duration::from_secs(1));
        let store = ServerStore::new(dialect, backend).unwrap();
        let visits = async || {
            let mut saved = 0;
            for _ in 0..40 {
                let is_saved = is_saved(&store, |session| session.insert("a", 1)).await;
                saved += usize::from(is_saved);
            }
            saved
        };
        assert_eq!(visits().await, 10);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(visits().await, 10);
    });
}

#[test]
fn a_session_without_a_login_expires_sooner() {
    type Fill = fn(&Session) -> Result<(), Error>;
    let sessions: [(Fill, u64); 6] = [
        (|session| session.insert("a", 1), ANONYMOUS_IDLE),
        (|session| session.login("ape"), IDLE),
        (
            |session| {
                session.login("ape")?;
                session.logout()?;
                session.insert("farewell", 1)
            },
            ANONYMOUS_IDLE,
        ),
        (
            |session| {
                session.insert("a", 1)?;
                session.renew()
            },
            ANONYMOUS_IDLE,
        ),
        (|session| session.remember(true), 14 * 86_400),
        (
            |session| {
                session.remember(true)?;
                session.remember(false)
            },
            ANONYMOUS_IDLE,
        ),
    ];
    on_each_backend(async |server| {
        let store = store_with(&server, ServerOptions::new());
        for (fill, idle) in sessions {
            let mut jar = jar_with(&store, fill).await;
            let mut used = server.now().as_secs();
            for _ in 0..2 {
                server.clock.pass(ANONYMOUS_IDLE - 1);
                visit(&mut jar, &store, |session| session.keys().len()).await;
                // Its use extends it by the same time.
                if idle < 10 * ANONYMOUS_IDLE {
                    used = server.now().as_secs();
                }
                let session = jar.session(store.clone()).await.unwrap();
                assert_eq!(session.idle_at().unwrap().as_secs(), used + idle);
            }
            let (_, stored) = server.row(&jar, &store).await;
            let kept_to = i64::try_from(used + idle).unwrap() * 1_000;
            assert_eq!(stored.record.expiry(), Expiry::from_millis(kept_to));
            if idle > IDLE {
                continue;
            }
            server.clock.pass(idle - 1);
            let refusal = async || jar.session(store.clone()).await.unwrap().refusal();
            assert_eq!(refusal().await, None);
            server.clock.pass(1);
            assert_eq!(refusal().await, Some(Refusal::Idle));
        }
        // A login in an existing session gets the limit of logins.
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        visit(&mut jar, &store, |session| {
            session.login_keeping_values("ape").unwrap();
        })
        .await;
        server.clock.pass(ANONYMOUS_IDLE);
        assert_eq!(read(&jar, &store, ["a"]).await, Some([Some(1)]));
    });
}

#[test]
fn the_anonymous_limit_can_be_set_up_to_the_idle_limit() {
    RUNTIME.block_on(async {
        let lifetime = |seconds| Lifetime::new().idle(Duration::from_secs(seconds));
        for (idle, anonymous, expected) in [
            (900, 60, 60),
            (900, 3_600, 900),
            (300, 600, 300),
            (60, 60, 60),
        ] {
            let server = Server::new();
            let options = ServerOptions::new().lifetime(lifetime(idle));
            let dialect = Dialect::native(server.codecs());
            let dialect = dialect.anonymous_idle(Duration::from_secs(anonymous));
            let store = server.store_of(dialect, options);
            let jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let idle_at = jar.session(store).await.unwrap().idle_at().unwrap();
            assert_eq!(idle_at.as_secs(), server.now().as_secs() + expected);
        }
        let none = Lifetime::new().without_idle();
        let server = Server::new();
        let store = store_with(&server, ServerOptions::new().lifetime(none));
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let idle_at = jar.session(store).await.unwrap().idle_at().unwrap();
        assert_eq!(idle_at.as_secs(), server.now().as_secs() + ANONYMOUS_IDLE);
    });
}

#[test]
fn invalid_limits_are_refused() {
    for idle in [Duration::ZERO, Duration::from_millis(1_500)] {
        let dialect = Dialect::native(Server::new().codecs()).anonymous_idle(idle);
        let store = ServerStore::new(dialect, Arc::new(Memory::new()));
        assert!(store.unwrap_err().is_usage());
    }
}

#[test]
fn a_session_has_at_most_64_kib_by_default() {
    let fill = |size: usize| move |session: &Session| session.insert("large", "x".repeat(size));
    on_each_backend(async |server| {
        let store = store_with(&server, ServerOptions::new());
        // The value is sealed twice as text, each a third longer.
        let mut jar = jar_with(&store, fill(36_000)).await;
        let (key, before) = server.row(&jar, &store).await;
        assert!((60_000..=MAX_ROW_SIZE).contains(&before.record.value().len()));
        let request = Request::of(&jar, &store).await;
        fill(37_000)(&request.session).unwrap();
        let error = request.finish().await.unwrap_err();
        assert!(error.is_too_large(), "{error}");
        let text = error.to_string();
        let figures = text.split(|other: char| !other.is_ascii_digit());
        let figures: Vec<usize> = figures.filter_map(|figure| figure.parse().ok()).collect();
        assert!(
            figures[0] > MAX_ROW_SIZE && figures[1] == MAX_ROW_SIZE,
            "{text}"
        );
        assert_eq!(server.backend.load(&key).await.unwrap(), Some(before));
        // A login that would be too large ends and begins no session.
        let request = Request::of(&jar, &store).await;
        request.session.login_keeping_values("ape").unwrap();
        fill(37_000)(&request.session).unwrap();
        assert!(request.finish().await.unwrap_err().is_too_large());
        assert!(read(&jar, &store, []).await.is_some());
        assert_eq!(store.list("ape").await.unwrap().len(), 0);

        // A lower limit ends no session, and allows its end.
        let small = Dialect::native(server.codecs()).max_row_size(10_000);
        let small = server.store_of(small, ServerOptions::new());
        let session = jar.session(small.clone()).await.unwrap();
        assert_eq!(
            session.get::<String>("large").unwrap().unwrap().len(),
            36_000
        );
        server.clock.pass(ANONYMOUS_IDLE - 1);
        visit(&mut jar, &small, |session| session.keys().len()).await;
        let request = Request::of(&jar, &small).await;
        request.session.insert("more", 1).unwrap();
        assert!(request.finish().await.unwrap_err().is_too_large());
        visit(&mut jar, &small, |session| {
            session.remove("large").unwrap();
            session.insert("more", 1).unwrap();
        })
        .await;
        assert_eq!(read(&jar, &small, ["more"]).await, Some([Some(1)]));
        visit(&mut jar, &small, |session| session.end().unwrap()).await;
        assert_eq!(read(&jar, &small, []).await, None);

        for max_row_size in [0, 1_000_000] {
            let dialect = Dialect::native(server.codecs()).max_row_size(max_row_size);
            let store = server.store_of(dialect, ServerOptions::new());
            let jar = jar_with(&store, fill(200_000)).await;
            let session = jar.session(store).await.unwrap();
            assert_eq!(
                session.get::<String>("large").unwrap().unwrap().len(),
                200_000
            );
        }
    });
}
