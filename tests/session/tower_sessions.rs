//! Applications of `tower-sessions` on the backends: through real HTTP, and through the store
//! alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use silverback::backend::async_trait;
use silverback::backend::{
    Backend, Created, Error, Expiry, Files, GorillaFiles, Key, Memory, Outcome, Record, Revision,
    Stored,
};
use silverback::compat::tower_sessions::BackendStore;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record as SessionRecord};
use tower_sessions::session_store::Error as StoreError;
use tower_sessions::{Expiry as SessionExpiry, Session, SessionManagerLayer, SessionStore};

use super::client::Browser;
use super::server::test_backend::{Fault, TestBackend};
use super::site::RUNTIME;

type Answer = Result<String, (StatusCode, String)>;

fn failed(error: tower_sessions::session::Error) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

async fn count(session: Session) -> Answer {
    let count = session.get::<usize>("count").await.map_err(failed)?;
    let count = count.unwrap_or(0) + 1;
    session.insert("count", count).await.map_err(failed)?;
    Ok(count.to_string())
}

async fn renew(session: Session) -> Answer {
    session.cycle_id().await.map_err(failed)?;
    Ok("renewed".to_owned())
}

async fn end(session: Session) -> Answer {
    session.flush().await.map_err(failed)?;
    Ok("ended".to_owned())
}

/// Begins a session without a look at the previous one.
async fn login(session: Session) -> Answer {
    session.flush().await.map_err(failed)?;
    session.insert("user", "Koko").await.map_err(failed)?;
    Ok("welcome".to_owned())
}

/// Logs in, and keeps the client's ID.
async fn careless_login(session: Session) -> Answer {
    session.clear().await;
    session.insert("user", "Koko").await.map_err(failed)?;
    Ok("welcome".to_owned())
}

async fn user(session: Session) -> Answer {
    let user = session.get::<String>("user").await.map_err(failed)?;
    Ok(user.unwrap_or_else(|| "anonymous".to_owned()))
}

/// Returns a browser of the application on that backend.
fn browse(backend: Arc<dyn Backend>) -> Browser {
    let store = BackendStore::new(backend).unwrap();
    browse_by(SessionManagerLayer::new(store))
}

fn browse_by(layer: SessionManagerLayer<BackendStore>) -> Browser {
    let app = Router::new()
        .route("/count", get(count))
        .route("/renew", get(renew))
        .route("/end", get(end))
        .route("/login", get(login))
        .route("/careless-login", get(careless_login))
        .route("/user", get(user))
        .layer(layer.with_secure(false));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    RUNTIME.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, app).await.unwrap();
    });
    Browser::new(&address.to_string())
}

/// Returns a folder that no other test uses, until the tests run again.
fn folder() -> PathBuf {
    static CLEARED: Once = Once::new();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tower-sessions");
    CLEARED.call_once(|| drop(std::fs::remove_dir_all(&folders)));
    folders.join(MADE.fetch_add(1, Ordering::SeqCst).to_string())
}

fn backends() -> [Arc<dyn Backend>; 2] {
    [
        Arc::new(Memory::new()),
        Arc::new(Files::open(folder()).unwrap()),
    ]
}

fn store(backend: Arc<dyn Backend>) -> BackendStore {
    BackendStore::new(backend).unwrap()
}

