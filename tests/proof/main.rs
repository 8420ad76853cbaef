//! The hard laws of sessions in a server, checked in many rounds: two concurrent requests of one
//! session, with all faults, on every backend.
//!
//! There is a named trial for each backend and law. `SILVERBACK_ROUNDS` sets the number of rounds,
//! 20 by default; `scripts/proof` runs the full counts.

#[path = "../session/bound_client.rs"]
#[allow(dead_code)] // the tests of sessions use more of it
mod bound_client;
mod broken_connection;
mod cancelled;
#[path = "../session/device.rs"]
#[allow(dead_code)]
mod device;
mod dice;
mod history;
mod increments;
mod logins;
mod lost_replies;
mod migration;
mod pairs;
mod pushed;
mod random_backend;
mod refreshes;
mod requests;
#[path = "../support/required.rs"]
mod required;
mod rotation;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/servers/mod.rs"]
mod servers;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use silverback::backend::{
    Backend, ConnectOptions, DynamoDb, DynamoDbOptions, Owners, connect, connect_with,
};

use required::is_required;
use scratch::Scratch;
use servers::dynamodb::{DynamoDbServer, client, endpoint_at};
use servers::etcd::EtcdServer;
use servers::mariadb::MariaDbServer;
use servers::memcached::MemcachedServer;
use servers::postgres::PostgresServer;
use servers::proxy::Proxy;
use servers::redis::{RedisCluster, RedisServer};

/// The number of rounds for each pair.
static ROUNDS: LazyLock<usize> = LazyLock::new(|| {
    let rounds = std::env::var("SILVERBACK_ROUNDS").unwrap_or_else(|_| "20".to_owned());
    rounds.parse().expect("SILVERBACK_ROUNDS is a number")
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

/// A kind of backend, and the load of its trials.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Makes a fresh backend, perhaps in this folder, or returns the reason why there is no server.
    make: fn(&Path) -> Made,
    /// The number of concurrent writers of one session.
    writers: usize,
}

type Made = Result<Arc<dyn Backend>, String>;

/// A backend that a second process can also open.
struct SharedBackend {
    name: &'static str,
    /// True if it needs no server.
    in_folder: bool,
    url: fn(&Path) -> Result<String, String>,
}

const SHARED: &[SharedBackend] = &[
    SharedBackend {
        name: "files",
        in_folder: true,
        url: |folder| Ok(format!("files:{}", folder.display())),
    },
    SharedBackend {
        name: "sqlite",
        in_folder: true,
        url: |folder| Ok(format!("sqlite:{}/proof.db", folder.display())),
    },
    SharedBackend {
        name: "postgres",
        in_folder: false,
        url: |_| RUNTIME.block_on(postgres()),
    },
    SharedBackend {
        name: "mariadb",
        in_folder: false,
        url: |_| RUNTIME.block_on(mariadb()),
    },
    SharedBackend {
        name: "redis",
        in_folder: false,
        url: |_| redis(),
    },
    SharedBackend {
        name: "mssql",
        in_folder: false,
        url: |_| mssql(),
    },
    SharedBackend {
        name: "etcd",
        in_folder: false,
        url: |_| etcd(),
    },
];

/// The backends that report changes.
const REPORTING: [&str; 3] = ["postgres", "redis", "etcd"];

const BACKENDS: &[Kind] = &[
    Kind {
        name: "memory",
        make: |_| Ok(connected("memory:")),
        writers: 64,
    },
    Kind {
        name: "files",
        make: |folder| Ok(connected(&format!("files:{}", folder.display()))),
        writers: 64,
    },
    Kind {
        name: "sqlite",
        make: |folder| Ok(connected(&format!("sqlite:{}/proof.db", folder.display()))),
        writers: 64,
    },
    Kind {
        name: "postgres",
        make: |_| Ok(connected(&RUNTIME.block_on(postgres())?)),
        writers: 64,
    },
    Kind {
        name: "mariadb",
        make: |_| Ok(connected(&RUNTIME.block_on(mariadb())?)),
        writers: 64,
    },
    Kind {
        name: "redis",
        make: |_| Ok(connected(&redis()?)),
        writers: 64,
    },
    Kind {
        name: "redis_cluster",
        make: |_| Ok(connected(&redis_cluster()?)),
        writers: 8,
    },
    Kind {
        name: "memcached",
        make: |_| Ok(connected(&memcached()?)),
        writers: 8,
    },
    Kind {
        name: "mssql",
        make: |_| Ok(connected(&mssql()?)),
        writers: 64,
    },
    Kind {
        name: "dynamodb",
        make: |_| Ok(dynamodb(dynamodb_server()?.port(), &fresh_prefix())),
        writers: 8,
    },
    Kind {
        name: "etcd",
        make: |_| Ok(connected(&etcd()?)),
        writers: 8,
    },
];

fn connected(url: &str) -> Arc<dyn Backend> {
    let connected = RUNTIME.block_on(connect(url));
    connected.expect("a backend of its own")
}

/// Returns a server that runs as long as this process.
fn dynamodb_server() -> Result<&'static DynamoDbServer, String> {
    static SERVER: LazyLock<Result<DynamoDbServer, String>> = LazyLock::new(DynamoDbServer::start);
    SERVER.as_ref().map_err(String::clone)
}

