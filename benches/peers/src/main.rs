//! The time that a session in a server adds to a request, compared with tower-sessions with its
//! memory store and with its SQLite and Postgres stores, in one run: `cargo run --release
//! --manifest-path benches/peers/Cargo.toml`.
//!
//! Each request passes a tower layer to a service that reads one value of the session, or reads and
//! writes one; the session has five. The time of the service alone is subtracted. The two libraries
//! alternate, each first in every other round, and a ratio compares measurements close in time. The
//! benchmark checks that every write was saved, since not saving is fast.
//!
//! Both use the same SQLite. Its databases have a write-ahead log and sync each write (`synchronous
//! = FULL`), and no connection is tested before use, as in Silverback. The last lines are an
//! exception: there the peer uses the defaults of its pool, which are a rollback journal, also
//! synced, and tested connections.
//!
//! The Postgres server belongs to this run, on loopback; without Postgres its lines are left out.
//! There, too, the peer's pool is measured twice: as in Silverback, which tests no connection that
//! was just used, and with its defaults.
//!
//! The work differs in the promises: tower-sessions' cookie is a bare ID, its rows are in the
//! clear, and its save overwrites the whole row even after a concurrent change; Silverback opens a
//! sealed ID and a sealed row, and saves by comparing.

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use servers::postgres::PostgresServer;
use silverback::backend::connect;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{ServerStore, Sessions};
use silverback::web::tower::SessionLayer;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::{MemoryStore, SessionManagerLayer, SessionStore};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

#[path = "../../../tests/support/servers/mod.rs"]
mod servers;

const ROUNDS: usize = 7;

/// The requests before the measured ones, in which connections are opened and caches filled.
const FIRST_REQUESTS: usize = 10;

/// The values of the session in addition to the counter.
const VALUES: [(&str, &str); 4] = [
    ("user", "0196f5b4-54a4-7a31-a4ff-52d60e4c3b0d"),
    ("name", "Koko"),
    ("theme", "dark"),
    ("csrf", "kL9wZ0dJYb3oV1xq7uQmT2c5nEr8sAhG"),
];

type Answer = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

#[derive(Clone)]
struct Handler(fn(Request<()>) -> Answer);

impl Service<Request<()>> for Handler {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Answer {
        self.0(request)
    }
}

fn done() -> Result<Response<String>, Infallible> {
    Ok(Response::new(String::new()))
}

fn counter(visits: Option<u64>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(
        visits.expect("the session has begun").to_string(),
    ))
}

fn no_session(_: Request<()>) -> Answer {
    Box::pin(async { done() })
}

/// The handlers for each library: begin a session, read it, write it, return its counter.
struct Handlers {
    begin: Handler,
    read: Handler,
    write: Handler,
    count: Handler,
}

async fn ours(request: &Request<()>) -> silverback::session::Session {
    let sessions: &Sessions = request.extensions().get().expect("there is a layer");
    sessions.session().await.expect("the backend answers")
}

fn our_handlers() -> Handlers {
    Handlers {
        begin: Handler(|request| {
            Box::pin(async move {
                let session = ours(&request).await;
                session.insert("visits", 7_u64).expect("a value");
                for (key, value) in VALUES {
                    session.insert(key, value).expect("a value");
                }
                done()
            })
        }),
        read: Handler(|request| {
            Box::pin(async move {
                let visits = ours(&request).await.get::<u64>("visits");
                assert!(visits.expect("a number") >= Some(7));
                done()
            })
        }),
        write: Handler(|request| {
            Box::pin(async move {
                let session = ours(&request).await;
                let visits = session.update("visits", |visits: &mut u64| *visits += 1);
                assert!(visits.expect("a number") > 7);
                done()
            })
        }),
        count: Handler(|request| {
            Box::pin(async move {
                let visits = ours(&request).await.get::<u64>("visits");
                counter(visits.expect("a number"))
            })
        }),
    }
}

fn theirs(request: &Request<()>) -> tower_sessions::Session {
    let session = request.extensions().get::<tower_sessions::Session>();
    session.expect("there is a layer").clone()
}

fn their_handlers() -> Handlers {
    Handlers {
        begin: Handler(|request| {
            Box::pin(async move {
                let session = theirs(&request);
                session.insert("visits", 7_u64).await.expect("a value");
                for (key, value) in VALUES {
                    session.insert(key, value).await.expect("a value");
                }
                done()
            })
        }),
        read: Handler(|request| {
            Box::pin(async move {
                let visits = theirs(&request).get::<u64>("visits").await;
                assert!(visits.expect("a number") >= Some(7));
                done()
            })
        }),
        write: Handler(|request| {
            Box::pin(async move {
                let session = theirs(&request);
                let visits: Option<u64> = session.get("visits").await.expect("a number");
                let visits = visits.expect("the session has begun") + 1;
                session.insert("visits", visits).await.expect("a value");
                done()
            })
        }),
        count: Handler(|request| {
            Box::pin(async move {
                let visits = theirs(&request).get::<u64>("visits").await;
                counter(visits.expect("a number"))
            })
        }),
    }
}

fn request(cookie: Option<&HeaderValue>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    request
}

/// Returns the microseconds of one request.
async fn measure<S>(service: &mut S, cookie: &HeaderValue, requests: usize) -> f64
where
    S: Service<Request<()>, Response = Response<String>, Error: std::fmt::Debug>,
{
    let began = Instant::now();
    for _ in 0..requests {
        let response = service.call(request(Some(cookie))).await;
        assert_eq!(response.expect("the service answers").status(), 200);
    }
    began.elapsed().as_secs_f64() * 1e6 / requests as f64
}

