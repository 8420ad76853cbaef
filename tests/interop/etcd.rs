//! Keys in etcd that a Go program and Silverback share.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use etcd_client::{Client, GetOptions};
use serde_json::json;
use silverback::backend::{Backend, Expiry, GoEtcd, GoKeys, Scan};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, Lifetime, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::etcd::EtcdServer;
use crate::store::{RUNTIME, SharedStore, cookie};

/// Starts a server for one test, or prints a message if there is none.
fn server() -> Option<EtcdServer> {
    static IS_THERE: LazyLock<Result<(), String>> = LazyLock::new(|| EtcdServer::start().map(drop));
    match &*IS_THERE {
        Ok(()) => Some(EtcdServer::start().expect("it can be started")),
        Err(why) => {
            not_run("etcd", why);
            None
        }
    }
}

fn etcdstore_with(server: &EtcdServer, lifetime: Lifetime) -> (SharedStore, GoEtcd) {
    let url = server.url();
    let connected = GoEtcd::connect(&url, GoKeys::scs_etcdstore());
    let backend = RUNTIME.block_on(connected).unwrap();
    let options = ServerOptions::new().cookie(cookie()).lifetime(lifetime);
    let store = ServerStore::with_options(Dialect::scs(), Arc::new(backend.clone()), options);
    let shared = SharedStore {
        stores: store.unwrap().into(),
        go: "scs",
        place: json!({"database": format!("127.0.0.1:{}", server.port()), "store": "etcd"}),
    };
    (shared, backend)
}

fn etcdstore(server: &EtcdServer) -> (SharedStore, GoEtcd) {
    let an_hour = Lifetime::new()
        .without_idle()
        .absolute(Duration::from_secs(3_600));
    etcdstore_with(server, an_hour)
}

/// Returns the number of leases, and the number of rows.
fn leases_and_rows(server: &EtcdServer) -> (usize, usize) {
    RUNTIME.block_on(async {
        let mut client = Client::connect([server.endpoint()], None).await.unwrap();
        let leases = client.leases().await.unwrap().leases().len();
        let rows = GetOptions::new().with_prefix().with_keys_only();
        let rows = client.get("scs:session:", Some(rows)).await.unwrap();
        (leases, rows.kvs().len())
    })
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_etcdstore() {
    let Some(server) = server() else { return };
    let (shared, _) = etcdstore(&server);
    shared.share_sessions();
    shared.keep_limits();
    shared.end_sessions();
}

#[test]
fn both_programs_see_the_same_values_in_etcdstore() {
    let Some(server) = server() else { return };
    both_programs_see_the_same_values(&etcdstore(&server).0);
}

/// A row of ours has the lease that Go gives it, and the other way round.
#[test]
fn a_row_of_a_go_program_in_etcdstore_expires_at_its_expiry() {
    let Some(server) = server() else { return };
    let (shared, backend) = etcdstore(&server);
    let Some(mut gorilla) = crate::Gorilla::start() else {
        return;
    };
    let made = shared.ask(&mut gorilla, "make", &Jar::new(), &json!({"seed": 1}));
    let mut jar = Jar::new();
    jar.set("session", made["cookie"].as_str().unwrap());
    let lasts_an_hour = || {
        let rows = RUNTIME.block_on(backend.page(None, 10)).unwrap().entries;
        assert_eq!(rows.len(), 1);
        let left = rows[0].expiry.as_millis() - Expiry::now().as_millis();
        assert!((left - 3_600_000).abs() < 60_000, "{left}");
        let stored = RUNTIME.block_on(backend.load(&rows[0].key)).unwrap();
        assert_eq!(stored.unwrap().record.value().len(), rows[0].size);
    };
    lasts_an_hour();
    shared.visit(&mut jar, |session| session.insert("n", 1_i64).unwrap());
    lasts_an_hour();
    // The lease of the Go program is revoked.
    assert_eq!(leases_and_rows(&server), (1, 1));
}

/// The idle limit is in the server only. A Go program keeps that of our sessions by their leases.
#[test]
fn both_programs_keep_the_idle_limit_in_etcdstore() {
    let Some(server) = server() else { return };
    let idle = Lifetime::new().idle(Duration::from_secs(10));
    let (shared, backend) = etcdstore_with(&server, idle);
    let Some(mut gorilla) = crate::Gorilla::start() else {
        return;
    };
    let mut jar = Jar::new();
    shared.visit(&mut jar, |session| {
        session.insert("here", "yes".to_owned()).unwrap();
    });
    let change = json!({"change": {"set": {}, "unset": [], "end": false}});
    let seen = shared.ask(&mut gorilla, "change", &jar, &change);
    assert_eq!(seen["values"]["here"], "yes");
    let rows = RUNTIME.block_on(backend.page(None, 10)).unwrap().entries;
    let until = rows[0].expiry;
    while Expiry::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut late = jar.clone();
    shared.visit(&mut late, |session| assert!(session.is_new()));
    // etcd removes the row within seconds.
    let watchdog = Expiry::after(Duration::from_secs(60));
    while leases_and_rows(&server) != (0, 0) {
        assert!(Expiry::now() < watchdog, "the row remains");
        std::thread::sleep(Duration::from_millis(50));
    }
    let gone = shared.ask(&mut gorilla, "change", &jar, &change);
    assert_eq!(gone["values"]["here"], serde_json::Value::Null);
}