fn fresh_prefix() -> String {
    format!("{:x}/", dice::Dice::new().roll(usize::MAX))
}

/// Returns the items of that prefix in a table of the server at that port.
fn dynamodb(port: u16, prefix: &str) -> Arc<dyn Backend> {
    let options = DynamoDbOptions::new().prefix(prefix);
    let client = client(&endpoint_at(port));
    let backend = DynamoDb::from_client(&client, "proof", options).expect("a short prefix");
    let made = RUNTIME.block_on(backend.migrate());
    made.expect("a table in a server that answers");
    Arc::new(backend)
}

/// Returns the URL of a fresh schema, in a server that runs as long as this process, or in the
/// server that the environment names.
async fn postgres() -> Result<String, String> {
    static SERVER: LazyLock<Result<PostgresServer, String>> = LazyLock::new(PostgresServer::start);
    let url = match std::env::var("BACKEND_URL_POSTGRES") {
        Ok(url) => url,
        Err(_) => SERVER.as_ref().map_err(String::clone)?.url(),
    };
    let schema = format!("proof_{:x}", dice::Dice::new().roll(usize::MAX));
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    let pool = sqlx::PgPool::connect(&url).await.expect("a server");
    let created = sqlx::raw_sql(create).execute(&pool).await;
    created.expect("a fresh schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{separator}options[search_path]={schema}"))
}

/// Returns the URL of a fresh database, in a server that runs as long as this process, or in the
/// server that the environment names.
async fn mariadb() -> Result<String, String> {
    static SERVER: LazyLock<Result<MariaDbServer, String>> = LazyLock::new(MariaDbServer::start);
    let url = match std::env::var("BACKEND_URL_MYSQL") {
        Ok(url) => url,
        Err(_) => SERVER.as_ref().map_err(String::clone)?.url(),
    };
    let database = format!("proof_{:x}", dice::Dice::new().roll(usize::MAX));
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {database}"));
    let pool = sqlx::MySqlPool::connect(&url).await.expect("a server");
    let created = sqlx::raw_sql(create).execute(&pool).await;
    created.expect("a fresh database");
    let (server, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
    Ok(format!("{server}/{database}"))
}

/// Returns the URL of a fresh key space, in a server that runs as long as this process, or in the
/// server that the environment names.
fn redis() -> Result<String, String> {
    static SERVER: LazyLock<Result<RedisServer, String>> =
        LazyLock::new(|| RedisServer::start(&[]));
    let url = match std::env::var("BACKEND_URL_REDIS") {
        Ok(url) => url,
        Err(_) => SERVER.as_ref().map_err(String::clone)?.url(),
    };
    Ok(format!("{url}?prefix={}", fresh_prefix()))
}

/// The same in a cluster of three.
fn redis_cluster() -> Result<String, String> {
    static CLUSTER: LazyLock<Result<RedisCluster, String>> = LazyLock::new(RedisCluster::start);
    let url = CLUSTER.as_ref().map_err(String::clone)?.url();
    Ok(format!("{url}?prefix={}", fresh_prefix()))
}

/// Returns the URL of a fresh key space, in a server that runs as long as this process, or in the
/// server that the environment names.
fn memcached() -> Result<String, String> {
    static SERVER: LazyLock<Result<MemcachedServer, String>> =
        LazyLock::new(|| MemcachedServer::start(&["-m", "1024"]));
    let url = match std::env::var("BACKEND_URL_MEMCACHED") {
        Ok(url) => url,
        Err(_) => SERVER.as_ref().map_err(String::clone)?.url(),
    };
    Ok(format!("{url}?prefix={}", fresh_prefix()))
}

/// Returns the URL of a fresh prefix, in a server that runs as long as this process, or in the server
/// that the environment names, as `etcd://..` without a prefix.
fn etcd() -> Result<String, String> {
    static SERVER: LazyLock<Result<EtcdServer, String>> = LazyLock::new(EtcdServer::start);
    let url = match std::env::var("BACKEND_URL_ETCD") {
        Ok(url) => url,
        Err(_) => SERVER.as_ref().map_err(String::clone)?.url(),
    };
    Ok(format!("{url}?prefix={}", fresh_prefix()))
}

/// Returns the URL of a database of SQL Server. All trials share its tables: run one trial at a time.
fn mssql() -> Result<String, String> {
    let missing =
        "no SQL Server can be started here: set BACKEND_URL_MSSQL to the URL of a database";
    std::env::var("BACKEND_URL_MSSQL").map_err(|_| missing.to_owned())
}

/// The checks that list the sessions of an owner.
const NEED_LISTS: &[&str] = &[
    "concurrent_logins_leave_the_latest",
    "a_history_agrees_with_the_stored_sessions",
];

/// A check of a backend, which returns its figures.
type Proof = fn(Arc<dyn Backend>) -> String;

fn trial(
    kind: Kind,
    name: &str,
    proof: impl Fn(Arc<dyn Backend>) -> String + Send + 'static,
) -> Trial {
    let needs_lists = NEED_LISTS.contains(&name);
    let name = format!("{}::{name}", kind.name);
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let backend = match (kind.make)(folder.path()) {
            Ok(backend) => backend,
            Err(why) => return missing_server(kind.name, &why),
        };
        if needs_lists && !backend.owners().is_some_and(Owners::can_list) {
            let why = format!("{} lists no sessions of an owner", kind.name);
            return Ok(Completion::ignored_with(why));
        }
        let prove = std::panic::AssertUnwindSafe(|| proof(backend));
        let said = std::panic::catch_unwind(prove);
        match said {
            Ok(said) => {
                eprintln!("{label}: {said}");
                Ok(Completion::Completed)
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Err(Failed::from(text.unwrap_or_default()))
            }
        }
    })
}

