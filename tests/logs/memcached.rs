use silverback::backend::{Backend, Memcached};

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

#[tokio::test]
async fn no_secret_of_memcached_is_logged() {
    capture::start();
    let Some(server) = server(&[]) else { return };
    let backend = Memcached::connect(&server.url()).await.unwrap();
    let secrets = Secrets::new();
    secrets.try_all(&backend).await.unwrap();
    secrets.are_not_logged();
}

/// The client's errors quote the key.
#[tokio::test]
async fn no_secret_of_failed_requests_is_logged() {
    capture::start();
    let Some(server) = server(&[]) else { return };
    let backend = Memcached::connect(&server.url()).await.unwrap();
    drop(server);
    let secrets = Secrets::new();
    let refused = backend.create(&secrets.key(), &secrets.record()).await;
    assert!(refused.as_ref().unwrap_err().is_unavailable());
    capture_errors(refused);
    capture_errors(backend.load(&secrets.key()).await);
    secrets.are_not_logged();
}