fn session() -> SessionRecord {
    SessionRecord {
        id: Id::default(),
        data: [("user".to_owned(), "Koko".into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::minutes(5),
    }
}

/// Returns a session that the store contains.
async fn saved(store: &BackendStore) -> SessionRecord {
    let mut session = session();
    store.create(&mut session).await.unwrap();
    session
}

/// Returns the key of the only row, and the row.
async fn only_row(backend: &dyn Backend) -> (Key, Stored) {
    let page = backend
        .scan()
        .unwrap()
        .page(None, 10)
        .await
        .unwrap()
        .entries;
    let [entry] = page.as_slice() else {
        panic!("there are {} rows", page.len());
    };
    let stored = backend.load(&entry.key).await.unwrap().unwrap();
    (entry.key.clone(), stored)
}

#[test]
fn a_session_is_saved_renewed_and_ended() {
    for backend in backends() {
        let mut browser = browse(backend);
        assert_eq!(browser.get("/user").body, "anonymous");
        assert_eq!(browser.jar.cookie(), "", "no value was written");
        assert_eq!(browser.get("/count").body, "1");
        assert_eq!(browser.get("/count").body, "2");
        let before = browser.clone();
        browser.get("/renew");
        assert_ne!(browser.jar.cookie(), before.jar.cookie());
        assert_eq!(browser.get("/count").body, "3");
        assert_eq!(before.clone().get("/count").body, "1", "the old ID is dead");
        let late = browser.clone();
        browser.get("/end");
        assert_eq!(browser.jar.cookie(), "");
        assert_eq!(late.clone().get("/count").body, "1");
    }
}

#[test]
fn a_session_expires_in_time() {
    for backend in backends() {
        let idle = SessionExpiry::OnInactivity(Duration::milliseconds(500));
        let layer = SessionManagerLayer::new(store(backend)).with_expiry(idle);
        let browser = browse_by(layer);
        let first = browser.get_with("/count", []);
        let cookie = first.set_cookies()[0].split(';').next().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(600));
        let later = browser.get_with("/count", [("Cookie", cookie)]);
        assert_eq!(later.body, "1");
        assert!(!later.set_cookies()[0].starts_with(cookie));
    }
}

#[test]
fn a_planted_id_opens_no_session() {
    for backend in backends() {
        let browser = browse(backend);
        let planted = format!("id={}", Id::default());
        for path in ["/login", "/count"] {
            let response = browser.get_with(path, [("Cookie", planted.as_str())]);
            assert_eq!(response.status, 200);
            assert!(!response.set_cookies()[0].starts_with(&planted), "{path}");
        }
        let careless = browser.get_with("/careless-login", [("Cookie", planted.as_str())]);
        assert_eq!((careless.status, careless.set_cookies().len()), (500, 0));
        let thief = browser.get_with("/user", [("Cookie", planted.as_str())]);
        assert_eq!(thief.body, "anonymous");
    }
}

#[test]
fn a_login_gets_a_new_id() {
    for backend in backends() {
        let mut browser = browse(backend);
        browser.get("/count");
        let mut before = browser.clone();
        assert_eq!(browser.get("/login").body, "welcome");
        assert_eq!(browser.get("/user").body, "Koko");
        assert_ne!(browser.jar.cookie(), before.jar.cookie());
        assert_eq!(before.get("/user").body, "anonymous");
    }
}

/// Sends a request, and runs `other` while its n-th call of the backend waits.
fn send_late(
    browser: &Browser,
    path: &'static str,
    backend: &TestBackend,
    call: usize,
    other: impl FnOnce(),
) -> (u16, usize) {
    let gate = backend.waits_at(call);
    let mut late = browser.clone();
    let sent = std::thread::spawn(move || {
        let response = late.get(path);
        (response.status, response.set_cookies().len())
    });
    RUNTIME.block_on(gate.is_reached());
    other();
    gate.open();
    sent.join().unwrap()
}

#[test]
fn a_late_request_does_not_restore_an_ended_session() {
    for inner in backends() {
        for (path, is_open) in [("/end", false), ("/renew", true)] {
            // The request has loaded the session; it is about to save it; it has compared it.
            for call in [1, 2] {
                let backend = TestBackend::new(inner.clone());
                let mut browser = browse(Arc::new(backend.clone()));
                browser.get("/count");
                let late = browser.clone();
                let answer = send_late(&late, "/count", &backend, call, || {
                    browser.get(path);
                });
                assert_eq!(answer, (500, 0), "{path} {call}");
                assert_eq!(late.clone().get("/count").body, "1", "{path} {call}");
                let expected = if is_open { "2" } else { "1" };
                assert_eq!(browser.get("/count").body, expected, "{path} {call}");
            }
        }
    }
}

#[test]
fn a_concurrently_saved_session_still_ends() {
    for inner in backends() {
        let backend = TestBackend::new(inner);
        let mut browser = browse(Arc::new(backend.clone()));
        browser.get("/count");
        let mut other = browser.clone();
        let answer = send_late(&browser, "/end", &backend, 1, || {
            assert_eq!(other.get("/count").body, "2");
        });
        assert_eq!(answer, (200, 1));
        assert_eq!(browser.get("/count").body, "1");
    }
}

#[test]
fn the_last_of_two_saves_wins() {
    for inner in backends() {
        let backend = TestBackend::new(inner);
        let mut browser = browse(Arc::new(backend.clone()));
        browser.get("/count");
        let mut other = browser.clone();
        let answer = send_late(&browser, "/count", &backend, 2, || {
            assert_eq!(other.get("/count").body, "2");
        });
        assert_eq!(answer, (200, 1));
        assert_eq!(backend.calls(), "load load swap load load swap load swap");
        assert_eq!(browser.get("/count").body, "3");
    }
}

#[test]
fn all_concurrent_requests_can_save() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let store = store(backend);
            let session = saved(&store).await;
            let saving: Vec<_> = (0..32)
                .map(|number| {
                    let (store, mut session) = (store.clone(), session.clone());
                    session.data.insert("number".to_owned(), number.into());
                    tokio::spawn(async move { store.save(&session).await })
                })
                .collect();
            for saving in saving {
                saving.await.unwrap().unwrap();
            }
        }
    });
}