/// One backend with two connections: directly, and through a proxy that fails.
struct Connections {
    direct: Arc<dyn Backend>,
    broken: Arc<dyn Backend>,
    proxy: Arc<Proxy>,
}

fn proxy_to(port: u16) -> Arc<Proxy> {
    Arc::new(RUNTIME.block_on(Proxy::start(port)))
}

/// Returns connections to the server of a URL.
fn connections_to(url: &str) -> Result<Connections, String> {
    // Searches the part between the host and the database.
    let mut parts = url.split(['/', '?']);
    let port = parts.find_map(|part| part.rsplit_once(':')?.1.parse().ok());
    let server: u16 = port.ok_or("the URL has no port")?;
    let proxy = proxy_to(server);
    let proxied = url.replace(&format!(":{server}"), &format!(":{}", proxy.port()));
    Ok(Connections {
        direct: connected(url),
        broken: connected(&proxied),
        proxy,
    })
}

fn connections_to_postgres() -> Result<Connections, String> {
    connections_to(&RUNTIME.block_on(postgres())?)
}

fn connections_to_mariadb() -> Result<Connections, String> {
    connections_to(&RUNTIME.block_on(mariadb())?)
}

fn connections_to_redis() -> Result<Connections, String> {
    connections_to(&redis()?)
}

fn connections_to_memcached() -> Result<Connections, String> {
    connections_to(&memcached()?)
}

fn connections_to_mssql() -> Result<Connections, String> {
    let url = mssql()?;
    let (before, rest) = url.split_once('@').ok_or("the URL has no login")?;
    let (address, after) = rest.split_once('/').ok_or("the URL has no database")?;
    let server = match address {
        "127.0.0.1" | "localhost" => 1433,
        address => address
            .strip_prefix("127.0.0.1:")
            .or_else(|| address.strip_prefix("localhost:"))
            .and_then(|port| port.parse().ok())
            .ok_or("the proxy reaches only a server on 127.0.0.1: forward a port to it")?,
    };
    let proxy = proxy_to(server);
    Ok(Connections {
        direct: connected(&url),
        broken: connected(&format!("{before}@127.0.0.1:{}/{after}", proxy.port())),
        proxy,
    })
}

fn connections_to_etcd() -> Result<Connections, String> {
    connections_to(&etcd()?)
}

fn connections_to_dynamodb() -> Result<Connections, String> {
    let (server, prefix) = (dynamodb_server()?.port(), fresh_prefix());
    let proxy = proxy_to(server);
    Ok(Connections {
        direct: dynamodb(server, &prefix),
        broken: dynamodb(proxy.port(), &prefix),
        proxy,
    })
}

fn broken_connection(
    kind: &'static str,
    connections: fn() -> Result<Connections, String>,
) -> Trial {
    let name = format!("{kind}::a_broken_connection_applies_no_write_twice");
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let connections = match connections() {
            Ok(connections) => connections,
            Err(why) => return missing_server(kind, &why),
        };
        let said = broken_connection::applies_no_write_twice(
            connections.direct,
            connections.broken,
            &connections.proxy,
        );
        eprintln!("{label}: {said}");
        Ok(Completion::Completed)
    })
}

