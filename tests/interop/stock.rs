//! Stock Go programs, with the defaults of pgstore and scs and nothing registered for gob: what
//! they made is read and changed here and read there again. No session is broken, none ends
//! sooner, and no cookie becomes another kind.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use silverback::backend::{Backend, GoPostgres, GoTable};
use silverback::codec::UnixTime;
use silverback::compat::{PgStore, SessionManager};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, ServerStore, Session, StoredSession};

use crate::database::{for_go, fresh_schema, server};
use crate::gorilla::{Gorilla, payload};
use crate::sessions::{hex, seeds};
use crate::store::{BLOCK_KEY, HASH_KEY, RUNTIME};

/// How many sessions of each program.
const CASES: u64 = 40;

const HOUR: Duration = Duration::from_secs(3_600);

/// A Go program and ours, with the same settings, in one database.
struct Program {
    store: ServerStore,
    settings: Value,
    /// Whether a cookie is kept when the browser closes.
    persists: bool,
}

/// A database of its own for each test, as both programs are told.
struct Database {
    url: String,
}

impl Database {
    fn new() -> Option<Self> {
        let url = RUNTIME.block_on(fresh_schema(&server()?.url()));
        Some(Database { url })
    }

    fn rows(&self, table: GoTable) -> GoPostgres {
        RUNTIME
            .block_on(GoPostgres::connect(&self.url, table))
            .unwrap()
    }

    fn pgstore(&self) -> PgStore {
        let keys = format!("{}:{}", hex(&HASH_KEY), hex(&BLOCK_KEY));
        RUNTIME.block_on(async {
            let pool = sqlx::PgPool::connect(&self.url).await.unwrap();
            let table = GoTable::antonlindstrom_pgstore();
            let made = PgStore::from_pool(pool, table, keys.parse().unwrap()).await;
            made.unwrap()
        })
    }

    /// scs's own table, which no Go code makes.
    fn scs(&self) -> SessionManager {
        let rows: Arc<dyn Backend> = Arc::new(self.rows(GoTable::scs()));
        SessionManager::new(rows)
    }
}

/// A visit, and what the browser then knows.
struct Browser {
    jar: Jar,
    /// When it drops its cookie; none, if when it closes.
    cookie_end: Option<u64>,
}

fn now() -> u64 {
    UnixTime::now().as_secs()
}

impl Browser {
    /// Takes the cookie that a Go program answered with, if it did.
    fn receive_from_go(&mut self, answer: &Value) {
        if let Some(cookie) = answer["cookie"].as_str() {
            self.jar.set("session", cookie);
            self.cookie_end = answer["max_age"].as_u64().map(|left| now() + left);
        }
    }

