//! Keys in Redis that a Go program and Silverback share.

use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{Backend, Expiry, GoKeys, GoRedis, Key, Scan};
use silverback::codec::Serializer;
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::redis::RedisServer;
use crate::store::{RUNTIME, SharedStore, codec, cookie};

/// Starts a server for one test, or prints a message if there is none.
pub(crate) fn server() -> Option<RedisServer> {
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

fn shared(
    server: &RedisServer,
    keys: GoKeys,
    dialect: impl Into<Dialect>,
    go_store: &str,
) -> (SharedStore, GoRedis) {
    let backend = RUNTIME
        .block_on(GoRedis::connect(&server.url(), keys))
        .unwrap();
    let dialect = dialect.into();
    let go = match dialect {
        Dialect::Scs(_) => "scs",
        _ => "http",
    };
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(dialect, Arc::new(backend.clone()), options);
    let shared = SharedStore {
        stores: store.unwrap().into(),
        go,
        place: json!({"database": format!("127.0.0.1:{}", server.port()), "store": go_store}),
    };
    (shared, backend)
}

fn redisstore(server: &RedisServer) -> (SharedStore, GoRedis) {
    shared(server, GoKeys::scs_redisstore(), Dialect::scs(), "redis")
}

fn goredisstore(server: &RedisServer) -> (SharedStore, GoRedis) {
    shared(
        server,
        GoKeys::scs_goredisstore(),
        Dialect::scs(),
        "goredis",
    )
}

/// Returns sessions of boj/redistore in gob, of the version or the wrapper that the Go program names
/// so.
fn redistore(server: &RedisServer, go_store: &str) -> (SharedStore, GoRedis) {
    let dialect = Dialect::redistore(codec()).max_row_size(0);
    shared(server, GoKeys::redistore(), dialect, go_store)
}

fn rbcervilla(server: &RedisServer) -> (SharedStore, GoRedis) {
    let (keys, dialect) = (
        GoKeys::rbcervilla_redisstore(),
        Dialect::rbcervilla_redisstore(),
    );
    shared(server, keys, dialect, "rbcervilla")
}

fn redistore_in_json(server: &RedisServer) -> (SharedStore, GoRedis) {
    let dialect = Dialect::redistore(codec()).clear_rows(Serializer::Json);
    shared(server, GoKeys::redistore(), dialect, "redistore-json")
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

#[test]
fn a_go_program_and_silverback_share_a_session_of_redistore() {
    let Some(server) = server() else { return };
    for (shared, _) in [
        redistore(&server, "redistore"),
        redistore(&server, "redistore-v2"),
        rbcervilla(&server),
    ] {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
    for (shared, _) in [redistore_in_json(&server), redistore(&server, "gin-redis")] {
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn both_programs_see_the_same_values_in_redistore() {
    let Some(server) = server() else { return };
    for (shared, _) in [
        redistore(&server, "redistore"),
        redistore(&server, "redistore-v2"),
        redistore(&server, "gin-redis"),
        redistore_in_json(&server),
    ] {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_rbcervillas_redisstore() {
    let Some(server) = server() else { return };
    both_programs_see_the_same_values(&rbcervilla(&server).0);
}
