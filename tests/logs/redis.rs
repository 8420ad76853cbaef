use std::sync::OnceLock;

use silverback::backend::{Backend, Redis, RedisOptions};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::required::not_run;
use super::servers::redis::{RedisCluster, RedisServer};

fn server() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Result<RedisServer, String>> = OnceLock::new();
    match SERVER.get_or_init(|| RedisServer::start(&[])) {
        Ok(server) => Some(server),
        Err(why) => {
            not_run("redis", why);
            None
        }
    }
}

#[tokio::test]
async fn no_secret_of_redis_is_logged() {
    capture::start();
    let Some(server) = server() else { return };
    let backend = Redis::connect(&server.url()).await.unwrap();
    let secrets = Secrets::new();
    secrets.try_all(&backend).await.unwrap();
    secrets.are_not_logged();
}

#[tokio::test]
async fn no_secret_of_a_cluster_is_logged() {
    capture::start();
    if server().is_none() {
        return;
    }
    let cluster = RedisCluster::start().unwrap();
    let backend = Redis::connect(&cluster.url()).await.unwrap();
    let secrets = Secrets::new();
    secrets.try_all(&backend).await.unwrap();
    secrets.are_not_logged();
}

/// The server refuses these commands: its message may quote a key.
#[tokio::test]
async fn no_secret_of_refused_commands_is_logged() {
    capture::start();
    if server().is_none() {
        return;
    }
    let full = RedisServer::start(&["--maxmemory", "1"]).unwrap();
    let options = RedisOptions::new().prefix("full:");
    let backend = Redis::connect_with(&full.url(), options).await.unwrap();
    let secrets = Secrets::new();
    let refused = backend.create(&secrets.key(), &secrets.record()).await;
    assert!(refused.as_ref().unwrap_err().is_unavailable());
    capture_errors(refused);
    secrets.are_not_logged();
}
