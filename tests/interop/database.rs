//! Tables in PostgreSQL that a Go program and Silverback share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{Backend, GoPostgres, GoTable, PostgresOptions, Scan};
use silverback::compat::PgStore;
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::postgres::PostgresServer;
use crate::sessions::hex;
use crate::store::{BLOCK_KEY, HASH_KEY, RUNTIME, SharedStore, codec, cookie};

static SERVER: LazyLock<Result<PostgresServer, String>> = LazyLock::new(PostgresServer::start);

/// Returns the server, or `None` after a message if there is no server.
pub(crate) fn server() -> Option<&'static PostgresServer> {
    match &*SERVER {
        Ok(server) => Some(server),
        Err(why) => {
            not_run("postgres", why);
            None
        }
    }
}

/// Returns sessions in a database of that server, or `None` after a message if there is no server.
fn shared(table: GoTable, dialect: impl Into<Dialect>) -> Option<(SharedStore, GoPostgres)> {
    Some(shared_at(&server()?.url(), table, dialect))
}

fn shared_at(url: &str, table: GoTable, dialect: impl Into<Dialect>) -> (SharedStore, GoPostgres) {
    let dialect = dialect.into();
    let go = match dialect {
        Dialect::Scs(_) => "scs",
        _ => "http",
    };
    let connected = GoPostgres::connect(url, table);
    let backend = RUNTIME.block_on(connected).unwrap();
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(dialect, Arc::new(backend.clone()), options).unwrap();
    let shared = SharedStore {
        stores: store.into(),
        go,
        place: json!({"database": for_go(url)}),
    };
    (shared, backend)
}

fn antonlindstrom() -> Option<(SharedStore, GoPostgres)> {
    shared(GoTable::antonlindstrom_pgstore(), Dialect::gorilla(codec()))
}

/// Returns sessions in the table of rafaelespinoza/pgstore's constructor. The columns are the same,
/// except for a number that antonlindstrom's code selects and does not use; the test adds it.
fn compat_pgstore() -> Option<(SharedStore, GoPostgres)> {
    let server = server()?;
    let url = RUNTIME.block_on(fresh_schema(&server.url()));
    let (store, backend) = RUNTIME.block_on(async {
        let keys = format!("{}:{}", hex(&HASH_KEY), hex(&BLOCK_KEY))
            .parse()
            .unwrap();
        let store = PgStore::connect(&url, keys).await.unwrap().max_length(0);
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let add = "ALTER TABLE http_sessions ADD COLUMN id BIGSERIAL";
        sqlx::raw_sql(add).execute(&pool).await.unwrap();
        let backend = GoPostgres::from_pool(pool, GoTable::pgstore(), PostgresOptions::new());
        (store, backend.unwrap())
    });
    let shared = SharedStore {
        stores: store.named("session").unwrap().into(),
        go: "http",
        place: json!({"database": for_go(&url)}),
    };
    Some((shared, backend))
}