fn reported_ends(shared: &SharedBackend) -> Trial {
    let (kind, url) = (shared.name, shared.url);
    let name = format!("{kind}::ends_in_another_process_are_reported");
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let url = match url(folder.path()) {
            Ok(url) => url,
            Err(why) => return missing_server(kind, &why),
        };
        let backend = || {
            let options = ConnectOptions::new().notify(true);
            RUNTIME
                .block_on(connect_with(&url, options))
                .expect("a backend of its own")
        };
        let said = pushed::ends_are_reported(backend(), backend());
        eprintln!("{label}: {said}");
        Ok(Completion::Completed)
    })
}

fn two_processes(shared: &SharedBackend) -> Trial {
    let (kind, url) = (shared.name, shared.url);
    let name = format!("{kind}::logins_of_two_processes_leave_the_latest");
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let url = match url(folder.path()) {
            Ok(url) => url,
            Err(why) => return missing_server(kind, &why),
        };
        let said = logins::leave_the_latest_of_two_processes(&url);
        eprintln!("{label}: {said}");
        Ok(Completion::Completed)
    })
}

fn rotation(shared: &SharedBackend) -> Trial {
    let (kind, url) = (shared.name, shared.url);
    let name = format!("{kind}::a_rotation_in_eight_processes_logs_no_user_out");
    let label = name.clone();
    Trial::test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let said = rotation::logs_no_user_out(&url(folder.path())?, folder.path());
        eprintln!("{label}: {said}");
        Ok(())
    })
}

fn killed_migration(of: &'static migration::Move) -> Trial {
    let name = format!("{}::a_killed_migration_loses_and_restores_nothing", of.name);
    let label = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        match migration::loses_and_restores_nothing(of, folder.path()) {
            Ok(said) => {
                eprintln!("{label}: {said}");
                Ok(Completion::Completed)
            }
            Err(why) if of.name.starts_with("postgres") => missing_server("postgres", &why),
            Err(why) => missing_server("redis", &why),
        }
    })
}

/// Returns the result of a trial without its server.
fn missing_server(server: &str, why: &str) -> Result<Completion, Failed> {
    match is_required(server) {
        true => Err(format!("{server} is required: {why}").into()),
        false => Ok(Completion::ignored_with(why)),
    }
}

fn main() -> ExitCode {
    if logins::was_second_process() || migration::was_server() || rotation::was_server() {
        return ExitCode::SUCCESS;
    }
    const PROOFS: &[(&str, Proof)] = &[
        (
            "a_lost_reply_applies_no_write_twice",
            lost_replies::applies_no_write_twice,
        ),
        (
            "a_history_agrees_with_the_stored_sessions",
            history::agrees_with_the_stored_sessions,
        ),
        (
            "a_cancelled_request_saves_all_or_nothing",
            cancelled::all_or_nothing,
        ),
        (
            "concurrent_logins_leave_the_latest",
            logins::leave_the_latest,
        ),
        (
            "a_refresh_keeps_the_laws",
            refreshes::a_refresh_keeps_the_laws,
        ),
    ];
    let mut trials = Vec::new();
    for backend in BACKENDS.iter().copied() {
        trials.push(trial(backend, "no_increment_is_lost", move |made| {
            increments::no_increment_is_lost(made, backend.writers)
        }));
        for (name, proof) in PROOFS {
            trials.push(trial(backend, name, proof));
        }
        for pair in pairs::all() {
            let name = format!("{}_against_{}", pair.0.name(), pair.1.name());
            trials.push(trial(backend, &name, move |backend| {
                pairs::through_the_store(backend, pair)
            }));
            let name = format!("{name}_through_http");
            trials.push(trial(backend, &name, move |backend| {
                pairs::through_http(backend, pair)
            }));
        }
        for pair in pairs::cut_off() {
            let name = format!("{}_cut_off_against_{}", pair.0.name(), pair.1.name());
            trials.push(trial(backend, &name, move |backend| {
                pairs::with_one_cut_off(backend, pair)
            }));
        }
    }
    trials.extend(SHARED.iter().map(two_processes));
    let reporting = |of: &&SharedBackend| REPORTING.contains(&of.name);
    trials.extend(SHARED.iter().filter(reporting).map(reported_ends));
    trials.extend(SHARED.iter().filter(|of| of.in_folder).map(rotation));
    trials.extend(migration::MOVES.iter().map(killed_migration));
    trials.push(broken_connection("postgres", connections_to_postgres));
    trials.push(broken_connection("mariadb", connections_to_mariadb));
    trials.push(broken_connection("redis", connections_to_redis));
    trials.push(broken_connection("memcached", connections_to_memcached));
    trials.push(broken_connection("mssql", connections_to_mssql));
    trials.push(broken_connection("dynamodb", connections_to_dynamodb));
    trials.push(broken_connection("etcd", connections_to_etcd));
    assert!(trials.len() > 100, "there are too few trials");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
