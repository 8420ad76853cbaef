//! Rows and cookies that dolab/session wrote: each row is put back into Redis or Memcached, opened by
//! its cookie, and read to the JSON that a Go handler reads.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memcache::exp::AsyncMetaClient;
use redis::AsyncCommands;
use serde_json::Value;
use silverback::backend::{Backend, ConnectOptions, GoKeys, Key, connect_go_keys};
use silverback::codec::{CodecOptions, Codecs, KeyPairs, UnixTime};
use silverback::compat::{DolabConfig, DolabValue, dolab};
use silverback::session::testing::Jar;
use silverback::session::{
    Dialect, Error, Lifetime, Refusal, ServerOptions, ServerStore, Sessions,
};

use crate::go_rows::{Vectors, text};
use crate::required::not_run;
use crate::servers::memcached::MemcachedServer;
use crate::servers::redis::RedisServer;

/// A server of either kind.
enum Server {
    Redis(RedisServer),
    Memcached(MemcachedServer),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Server::Redis(server) => server.url(),
            Server::Memcached(server) => server.url(),
        }
    }

    /// Puts the row into the empty server as Go does: without an expiry.
    async fn put(&self, row: &Value) {
        let state = &row["state"];
        let value = STANDARD.decode(text(&state["value_b64"])).unwrap();
        let key = text(&state["key"]);
        match self {
            Server::Redis(server) => {
                let client = redis::Client::open(server.url()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let flush = redis::cmd("FLUSHALL");
                flush.exec_async(&mut connection).await.unwrap();
                if state.is_object() {
                    assert_eq!(state["pttl_ms"], -1);
                    let () = connection.set(key, value).await.unwrap();
                }
            }
            Server::Memcached(server) => {
                server.command("flush_all").unwrap();
                if state.is_object() {
                    assert!(text(&state["meta"]).starts_with("HD t-1 f0 "));
                    let client = AsyncMetaClient::connect(("127.0.0.1", server.port()));
                    let set = client.await.unwrap();
                    set.set(key, value).ttl_raw(0).send().await.unwrap();
                }
            }
        }
    }

    /// Returns the milliseconds left of a row. A negative number means that it never expires.
    fn millis_left(&self, key: &str) -> i64 {
        match self {
            Server::Redis(server) => {
                let answer = server.command(&format!("PTTL {key}")).unwrap();
                let digits = answer.trim().trim_start_matches(':').to_owned();
                digits.parse().unwrap()
            }
            Server::Memcached(server) => {
                let answer = server.command(&format!("mg {key} t")).unwrap();
                let left = answer.trim_end().strip_prefix("HD t").unwrap();
                1_000 * left.parse::<i64>().unwrap()
            }
        }
    }
}

fn servers() -> Vec<(&'static str, GoKeys, Server)> {
    let redis = RedisServer::start(&[]).map_err(|why| not_run("redis", &why));
    let memcached = MemcachedServer::start(&[]).map_err(|why| not_run("memcached", &why));
    let redis = redis
        .into_iter()
        .map(|server| ("dolab-redis", GoKeys::dolab_redis(), Server::Redis(server)));
    let memcached = memcached.into_iter().map(|server| {
        let keys = GoKeys::dolab_memcache();
        ("dolab-memcache", keys, Server::Memcached(server))
    });
    redis.chain(memcached).collect()
}

/// Our cookie, which no row of the vectors has.
const OWN: &str = "__Host-own";

/// Returns a store with the settings of the Go program that wrote the row, at that time.
fn store_of(row: &Value, backend: Arc<dyn Backend>, codecs: Codecs) -> ServerStore {
    let seconds = row["cookie_expire_s"].as_u64().unwrap();
    let dialect = Dialect::dolab(codecs)
        .legacy_cookie(text(&row["cookie_name"]), text(&row["cookie_secret"]))
        .legacy_max_age(std::time::Duration::from_secs(seconds));
    let at = UnixTime::from_secs(row["at_ms"].as_u64().unwrap() / 1_000);
    let cookie = silverback::session::CookieOptions::new().name(OWN).unwrap();
    // The servers have the present time, in which the rows that are written must be live, too.
    let century = std::time::Duration::from_secs(100 * 365 * 86_400);
    let lifetime = Lifetime::new().without_idle().absolute(century);
    let options = ServerOptions::new().cookie(cookie).lifetime(lifetime);
    let options = options.clock(move || at);
    ServerStore::with_options(dialect, backend, options).unwrap()
}

/// Returns the sessions of a request with one cookie of Go.
fn request(row: &Value, cookie: &Value, store: &ServerStore) -> Sessions {
    let mut jar = Jar::new();
    jar.set(text(&row["cookie_name"]), text(cookie));
    jar.sessions(store.clone())
}

/// Returns the row as Go wrote it, from one that also has the metadata.
fn without_metadata(row: &str) -> String {
    let (before, rest) = row.split_once("\"_session\":\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    match (before.strip_suffix(','), after.strip_prefix(',')) {
        (Some(before), None) => format!("{before}{after}"),
        (_, Some(after)) => format!("{before}{after}"),
        (None, None) => format!("{before}{after}"),
    }
}

