//! Stock Go programs with the defaults of gorilla/sessions, pgstore, dynamostore and scs, which
//! register no types for gob. Silverback reads and changes their sessions, and they read them
//! again. No session is damaged or shortened, and no cookie changes its kind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(feature = "sqlite")]
use silverback::backend::GoSqlite;
use silverback::backend::{Backend, GoPostgres, GoTable, GorillaFiles, PostgresOptions};
use silverback::codec::{KeyPairs, UnixTime};
#[cfg(feature = "aws")]
use silverback::compat::{DynamoStore, DynamoStoreConfig};
use silverback::compat::{GorillaStore, PgStore, SessionManager};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Lifetime, ServerOptions, ServerStore, Session,
    StoredSession, Stores,
};

use crate::database::{for_go, fresh_schema, server};
use crate::gorilla::{Gorilla, payload};
use crate::sessions::{hex, seeds};
use crate::store::{BLOCK_KEY, HASH_KEY, RUNTIME, codec, cookie};

/// The number of sessions of each program.
const CASES: u64 = 40;

const HOUR: Duration = Duration::from_secs(3_600);

/// A Go program and Silverback with the same settings and a common store.
struct Program {
    stores: Stores,
    /// `None` if the sessions are in cookies.
    rows: Option<ServerStore>,
    /// The place of the sessions, in the form of the Go program.
    place: Value,
    settings: Value,
    /// True if the browser keeps the cookie when it closes.
    persists: bool,
}

/// A separate database for each test.
struct Database {
    url: String,
}

impl Database {
    fn new() -> Option<Self> {
        let url = RUNTIME.block_on(fresh_schema(&server()?.url()));
        Some(Database { url })
    }

    fn place(&self) -> Value {
        json!({"database": for_go(&self.url)})
    }

    fn rows(&self, table: GoTable) -> GoPostgres {
        RUNTIME
            .block_on(GoPostgres::connect(&self.url, table))
            .unwrap()
    }

    fn pgstore(&self) -> PgStore {
        RUNTIME.block_on(async {
            let pool = sqlx::PgPool::connect(&self.url).await.unwrap();
            let table = GoTable::antonlindstrom_pgstore();
            let backend = GoPostgres::from_pool(pool, table, PostgresOptions::new()).unwrap();
            backend.migrate().await.unwrap();
            PgStore::new(backend, key_pairs())
        })
    }

    /// Returns the table of scs, which no Go code creates.
    fn scs(&self) -> SessionManager {
        let rows: Arc<dyn Backend> = Arc::new(self.rows(GoTable::scs_postgresstore()));
        SessionManager::new(rows)
    }
}

fn key_pairs() -> KeyPairs {
    let keys = format!("{}:{}", hex(&HASH_KEY), hex(&BLOCK_KEY));
    keys.parse().unwrap()
}

/// A browser with one cookie.
struct Browser {
    jar: Jar,
    /// The time at which the browser drops its cookie, or `None` if it drops it when it closes.
    cookie_end: Option<u64>,
}

fn now() -> u64 {
    UnixTime::now().as_secs()
}

impl Browser {
    /// Stores the cookie of a Go program's answer, if there is one.
    fn receive_from_go(&mut self, answer: &Value) {
        if let Some(cookie) = answer["cookie"].as_str() {
            self.jar.set("session", cookie);
            self.cookie_end = answer["max_age"].as_u64().map(|left| now() + left);
        }
    }

    fn visit(&mut self, stores: &Stores, handle: impl FnOnce(&Session)) {
        let fields = RUNTIME.block_on(async {
            let sessions = self.jar.sessions(stores.clone());
            let session = sessions.session().await.unwrap();
            assert_eq!((session.refusal(), session.is_new()), (None, false));
            handle(&session);
            sessions.finish().await.unwrap().unwrap()
        });
        for set_cookie in fields.set_cookies() {
            let mut parts = set_cookie.split("; ");
            let max_age = parts.find_map(|part| part.strip_prefix("Max-Age="));
            self.cookie_end = max_age.map(|left| now() + left.parse::<u64>().unwrap());
            self.jar.receive(set_cookie);
        }
    }

    fn stored(&self, program: &Program) -> Option<StoredSession> {
        let cookie = self.jar.get("session").unwrap();
        let found = program.rows.as_ref()?.find_by_cookie(cookie);
        Some(RUNTIME.block_on(found).unwrap().found().unwrap())
    }
}

