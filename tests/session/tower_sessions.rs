//! Applications on `tower-sessions`, with our backends beneath.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use silverback::backend::{Backend, Expiry, Files, Memory, Record};
use silverback::web::tower_sessions::BackendStore;
use tower_sessions::session::{Id, Record as SessionRecord};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

use super::client::Browser;
use super::site::RUNTIME;

async fn count(session: Session) -> String {
    let count = session.get::<usize>("count").await.unwrap().unwrap_or(0) + 1;
    session.insert("count", count).await.unwrap();
    count.to_string()
}

async fn renew(session: Session) {
    session.cycle_id().await.unwrap();
}

async fn end(session: Session) {
    session.flush().await.unwrap();
}

/// The same application on each backend.
fn browse(backend: Arc<dyn Backend>) -> Browser {
    let layer = SessionManagerLayer::new(BackendStore::new(backend)).with_secure(false);
    let app = Router::new()
        .route("/count", get(count))
        .route("/renew", get(renew))
        .route("/end", get(end))
        .layer(layer);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    RUNTIME.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, app).await.unwrap();
    });
    Browser::new(&address.to_string())
}

fn backends() -> [Arc<dyn Backend>; 2] {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("tower-sessions");
    [
        Arc::new(Memory::new()),
        Arc::new(Files::open(folder).unwrap()),
    ]
}

#[test]
fn a_session_lasts_is_renewed_and_ends() {
    for backend in backends() {
        let mut browser = browse(backend);
        assert_eq!(browser.get("/count").body, "1");
        assert_eq!(browser.get("/count").body, "2");
        let before = browser.clone();
        browser.get("/renew");
        assert_ne!(browser.jar.cookie(), before.jar.cookie());
        assert_eq!(browser.get("/count").body, "3");
        assert_eq!(before.clone().get("/count").body, "1", "the old ID is dead");
        let late = browser.clone();
        browser.get("/end");
        assert_eq!(late.clone().get("/count").body, "1");
    }
}

fn session() -> SessionRecord {
    SessionRecord {
        id: Id::default(),
        data: [("user".to_owned(), "Koko".into())].into(),
        expiry_date: time::OffsetDateTime::now_utc() + time::Duration::minutes(5),
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_brought_back() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let store = BackendStore::new(backend);
            let mut first = session();
            store.create(&mut first).await.unwrap();
            let mut second = session();
            second.id = first.id;
            second.data.clear();
            store.create(&mut second).await.unwrap();
            assert_ne!(second.id, first.id);
            let loaded = store.load(&first.id).await.unwrap().unwrap();
            assert_eq!(loaded.data, first.data);
            // To the millisecond.
            let late = first.expiry_date - loaded.expiry_date;
            assert!((0..1_000_000).contains(&late.whole_nanoseconds()));
            first.data.insert("visits".to_owned(), 7.into());
            store.save(&first).await.unwrap();
            let loaded = store.load(&first.id).await.unwrap().unwrap();
            assert_eq!(loaded.data, first.data);
            store.delete(&first.id).await.unwrap();
            store.delete(&first.id).await.unwrap();
            assert!(store.save(&first).await.is_err());
            assert!(store.load(&first.id).await.unwrap().is_none());
            assert!(store.load(&Id::default()).await.unwrap().is_none());
        }
    });
}

#[test]
fn what_is_over_is_not_loaded() {
    RUNTIME.block_on(async {
        for backend in backends() {
            let store = BackendStore::new(backend);
            let mut over = session();
            over.expiry_date = time::OffsetDateTime::now_utc() - time::Duration::seconds(1);
            store.create(&mut over).await.unwrap();
            assert!(store.load(&over.id).await.unwrap().is_none());
        }
    });
}

#[test]
fn rows_hold_no_id_and_what_is_no_row_is_an_error() {
    RUNTIME.block_on(async {
        let backend = Arc::new(Memory::new());
        let store = BackendStore::new(backend.clone());
        let mut session = session();
        store.create(&mut session).await.unwrap();
        let page = backend.scan().unwrap().page(None, 10).await.unwrap();
        let [entry] = page.as_slice() else {
            panic!("there is one row");
        };
        let stored = backend.load(&entry.key).await.unwrap().unwrap();
        let secrets = [session.id.to_string(), session.id.0.to_string()];
        for secret in secrets {
            for bytes in [entry.key.as_bytes(), stored.record.value()] {
                let text = String::from_utf8_lossy(bytes).into_owned();
                assert!(!text.contains(&secret), "{text}");
            }
        }
        assert_eq!(entry.key.as_bytes().len(), 43);
        for bytes in ["", "\u{1}", "\u{1}[]", "\u{2}{}", "{}"] {
            let other = Record::new(bytes, Expiry::NEVER);
            let swapped = backend.load(&entry.key).await.unwrap().unwrap();
            let swapped = backend.swap(&entry.key, &swapped.revision, &other).await;
            assert!(swapped.is_ok());
            assert!(store.load(&session.id).await.is_err(), "{bytes:?}");
        }
    });
}
