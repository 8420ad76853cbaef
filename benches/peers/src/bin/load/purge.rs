//! How our pages do while a `Cleanup` purges expired sessions.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use silverback::backend::{Cleanup, Error, connect};

use super::browser::{self, Latencies};
use super::servers::postgres::PostgresServer;
use super::{REQUESTS, Server, database};

/// Of so many sessions each tenth has expired.
pub(crate) fn under_load(server: &PostgresServer, rows: usize) {
    let url = database(server, "purged");
    let pages = Server::of_ours("silverback", &url);
    eprintln!("making {rows} sessions");
    fill(&url, rows);
    let quiet = browser::visit(pages.port, REQUESTS);
    let is_over = AtomicBool::new(false);
    let mut under_purge = Vec::new();
    let (purged, took) = std::thread::scope(|scope| {
        let purge = scope.spawn(|| {
            let purged = purge(&url);
            is_over.store(true, Ordering::Relaxed);
            purged
        });
        while !is_over.load(Ordering::Relaxed) {
            under_purge.push(browser::visit(pages.port, REQUESTS));
        }
        purge.join().expect("the purge")
    });
    println!(
        "purged {purged} of {rows} in {took:.1} s, in {} rounds",
        under_purge.len()
    );
    let after = browser::visit(pages.port, REQUESTS);
    println!(
        "{:<10} {:>22} {:>22}",
        "", "read p50, p99, us", "write p50, p99, us"
    );
    let line = |name: &str, measured: &[Latencies; 2]| {
        let cell = |of: &Latencies| format!("{:.0}, {:.0}", of.part(0.5), of.part(0.99));
        println!(
            "{name:<10} {:>22} {:>22}",
            cell(&measured[0]),
            cell(&measured[1])
        );
    };
    line("before", &quiet);
    for measured in &under_purge {
        line("during", measured);
    }
    line("after", &after);
}

/// Rows as ours are: random keys, and values of 400 bytes.
fn fill(url: &str, rows: usize) {
    let statement = format!(
        "INSERT INTO silverback_sessions (key, revision, expiry, value)
         SELECT convert_to(encode(sha256(convert_to('k' || n, 'UTF8')), 'hex'), 'UTF8'),
                substr(sha256(convert_to('r' || n, 'UTF8')), 1, 16),
                CASE WHEN n % 10 = 0 THEN 1000 ELSE 9223372036854775807 END,
                decode(repeat(md5(n::text), 25), 'hex')
         FROM generate_series(1, {rows}) AS n;
         ANALYZE silverback_sessions"
    );
    let filled = Command::new("psql")
        .args([url, "-q", "-c", &statement])
        .status();
    assert!(filled.expect("psql").success());
}

/// How many, and in how many seconds.
fn purge(url: &str) -> (u64, f64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let backend = connect(url).await.expect("a backend");
        let expired = expired(url);
        let began = Instant::now();
        let failed = |error: &Error| panic!("{error}");
        let cleanup = Cleanup::every(Duration::from_secs(3_600), backend, failed);
        while self::expired(url) > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let took = began.elapsed().as_secs_f64();
        cleanup.stop().await;
        (expired, took)
    })
}

/// How many expired sessions there are.
fn expired(url: &str) -> u64 {
    let count = "SELECT count(*) FROM silverback_sessions WHERE expiry_minute < 1000000";
    let said = Command::new("psql").args([url, "-Atc", count]).output();
    let said = String::from_utf8(said.expect("psql").stdout).expect("text");
    said.trim().parse().expect("a number")
}
