//! Rows that gorilla-sessions-memcache wrote to Memcached: each is put back, and read to the values
//! that a Go handler reads.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memcache::exp::AsyncMetaClient;
use serde_json::Value;
use silverback::backend::{Backend, ConnectOptions, GoKeys, connect_go_keys};
use silverback::codec::{Codec, Codecs, KeyPairs};
use silverback::compat::{StoreMethod, gorilla_sessions_memcache};
use silverback::session::Dialect;
use silverback::session::testing::Jar;

use crate::go_rows::{Vectors, keys_of, text};
use crate::go_rows_in_redis::serializer_of;
use crate::required::not_run;
use crate::servers::memcached::MemcachedServer;

const PREFIX: &str = "pre_";

/// Puts the row into the server with as much time as it had left when it was written.
async fn put(server: &MemcachedServer, row: &Value) {
    server.command("flush_all").unwrap();
    let state = &row["state"];
    let Some(meta) = state["meta"].as_str() else {
        return;
    };
    let left = meta.split(' ').find_map(|word| word.strip_prefix('t'));
    let left = match left.unwrap() {
        "-1" => 0,
        seconds => seconds.parse().unwrap(),
    };
    let value = STANDARD.decode(text(&state["value_b64"])).unwrap();
    let client = AsyncMetaClient::connect(("127.0.0.1", server.port()));
    let client = client.await.unwrap();
    let set = client.set(text(&state["key"]), value).ttl_raw(left);
    set.send().await.unwrap();
}

fn is_sealed(row: &Value) -> bool {
    row["variant"] == "securecookie"
}

fn dialect_of(row: &Value) -> Dialect {
    let pairs: KeyPairs = keys_of(row).parse().unwrap();
    let codecs = Codecs::from_pairs(pairs).unwrap();
    match is_sealed(row) {
        true => Dialect::gorilla(codecs).into(),
        false => {
            let dialect = Dialect::redistore(codecs);
            dialect.clear_rows(serializer_of(row)).into()
        }
    }
}

fn server() -> Option<MemcachedServer> {
    let server = MemcachedServer::start(&[]);
    server.map_err(|why| not_run("memcached", &why)).ok()
}

#[tokio::test]
async fn rows_of_gorilla_sessions_memcache_are_read() {
    let Some(server) = server() else { return };
    let read = async |row: &Value| -> Arc<dyn Backend> {
        put(&server, row).await;
        let keys = GoKeys::gorilla_sessions_memcache(PREFIX);
        let keys = match is_sealed(row) {
            true => keys,
            false => keys.in_the_clear(),
        };
        let url = server.url();
        let connected = connect_go_keys(&url, keys, ConnectOptions::new());
        connected.await.unwrap()
    };
    let vectors = Vectors::of("gorilla-sessions-memcache");
    assert_eq!(vectors.read(read, dialect_of).await, 18);
}

/// The store of the Go package's name opens the rows of each of its methods.
#[tokio::test]
async fn the_store_of_gorilla_sessions_memcache_has_three_methods() {
    let Some(server) = server() else { return };
    let vectors = Vectors::of("gorilla-sessions-memcache");
    let mut opened = [0; 3];
    for row in &vectors.rows {
        put(&server, row).await;
        let pairs: KeyPairs = keys_of(row).parse().unwrap();
        let store = gorilla_sessions_memcache(&server.url(), PREFIX, pairs).await;
        let store = store.unwrap();
        let methods = [
            StoreMethod::SecureCookie,
            StoreMethod::Gob,
            StoreMethod::Json,
        ];
        let right = match text(&row["variant"]) {
            "securecookie" => 0,
            "gob" => 1,
            _ => 2,
        };
        for (number, method) in methods.into_iter().enumerate() {
            // A method replaces the one that was set before.
            let other = store.clone().store_method(methods[(number + 1) % 3]);
            let store = other.store_method(method).named(text(&row["cookie_name"]));
            let found = store.unwrap().find_by_cookie(text(&row["cookie"])).await;
            let is_found = found.unwrap().found().is_some();
            let is_right = number == right && !row["want"].is_null();
            assert_eq!(is_found, is_right, "{method:?}: {}", row["case"]);
            opened[number] += usize::from(is_found);
        }
    }
    assert_eq!(opened.iter().sum::<usize>(), 18, "{opened:?}");
}

/// Go's rows with a `MaxAge` of 0 never expire, and ours do.
#[tokio::test]
async fn a_row_of_go_without_an_expiry_is_opened_and_gets_one() {
    let Some(server) = server() else { return };
    let pairs = KeyPairs::generate(1).unwrap();
    let store = gorilla_sessions_memcache(&server.url(), PREFIX, pairs.clone()).await;
    let store = store.unwrap().without_max_age(Duration::from_secs(3_600));
    let store = store.named("shop").unwrap();
    let jar = Jar::with(store.clone(), |session| session.insert("n", 7)).await;
    let jar = jar.unwrap();
    let codecs = Codecs::from_pairs(pairs).unwrap();
    let id: String = codecs.decode("shop", jar.get("shop").unwrap()).unwrap();
    let key = format!("{PREFIX}{id}");
    let left = || -> i64 {
        let answer = server.command(&format!("mg {key} t")).unwrap();
        let left = answer.trim_end().strip_prefix("HD t").unwrap();
        left.parse().unwrap()
    };
    assert!((3_500..=3_602).contains(&left()), "{}", left());

    // As Go writes it.
    let client = AsyncMetaClient::connect(("127.0.0.1", server.port()));
    let client = client.await.unwrap();
    let value = client.get(&key).send().await.unwrap().value.unwrap();
    client.set(&key, value).ttl_raw(0).send().await.unwrap();
    assert_eq!(left(), -1);
    let sessions = jar.sessions(store);
    let session = sessions.session().await.unwrap();
    assert_eq!(session.get("n").unwrap(), Some(7));
    session.insert("n", 8).unwrap();
    let fields = sessions.finish().await.unwrap().unwrap();
    assert!((3_500..=3_602).contains(&left()), "{}", left());
    // The cookie ends with the browser.
    let set_cookies = fields.set_cookies();
    assert!(!set_cookies.iter().any(|field| field.contains("Max-Age")));
}
