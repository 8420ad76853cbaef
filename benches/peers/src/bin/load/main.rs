//! Sessions in Postgres, with `--mariadb` in MariaDB, or with `--redis` in Redis, through a web
//! framework, over real HTTP: Silverback and tower-sessions in axum, Silverback and actix-session in
//! actix-web (Redis only), and alexedwards/scs with its pgxstore, mysqlstore or goredisstore in Go.
//! Each is a separate program with the same server, and they run one after the other under the same
//! load: `cargo run --release --manifest-path benches/peers/Cargo.toml --bin load`.
//!
//! Eight browsers, each with its own session and connection, send the next request after each
//! response: first to a page that reads one value, then to one that reads and writes one. The
//! servers alternate, and each round starts with another one; a ratio compares measurements close
//! in time. The benchmark checks that every write was saved, since not saving is fast.
//!
//! With `--purge ROWS` it measures Silverback's pages while a tenth of that many sessions, which
//! have expired, are purged.
//!
//! With `--hot [PROGRAM]` it measures many concurrent writes of one session, in Silverback's pages
//! on memory, files, SQLite and Postgres (`hot.rs`); compared with another build, if its `load`
//! program is given.
//!
//! With `--redis --growth SESSIONS` it measures the pages again and again while the number of sessions
//! grows tenfold from a thousand to that many, and the memory of a session in Redis (`growth.rs`).
//!
//! The server belongs to this run, on loopback, with its defaults: each commit is synced, except in
//! Redis. For Redis, the commands, the bytes and the server's CPU time of a request are counted, too.

mod actix_pages;
mod browser;
mod growth;
mod hot;
mod pages;
mod peers;
mod purge;
mod redis_counters;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use browser::{Latencies, Page, spread};
use peers::{DatabaseServer, Kind, for_go, go_program};

#[path = "../../../../../tests/support/servers/mod.rs"]
mod servers;

const ROUNDS: usize = 7;

/// The number of requests of each browser in a round.
const REQUESTS: usize = 500;

/// A server under load, which ends with its standard input.
struct Server {
    name: &'static str,
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a program, which prints its address in the first line.
    fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut line = String::new();
        let said = child.stdout.take().expect("its standard output");
        BufReader::new(said).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        Server { name, child, port }
    }

    fn of_ours(name: &'static str, database: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        Server::of_program(&program, name, database)
    }

    fn of_program(program: &Path, name: &'static str, database: &str) -> Self {
        let mut command = Command::new(program);
        command.args(["serve", name, database]);
        Server::start(name, command)
    }

    fn of_go(database: &str) -> Option<Self> {
        let mut command = go_program()?;
        command.args(["serve", &for_go(database)]);
        Some(Server::start("scs", command))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Starts all programs, ours first.
fn start_all(server: &DatabaseServer) -> Vec<Server> {
    let started = server.programs().iter().zip(["ours", "theirs", "", ""]);
    let started = started.map(|(name, place)| Server::of_ours(name, &server.database(place)));
    let mut servers: Vec<Server> = started.collect();
    match Server::of_go(&server.database("scs")) {
        Some(scs) => servers.push(scs),
        None => println!("scs is not measured: Go is missing"),
    }
    servers
}

fn compare(server: &DatabaseServer) {
    let servers = start_all(server);
    let mut rounds: Vec<Vec<[Latencies; 2]>> = Vec::new();
    for round in 0..ROUNDS {
        let mut measured: Vec<Option<[Latencies; 2]>> = servers.iter().map(|_| None).collect();
        for turn in 0..servers.len() {
            let place = (round + turn) % servers.len();
            eprint!(
                "\rround {} of {ROUNDS}: {:<20}",
                round + 1,
                servers[place].name
            );
            measured[place] = Some(browser::visit(servers[place].port, REQUESTS));
        }
        rounds.push(measured.into_iter().flatten().collect());
    }
    eprint!("\r{:40}\r", "");
    println!(
        "{:<24} {:>26} {:>26} {:>26} {:>22}",
        "", "p50, us", "p99, us", "requests a second", "p50 / silverback's"
    );
    for (how, page) in [Page::Read, Page::Write].into_iter().enumerate() {
        for (place, server) in servers.iter().enumerate() {
            let of = |figure: &dyn Fn(&[[Latencies; 2]]) -> f64| {
                spread(rounds.iter().map(|round| figure(round)).collect())
            };
            println!(
                "{:<24} {:>26} {:>26} {:>26} {:>22}",
                format!("{}, {}", server.name, page.name()),
                of(&|round| round[place][how].part(0.5)),
                of(&|round| round[place][how].part(0.99)),
                of(&|round| round[place][how].per_second()),
                of(&|round| round[place][how].part(0.5) / round[0][how].part(0.5)),
            );
        }
    }
    if let DatabaseServer::Redis(redis) = server {
        redis_counters::print(redis, &servers);
    }
}

/// Serves the pages on a free port, which it prints, until standard input ends.
fn serve(name: &str, database: &str) {
    if name.contains("actix") {
        return actix_pages::serve(name, database);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let app = pages::app(name, database).await;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        tokio::select! {
            served = axum::serve(listener, app) => served.expect("the server runs"),
            _ = ended => {}
        }
    });
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["serve", name, database] = arguments[..] {
        serve(name, database);
        return ExitCode::SUCCESS;
    }
    let (kind, arguments) = match arguments[..] {
        ["--mariadb", ref rest @ ..] => (Kind::MariaDb, rest),
        ["--redis", ref rest @ ..] => (Kind::Redis, rest),
        ref all => (Kind::Postgres, all),
    };
    let server = match DatabaseServer::start(kind) {
        Ok(server) => server,
        Err(why) => {
            eprintln!("the database server is missing: {why}");
            return ExitCode::FAILURE;
        }
    };
    match (&server, arguments) {
        (_, []) => compare(&server),
        (DatabaseServer::Redis(redis), ["--growth", most]) => match most.parse() {
            Ok(most) => growth::measure(redis, &start_all(&server), most),
            Err(_) => return usage(),
        },
        (DatabaseServer::Redis(_), _) => return usage(),
        (_, ["--hot"]) => hot::session(&server, None),
        (_, ["--hot", other]) => hot::session(&server, Some(Path::new(other))),
        (_, ["--purge", rows]) => match rows.parse() {
            Ok(rows) => purge::under_load(&server, rows),
            Err(_) => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "load [--mariadb] [--purge ROWS | --hot [PROGRAM]] | load --redis [--growth SESSIONS]"
    );
    ExitCode::from(2)
}
