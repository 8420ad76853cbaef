//! The operations of each backend in a second, for different numbers of sessions: `cargo bench
//! --features files,sqlite --bench backend -- [KIND...] [--sizes 1000,10000]`.
//!
//! For each backend and size, the benchmark creates that many records. Then it loads, swaps and
//! touches random records, and lists those of owners. Finally it creates a tenth as many records
//! that expire soon, and purges them. The figures are medians of seven rounds, with the lowest and
//! the highest. The records have 700 bytes, like a sealed session of five values.
//!
//! Backends on a disk are below `SILVERBACK_BENCH_FOLDER`, or the target folder: the figures are
//! those of that disk.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use silverback::backend::{
    Backend, Created, Expiry, Key, Memory, MemoryOptions, Outcome, Owner, OwnerName, Record,
    connect,
};

#[path = "../../tests/support/scratch.rs"]
mod scratch;

use scratch::Scratch;

const ROUNDS: usize = 7;
/// The number of operations in a round.
const OPERATIONS: usize = 500;
/// The number of sessions of an owner.
const OWNED: usize = 10;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// A backend's name, its URL in a folder, and the maximum number of records.
type Candidate = (&'static str, fn(&Path) -> String, usize);

const BACKENDS: &[Candidate] = &[
    ("memory", |_| "memory:".to_owned(), 1_000_000),
    (
        "files",
        |folder| format!("files:{}", folder.display()),
        100_000,
    ),
    (
        "sqlite",
        |folder| format!("sqlite:{}/bench.db", folder.display()),
        1_000_000,
    ),
];

async fn backend(url: fn(&Path) -> String, folder: &Path) -> Arc<dyn Backend> {
    let url = url(folder);
    if url == "memory:" {
        // Room for the largest size and the expired records.
        let options = MemoryOptions::new().capacity(2_000_000);
        let options = options.capacity_without_owner(2_000_000);
        return Arc::new(Memory::with_options(options));
    }
    let connected = connect(&url).await;
    connected.expect("a backend in its own folder")
}

fn key(number: usize) -> Key {
    // As long as the hashes that are the keys of native rows.
    Key::new(format!(
        "{:043}",
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    ))
    .expect("43 bytes")
}

/// Returns a number below `size` that looks random.
fn somewhere(turn: usize, size: usize) -> usize {
    turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size
}

/// Microseconds per operation, one figure for each round.
struct Figures(Vec<f64>);

impl Figures {
    fn add(&mut self, elapsed: Duration, operations: usize) {
        self.0.push(elapsed.as_secs_f64() * 1e6 / operations as f64);
    }

    fn text(&mut self) -> String {
        self.0.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (self.0.first(), self.0.last()) else {
            return "-".to_owned();
        };
        let median = self.0[self.0.len() / 2];
        let per_second = 1e6 / median;
        match self.0.len() {
            1 => format!("{median:.2}"),
            _ => format!("{per_second:.0}/s {median:.2} [{low:.2}-{high:.2}]"),
        }
    }
}

/// Returns the memory that the process uses in bytes, or `None` if the system does not report it.
fn memory_in_use() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Creates records with these numbers, ten for each owner.
async fn fill(backend: &dyn Backend, numbers: std::ops::Range<usize>, until: Expiry) {
    let owners = backend.owners().expect("the backend supports owners");
    let mut login = None;
    for number in numbers {
        if number % OWNED == 0 {
            let begun = owners
                .begin(&owner(number), Expiry::NEVER, &key(number))
                .await;
            login = Some(begun.expect("the backend answers"));
        }
        let owner = Owner {
            name: owner(number),
            login: login.expect("the login has begun"),
        };
        let record = Record::new(vec![7; 700], until).owned_by(owner);
        let created = backend.create(&key(number), &record).await;
        assert!(matches!(created, Ok(Created::Saved(_))));
    }
}

fn owner(number: usize) -> OwnerName {
    OwnerName::new(format!("owner {}", number / OWNED)).expect("a short name")
}

async fn measure(name: &str, url: fn(&Path) -> String, size: usize) -> String {
    let before = memory_in_use();
    let folder = Scratch::new("SILVERBACK_BENCH_FOLDER");
    let backend = backend(url, folder.path()).await;
    let began = Instant::now();
    fill(
        &*backend,
        0..size,
        Expiry::after(Duration::from_secs(36_000)),
    )
    .await;
    let filled = began.elapsed();
    let grown = before.zip(memory_in_use());
    let grown = grown.map(|(before, after)| after.saturating_sub(before) / size);
    let mut all = [(); 4].map(|()| Figures(Vec::new()));
    let [loads, swaps, touches, lists] = &mut all;
    for round in 0..ROUNDS {
        let turns = || (0..OPERATIONS).map(|turn| somewhere(round * OPERATIONS + turn, size));
        let mut seen = Vec::new();
        let began = Instant::now();
        for number in turns() {
            seen.push(
                backend
                    .load(&key(number))
                    .await
                    .expect("the backend answers")
                    .expect("the record exists"),
            );
        }
        loads.add(began.elapsed(), OPERATIONS);
        // The same number may occur twice: then the second swap finds a conflict, which costs as
        // much.
        let began = Instant::now();
        for (number, stored) in turns().zip(&mut seen) {
            let swapped = backend
                .swap(&key(number), &stored.revision, &stored.record)
                .await;
            if let Ok(Outcome::Done(revision)) = swapped {
                stored.revision = revision;
            }
        }
        swaps.add(began.elapsed(), OPERATIONS);
        let began = Instant::now();
        for (number, stored) in turns().zip(&seen) {
            let until = Expiry::after(Duration::from_secs(7_200));
            let _ = backend.touch(&key(number), &stored.revision, until).await;
        }
        touches.add(began.elapsed(), OPERATIONS);
        let owners = backend.owners().expect("the backend supports owners");
        let began = Instant::now();
        for number in turns().take(100) {
            let keys = owners
                .keys(&owner(number))
                .await
                .expect("the backend answers");
            assert_eq!(keys.len(), OWNED);
        }
        lists.add(began.elapsed(), 100);
    }
    let soon = Expiry::after(Duration::from_secs(1) + filled / 3);
    fill(&*backend, size..size + size / 10, soon).await;
    let left = soon.as_millis().saturating_sub(Expiry::now().as_millis());
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0) + 10)).await;
    let scan = backend.scan().expect("the backend supports scans");
    let mut purge = Figures(Vec::new());
    let (mut purged, began) = (0, Instant::now());
    loop {
        let batch = scan
            .purge(1_000)
            .await
            .expect("the backend answers")
            .removed;
        purged += batch;
        if batch < 1_000 {
            break;
        }
    }
    purge.add(began.elapsed(), purged.max(1));
    let mut line = format!("{name:<8} {size:>9}");
    let _ = write!(line, " {:>10.2}", filled.as_secs_f64() * 1e6 / size as f64);
    for figures in &mut all {
        let _ = write!(line, " {:>34}", figures.text());
    }
    let grown = grown.filter(|_| name == "memory");
    let grown = grown.map_or("-".to_owned(), |bytes| bytes.to_string());
    let _ = write!(line, " {:>8} x {:>6} {grown:>8}", purge.text(), purged);
    line
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let sizes = arguments
        .iter()
        .skip_while(|argument| *argument != "--sizes")
        .nth(1);
    let sizes: Vec<usize> = match sizes {
        Some(sizes) => sizes
            .split(',')
            .map(|size| size.parse().expect("a number"))
            .collect(),
        None if is_bench => SIZES.to_vec(),
        // As a test, it only checks that the benchmark works.
        None => vec![100],
    };
    let kinds: Vec<&str> = BACKENDS.iter().map(|(name, ..)| *name).collect();
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !kinds.iter().any(|name| named(name));
    println!(
        "{:<8} {:>9} {:>10} {:>34} {:>34} {:>34} {:>34} {:>17} {:>8}",
        "backend",
        "sessions",
        "create us",
        "load us",
        "swap us",
        "touch us",
        "list of 10 us",
        "purge us x",
        "bytes"
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, url, most) in BACKENDS.iter().filter(|(name, ..)| all || named(name)) {
        for size in sizes.iter().filter(|size| *size <= most) {
            println!("{}", runtime.block_on(measure(name, *url, *size)));
        }
    }
}
