//! Many requests that write one session at once: how many are answered in a second, against as
//! many that write a session each; how another user's writes do at the same time; and what
//! requests cost whose clients have hung up.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Server;
use super::browser::{Browser, Latencies, Page, spread};
use super::peers::database;
use super::servers::postgres::PostgresServer;

const ROUNDS: usize = 3;

/// How many requests are under way at once.
const CROWD: usize = 200;

/// For how long each of the crowd asks again once it is answered.
const TIME: Duration = Duration::from_secs(3);

/// How many clients hang up, and after how long.
const HANG_UPS: usize = 2_000;
const PATIENCE: Duration = Duration::from_millis(300);

/// What one build did in one round on one backend.
struct Round {
    /// Writes a second: of a session each, and of one session.
    per_second: [f64; 2],
    slowest: Duration,
    /// Another user's writes: alone, beside a session each, beside one session, and beside clients
    /// that hang up.
    others: [Latencies; 4],
    /// What the clients that hung up cost the server's process.
    cpu_seconds: f64,
}

pub(crate) fn session(server: &PostgresServer, other: Option<&Path>) {
    let own = std::env::current_exe().expect("this program");
    let mut builds = vec![("this build", own.as_path())];
    builds.extend(other.map(|other| ("the other", other)));
    let folder = std::env::temp_dir().join(format!("silverback-hot-{}", std::process::id()));
    println!(
        "{:<22} {:>24} {:>24} {:>16} {:>12} {:>34} {:>34} {:>34} {:>34} {:>18}",
        "",
        "a session each, 1/s",
        "one session, 1/s",
        "one / each",
        "slowest, s",
        "other's p50, p99, ms: alone",
        "beside a session each",
        "beside one session",
        "beside hang-ups",
        "hang-ups, CPU s",
    );
    for backend in ["sqlite", "postgres", "files", "memory"] {
        let mut rounds: Vec<Vec<Round>> = builds.iter().map(|_| Vec::new()).collect();
        for round in 0..ROUNDS {
            for turn in 0..builds.len() {
                let place = (round + turn) % builds.len();
                let (name, program) = builds[place];
                eprintln!("{backend}, round {} of {ROUNDS}: {name}", round + 1);
                let folder = folder.join(format!("{backend}-{round}-{place}"));
                std::fs::create_dir_all(&folder).expect("a folder");
                let url = match backend {
                    "memory" => "memory:".to_owned(),
                    "files" => format!("files:{}", folder.display()),
                    "sqlite" => format!("sqlite:{}/hot.db", folder.display()),
                    _ => database(server, &format!("hot_{round}_{place}")),
                };
                let pages = Server::of_program(program, "silverback", &url);
                rounds[place].push(measure(&pages));
            }
        }
        for ((name, _), rounds) in builds.iter().zip(&rounds) {
            println!("{}", line(&format!("{backend}, {name}"), rounds));
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

fn line(name: &str, rounds: &[Round]) -> String {
    let of = |figure: &dyn Fn(&Round) -> f64| spread(rounds.iter().map(figure).collect());
    let others = |place: usize| {
        let part = |part: f64| of(&|round| round.others[place].part(part) / 1e3);
        format!("{}, {}", part(0.5), part(0.99))
    };
    format!(
        "{name:<22} {:>24} {:>24} {:>16} {:>12} {:>34} {:>34} {:>34} {:>34} {:>18}",
        of(&|round| round.per_second[0]),
        of(&|round| round.per_second[1]),
        of(&|round| round.per_second[1] / round.per_second[0]),
        of(&|round| round.slowest.as_secs_f64()),
        others(0),
        others(1),
        others(2),
        others(3),
        of(&|round| round.cpu_seconds),
    )
}

fn measure(pages: &Server) -> Round {
    let port = pages.port;
    let mut other = Browser::new(port);
    let alone = while_it_runs(&mut other, || std::thread::sleep(TIME)).1;
    let crowd: Vec<Browser> = (0..CROWD).map(|_| Browser::new(port)).collect();
    let (each, beside_each) = while_it_runs(&mut other, || write(crowd));
    let mut hot = Browser::new(port);
    let cookie = hot.cookie();
    let tab = || Browser::with_cookie(port, cookie.clone());
    let crowd = (0..CROWD).map(|_| tab()).collect();
    let (one, beside_one) = while_it_runs(&mut other, || write(crowd));
    let saved = count(&mut hot);
    assert_eq!(saved, 7 + one.count(), "a write was not saved");
    let before = cpu_seconds(pages);
    let ((), beside_hang_ups) = while_it_runs(&mut other, || {
        let mut tabs: Vec<Browser> = (0..HANG_UPS).map(|_| tab()).collect();
        tabs.iter_mut().for_each(|tab| tab.send(Page::Write));
        // Their saves are under way.
        std::thread::sleep(PATIENCE);
        drop(tabs);
        // Until all of them are served or given up.
        std::thread::sleep(TIME);
        while works_still(pages) {}
    });
    // The other user's own writes are within.
    let cpu_seconds = cpu_seconds(pages) - before;
    assert!(
        count(&mut hot) <= saved + HANG_UPS,
        "a write was done twice"
    );
    other.check_that_all_was_saved();
    Round {
        per_second: [each.per_second(), one.per_second()],
        slowest: one.slowest(),
        others: [alone, beside_each, beside_one, beside_hang_ups],
        cpu_seconds,
    }
}

fn count(browser: &mut Browser) -> usize {
    browser.ask(Page::Tell).parse().expect("a count")
}

/// Each writes again and again for a while.
fn write(crowd: Vec<Browser>) -> Latencies {
    let began = Instant::now();
    let times = std::thread::scope(|scope| {
        let tasks = crowd.into_iter().map(|mut browser| {
            scope.spawn(move || {
                let mut times = Vec::new();
                while began.elapsed() < TIME {
                    times.extend(browser.time(Page::Write, 1));
                }
                times
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let times = tasks
            .into_iter()
            .map(|task| task.join().expect("a browser"));
        times.flatten().collect()
    });
    Latencies::of(times, began.elapsed())
}

/// Another user writes now and then while something else runs.
fn while_it_runs<R: Send>(other: &mut Browser, it: impl FnOnce() -> R + Send) -> (R, Latencies) {
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let it = scope.spawn(|| {
            let done = it();
            is_over.store(true, Ordering::Relaxed);
            done
        });
        let mut times = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            times.extend(other.time(Page::Write, 1));
            std::thread::sleep(Duration::from_millis(2));
        }
        let done = it.join().expect("it runs to its end");
        (done, Latencies::of(times, began.elapsed()))
    })
}

/// The processor's time that a server has taken; the clock ticks a hundred times a second.
fn cpu_seconds(pages: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pages.child.id()));
    let stat = stat.expect("it runs");
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / 100.0
}

/// Whether a server works more than one other user makes it.
fn works_still(pages: &Server) -> bool {
    let before = cpu_seconds(pages);
    std::thread::sleep(Duration::from_secs(1));
    cpu_seconds(pages) - before > 0.6
}
