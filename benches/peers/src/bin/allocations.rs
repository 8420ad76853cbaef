//! The memory that a session adds to a request: the allocations for a page with a session, minus
//! those for a page without, over many requests in one thread and without HTTP. In Postgres (or with
//! `-- --mariadb` in MariaDB, with `-- --redis` in Redis), for Silverback and its peers: `cargo run --release --manifest-path benches/peers/Cargo.toml --bin
//! allocations`; or for Silverback in the backend of a URL: for DynamoDB with `--features
//! dynamodb`.
//!
//! Bytes are the requested ones; Go reports the bytes that it allocated for them, which are
//! slightly more.
//!
//! This is a separate program, since counting makes each allocation slower.

use std::process::ExitCode;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::header::{COOKIE, HOST, SET_COOKIE};
use tower_service::Service;

use peers::{DatabaseServer, Kind, for_go, go_program};

#[path = "load/pages.rs"]
mod pages;
#[path = "load/peers.rs"]
mod peers;
#[path = "../../../../tests/support/servers/mod.rs"]
mod servers;

const REQUESTS: u64 = 500;

/// The requests before the counted ones, in which statements are prepared and buffers grow.
const FIRST_REQUESTS: u64 = 50;

/// Allocations and bytes of one request.
type Counted = (f64, f64);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => return compare(Kind::Postgres),
        [option] if option == "--mariadb" => return compare(Kind::MariaDb),
        [option] if option == "--redis" => return compare(Kind::Redis),
        [url] if url.contains(':') => {
            head();
            line("silverback", of_ours("silverback", url));
        }
        _ => {
            eprintln!("allocations [--mariadb | --redis | URL]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Prints the figures of Silverback and its peers.
fn compare(kind: Kind) -> ExitCode {
    let server = match DatabaseServer::start(kind) {
        Ok(server) => server,
        Err(why) => {
            eprintln!("the database server is missing: {why}");
            return ExitCode::FAILURE;
        }
    };
    head();
    for (name, place) in [
        ("silverback", "ours_counted"),
        ("tower-sessions", "theirs_counted"),
    ] {
        line(name, of_ours(name, &server.database(place)));
    }
    match go_program() {
        Some(mut program) => {
            let url = for_go(&server.database("scs_counted"));
            let said = program
                .args(["allocations", &url])
                .output()
                .expect("a program");
            assert!(said.status.success());
            line("scs", parsed(&String::from_utf8_lossy(&said.stdout)));
        }
        None => println!("scs is not counted: Go is missing"),
    }
    ExitCode::SUCCESS
}

fn head() {
    println!(
        "{:<16} {:>26} {:>26}",
        "", "read: allocations, bytes", "write: allocations, bytes"
    );
}

/// Prints the figures of a page without a session, one that reads, and one that writes.
fn line(name: &str, [bare, read, write]: [Counted; 3]) {
    let cell = |page: Counted| format!("{:.0}, {:.0}", page.0 - bare.0, page.1 - bare.1);
    println!("{name:<16} {:>26} {:>26}", cell(read), cell(write));
}

fn parsed(said: &str) -> [Counted; 3] {
    let mut figures = said
        .split_whitespace()
        .map(|word| word.parse().expect("a figure"));
    std::array::from_fn(|_| {
        let mut next = || figures.next().expect("six figures");
        (next(), next())
    })
}

fn of_ours(name: &str, url: &str) -> [Counted; 3] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let (app, cookie) = runtime.block_on(async {
        let mut app = pages::app(name, url).await;
        let begun = app
            .call(request("/begin", ""))
            .await
            .expect("the service answers");
        let set = begun.headers()[SET_COOKIE].to_str().expect("text");
        let cookie = set.split(';').next().unwrap_or_default().to_owned();
        (app, cookie)
    });
    ["/bare", "/read", "/write"].map(|path| {
        let ask = |requests| runtime.block_on(ask(app.clone(), path, &cookie, requests));
        ask(FIRST_REQUESTS);
        let counted = allocation_counter::measure(|| ask(REQUESTS));
        let of_one = |total: u64| total as f64 / REQUESTS as f64;
        (of_one(counted.count_total), of_one(counted.bytes_total))
    })
}

async fn ask(mut app: Router, path: &str, cookie: &str, requests: u64) {
    for _ in 0..requests {
        let answer = app
            .call(request(path, cookie))
            .await
            .expect("the service answers");
        assert_eq!(answer.status(), 200, "{path}");
        let body = to_bytes(answer.into_body(), 100).await.expect("a body");
        assert!(!body.is_empty(), "{path}");
    }
}

fn request(path: &str, cookie: &str) -> Request {
    let request = Request::get(path).header(HOST, "localhost");
    let request = request.header(COOKIE, cookie);
    request.body(Body::empty()).expect("a request")
}
