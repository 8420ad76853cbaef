//! Items in Memcached that a Go program and Silverback share.

use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{Backend, Expiry, GoKeys, GoMemcached, Key};
use silverback::codec::{Codec, Serializer};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::memcached::MemcachedServer;
use crate::store::{RUNTIME, SharedStore, codec, cookie};

/// The prefix of the Go program's keys.
const PREFIX: &str = "session_prefix_";

/// Starts servers for one test, or prints a message if there is none.
fn servers<const COUNT: usize>() -> Option<[MemcachedServer; COUNT]> {
    static IS_THERE: LazyLock<Result<(), String>> =
        LazyLock::new(|| MemcachedServer::start(&[]).map(drop));
    match &*IS_THERE {
        Ok(()) => {
            let start = |_| MemcachedServer::start(&[]).expect("it can be started");
            Some(std::array::from_fn(start))
        }
        Err(why) => {
            not_run("memcached", why);
            None
        }
    }
}

fn shared(
    servers: &[MemcachedServer],
    keys: GoKeys,
    dialect: impl Into<Dialect>,
    go_store: &str,
) -> (SharedStore, GoMemcached) {
    let addresses = servers
        .iter()
        .map(|server| format!("127.0.0.1:{}", server.port()));
    let addresses = addresses.collect::<Vec<_>>().join(",");
    let url = format!("memcached://{addresses}");
    let backend = RUNTIME.block_on(GoMemcached::connect(&url, keys)).unwrap();
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(dialect, Arc::new(backend.clone()), options);
    let shared = SharedStore {
        stores: store.unwrap().into(),
        go: "http",
        place: json!({"database": addresses, "store": go_store}),
    };
    (shared, backend)
}

/// Returns sessions in securecookies, of the package or the wrapper that the Go program names so.
fn sealed(servers: &[MemcachedServer], go_store: &str) -> (SharedStore, GoMemcached) {
    let keys = GoKeys::gorilla_sessions_memcache(PREFIX);
    shared(servers, keys, Dialect::gorilla(codec()), go_store)
}

fn in_the_clear(
    servers: &[MemcachedServer],
    serializer: Serializer,
    go_store: &str,
) -> (SharedStore, GoMemcached) {
    let keys = GoKeys::gorilla_sessions_memcache(PREFIX).in_the_clear();
    let dialect = Dialect::redistore(codec()).clear_rows(serializer);
    shared(servers, keys, dialect.max_row_size(0), go_store)
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_memcached() {
    let Some(servers) = servers::<1>() else {
        return;
    };
    for (shared, _) in [
        sealed(&servers, "memcache"),
        in_the_clear(&servers, Serializer::Gob, "memcache-gob"),
    ] {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
    for (shared, _) in [
        in_the_clear(&servers, Serializer::Json, "memcache-json"),
        sealed(&servers, "gin-memcached"),
    ] {
        shared.keep_limits();
        shared.end_sessions();
    }
}

/// The Go program chooses the server of each key.
#[test]
fn a_go_program_and_silverback_share_sessions_in_two_memcacheds() {
    let Some(servers) = servers::<2>() else {
        return;
    };
    let (shared, _) = sealed(&servers, "memcache");
    shared.share_sessions();
    shared.end_sessions();
    for server in &servers {
        assert!(server.statistic("curr_items").unwrap() > 50);
    }
}

#[test]
fn both_programs_see_the_same_values_in_memcached() {
    let Some(servers) = servers::<1>() else {
        return;
    };
    both_programs_see_the_same_values(&sealed(&servers, "memcache").0);
}

#[test]
fn both_programs_see_the_same_values_in_gins_memcached() {
    let Some(servers) = servers::<1>() else {
        return;
    };
    both_programs_see_the_same_values(&sealed(&servers, "gin-memcached").0);
}

#[test]
fn both_programs_see_the_same_values_in_memcached_in_the_clear() {
    let Some(servers) = servers::<1>() else {
        return;
    };
    for (serializer, go_store) in [
        (Serializer::Gob, "memcache-gob"),
        (Serializer::Json, "memcache-json"),
    ] {
        both_programs_see_the_same_values(&in_the_clear(&servers, serializer, go_store).0);
    }
}

/// A row has the time to live of the program that writes it: 30 days in both.
#[test]
fn a_row_of_a_go_program_in_memcached_expires_at_its_expiry() {
    const DAYS: i64 = 30 * 86_400_000;
    let Some(servers) = servers::<1>() else {
        return;
    };
    let Some(mut gorilla) = crate::Gorilla::start() else {
        return;
    };
    for go_store in ["memcache", "gin-memcached"] {
        let (shared, backend) = sealed(&servers, go_store);
        let mut jar = Jar::new();
        let made = shared.ask(&mut gorilla, "make", &jar, &json!({"seed": 1}));
        jar.set("session", made["cookie"].as_str().unwrap());
        let id: String = codec()
            .decode("session", jar.get("session").unwrap())
            .unwrap();
        let key = Key::new(id).unwrap();
        let left = || {
            let stored = RUNTIME.block_on(backend.load(&key)).unwrap().unwrap();
            stored.record.expiry().as_millis() - Expiry::now().as_millis()
        };
        assert!((left() - DAYS).abs() < 60_000, "{}: {go_store}", left());
        shared.visit(&mut jar, |session| session.insert("n", 7).unwrap());
        assert!((left() - DAYS).abs() < 60_000, "{}: {go_store}", left());
    }
}
