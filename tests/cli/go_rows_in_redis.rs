//! Rows that Go's session stores wrote to Redis: each is put back, and read to the values that a Go
//! handler reads.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::AsyncCommands;
use serde_json::Value;
use silverback::backend::{Backend, ConnectOptions, GoKeys, connect_go_keys};
use silverback::codec::{Codecs, KeyPairs, Serializer};
use silverback::compat::{scs_goredisstore, scs_redisstore};
use silverback::session::Dialect;

use crate::go_rows::{DialectOf, Vectors, keys_of, scs_dialect, text};
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

/// Puts each row into the server, reads it, and returns the number of those that are live.
async fn rows_are_read(
    store: &'static str,
    server: &RedisServer,
    dialect: DialectOf,
    open: impl AsyncFn(&str) -> Arc<dyn Backend>,
) -> usize {
    let read = async |row: &Value| -> Arc<dyn Backend> {
        put(server, row).await;
        open(&server.url()).await
    };
    Vectors::of(store).read(read, dialect).await
}

fn server() -> Option<RedisServer> {
    let server = RedisServer::start(&[]);
    server.map_err(|why| not_run("redis", &why)).ok()
}

#[tokio::test]
async fn rows_of_scs_in_redis_are_read() {
    let Some(server) = server() else { return };
    let open = async |url: &str| scs_redisstore(url).await.unwrap().backend();
    let read = rows_are_read("scs-redisstore", &server, scs_dialect, open).await;
    assert_eq!(read, 18);
    let open = async |url: &str| scs_goredisstore(url).await.unwrap().backend();
    let read = rows_are_read("scs-goredisstore", &server, scs_dialect, open).await;
    assert_eq!(read, 16);
}

pub(crate) fn serializer_of(row: &Value) -> Serializer {
    match text(&row["variant"]) {
        "json" => Serializer::Json,
        variant => {
            assert_eq!(variant, "gob");
            Serializer::Gob
        }
    }
}

fn redistore_dialect(row: &Value) -> Dialect {
    let pairs: KeyPairs = keys_of(row).parse().unwrap();
    let dialect = Dialect::redistore(Codecs::from_pairs(pairs).unwrap());
    dialect.clear_rows(serializer_of(row)).into()
}

fn rbcervilla_dialect(row: &Value) -> Dialect {
    let dialect = Dialect::rbcervilla_redisstore();
    dialect.clear_rows(serializer_of(row)).into()
}

#[tokio::test]
async fn rows_of_gorilla_in_redis_are_read() {
    let Some(server) = server() else { return };
    let stores: [(&str, GoKeys, DialectOf, usize); 3] = [
        (
            "gorilla-redistore",
            GoKeys::redistore(),
            redistore_dialect,
            18,
        ),
        (
            "gorilla-redistore-v2",
            GoKeys::redistore(),
            redistore_dialect,
            18,
        ),
        (
            "gorilla-rbcervilla-redisstore",
            GoKeys::rbcervilla_redisstore(),
            rbcervilla_dialect,
            18,
        ),
    ];
    for (store, keys, dialect, expected) in stores {
        let open = async |url: &str| {
            let connected = connect_go_keys(url, keys.clone(), ConnectOptions::new());
            connected.await.unwrap()
        };
        let read = rows_are_read(store, &server, dialect, open).await;
        assert_eq!(read, expected, "{store}");
    }
}
