//! The pages in axum: one begins a session, one reads it, one writes it, one returns its counter,
//! and one uses no session.

use axum::Router;
use axum::routing::get;
use silverback::backend::connect;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieOptions, ServerOptions, ServerStore};
use silverback::web::tower::SessionLayer;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use tower_sessions::{SessionManagerLayer, SessionStore};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore};

/// The number of tower-sessions' connections to Redis, as in its example.
const REDIS_CONNECTIONS: usize = 6;

/// The values of the session in addition to the counter.
pub(crate) const VALUES: [(&str, &str); 4] = [
    ("user", "0196f5b4-54a4-7a31-a4ff-52d60e4c3b0d"),
    ("name", "Koko"),
    ("theme", "dark"),
    ("csrf", "kL9wZ0dJYb3oV1xq7uQmT2c5nEr8sAhG"),
];

/// Returns all pages, with sessions of that implementation in the database.
pub(crate) async fn app(name: &str, database: &str) -> Router {
    let app = match name {
        "silverback" => ours(database).await,
        _ => theirs(database).await,
    };
    app.route("/bare", get(async || "7"))
}

/// Returns Silverback's store in the database.
pub(crate) async fn store(database: &str) -> ServerStore {
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).expect("randomness")).expect("keys");
    let backend = connect(database).await.expect("a backend");
    let cookie = CookieOptions::new().insecure_http();
    let options = ServerOptions::new().cookie(cookie);
    ServerStore::with_options(codecs, backend, options).expect("a store")
}

async fn ours(database: &str) -> Router {
    use silverback::session::{Error, Session};

    let store = store(database).await;
    let begin = async |session: Session| -> Result<(), Error> {
        session.insert("visits", 7_u64)?;
        VALUES
            .iter()
            .try_for_each(|(key, value)| session.insert(key, *value))
    };
    let read = async |session: Session| -> Result<String, Error> {
        let visits: Option<u64> = session.get("visits")?;
        Ok(visits.unwrap_or_default().to_string())
    };
    let write = async |session: Session| -> Result<String, Error> {
        let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
        Ok(visits.to_string())
    };
    Router::new()
        .route("/begin", get(begin))
        .route("/read", get(read))
        .route("/tell", get(read))
        .route("/write", get(write))
        .layer(SessionLayer::new(store))
}

async fn theirs(database: &str) -> Router {
    if database.starts_with("redis:") {
        let config = Config::from_url(database).expect("a URL");
        let pool = Pool::new(config, None, None, None, REDIS_CONNECTIONS).expect("a pool");
        let _connecting = pool.connect();
        pool.wait_for_connect().await.expect("a server");
        return theirs_in(RedisStore::new(pool));
    }
    if database.starts_with("mysql:") {
        let pool = MySqlPoolOptions::new().connect(database).await;
        let store = MySqlStore::new(pool.expect("a database"));
        store.migrate().await.expect("tables");
        return theirs_in(store);
    }
    let pool = PgPoolOptions::new().connect(database).await;
    let store = PostgresStore::new(pool.expect("a database"));
    store.migrate().await.expect("tables");
    theirs_in(store)
}

fn theirs_in(store: impl SessionStore + Clone) -> Router {
    use tower_sessions::Session;
    use tower_sessions::session::Error;

    let failed = |error: Error| error.to_string();
    let begin = async move |session: Session| -> Result<(), String> {
        session.insert("visits", 7_u64).await.map_err(failed)?;
        for (key, value) in VALUES {
            session.insert(key, value).await.map_err(failed)?;
        }
        Ok(())
    };
    let read = async move |session: Session| -> Result<String, String> {
        let visits: Option<u64> = session.get("visits").await.map_err(failed)?;
        Ok(visits.unwrap_or_default().to_string())
    };
    let write = async move |session: Session| -> Result<String, String> {
        let visits: Option<u64> = session.get("visits").await.map_err(failed)?;
        let visits = visits.unwrap_or_default() + 1;
        session.insert("visits", visits).await.map_err(failed)?;
        Ok(visits.to_string())
    };
    Router::new()
        .route("/begin", get(begin))
        .route("/read", get(read))
        .route("/tell", get(read))
        .route("/write", get(write))
        .layer(SessionManagerLayer::new(store).with_secure(false))
}