#[test]
fn an_unavailable_backend_is_an_error_and_no_new_session() {
    let backend = TestBackend::new(Arc::new(Memory::new()));
    let mut browser = browse(Arc::new(backend.clone()));
    browser.get("/count");
    let cookie = browser.jar.cookie();
    backend.is_down(true);
    let response = browser.get("/count");
    assert_eq!(response.status, 503);
    assert_eq!(response.body, "the server does not answer");
    assert!(response.set_cookies().is_empty());
    backend.is_down(false);
    for fault in [Fault::Fails, Fault::LosesRequest, Fault::LosesReply] {
        backend.at(2, fault);
        let response = browser.get("/count");
        assert_eq!((response.status, response.set_cookies().len()), (500, 0));
    }
    // The last write was saved.
    assert_eq!(browser.get("/count").body, "3");
    assert_eq!(browser.jar.cookie(), cookie);
}

#[test]
fn no_row_is_overwritten_or_restored() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let store = store(backend);
            let mut first = saved(&store).await;
            let mut second = session();
            second.id = first.id;
            second.data.clear();
            store.create(&mut second).await.unwrap();
            assert_ne!(second.id, first.id);
            let loaded = store.load(&first.id).await.unwrap().unwrap();
            assert_eq!((loaded.id, &loaded.data), (first.id, &first.data));
            first.data.insert("visits".to_owned(), 7.into());
            first.expiry_date += Duration::minutes(5);
            store.save(&first).await.unwrap();
            let loaded = store.load(&first.id).await.unwrap().unwrap();
            assert_eq!(loaded.data, first.data);
            // Expiries are exact to the millisecond.
            let late = first.expiry_date - loaded.expiry_date;
            assert!((0..1_000_000).contains(&late.whole_nanoseconds()));
            store.delete(&first.id).await.unwrap();
            store.delete(&first.id).await.unwrap();
            assert!(matches!(
                store.save(&first).await,
                Err(StoreError::Backend(_))
            ));
            assert!(store.load(&first.id).await.unwrap().is_none());
            assert!(store.load(&Id::default()).await.unwrap().is_none());
            assert!(store.load(&second.id).await.unwrap().is_some());
        }
    });
}

#[test]
fn expiries_are_correct_for_all_dates() {
    RUNTIME.block_on(async {
        let epoch = OffsetDateTime::UNIX_EPOCH;
        let end = OffsetDateTime::now_utc().saturating_add(Duration::MAX);
        for backend in backends() {
            let store = store(backend);
            let second_ago = OffsetDateTime::now_utc() - Duration::seconds(1);
            let beginning = epoch.saturating_add(Duration::MIN);
            for over in [second_ago, epoch, beginning] {
                let mut session = session();
                session.expiry_date = over;
                store.create(&mut session).await.unwrap();
                assert!(store.load(&session.id).await.unwrap().is_none(), "{over}");
            }
            for later in [epoch + Duration::days(365 * 100), end] {
                let mut session = session();
                session.expiry_date = later;
                store.create(&mut session).await.unwrap();
                let loaded = store.load(&session.id).await.unwrap().unwrap();
                assert!(later - loaded.expiry_date < Duration::MILLISECOND);
            }
        }
    });
}

#[test]
fn rows_hold_no_id() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let session = saved(&store(backend.clone())).await;
            let (key, stored) = only_row(&*backend).await;
            assert_eq!(key.as_bytes().len(), 43);
            let value = stored.record.value();
            assert_eq!(value, b"\x01{\"user\":\"Koko\"}");
            let id = session.id;
            let secrets = [
                id.to_string().into_bytes(),
                id.0.to_string().into_bytes(),
                id.0.to_le_bytes().to_vec(),
                id.0.to_be_bytes().to_vec(),
            ];
            for secret in secrets {
                for bytes in [key.as_bytes(), value] {
                    assert!(!bytes.windows(secret.len()).any(|part| part == secret));
                }
            }
        }
    });
}

