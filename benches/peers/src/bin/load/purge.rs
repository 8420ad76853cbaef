//! Silverback's pages during a purge of expired sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use silverback::backend::connect;

use super::browser::{self, Latencies};
use super::peers::{DatabaseServer, run};
use super::{REQUESTS, Server};

/// The number of records in a batch.
const BATCH: usize = 1_000;

/// One in ten of that many sessions has expired.
pub(crate) fn under_load(server: &DatabaseServer, rows: usize) {
    let url = server.database("purged");
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

/// Makes rows like native ones: random keys, and values of 400 bytes.
fn fill(url: &str, rows: usize) {
    let statement = match url.starts_with("mysql:") {
        false => format!(
            "INSERT INTO silverback_sessions (key, revision, expiry, value)
             SELECT convert_to(encode(sha256(convert_to('k' || n, 'UTF8')), 'hex'), 'UTF8'),
                    substr(sha256(convert_to('r' || n, 'UTF8')), 1, 16),
                    CASE WHEN n % 10 = 0 THEN 1000 ELSE 9223372036854775807 END,
                    decode(repeat(md5(n::text), 25), 'hex')
             FROM generate_series(1, {rows}) AS n;
             ANALYZE silverback_sessions"
        ),
        true => format!(
            "INSERT INTO silverback_sessions (`key`, revision, expiry, value)
             SELECT SHA2(seq, 256), UNHEX(MD5(seq)),
                    IF(seq % 10 = 0, 1000, 9223372036854775807), UNHEX(REPEAT(MD5(seq), 25))
             FROM seq_1_to_{rows};
             ANALYZE TABLE silverback_sessions"
        ),
    };
    run(url, &statement);
}

/// Purges as a `Cleanup` does, with a rest after each batch that is as long as the batch. Returns
/// the number of records and of seconds.
fn purge(url: &str) -> (usize, f64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let backend = connect(url).await.expect("a backend");
        let scan = backend.scan().expect("the backend supports scans");
        let (began, mut purged) = (Instant::now(), 0);
        loop {
            let batch_began = Instant::now();
            let batch = scan
                .purge(BATCH)
                .await
                .expect("the backend answers")
                .removed;
            purged += batch;
            if batch < BATCH {
                return (purged, began.elapsed().as_secs_f64());
            }
            tokio::time::sleep(batch_began.elapsed()).await;
        }
    })
}
