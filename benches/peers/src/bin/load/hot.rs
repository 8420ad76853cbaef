//! Many concurrent writes of one session: their number in a second, compared with concurrent writes
//! of one session each; the writes of another user at the same time; and the cost of requests after
//! their clients have disconnected.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Server;
use super::browser::{Browser, Latencies, Page, spread};
use super::peers::DatabaseServer;

const ROUNDS: usize = 3;

/// The number of concurrent requests.
const CROWD: usize = 200;

/// The time for which each client repeats its request.
const TIME: Duration = Duration::from_secs(3);

/// The number of clients that disconnect, and the delay before.
const DISCONNECTS: usize = 2_000;
const PATIENCE: Duration = Duration::from_millis(300);

/// The result of one build in one round on one backend.
struct Round {
    /// Writes a second: with a session each, and with one session.
    per_second: [f64; 2],
    slowest: Duration,
    /// The writes of another user: alone, during writes of a session each, during writes of one
    /// session, and with clients that disconnect.
    others: [Latencies; 4],
    /// The processor time of the server for the clients that disconnected.
    cpu_seconds: f64,
}

pub(crate) fn session(server: &DatabaseServer, other: Option<&Path>) {
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
        "with a session each",
        "with one session",
        "with disconnects",
        "disconnects, CPU s",
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
                    _ => server.database(&format!("hot_{round}_{place}")),
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
    let (each, with_each) = while_it_runs(&mut other, || write(crowd));
    let mut hot = Browser::new(port);
    let cookie = hot.cookie();
    let tab = || Browser::with_cookie(port, cookie.clone());
    let crowd = (0..CROWD).map(|_| tab()).collect();
    let (one, with_one) = while_it_runs(&mut other, || write(crowd));
    let saved = count(&mut hot);
    assert_eq!(saved, 7 + one.count(), "a write was not saved");
    let before = cpu_seconds(pages);
    let ((), with_disconnects) = while_it_runs(&mut other, || {
        let mut tabs: Vec<Browser> = (0..DISCONNECTS).map(|_| tab()).collect();
        tabs.iter_mut().for_each(|tab| tab.send(Page::Write));
        // The saves of these requests are running.
        std::thread::sleep(PATIENCE);
        drop(tabs);
        // Until all of them are served or abandoned.
        std::thread::sleep(TIME);
        while is_busy(pages) {}
    });
    // This includes the writes of the other user.
    let cpu_seconds = cpu_seconds(pages) - before;
    assert!(
        count(&mut hot) <= saved + DISCONNECTS,
        "a write was done twice"
    );
    other.check_that_all_was_saved();
    Round {
        per_second: [each.per_second(), one.per_second()],
        slowest: one.slowest(),
        others: [alone, with_each, with_one, with_disconnects],
        cpu_seconds,
    }
}

fn count(browser: &mut Browser) -> usize {
    browser.ask(Page::Tell).parse().expect("a count")
}

/// Each client writes repeatedly for a while.
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

/// Another user writes at intervals while `work` runs.
fn while_it_runs<R: Send>(other: &mut Browser, work: impl FnOnce() -> R + Send) -> (R, Latencies) {
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let done = work();
            is_over.store(true, Ordering::Relaxed);
            done
        });
        let mut times = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            times.extend(other.time(Page::Write, 1));
            std::thread::sleep(Duration::from_millis(2));
        }
        let done = running.join().expect("the work ends");
        (done, Latencies::of(times, began.elapsed()))
    })
}

/// Returns the processor time of a server; the clock ticks a hundred times a second.
fn cpu_seconds(pages: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pages.child.id()));
    let stat = stat.expect("the server runs");
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

/// Returns whether a server uses more time than one other user causes.
fn is_busy(pages: &Server) -> bool {
    let before = cpu_seconds(pages);
    std::thread::sleep(Duration::from_secs(1));
    cpu_seconds(pages) - before > 0.6
}
