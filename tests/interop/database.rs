//! Tables in PostgreSQL that a Go program and ours share.

use std::sync::{Arc, LazyLock};

use silverback::backend::{Backend, GoPostgres, GoTable, Scan};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::required::not_run;
use crate::servers::postgres::PostgresServer;
use crate::store::{RUNTIME, Shared, codec, cookie};

static SERVER: LazyLock<Result<PostgresServer, String>> = LazyLock::new(PostgresServer::start);

/// Sessions in a database of that server; none, with a word on why, where there is no server.
fn shared(table: GoTable, dialect: Dialect) -> Option<(Shared, GoPostgres)> {
    let server = match &*SERVER {
        Ok(server) => server,
        Err(why) => {
            not_run("postgres", why);
            return None;
        }
    };
    let backend = RUNTIME
        .block_on(GoPostgres::connect(&server.url(), table))
        .unwrap();
    let options = ServerOptions::new().cookie(cookie()).dialect(dialect);
    let store = ServerStore::with_options(codec(), Arc::new(backend.clone()), options).unwrap();
    let shared = Shared {
        stores: store.into(),
        go: if dialect == Dialect::Scs {
            "scs"
        } else {
            "http"
        },
        folder: None,
        database: Some(format!("{}?sslmode=disable", server.url())),
    };
    Some((shared, backend))
}

fn pgstore() -> Option<(Shared, GoPostgres)> {
    shared(GoTable::antonlindstrom_pgstore(), Dialect::Gorilla)
}

fn scs() -> Option<(Shared, GoPostgres)> {
    shared(GoTable::scs(), Dialect::Scs)
}

#[test]
fn a_go_program_and_ours_share_a_session_in_pgstore() {
    if let Some((shared, _)) = pgstore() {
        shared.share_sessions();
    }
}

#[test]
fn a_go_program_carries_the_limits_along_in_pgstore() {
    if let Some((shared, _)) = pgstore() {
        shared.carry_limits_along();
    }
}

#[test]
fn a_session_in_pgstore_that_ended_is_gone() {
    if let Some((shared, _)) = pgstore() {
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_ours_share_a_session_in_scs() {
    if let Some((shared, _)) = scs() {
        shared.share_sessions();
    }
}

#[test]
fn a_go_program_carries_the_limits_along_in_scs() {
    if let Some((shared, _)) = scs() {
        shared.carry_limits_along();
    }
}

#[test]
fn a_session_in_scs_that_ended_is_gone() {
    if let Some((shared, _)) = scs() {
        shared.end_sessions();
    }
}

/// The expiry in the row is the one that the Go package means.
#[test]
fn a_row_of_a_go_program_expires_when_it_says() {
    for shared in [pgstore(), scs()] {
        let Some((shared, backend)) = shared else {
            return;
        };
        let Some(mut gorilla) = crate::Gorilla::start() else {
            return;
        };
        let rows = || RUNTIME.block_on(backend.page(None, 1_000_000)).unwrap();
        let before: Vec<_> = rows().into_iter().map(|entry| entry.key).collect();
        let seed = serde_json::json!({"seed": 1});
        shared.ask(&mut gorilla, "make", &Jar::new(), &seed);
        let hour = 3_600_000;
        let month = 30 * 24 * hour;
        let expected = if shared.go == "scs" { hour } else { month };
        let now = silverback::backend::Expiry::now().as_millis();
        let new = rows()
            .into_iter()
            .filter(|entry| !before.contains(&entry.key));
        let mut found = 0;
        for entry in new {
            // Other tests make rows too, with limits of ours.
            let left = entry.expiry.as_millis() - now;
            found += usize::from((expected - 60_000..=expected).contains(&left));
        }
        assert!(found > 0, "{:?}", backend.layout());
    }
}
