//! Keys in Redis that a Go program and Silverback share.

use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{Backend, Expiry, GoKeys, GoRedis, Key, Scan};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::redis::RedisServer;
use crate::store::{RUNTIME, SharedStore, cookie};

/// Starts a server for one test, or prints a message if there is none.
fn server() -> Option<RedisServer> {
    static IS_THERE: LazyLock<Result<(), String>> =
        LazyLock::new(|| RedisServer::start(&[]).map(drop));
    match &*IS_THERE {
        Ok(()) => Some(RedisServer::start(&[]).expect("it can be started")),
        Err(why) => {
            not_run("redis", why);
            None
        }
    }
}

fn scs(server: &RedisServer, keys: GoKeys, go_store: &str) -> (SharedStore, GoRedis) {
    let backend = RUNTIME
        .block_on(GoRedis::connect(&server.url(), keys))
        .unwrap();
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(Dialect::scs(), Arc::new(backend.clone()), options);
    let shared = SharedStore {
        stores: store.unwrap().into(),
        go: "scs",
        place: json!({"database": format!("127.0.0.1:{}", server.port()), "store": go_store}),
    };
    (shared, backend)
}

fn redisstore(server: &RedisServer) -> (SharedStore, GoRedis) {
    scs(server, GoKeys::scs_redisstore(), "redis")
}

fn goredisstore(server: &RedisServer) -> (SharedStore, GoRedis) {
    scs(server, GoKeys::scs_goredisstore(), "goredis")
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_redis() {
    let Some(server) = server() else { return };
    for (shared, _) in [redisstore(&server), goredisstore(&server)] {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn both_programs_see_the_same_values_in_redisstore() {
    let Some(server) = server() else { return };
    both_programs_see_the_same_values(&redisstore(&server).0);
}

#[test]
fn both_programs_see_the_same_values_in_goredisstore() {
    let Some(server) = server() else { return };
    both_programs_see_the_same_values(&goredisstore(&server).0);
}

/// A row of ours has the time to live that Go gives it, and the other way round.
#[test]
fn a_row_of_a_go_program_in_redis_expires_at_its_expiry() {
    let Some(server) = server() else { return };
    for (shared, backend) in [redisstore(&server), goredisstore(&server)] {
        let Some(mut gorilla) = crate::Gorilla::start() else {
            return;
        };
        server.command("FLUSHALL").unwrap();
        shared.ask(&mut gorilla, "make", &Jar::new(), &json!({"seed": 1}));
        let rows = RUNTIME.block_on(backend.page(None, 10)).unwrap().entries;
        assert_eq!(rows.len(), 1, "{}", shared.place);
        let left = rows[0].expiry.as_millis() - Expiry::now().as_millis();
        assert!(
            (left - 3_600_000).abs() < 60_000,
            "{left}: {}",
            shared.place
        );
        let key: &Key = &rows[0].key;
        let stored = RUNTIME.block_on(backend.load(key)).unwrap().unwrap();
        assert_eq!(stored.record.value().len(), rows[0].size);
    }
}