#[test]
fn an_invalid_row_is_an_error_that_quotes_nothing() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let mut browser = browse(backend.clone());
            browser.get("/count");
            let bytes = [
                "",
                "\u{1}",
                "\u{1}[]",
                "\u{2}{}",
                "{}",
                "\u{1}\"secret\"",
                "secret",
            ];
            for bytes in bytes {
                let (key, stored) = only_row(&*backend).await;
                let other = Record::new(bytes, stored.record.expiry());
                let swapped = backend.swap(&key, &stored.revision, &other).await;
                assert!(matches!(swapped, Ok(Outcome::Done(_))));
                let response = browser.get("/count");
                assert_eq!(response.status, 503, "{bytes:?}");
                assert!(response.body.starts_with("Decoding failed"), "{bytes:?}");
                assert!(!response.body.contains("secret"));
            }
            let (key, stored) = only_row(&*backend).await;
            let eternal = Record::new("\u{1}{}", Expiry::NEVER);
            backend
                .swap(&key, &stored.revision, &eternal)
                .await
                .unwrap()
                .done()
                .unwrap();
            assert_eq!(browser.get("/count").status, 503, "the date does not exist");
            assert_eq!(browser.get("/end").status, 200, "the session can be ended");
            assert_eq!(browser.get("/count").body, "1");
        }
    });
}

#[test]
fn a_row_damaged_on_disk_is_an_error() {
    fn tear(folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => tear(&path),
                false => std::fs::write(path, "torn").unwrap(),
            }
        }
    }

    let folder = folder();
    let store = store(Arc::new(Files::open(&folder).unwrap()));
    RUNTIME.block_on(async {
        let session = saved(&store).await;
        tear(&folder);
        let loaded = store.load(&session.id).await;
        assert!(matches!(loaded, Err(StoreError::Decode(_))), "{loaded:?}");
    });
}

/// Returns that many nested lists.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |within, level| match level % 2 {
        0 => json!([within]),
        _ => json!({ "within": within }),
    })
}

#[test]
fn an_unreadable_value_is_not_saved() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let store = store(backend);
            let mut session = saved(&store).await;
            session.data.insert("deep".to_owned(), nested(126));
            store.save(&session).await.unwrap();
            let loaded = store.load(&session.id).await.unwrap().unwrap();
            assert_eq!(loaded.data, session.data);
            session.data.insert("deep".to_owned(), nested(127));
            let saved = store.save(&session).await;
            assert!(matches!(saved, Err(StoreError::Encode(_))));
            let created = store.create(&mut session).await;
            assert!(matches!(created, Err(StoreError::Encode(_))));
            assert!(store.load(&session.id).await.is_ok());
        }
    });
}

#[test]
fn the_rows_of_go_programs_are_not_changed() {
    let backend = Arc::new(GorillaFiles::open(folder()).unwrap());
    let error = BackendStore::new(backend).unwrap_err();
    assert!(error.is_usage(), "{error}");
}

/// A backend in which other writers always win, and each key is taken.
struct ContendedBackend(Arc<Memory>);

#[async_trait]
impl Backend for ContendedBackend {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.0.load(key).await
    }

    async fn create(&self, _: &Key, _: &Record) -> Result<Created, Error> {
        Ok(Created::Exists)
    }

    async fn swap(&self, _: &Key, _: &Revision, _: &Record) -> Result<Outcome<Revision>, Error> {
        Ok(Outcome::Conflict)
    }

    async fn touch(&self, _: &Key, _: &Revision, _: Expiry) -> Result<Outcome<Revision>, Error> {
        Ok(Outcome::Conflict)
    }

    async fn remove(&self, _: &Key, _: &Revision) -> Result<Outcome<()>, Error> {
        Ok(Outcome::Conflict)
    }
}

#[test]
fn retries_are_bounded() {
    RUNTIME.block_on(async {
        let memory = Arc::new(Memory::new());
        let session = saved(&store(memory.clone())).await;
        let store = store(Arc::new(ContendedBackend(memory)));
        let is_error = |done| matches!(done, Err(StoreError::Backend(_)));
        let mut another = session.clone();
        assert!(is_error(store.create(&mut another).await));
        assert_eq!(another, session);
        assert!(is_error(store.save(&session).await));
        assert!(is_error(store.delete(&session.id).await));
    });
}
