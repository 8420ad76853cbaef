//! Rows that Go's session stores wrote to Redis: each is put back, and read to the values that a Go
//! handler reads.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::AsyncCommands;
use serde_json::Value;
use silverback::backend::Backend;
use silverback::compat::{ScsStore, scs_goredisstore, scs_redisstore};

use crate::go_rows::{Vectors, scs_dialect, text};
use crate::required::not_run;
use crate::servers::redis::RedisServer;

/// Puts the row into the server with as much time as it had left when it was written.
async fn put(server: &RedisServer, row: &Value) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL")
        .exec_async(&mut connection)
        .await
        .unwrap();
    let state = &row["state"];
    if state.is_null() {
        return;
    }
    let key = text(&state["key"]);
    let value = STANDARD.decode(text(&state["value_b64"])).unwrap();
    let () = connection.set(key, value).await.unwrap();
    let expiry = state["pexpiretime_ms"].as_i64().unwrap();
    if expiry >= 0 {
        let left = expiry - row["at_ms"].as_i64().unwrap();
        let _: bool = connection.pexpire(key, left).await.unwrap();
    }
}

async fn rows_are_read(
    store: &'static str,
    server: &RedisServer,
    open: impl AsyncFn(&str) -> ScsStore,
) -> usize {
    let read = async |row: &Value| -> Arc<dyn Backend> {
        put(server, row).await;
        open(&server.url()).await.backend()
    };
    Vectors::of(store).read(read, scs_dialect).await
}

#[tokio::test]
async fn rows_of_scs_in_redis_are_read() {
    let server = match RedisServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return not_run("redis", &why),
    };
    let open = async |url: &str| scs_redisstore(url).await.unwrap();
    assert_eq!(rows_are_read("scs-redisstore", &server, open).await, 18);
    let open = async |url: &str| scs_goredisstore(url).await.unwrap();
    assert_eq!(rows_are_read("scs-goredisstore", &server, open).await, 16);
}
