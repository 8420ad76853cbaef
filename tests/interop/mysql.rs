//! Tables in MariaDB that a Go program and Silverback share, on a server whose time zone is not
//! UTC and whose clocks are put forward and back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{Expiry, GoMysql, GoTable, Scan};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};
use sqlx::AssertSqlSafe;

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::mariadb::MariaDbServer;
use crate::store::{RUNTIME, SharedStore, codec, cookie};

static SERVER: LazyLock<Result<MariaDbServer, String>> =
    LazyLock::new(|| MariaDbServer::start_in("Europe/Berlin", &[]));

/// Returns a fresh database of the server for one test, or `None` after a message if there is no
/// server.
fn fresh_database() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = match &*SERVER {
        Ok(server) => server,
        Err(why) => {
            not_run("mariadb", why);
            return None;
        }
    };
    let name = format!("shared_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    RUNTIME.block_on(async {
        let pool = sqlx::MySqlPool::connect(&server.url()).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&pool).await.unwrap();
    });
    Some(server.url_of(&name))
}

/// Returns the same URL in the form of Go's driver.
fn for_go(url: &str) -> String {
    let rest = url.strip_prefix("mysql://silverback@").unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    format!("silverback@tcp({address})/{name}?parseTime=true")
}

fn shared(
    table: GoTable,
    dialect: impl Into<Dialect>,
    go_store: &str,
) -> Option<(SharedStore, GoMysql)> {
    let (dialect, url) = (dialect.into(), fresh_database()?);
    let go = match dialect {
        Dialect::Scs(_) => "scs",
        _ => "http",
    };
    let backend = RUNTIME.block_on(GoMysql::connect(&url, table)).unwrap();
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(dialect, Arc::new(backend.clone()), options).unwrap();
    let shared = SharedStore {
        stores: store.into(),
        go,
        place: json!({"database": for_go(&url), "store": go_store}),
    };
    Some((shared, backend))
}

fn mysqlstore() -> Option<(SharedStore, GoMysql)> {
    shared(GoTable::scs_mysqlstore(), Dialect::scs(), "mysql")
}

fn gormstore() -> Option<(SharedStore, GoMysql)> {
    shared(GoTable::scs_gormstore(), Dialect::scs(), "gorm-mysql")
}

fn wader() -> Option<(SharedStore, GoMysql)> {
    let table = GoTable::wader_gormstore();
    shared(table, Dialect::gorilla(codec()), "wader-mysql")
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_mysqlstore() {
    if let Some((shared, _)) = mysqlstore() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_gormstore_on_mysql() {
    if let Some((shared, _)) = gormstore() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_waders_gormstore_on_mysql() {
    if let Some((shared, _)) = wader() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn both_programs_see_the_same_values_in_mysqlstore() {
    if let Some((shared, _)) = mysqlstore() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_gormstore_on_mysql() {
    if let Some((shared, _)) = gormstore() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_waders_gormstore_on_mysql() {
    if let Some((shared, _)) = wader() {
        both_programs_see_the_same_values(&shared);
    }
}

/// The row's expiry is the one that the Go package intends.
#[test]
fn a_row_of_a_go_program_in_mysql_expires_at_its_expiry() {
    for shared in [mysqlstore(), gormstore(), wader()] {
        let Some((shared, backend)) = shared else {
            return;
        };
        let Some(mut gorilla) = crate::Gorilla::start() else {
            return;
        };
        shared.ask(&mut gorilla, "make", &Jar::new(), &json!({"seed": 1}));
        let hour = 3_600_000;
        let expected = if shared.go == "scs" {
            hour
        } else {
            30 * 24 * hour
        };
        let rows = RUNTIME.block_on(backend.page(None, 10)).unwrap().entries;
        assert_eq!(rows.len(), 1, "{}", shared.place);
        let left = rows[0].expiry.as_millis() - Expiry::now().as_millis();
        assert!((left - expected).abs() < 60_000, "{left}: {}", shared.place);
    }
}