/// Returns the deadline in seconds. A session without a deadline ends latest.
fn end(time: Option<UnixTime>) -> u64 {
    time.map_or(u64::MAX / 2, UnixTime::as_secs)
}

impl Program {
    fn of_rows(store: ServerStore, place: Value, settings: Value) -> Self {
        Program {
            stores: store.clone().into(),
            rows: Some(store),
            place,
            settings,
            persists: true,
        }
    }

    fn ask(&self, go: &mut Gorilla, op: &str, more: &Value) -> Value {
        let mut question = json!({
            "op": op,
            "hash_key": hex(&HASH_KEY),
            "block_key": hex(&BLOCK_KEY),
            "stock": self.settings,
        });
        for more in [&self.place, more] {
            for (name, value) in more.as_object().unwrap() {
                question[name] = value.clone();
            }
        }
        go.must(&question)
    }

    /// Checks that neither the row nor the cookie was shortened.
    fn check(&self, browser: &Browser, before: Option<&StoredSession>, seed: i64) {
        assert_eq!(browser.cookie_end.is_some(), self.persists, "seed {seed}");
        let (Some(before), Some(after)) = (before, browser.stored(self)) else {
            return;
        };
        // Silverback's times are whole seconds, from a later reading of the clock.
        let (ends, ended) = (end(after.expires()), end(before.expires()));
        assert!(
            ends + 1 >= ended,
            "seed {seed}: it ends at {ends}, not {ended}"
        );
        assert!(
            end(after.deadline()) + 1 >= end(before.deadline()),
            "{seed}"
        );
        assert_eq!(after.is_remembered(), before.is_remembered(), "{seed}");
        if let (Some(cookie_end), Some(ends)) = (browser.cookie_end, after.expires()) {
            // The two clocks are read one after the other.
            assert!(cookie_end + 1 >= ends.as_secs(), "seed {seed}");
        }
    }

    fn works_with_go(&self) {
        let Some(mut go) = Gorilla::start_stock() else {
            return;
        };
        for seed in seeds(CASES) {
            let mut browser = Browser {
                jar: Jar::new(),
                cookie_end: None,
            };
            let made = self.ask(&mut go, "stock-make", &json!({"seed": seed}));
            browser.receive_from_go(&made);
            let before = browser.stored(self);
            browser.visit(&self.stores, |session| {
                session.insert("changed", 42_i64).unwrap();
                if seed % 4 == 0 {
                    session.renew().unwrap();
                }
            });
            self.check(&browser, before.as_ref(), seed);

            let cookie = |browser: &Browser| browser.jar.get("session").unwrap().to_owned();
            let same = json!({
                "cookie": cookie(&browser),
                "before": hex(&payload(&made)),
                "changed": "changed",
            });
            let same = self.ask(&mut go, "stock-same", &same);
            browser.receive_from_go(&same);
            let edit = json!({"cookie": cookie(&browser)});
            let edited = self.ask(&mut go, "stock-edit", &edit);
            browser.receive_from_go(&edited);
            let before = browser.stored(self);
            browser.visit(&self.stores, |session| {
                let go: Option<String> = session.get("go").unwrap();
                assert_eq!(go.as_deref(), Some("was here"));
                session.insert("again", true).unwrap();
            });
            self.check(&browser, before.as_ref(), seed);
        }
    }
}

#[test]
fn gorillas_cookie_store_works() {
    let lifetime = Lifetime::new().idle(30 * 24 * HOUR).without_absolute();
    let store = CookieStore::with_options(codec(), cookie().persistent(true), lifetime);
    let program = Program {
        stores: store.unwrap().shared_with_go().into(),
        rows: None,
        place: json!({}),
        settings: json!({}),
        persists: true,
    };
    program.works_with_go();
}

/// The settings are the defaults of the dialect.
#[test]
fn gorillas_filesystem_store_works() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-stock");
    let files = Arc::new(GorillaFiles::open(&folder).unwrap());
    let options = ServerOptions::new().cookie(cookie());
    let store = ServerStore::with_options(Dialect::gorilla(codec()), files, options).unwrap();
    Program::of_rows(store, json!({"folder": folder}), json!({})).works_with_go();
}

#[test]
fn gorillas_filesystem_store_works_with_its_own_settings() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-stock-settings");
    let files = GorillaFiles::open(&folder).unwrap();
    let store = GorillaStore::new(files, key_pairs()).named("session");
    Program::of_rows(store.unwrap(), json!({"folder": folder}), json!({})).works_with_go();
}