/// Creates a schema for one test, and returns a URL with it as the first of the search path.
pub(crate) async fn fresh_schema(url: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("compat_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&pool).await.unwrap();
    format!("{url}?options[search_path]={schema}")
}

/// Returns the same URL in the form of lib/pq.
pub(crate) fn for_go(url: &str) -> String {
    match url.split_once("?options[search_path]=") {
        Some((url, schema)) => format!("{url}?sslmode=disable&search_path={schema}"),
        None => format!("{url}?sslmode=disable"),
    }
}

fn scs() -> Option<(SharedStore, GoPostgres)> {
    shared(GoTable::scs_postgresstore(), Dialect::scs())
}

fn gorm() -> Option<(SharedStore, GoPostgres)> {
    let url = RUNTIME.block_on(fresh_schema(&server()?.url()));
    let (mut shared, backend) = shared_at(&url, GoTable::scs_gormstore(), Dialect::scs());
    shared.place["store"] = json!("gorm");
    Some((shared, backend))
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_pgstore() {
    if let Some((shared, _)) = antonlindstrom() {
        shared.share_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_the_table_of_its_fork() {
    if let Some((shared, _)) = compat_pgstore() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_keeps_the_limits_in_pgstore() {
    if let Some((shared, _)) = antonlindstrom() {
        shared.keep_limits();
    }
}

#[test]
fn an_ended_session_in_pgstore_is_gone() {
    if let Some((shared, _)) = antonlindstrom() {
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_scs() {
    if let Some((shared, _)) = scs() {
        shared.share_sessions();
    }
}

#[test]
fn a_go_program_keeps_the_limits_in_scs() {
    if let Some((shared, _)) = scs() {
        shared.keep_limits();
    }
}

#[test]
fn an_ended_session_in_scs_is_gone() {
    if let Some((shared, _)) = scs() {
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_gormstore() {
    if let Some((shared, _)) = gorm() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

/// The row's expiry is the one that the Go package intends.
#[test]
fn a_row_of_a_go_program_expires_at_its_expiry() {
    for shared in [antonlindstrom(), scs(), gorm(), compat_pgstore()] {
        let Some((shared, backend)) = shared else {
            return;
        };
        let Some(mut gorilla) = crate::Gorilla::start() else {
            return;
        };
        let page = || RUNTIME.block_on(backend.page(None, 1_000_000));
        let rows = || page().unwrap().entries;
        let before: Vec<_> = rows().into_iter().map(|entry| entry.key).collect();
        let seed = json!({"seed": 1});
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
            // Other tests also make rows, with their own limits.
            let left = entry.expiry.as_millis() - now;
            found += usize::from((left - expected).abs() < 60_000);
        }
        assert!(found > 0, "{:?}", backend.layout());
    }
}

#[test]
fn both_programs_see_the_same_values_in_pgstore() {
    if let Some((shared, _)) = antonlindstrom() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_the_table_of_its_fork() {
    if let Some((shared, _)) = compat_pgstore() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_scs() {
    if let Some((shared, _)) = scs() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_gormstore() {
    if let Some((shared, _)) = gorm() {
        both_programs_see_the_same_values(&shared);
    }
}

/// Returns sessions in a table with custom columns, made in its own schema before any program uses
/// it.
fn shared_in(
    columns: &str,
    table: GoTable,
    dialect: impl Into<Dialect>,
) -> Option<(SharedStore, GoPostgres)> {
    let dialect = dialect.into();
    let url = RUNTIME.block_on(fresh_schema(&server()?.url()));
    RUNTIME.block_on(async {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let create = format!(
            "CREATE TABLE {} ({columns})",
            TABLES[usize::from(matches!(dialect, Dialect::Scs(_)))]
        );
        let create = sqlx::AssertSqlSafe(create);
        sqlx::raw_sql(create).execute(&pool).await.unwrap();
    });
    Some(shared_at(&url, table, dialect))
}

const TABLES: [&str; 2] = ["http_sessions", "sessions"];

/// Silverback can use all column types that the Go package can use, and each sees the writes of the
/// other.
#[test]
fn a_go_program_and_silverback_share_a_session_in_a_custom_table() {
    const DATES: &str = "created_on TIMESTAMPTZ, modified_on TIMESTAMPTZ, expires_on TIMESTAMPTZ";
    for columns in [
        "key TEXT PRIMARY KEY, data TEXT",
        "key CHAR(52), data VARCHAR(1000000)",
        "key VARCHAR(52) NOT NULL UNIQUE, data BYTEA",
        "key BYTEA UNIQUE, data TEXT NOT NULL",
    ] {
        let columns = format!("id BIGSERIAL, {columns}, {DATES}");
        let table = GoTable::pgstore();
        let Some((shared, _)) = shared_in(&columns, table, Dialect::gorilla(codec())) else {
            return;
        };
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
    for columns in [
        "token CHAR(43) PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL",
        "token VARCHAR PRIMARY KEY, data BYTEA, expiry TIMESTAMPTZ(3)",
    ] {
        let Some((shared, _)) = shared_in(columns, GoTable::scs_postgresstore(), Dialect::scs())
        else {
            return;
        };
        shared.share_sessions();
        shared.end_sessions();
    }
}

/// pgstore panics at its next save, in the middle of a request, if the value is not a time.
#[test]
fn an_expiry_value_makes_no_go_program_panic() {
    let Some((shared, backend)) = antonlindstrom() else {
        return;
    };
    let Some(mut gorilla) = crate::Gorilla::start() else {
        return;
    };
    let options = ServerOptions::new().cookie(cookie());
    let store =
        ServerStore::with_options(Dialect::gorilla(codec()), Arc::new(backend), options).unwrap();
    let mut jar = Jar::new();
    shared.visit(&mut jar, |session| session.insert("here", true).unwrap());
    let refused = RUNTIME.block_on(async {
        let sessions = jar.sessions(store);
        let session = sessions.session().await.unwrap();
        let inserted = session.insert("expires_on", "tomorrow");
        inserted.and(sessions.finish().await.map(drop))
    });
    let refused = refused.unwrap_err();
    assert!(refused.is_usage(), "{refused:?}");
    assert!(refused.to_string().contains("time.Time"), "{refused}");
    assert!(!refused.to_string().contains("tomorrow"), "{refused}");
    // The Go program continues with the unchanged session. It ignores `created_on`.
    let edited = shared.ask(&mut gorilla, "edit", &jar, &json!({}));
    jar.set("session", edited["cookie"].as_str().unwrap());
    shared.visit(&mut jar, |session| {
        assert_eq!(session.get::<bool>("here").unwrap(), Some(true));
        assert_eq!(
            session.get::<String>("go").unwrap().as_deref(),
            Some("was here")
        );
        session.insert("created_on", "any value").unwrap();
    });
    shared.ask(&mut gorilla, "edit", &jar, &json!({}));
}