/// Returns the time that reading and writing add to a request, in a round.
async fn measure_layer<L>(layer: &L, handlers: &Handlers, requests: usize) -> [f64; 2]
where
    L: Layer<Handler>,
    L::Service: Service<Request<()>, Response = Response<String>, Error: std::fmt::Debug>,
{
    let mut begin = layer.layer(handlers.begin.clone());
    let response = begin
        .call(request(None))
        .await
        .expect("the service answers");
    let set_cookie = response.headers()[SET_COOKIE].to_str().expect("text");
    let cookie = set_cookie.split(';').next().expect("a cookie");
    let cookie = HeaderValue::from_str(cookie).expect("a value");
    let mut read = layer.layer(handlers.read.clone());
    let mut write = layer.layer(handlers.write.clone());
    measure(&mut write, &cookie, FIRST_REQUESTS).await;
    let bare = measure(&mut Handler(no_session), &cookie, requests).await;
    let read = measure(&mut read, &cookie, requests).await;
    let write = measure(&mut write, &cookie, requests).await;
    let mut count = layer.layer(handlers.count.clone());
    let visits = count
        .call(request(Some(&cookie)))
        .await
        .expect("the service answers");
    let saved = 7 + FIRST_REQUESTS + requests;
    assert_eq!(*visits.body(), saved.to_string(), "a write was not saved");
    [read - bare, write - bare]
}

/// Returns the time that each library adds in each round. They alternate in going first.
async fn measure_both<T>(
    ours: &SessionLayer<String>,
    theirs: &SessionManagerLayer<T>,
    requests: usize,
) -> Vec<([f64; 2], [f64; 2])>
where
    T: SessionStore + Clone,
{
    let (our_handlers, their_handlers) = (our_handlers(), their_handlers());
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let we_first = round % 2 == 0;
        let mut both = [[0.0; 2]; 2];
        for ours_now in [we_first, !we_first] {
            both[usize::from(!ours_now)] = match ours_now {
                true => measure_layer(ours, &our_handlers, requests).await,
                false => measure_layer(theirs, &their_handlers, requests).await,
            };
        }
        rounds.push((both[0], both[1]));
    }
    rounds
}

async fn our_layer(url: &str) -> SessionLayer<String> {
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).expect("randomness")).expect("keys");
    let backend = connect(url).await.expect("a backend");
    SessionLayer::new(ServerStore::new(codecs, backend).expect("a store"))
}

async fn their_layer(path: &str, as_ours: bool) -> SessionManagerLayer<SqliteStore> {
    let mut options = SqliteConnectOptions::from_str(&format!("sqlite:{path}"))
        .expect("a path")
        .create_if_missing(true);
    let mut pool = SqlitePoolOptions::new();
    if as_ours {
        options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        // Without this, each use of a connection begins with a test query.
        pool = pool.test_before_acquire(false).max_lifetime(None);
    }
    let pool = pool.connect_with(options).await;
    let store = SqliteStore::new(pool.expect("a database"));
    store.migrate().await.expect("tables");
    SessionManagerLayer::new(store)
}

async fn their_postgres(url: &str, as_ours: bool) -> SessionManagerLayer<PostgresStore> {
    let pool = PgPoolOptions::new().test_before_acquire(!as_ours);
    let pool = pool.connect(url).await;
    let store = PostgresStore::new(pool.expect("a database"));
    store.migrate().await.expect("tables");
    SessionManagerLayer::new(store)
}

/// Returns the median, the lowest and the highest.
fn spread(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    let median = figures[figures.len() / 2];
    format!(
        "{median:.2} [{:.2}-{:.2}]",
        figures[0],
        figures[figures.len() - 1]
    )
}

fn print(name: &str, rounds: &[([f64; 2], [f64; 2])]) {
    for (place, how) in ["read", "write"].into_iter().enumerate() {
        let of = |figure: fn(f64, f64) -> f64| {
            let rounds = rounds
                .iter()
                .map(|(ours, theirs)| figure(ours[place], theirs[place]));
            spread(rounds.collect())
        };
        println!(
            "{:<36} {:>24} {:>24} {:>24}",
            format!("{name}, {how}"),
            of(|ours, _| ours),
            of(|_, theirs| theirs),
            of(|ours, theirs| theirs / ours),
        );
    }
}

fn folder() -> PathBuf {
    let below = std::env::var_os("SILVERBACK_BENCH_FOLDER");
    let below = below.map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    let folder = below.join(format!("peers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

async fn run() {
    let folder = folder();
    let path = |name: &str| folder.join(name).display().to_string();
    println!(
        "{:<36} {:>24} {:>24} {:>24}",
        "", "silverback adds, us", "tower-sessions adds, us", "theirs / ours"
    );
    let memory = our_layer("memory:").await;
    let their_memory = SessionManagerLayer::new(MemoryStore::default());
    print(
        "memory",
        &measure_both(&memory, &their_memory, 10_000).await,
    );
    let sqlite = our_layer(&format!("sqlite:{}", path("ours.db"))).await;
    for (name, file, as_ours) in [
        ("sqlite, each write synced", "synced.db", true),
        ("sqlite, their defaults", "default.db", false),
    ] {
        let their_sqlite = their_layer(&path(file), as_ours).await;
        print(name, &measure_both(&sqlite, &their_sqlite, 500).await);
    }
    std::fs::remove_dir_all(folder).expect("the folder");
    let server = match PostgresServer::start() {
        Ok(server) => server,
        Err(why) => return println!("not measured, Postgres is missing: {why}"),
    };
    let postgres = our_layer(&server.url()).await;
    for (name, as_ours) in [("postgres", true), ("postgres, their defaults", false)] {
        let theirs = their_postgres(&server.url(), as_ours).await;
        print(name, &measure_both(&postgres, &theirs, 500).await);
    }
}

fn main() {
    // One thread, so that the figures measure work and not wake-ups between threads.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(run());
}