#[cfg(feature = "aws")]
#[test]
fn dynamostore_works() {
    let Some(endpoint) = crate::tables::endpoint() else {
        return;
    };
    let config = DynamoStoreConfig::new().table("stock");
    let client = crate::servers::dynamodb::client(&endpoint);
    let store = DynamoStore::from_client(&client, config, key_pairs()).unwrap();
    RUNTIME.block_on(store.backend().migrate()).unwrap();
    let store = store.named("session").unwrap();
    let place = json!({"endpoint": endpoint, "table": "stock"});
    Program::of_rows(store, place, json!({})).works_with_go();
}

#[test]
fn pgstore_works_with_its_default_max_age() {
    if let Some(database) = Database::new() {
        let store = database.pgstore().named("session").unwrap();
        Program::of_rows(store, database.place(), json!({})).works_with_go();
    }
}

/// Go's rows have already expired when they are written, and Go reads them nevertheless.
#[test]
fn pgstore_works_with_a_max_age_of_zero() {
    if let Some(database) = Database::new() {
        let store = database.pgstore().without_max_age(24 * HOUR).unwrap();
        let sessions = store.named("session").unwrap();
        let program = Program {
            persists: false,
            ..Program::of_rows(sessions, database.place(), json!({"max_age": 0}))
        };
        program.works_with_go();
        assert_eq!(RUNTIME.block_on(store.purge()).unwrap(), 0);
    }
}

#[test]
fn scs_works_with_its_defaults() {
    if let Some(database) = Database::new() {
        let store = database.scs().store().unwrap();
        Program::of_rows(store, database.place(), json!({"scs": true})).works_with_go();
    }
}

#[test]
fn scs_works_in_the_table_of_gormstore() {
    if let Some(database) = Database::new() {
        let rows: Arc<dyn Backend> = Arc::new(database.rows(GoTable::scs_gormstore()));
        let store = SessionManager::new(rows).store().unwrap();
        let mut place = database.place();
        place["store"] = json!("gorm");
        Program::of_rows(store, place, json!({"scs": true})).works_with_go();
    }
}

#[cfg(feature = "sqlite")]
fn in_sqlite(name: &str, table: GoTable) -> (std::path::PathBuf, GoSqlite) {
    let path = crate::sqlite::fresh_file(&format!("stock-{name}"));
    let rows = RUNTIME.block_on(GoSqlite::open(&path, table)).unwrap();
    (path, rows)
}

#[cfg(feature = "sqlite")]
#[test]
fn scs_works_in_its_tables_in_sqlite() {
    for (table, store_of_go) in [
        (GoTable::scs_sqlite3store(), "sqlite3store"),
        (GoTable::scs_gormstore(), "gorm"),
    ] {
        let (path, rows) = in_sqlite(store_of_go, table);
        let rows: Arc<dyn Backend> = Arc::new(rows);
        let store = SessionManager::new(rows).store().unwrap();
        let place = json!({"sqlite": path, "store": store_of_go});
        Program::of_rows(store, place, json!({"scs": true})).works_with_go();
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn wader_gormstore_works_in_sqlite() {
    let (path, rows) = in_sqlite("wader", GoTable::wader_gormstore());
    let store = GorillaStore::new(rows, key_pairs()).named("session");
    Program::of_rows(store.unwrap(), json!({"sqlite": path}), json!({})).works_with_go();
}

#[test]
fn scs_works_with_hashed_tokens() {
    if let Some(database) = Database::new() {
        let store = database.scs().hash_token_in_store(true).store().unwrap();
        let settings = json!({"scs": true, "hash": true});
        Program::of_rows(store, database.place(), settings).works_with_go();
    }
}

#[test]
fn scs_works_with_an_idle_timeout() {
    if let Some(database) = Database::new() {
        let store = database.scs().idle_timeout(HOUR).store().unwrap();
        let settings = json!({"scs": true, "idle": 3_600});
        Program::of_rows(store, database.place(), settings).works_with_go();
    }
}

/// `Persist` is false, so that only remembered cookies are kept.
#[test]
fn scs_works_with_remembered_sessions() {
    if let Some(database) = Database::new() {
        let cookie = CookieOptions::new().persistent(false);
        let scs = database.scs().cookie(cookie).idle_timeout(HOUR);
        for remembered in [json!(null), json!(false), json!(true)] {
            let settings = json!({
                "scs": true, "idle": 3_600, "forgets": true, "remember": remembered,
            });
            let program = Program {
                persists: remembered == true,
                ..Program::of_rows(scs.store().unwrap(), database.place(), settings)
            };
            program.works_with_go();
        }
    }
}