    fn visit(&mut self, store: &ServerStore, handle: impl FnOnce(&Session)) {
        let fields = RUNTIME.block_on(async {
            let sessions = self.jar.sessions(store.clone());
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

    fn stored(&self, store: &ServerStore) -> StoredSession {
        let cookie = self.jar.get("session").unwrap();
        let found = RUNTIME.block_on(store.find_by_cookie(cookie));
        found.unwrap().unwrap()
    }
}

/// No deadline is the latest.
fn end(time: Option<UnixTime>) -> u64 {
    time.map_or(u64::MAX / 2, UnixTime::as_secs)
}

impl Program {
    fn ask(&self, go: &mut Gorilla, database: &Database, op: &str, more: &Value) -> Value {
        let mut question = json!({
            "op": op,
            "hash_key": hex(&HASH_KEY),
            "block_key": hex(&BLOCK_KEY),
            "database": for_go(&database.url),
            "stock": self.settings,
        });
        for (name, value) in more.as_object().unwrap() {
            question[name] = value.clone();
        }
        go.must(&question)
    }

    /// That nothing got less than it was: neither the row nor the cookie.
    fn check(&self, browser: &Browser, before: &StoredSession, seed: i64) {
        let after = browser.stored(&self.store);
        // Ours are whole seconds, of a clock that is read once more.
        let (ends, ended) = (end(after.expires()), end(before.expires()));
        assert!(
            ends + 1 >= ended,
            "seed {seed}: it ends at {ends}, not {ended}"
        );
        assert!(end(after.deadline()) >= end(before.deadline()), "{seed}");
        assert_eq!(after.is_remembered(), before.is_remembered(), "{seed}");
        assert_eq!(browser.cookie_end.is_some(), self.persists, "seed {seed}");
        if let Some(cookie_end) = browser.cookie_end {
            // Go's clock and ours are read one after the other.
            assert!(cookie_end + 1 >= end(after.expires()), "seed {seed}");
        }
    }

    fn lives_beside_go(&self, database: &Database) {
        let Some(mut go) = Gorilla::start_stock() else {
            return;
        };
        for seed in seeds(CASES) {
            let mut browser = Browser {
                jar: Jar::new(),
                cookie_end: None,
            };
            let made = self.ask(&mut go, database, "stock-make", &json!({"seed": seed}));
            browser.receive_from_go(&made);
            let before = browser.stored(&self.store);
            browser.visit(&self.store, |session| {
                session.insert("changed", 42_i64).unwrap();
                if seed % 4 == 0 {
                    session.renew().unwrap();
                }
            });
            self.check(&browser, &before, seed);

            let cookie = |browser: &Browser| browser.jar.get("session").unwrap().to_owned();
            let same = json!({
                "cookie": cookie(&browser),
                "before": hex(&payload(&made)),
                "changed": "changed",
            });
            let same = self.ask(&mut go, database, "stock-same", &same);
            browser.receive_from_go(&same);
            let edit = json!({"cookie": cookie(&browser)});
            let edited = self.ask(&mut go, database, "stock-edit", &edit);
            browser.receive_from_go(&edited);
            let before = browser.stored(&self.store);
            browser.visit(&self.store, |session| {
                let go: Option<String> = session.get("go").unwrap();
                assert_eq!(go.as_deref(), Some("was here"));
                session.insert("again", true).unwrap();
            });
            self.check(&browser, &before, seed);
        }
    }
}

#[test]
fn beside_pgstore_with_its_default_max_age() {
    if let Some(database) = Database::new() {
        let program = Program {
            store: database.pgstore().named("session").unwrap(),
            settings: json!({}),
            persists: true,
        };
        program.lives_beside_go(&database);
    }
}

/// Go's rows have expired when they are written, and Go reads them all the same.
#[test]
fn beside_pgstore_with_a_max_age_of_zero() {
    if let Some(database) = Database::new() {
        let store = database.pgstore().without_max_age(24 * HOUR).unwrap();
        let program = Program {
            store: store.named("session").unwrap(),
            settings: json!({"max_age": 0}),
            persists: false,
        };
        program.lives_beside_go(&database);
        assert_eq!(RUNTIME.block_on(store.delete_expired()).unwrap(), 0);
    }
}

#[test]
fn beside_scs_with_its_defaults() {
    if let Some(database) = Database::new() {
        let program = Program {
            store: database.scs().store().unwrap(),
            settings: json!({"scs": true}),
            persists: true,
        };
        program.lives_beside_go(&database);
    }
}

#[test]
fn beside_scs_that_hashes_its_tokens() {
    if let Some(database) = Database::new() {
        let scs = database.scs().hash_token_in_store(true);
        let program = Program {
            store: scs.store().unwrap(),
            settings: json!({"scs": true, "hash": true}),
            persists: true,
        };
        program.lives_beside_go(&database);
    }
}

#[test]
fn beside_scs_with_an_idle_timeout() {
    if let Some(database) = Database::new() {
        let program = Program {
            store: database.scs().idle_timeout(HOUR).store().unwrap(),
            settings: json!({"scs": true, "idle": 3_600}),
            persists: true,
        };
        program.lives_beside_go(&database);
    }
}

/// `Persist` is false, so that the cookies of those alone are kept that are remembered.
#[test]
fn beside_scs_that_remembers_some() {
    if let Some(database) = Database::new() {
        let cookie = CookieOptions::new().persistent(false);
        let scs = database.scs().cookie(cookie).idle_timeout(HOUR);
        for remembered in [json!(null), json!(false), json!(true)] {
            let program = Program {
                store: scs.store().unwrap(),
                persists: remembered == true,
                settings: json!({
                    "scs": true, "idle": 3_600, "forgets": true, "remember": remembered,
                }),
            };
            program.lives_beside_go(&database);
        }
    }
}