/// Reads a row by its cookie. Returns whether it was opened.
async fn is_read(row: &Value, server: &Server, keys: &GoKeys) -> bool {
    server.put(row).await;
    let (url, options) = (server.url(), ConnectOptions::new());
    let backend = connect_go_keys(&url, keys.clone(), options).await.unwrap();
    let endless = CodecOptions::new().max_age(std::time::Duration::ZERO);
    let codecs = Codecs::from_pairs_with(KeyPairs::generate(1).unwrap(), &endless).unwrap();
    let store = store_of(row, backend.clone(), codecs);
    let sessions = request(row, &row["cookie"], &store);
    let session = sessions.session().await.unwrap();
    let (case, want) = (text(&row["case"]), &row["want"]);
    assert_eq!(session.is_new(), want.is_null(), "{case}: {row}");
    let refusal = match case {
        "expired" => Some(Refusal::Expired),
        "destroy" => Some(Refusal::Gone),
        // The user's name in such a cookie is no ID, or that of no row.
        "remember" => session
            .refusal()
            .filter(|refusal| matches!(refusal, Refusal::NotValid | Refusal::Gone)),
        _ => None,
    };
    assert_eq!(session.refusal(), refusal, "{case}: {row}");
    assert_eq!(refusal.is_some(), want.is_null(), "{case}: {row}");
    let Some(want) = want.as_object() else {
        return false;
    };
    let value = DolabValue::of(&session);
    assert_eq!(session.keys().len(), want.len());
    for (key, text) in want {
        assert_eq!(value.get(key).unwrap(), *text, "{case}: {key}");
    }
    assert_eq!((session.owner(), session.authenticated_at()), (None, None));
    if let Some(old) = row.get("old_cookie") {
        let gone = request(row, old, &store).session().await.unwrap();
        assert_eq!(gone.refusal(), Some(Refusal::Gone));
    }
    // The response writes the row with the same values and an expiry.
    let (id, of_go) = (text(&row["id"]), &row["state"]["value_b64"]);
    assert!(server.millis_left(id) < 0);
    sessions.finish().await.unwrap();
    let stored = backend.load(&Key::new(id).unwrap()).await.unwrap().unwrap();
    let written = String::from_utf8(stored.record.value().to_vec()).unwrap();
    let of_go = String::from_utf8(STANDARD.decode(text(of_go)).unwrap()).unwrap();
    // A key that is not UTF-8 in Go is another text once a row is read, also by Go.
    if !of_go.contains("\\ufffd") {
        assert_eq!(without_metadata(&written), of_go, "{case}");
    }
    assert!(server.millis_left(id) > 0);
    true
}

#[tokio::test]
async fn rows_of_dolab_are_read() {
    for (store, keys, server) in servers() {
        let mut opened = 0;
        for row in &Vectors::of(store).rows {
            opened += usize::from(is_read(row, &server, &keys).await);
        }
        let expected = if store == "dolab-redis" { 14 } else { 13 };
        assert_eq!(opened, expected, "{store}");
    }
}

fn config() -> DolabConfig {
    DolabConfig::new()
        .cookie_name("gosession")
        .cookie_secret("secret")
}

/// Go's defaults are empty, so each field has a meaning of its own here.
#[tokio::test]
async fn the_store_of_dolabs_name_has_the_fields_of_its_config() {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
    for (_, _, server) in servers() {
        let made = async |config: DolabConfig| {
            let keys = KeyPairs::generate(1).unwrap();
            let store = dolab(&server.url(), keys, config).await.unwrap();
            let store = store.store().unwrap();
            let sessions = Jar::new().sessions(store);
            let session = sessions.session().await.unwrap();
            session.insert("n", 7).unwrap();
            let fields = sessions.finish().await.unwrap().unwrap();
            let now = UnixTime::now().as_secs();
            let left = |at: Option<UnixTime>| at.map(|at| at.as_secs() - now);
            let times = [left(session.idle_at()), left(session.deadline())];
            (times, fields.set_cookies()[0].clone())
        };
        let is_about = |time: Option<u64>, hours: u64| {
            time.is_some_and(|time| time.abs_diff(3_600 * hours) < 60)
        };
        let ([idle, deadline], cookie) = made(config()).await;
        assert!(idle.unwrap().abs_diff(1_800) < 60 && is_about(deadline, 12));
        assert!(!cookie.contains("Max-Age"), "{cookie}");
        let ([idle, deadline], cookie) = made(config().cookie_expire(24 * HOUR)).await;
        assert!(idle.is_none() && is_about(deadline, 24));
        assert!(cookie.contains("Max-Age=86400"), "{cookie}");
        let both = config().cookie_expire(24 * HOUR).session_expire(2 * HOUR);
        let both = both.cookie_secure(false);
        let ([idle, deadline], cookie) = made(both).await;
        assert!(is_about(idle, 2) && is_about(deadline, 24));
        assert!(cookie.contains("Secure"), "{cookie}");
        let ([idle, _], _) = made(config().session_expire(2 * HOUR)).await;
        assert!(is_about(idle, 2));

        let keys = KeyPairs::generate(1).unwrap();
        let remembering = config().remember_expire(48 * HOUR);
        let remembering = remembering.remember_name("r").remember_secret("s");
        assert!(!format!("{remembering:?}").contains("secret"));
        let store = dolab(&server.url(), keys.clone(), remembering)
            .await
            .unwrap();
        let store = store.store().unwrap();
        let sessions = Jar::new().sessions(store);
        let session = sessions.session().await.unwrap();
        session.remember(true).unwrap();
        let left = session.deadline().unwrap().as_secs() - UnixTime::now().as_secs();
        assert!(is_about(Some(left), 48));

        let refused = |store: Result<ServerStore, Error>| assert!(store.unwrap_err().is_usage());
        let unnamed = dolab(&server.url(), keys.clone(), DolabConfig::new()).await;
        refused(unnamed.unwrap().store());
        let named = dolab(&server.url(), keys, config()).await.unwrap();
        refused(named.named("gosession"));
    }
}
