use silverback::backend::{Backend, GoKeys, GoMemcached, Key, Memcached};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::required::not_run;
use super::servers::memcached::MemcachedServer;

fn server(settings: &[&str]) -> Option<MemcachedServer> {
    match MemcachedServer::start(settings) {
        Ok(server) => Some(server),
        Err(why) => {
            not_run("memcached", &why);
            None
        }
    }
}

async fn of_go(server: &MemcachedServer) -> GoMemcached {
    let keys = GoKeys::gorilla_sessions_memcache("");
    GoMemcached::connect(&server.url(), keys).await.unwrap()
}

#[tokio::test]
async fn no_secret_of_memcached_is_logged() {
    capture::start();
    let Some(server) = server(&[]) else { return };
    let backend = Memcached::connect(&server.url()).await.unwrap();
    let go = of_go(&server).await;
    let secrets = Secrets::new();
    secrets.try_all(&backend).await.unwrap();
    secrets.try_all(&go).await.unwrap();
    secrets.are_not_logged();
}

/// The client's errors quote the key.
#[tokio::test]
async fn no_secret_of_failed_requests_is_logged() {
    capture::start();
    let Some(server) = server(&[]) else { return };
    let backend = Memcached::connect(&server.url()).await.unwrap();
    let go = of_go(&server).await;
    drop(server);
    let secrets = Secrets::new();
    for backend in [&backend as &dyn Backend, &go] {
        let refused = backend.create(&secrets.key(), &secrets.record()).await;
        assert!(refused.as_ref().unwrap_err().is_unavailable());
        capture_errors(refused);
        capture_errors(backend.load(&secrets.key()).await);
    }
    secrets.are_not_logged();
}

/// Comparisons are refused, as is a key that is too long.
#[tokio::test]
async fn no_secret_of_refused_items_is_logged() {
    capture::start();
    let Some(server) = server(&["-C"]) else {
        return;
    };
    let go = of_go(&server).await;
    let secrets = Secrets::new();
    let unknown = go.create(&secrets.key(), &secrets.record()).await;
    assert!(unknown.as_ref().unwrap_err().is_outcome_unknown());
    capture_errors(unknown);
    let refused = go.load(&secrets.key()).await;
    assert!(refused.as_ref().unwrap_err().is_unavailable());
    capture_errors(refused);
    let prefix = "p".repeat(198);
    let keys = GoKeys::gorilla_sessions_memcache(prefix);
    let go = GoMemcached::connect(&server.url(), keys).await.unwrap();
    let long = format!(
        "{}{}",
        String::from_utf8_lossy(secrets.key().as_bytes()),
        "A".repeat(15)
    );
    let refused = go.load(&Key::new(long).unwrap()).await;
    assert!(refused.as_ref().unwrap_err().is_usage());
    capture_errors(refused);
    secrets.are_not_logged();
}
