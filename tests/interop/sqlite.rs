//! Tables in SQLite that a Go program and Silverback share: those of scs's sqlite3store and
//! gormstore, and of wader/gormstore.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use silverback::backend::{Expiry, GoSqlite, GoTable, Scan};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::alternating::both_programs_see_the_same_values;
use crate::store::{RUNTIME, SharedStore, codec, cookie};

/// Returns the path of a new file.
pub(crate) fn fresh_file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("interop-{name}.db"));
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.clone().into_os_string();
        file.push(ending);
        let _ = std::fs::remove_file(file);
    }
    path
}

fn shared(name: &str, table: GoTable, dialect: impl Into<Dialect>) -> (SharedStore, GoSqlite) {
    let path = fresh_file(name);
    let dialect = dialect.into();
    let go = match dialect {
        Dialect::Scs(_) => "scs",
        _ => "http",
    };
    let opened = GoSqlite::open(&path, table.clone());
    let backend = RUNTIME.block_on(opened).unwrap();
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(dialect, Arc::new(backend.clone()), options).unwrap();
    let store_of_go = match table == GoTable::scs_gormstore() {
        true => "gorm",
        false => "",
    };
    let shared = SharedStore {
        stores: store.into(),
        go,
        place: json!({"sqlite": path, "store": store_of_go}),
    };
    (shared, backend)
}

fn scs(name: &str) -> (SharedStore, GoSqlite) {
    let name = format!("sqlite3store-{name}");
    shared(&name, GoTable::scs_sqlite3store(), Dialect::scs())
}

fn gorm(name: &str) -> (SharedStore, GoSqlite) {
    let name = format!("gormstore-{name}");
    shared(&name, GoTable::scs_gormstore(), Dialect::scs())
}

fn wader(name: &str) -> (SharedStore, GoSqlite) {
    let name = format!("wader-{name}");
    let dialect = Dialect::gorilla(codec());
    shared(&name, GoTable::wader_gormstore(), dialect)
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_sqlite3store() {
    let (shared, _) = scs("shared");
    shared.share_sessions();
    shared.keep_limits();
    shared.end_sessions();
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_gormstore_on_sqlite() {
    let (shared, _) = gorm("shared");
    shared.share_sessions();
    shared.keep_limits();
    shared.end_sessions();
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_wader_gormstore_on_sqlite() {
    let (shared, _) = wader("shared");
    shared.share_sessions();
    shared.keep_limits();
    shared.end_sessions();
}

#[test]
fn both_programs_see_the_same_values_in_sqlite3store() {
    both_programs_see_the_same_values(&scs("values").0);
}

#[test]
fn both_programs_see_the_same_values_in_gormstore_on_sqlite() {
    both_programs_see_the_same_values(&gorm("values").0);
}

#[test]
fn both_programs_see_the_same_values_in_wader_gormstore_on_sqlite() {
    both_programs_see_the_same_values(&wader("values").0);
}

/// Returns the time zone in the only row of wader/gormstore.
fn zone_of_expiry(shared: &SharedStore) -> String {
    let path = shared.place["sqlite"].as_str().unwrap();
    RUNTIME.block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let query = "SELECT substr(expires_at, -6) FROM sessions";
        let zone = sqlx::query_scalar(query).fetch_one(&mut connection);
        zone.await.unwrap()
    })
}

#[test]
fn a_row_of_a_go_program_in_another_zone_expires_at_its_expiry() {
    for (table, dialect, hours) in [
        (
            GoTable::scs_sqlite3store(),
            Dialect::from(Dialect::scs()),
            1,
        ),
        (GoTable::scs_gormstore(), Dialect::scs().into(), 1),
        (
            GoTable::wader_gormstore(),
            Dialect::gorilla(codec()).into(),
            30 * 24,
        ),
    ] {
        for (zone, offset) in [
            ("Asia/Tokyo", "+09:00"),
            ("America/Phoenix", "-07:00"),
            ("UTC", "+00:00"),
        ] {
            let Some(mut gorilla) = crate::Gorilla::start_in_zone(zone) else {
                return;
            };
            let name = format!("zone-{}", zone.replace('/', "-"));
            let (shared, backend) = shared(&name, table.clone(), dialect.clone());
            let made = shared.ask(&mut gorilla, "make", &Jar::new(), &json!({"seed": 1}));
            if shared.go == "http" {
                assert_eq!(zone_of_expiry(&shared), offset); // scs writes UTC
            }
            let page = RUNTIME.block_on(backend.page(None, 10)).unwrap();
            assert_eq!(page.entries.len(), 1, "{zone}");
            let left = page.entries[0].expiry.as_millis() - Expiry::now().as_millis();
            let off = left - hours * 3_600_000;
            assert!(off.abs() < 60_000, "{zone}: {off} ms");
            let mut jar = Jar::new();
            jar.set("session", made["cookie"].as_str().unwrap());
            shared.visit(&mut jar, |session| assert!(!session.is_new()));
        }
    }
}
