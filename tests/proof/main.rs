//! The hard laws of sessions in a server, proved by numbers: whatever two requests do to one
//! session at the same time, whatever breaks meanwhile, on every backend.
//!
//! A named trial per backend and law. `SILVERBACK_ROUNDS` says how often each is tried, 100
//! times unless said; `scripts/proof` runs the full counts.

mod broken_way;
mod cancelled;
mod dice;
mod history;
mod increments;
mod logins;
mod lost_replies;
mod pairs;
mod perturbed;
mod requests;
#[path = "../support/required.rs"]
mod required;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../support/servers/mod.rs"]
mod servers;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use silverback::backend::{Backend, DynamoDb, DynamoDbOptions, connect};

use required::is_required;
use scratch::Scratch;
use servers::dynamodb::{DynamoDbServer, client, endpoint_at};
use servers::postgres::PostgresServer;
use servers::proxy::Proxy;

/// How often each pair is tried.
static ROUNDS: LazyLock<usize> = LazyLock::new(|| {
    let rounds = std::env::var("SILVERBACK_ROUNDS").unwrap_or_else(|_| "100".to_owned());
    rounds.parse().expect("SILVERBACK_ROUNDS is a number")
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

/// A kind of backend, and how hard it is tried.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// A fresh one, which may be in this folder; or why there is no such server.
    make: fn(&Path) -> Made,
    /// How many write one session at once.
    writers: usize,
}

type Made = Result<Arc<dyn Backend>, String>;

/// Where a second process finds what the first one has.
struct Shared {
    name: &'static str,
    url: fn(&Path) -> Result<String, String>,
}

const SHARED: &[Shared] = &[
    Shared {
        name: "files",
        url: |folder| Ok(format!("files:{}", folder.display())),
    },
    Shared {
        name: "sqlite",
        url: |folder| Ok(format!("sqlite:{}/proof.db", folder.display())),
    },
    Shared {
        name: "postgres",
        url: |_| RUNTIME.block_on(postgres()),
    },
];

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
        name: "dynamodb",
        make: |_| Ok(dynamodb(dynamodb_server()?.port(), &fresh_prefix())),
        writers: 8,
    },
];

fn connected(url: &str) -> Arc<dyn Backend> {
    let connected = RUNTIME.block_on(connect(url));
    connected.expect("a backend of its own")
}

/// A server that lives as long as this process.
fn dynamodb_server() -> Result<&'static DynamoDbServer, String> {
    static SERVER: LazyLock<Result<DynamoDbServer, String>> = LazyLock::new(DynamoDbServer::start);
    SERVER.as_ref().map_err(String::clone)
}

fn fresh_prefix() -> String {
    format!("{:x}/", dice::Dice::new().roll(usize::MAX))
}

/// Items of that prefix in a table of the server behind that port.
fn dynamodb(port: u16, prefix: &str) -> Arc<dyn Backend> {
    let options = DynamoDbOptions::new("proof").prefix(prefix);
    let client = client(&endpoint_at(port));
    let opened = RUNTIME.block_on(DynamoDb::open(&client, options));
    Arc::new(opened.expect("a table in a server that answers"))
}

/// A schema of its own in a server that lives as long as this process, or that the environment
/// names.
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
    created.expect("a schema that nobody else has");
    let separator = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{separator}options[search_path]={schema}"))
}

/// What is proved of a backend, and what it says at its end.
type Proof = fn(Arc<dyn Backend>) -> String;

fn trial(
    kind: Kind,
    name: &str,
    proof: impl Fn(Arc<dyn Backend>) -> String + Send + 'static,
) -> Trial {
    let name = format!("{}::{name}", kind.name);
    let told = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let backend = match (kind.make)(folder.path()) {
            Ok(backend) => backend,
            Err(why) => return absent(kind.name, &why),
        };
        let prove = std::panic::AssertUnwindSafe(|| proof(backend));
        let said = std::panic::catch_unwind(prove);
        match said {
            Ok(said) => {
                eprintln!("{told}: {said}");
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

/// One backend by two ways: straight, and by a proxy that breaks.
struct Ways {
    straight: Arc<dyn Backend>,
    broken: Arc<dyn Backend>,
    proxy: Arc<Proxy>,
}

fn proxy_to(port: u16) -> Arc<Proxy> {
    Arc::new(RUNTIME.block_on(Proxy::start(port)))
}

fn ways_to_postgres() -> Result<Ways, String> {
    let url = RUNTIME.block_on(postgres())?;
    // What is between the host and the database.
    let mut parts = url.split(['/', '?']);
    let port = parts.find_map(|part| part.rsplit_once(':')?.1.parse().ok());
    let server: u16 = port.ok_or("the URL has no port")?;
    let proxy = proxy_to(server);
    let way = url.replace(&format!(":{server}"), &format!(":{}", proxy.port()));
    Ok(Ways {
        straight: connected(&url),
        broken: connected(&way),
        proxy,
    })
}

fn ways_to_dynamodb() -> Result<Ways, String> {
    let (server, prefix) = (dynamodb_server()?.port(), fresh_prefix());
    let proxy = proxy_to(server);
    Ok(Ways {
        straight: dynamodb(server, &prefix),
        broken: dynamodb(proxy.port(), &prefix),
        proxy,
    })
}

fn broken_way(kind: &'static str, ways: fn() -> Result<Ways, String>) -> Trial {
    let name = format!("{kind}::a_broken_way_does_nothing_twice");
    let told = name.clone();
    Trial::ignorable_test(name, move || {
        let ways = match ways() {
            Ok(ways) => ways,
            Err(why) => return absent(kind, &why),
        };
        let said = broken_way::nothing_is_done_twice(ways.straight, ways.broken, &ways.proxy);
        eprintln!("{told}: {said}");
        Ok(Completion::Completed)
    })
}

fn two_processes(shared: &Shared) -> Trial {
    let (kind, url) = (shared.name, shared.url);
    let name = format!("{kind}::logins_of_two_processes_leave_the_latest");
    let told = name.clone();
    Trial::ignorable_test(name, move || {
        let folder = Scratch::new("SILVERBACK_PROOF_FOLDER");
        let url = match url(folder.path()) {
            Ok(url) => url,
            Err(why) => return absent(kind, &why),
        };
        let said = logins::leave_the_latest_of_two_processes(&url);
        eprintln!("{told}: {said}");
        Ok(Completion::Completed)
    })
}

/// What becomes of a trial of a server that is not there.
fn absent(server: &str, why: &str) -> Result<Completion, Failed> {
    match is_required(server) {
        true => Err(format!("{server} is required: {why}").into()),
        false => Ok(Completion::ignored_with(why)),
    }
}

fn main() -> ExitCode {
    if logins::was_second_process() {
        return ExitCode::SUCCESS;
    }
    const PROOFS: &[(&str, Proof)] = &[
        (
            "a_lost_reply_does_nothing_twice",
            lost_replies::nothing_is_done_twice,
        ),
        (
            "a_history_agrees_with_what_is_there",
            history::agrees_with_what_is_there,
        ),
        (
            "a_cancelled_request_saves_all_or_nothing",
            cancelled::all_or_nothing,
        ),
        ("logins_at_once_leave_the_latest", logins::leave_the_latest),
    ];
    let mut trials = Vec::new();
    for backend in BACKENDS.iter().copied() {
        trials.push(trial(backend, "no_increment_is_lost", move |made| {
            increments::none_is_lost(made, backend.writers)
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
    trials.push(broken_way("postgres", ways_to_postgres));
    trials.push(broken_way("dynamodb", ways_to_dynamodb));
    assert!(trials.len() > 100, "there is nothing to prove");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
