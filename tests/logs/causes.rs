//! The line of each layer names the root cause exactly once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, test};
use silverback::backend::{Cleanup, Expiry, Files, Key, Record, Scan};
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieOptions, Error, ServerOptions, ServerStore, Session};
use silverback::web::actix::SessionMiddleware;
use silverback::web::tower::SessionLayer;
use tower_service::Service;

use super::capture;
use super::scratch::Scratch;

/// The text of the operating system for a missing folder.
const CAUSE: &str = "No such file or directory (os error 2)";

/// A store with a removed folder, and its cookie's name.
struct RemovedStore {
    _scratch: Scratch,
    backend: Arc<Files>,
    store: ServerStore,
    folder: String,
}

impl RemovedStore {
    fn new() -> Self {
        capture::start();
        let scratch = Scratch::new("SILVERBACK_LOGS");
        let folder = scratch.path().join("sessions");
        let backend = Arc::new(Files::open(&folder).unwrap());
        std::fs::rename(&folder, scratch.path().join("away")).unwrap();
        let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
        let cookie = CookieOptions::new().name("id").unwrap();
        let options = ServerOptions::new().cookie(cookie);
        RemovedStore {
            store: ServerStore::with_options(codecs, backend.clone(), options).unwrap(),
            _scratch: scratch,
            backend,
            folder: format!("{folder:?}").trim_matches('"').to_owned(),
        }
    }

    /// Checks that one line logs the error about the folder.
    fn is_logged_with_its_cause(&self) {
        let lines = capture::lines_with(self.folder.as_bytes());
        let errors = lines.iter().filter(|line| line.contains("ERROR"));
        let [line] = errors.collect::<Vec<_>>()[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(line.matches(CAUSE).count(), 1, "{line}");
    }
}

#[tokio::test]
async fn the_tower_layer_logs_the_root_cause() {
    async fn login(session: Session) -> Result<(), Error> {
        session.login("ape")
    }

    let away = RemovedStore::new();
    let layer = SessionLayer::new(away.store.clone());
    let mut app = axum::Router::new()
        .route("/", axum::routing::get(login))
        .layer(layer);
    let request = axum::http::Request::new(axum::body::Body::empty());
    let response = app.call(request).await.unwrap();
    assert_eq!(response.status(), 503);
    away.is_logged_with_its_cause();
}

#[actix_web::test]
async fn the_actix_middleware_logs_the_root_cause() {
    async fn login(session: Session) -> Result<&'static str, Error> {
        session.login("ape")?;
        Ok("")
    }

    let away = RemovedStore::new();
    let app = App::new()
        .wrap(SessionMiddleware::new(away.store.clone()))
        .route("/", actix_web::web::get().to(login));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(response.status(), 503);
    away.is_logged_with_its_cause();
}

#[tokio::test]
async fn a_cleanup_and_a_probe_get_the_root_cause() {
    let away = RemovedStore::new();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = errors.clone();
    let hour = Duration::from_secs(3_600);
    let cleanup = Cleanup::every(hour, away.backend.clone(), move |error| {
        seen.lock().unwrap().push(error.to_string());
    });
    while errors.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cleanup.stop().await;
    let mut errors = errors.lock().unwrap().clone();
    errors.push(away.store.ping().await.unwrap_err().to_string());
    for error in errors {
        assert_eq!(error.matches(CAUSE).count(), 1, "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// The warning about a record that a purge cannot read names the reason.
#[tokio::test]
async fn a_skipped_record_is_named_with_the_root_cause() {
    let scratch = Scratch::new("SILVERBACK_LOGS");
    let backend = Files::open(scratch.path()).unwrap();
    let over = Record::new("v", Expiry::from_millis(0));
    let key = Key::new("a").unwrap();
    silverback::backend::Backend::create(&backend, &key, &over)
        .await
        .unwrap()
        .saved()
        .unwrap();
    let records = std::fs::read_dir(scratch.path().join("records")).unwrap();
    let part = records.into_iter().next().unwrap().unwrap().path();
    let file = std::fs::read_dir(part)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap(); // even root cannot read a folder as a file
    let purged = backend.purge(10).await.unwrap();
    let [error] = &purged.skipped[..] else {
        panic!("{purged:?}");
    };
    let text = error.to_string();
    assert_eq!(
        text.matches("Is a directory (os error 21)").count(),
        1,
        "{text}"
    );
}
