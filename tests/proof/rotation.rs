//! The keys of eight processes rotate while the processes serve requests, with clocks that differ
//! by up to 50 seconds: `silverback keys add`, `promote` and `retire`. Sessions are in cookies and in
//! a backend, each request of a user goes to another process, and processes restart. No user is logged out, and no
//! process loads a part of a file. At the end a pair leaks, and is removed.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use silverback::codec::{CodecOptions, KeyPairs, KeyRing, KeyRingOptions, KeySource, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, ServerOptions, ServerStore, Stores,
};

use super::dice::Dice;
use super::requests::{COOKIE, jar_of};
use super::{ROUNDS, RUNTIME, connected};

/// How far the clock of each process is from the right time, in seconds.
const SKEWS: [i64; 8] = [-25, -20, -10, 0, 0, 10, 20, 25];

/// How often each process reads the key file, in milliseconds.
const INTERVALS: [u64; 8] = [10, 20, 40, 60, 90, 120, 160, 200];

/// The idle limit of all sessions, in seconds. They have no absolute limit.
const IDLE: u64 = 600;

/// A user of this kind comes back when the idle limit has nearly passed: with the tenth of the limit
/// within which a use is not noted, and the skews of two clocks.
const RARE: u64 = IDLE - IDLE / 10 - 50 - 30;

/// A generous limit for the processes to load a file.
const LIMIT: Duration = Duration::from_secs(120);

const URL: &str = "SILVERBACK_PROOF_ROTATION";

/// A user with a browser.
struct User {
    /// True if the session is in the backend.
    in_server: bool,
    habit: Habit,
    cookie: String,
    writes: u64,
    last_visit: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// Changes a value at each visit.
    Writes,
    /// Only reads.
    Reads,
    /// Only reads, and comes as rarely as its session permits.
    Rare,
}

/// The processes, the users and the key file.
struct Site {
    url: String,
    processes: Vec<Process>,
    users: Vec<User>,
    keys: PathBuf,
    /// The right time.
    now: u64,
    ticks: usize,
    visits: usize,
    refusals: u64,
    dice: Dice,
    /// The fingerprints in each version of the file.
    versions: HashSet<Vec<String>>,
}

pub(crate) fn logs_no_user_out(url: &str, folder: &Path) -> String {
    let rotations = (*ROUNDS / 200).max(1);
    let mut site = Site::start(url, folder);
    for _ in 0..rotations {
        site.rotate();
    }
    let dead_after = site.remove_a_leaked_pair();
    let Site {
        visits, refusals, ..
    } = site;
    site.processes.into_iter().for_each(Process::end);
    format!(
        "{rotations} rotations, {visits} visits, 0 users logged out, {refusals} parts of files \
         refused; a leaked pair was dead in all processes after {} ms",
        dead_after.as_millis()
    )
}

impl Site {
    fn start(url: &str, folder: &Path) -> Self {
        let mut site = Site {
            url: url.to_owned(),
            processes: Vec::new(),
            users: Vec::new(),
            keys: folder.join("keys"),
            now: UnixTime::now().as_secs() + 1_000,
            ticks: 0,
            visits: 0,
            refusals: 0,
            dice: Dice::new(),
            versions: HashSet::new(),
        };
        site.step(&["add"]).expect("a new file");
        site.processes = (0..SKEWS.len()).map(|at| site.started(at)).collect();
        for in_server in [false, true] {
            for habit in [Habit::Writes, Habit::Reads, Habit::Rare] {
                site.users.extend((0..4).map(|_| User {
                    in_server,
                    habit,
                    cookie: String::new(),
                    writes: 0,
                    last_visit: 0,
                }));
            }
        }
        site
    }

    fn started(&self, at: usize) -> Process {
        Process::start(&self.url, &self.keys, SKEWS[at], INTERVALS[at])
    }

    /// Starts one process anew: it has never had the older keys of the others.
    fn restart(&mut self) {
        let at = self.dice.roll(self.processes.len());
        let started = self.started(at);
        std::mem::replace(&mut self.processes[at], started).end();
    }

    /// Runs a step of `silverback keys` at the right time. An error is the message.
    fn step(&mut self, arguments: &[&str]) -> Result<(), String> {
        let (step, options) = arguments.split_first().expect("a step");
        let run = Command::new(env!("CARGO_BIN_EXE_silverback"))
            .args(["keys", step])
            .arg(&self.keys)
            .args([
                "--at",
                &self.now.to_string(),
                "--max-age",
                &format!("{IDLE}s"),
            ])
            .args(options)
            .output()
            .expect("the program");
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).into_owned());
        }
        self.versions.insert(self.written());
        Ok(())
    }

    /// Returns the fingerprints in the file.
    fn written(&self) -> Vec<String> {
        let pairs = KeyPairs::from_file(&self.keys).expect("a complete file");
        let fingerprints = pairs.iter().map(|pair| pair.fingerprint().to_string());
        fingerprints.collect()
    }

    /// Adds, promotes and retires a pair. Each step is retried until it is permitted.
    fn rotate(&mut self) {
        self.tick(60);
        self.step(&["add"]).expect("no rotation is in progress");
        self.until_loaded();
        while let Err(why) = self.step(&["promote"]) {
            assert!(why.contains("safe to promote from"), "{why}");
            self.tick(60);
        }
        self.restart();
        self.until_loaded();
        while let Err(why) = self.step(&["retire"]) {
            assert!(why.contains("can be valid until"), "{why}");
            self.tick(60);
        }
        self.restart();
        self.until_loaded();
        for _ in 0..10 {
            self.tick(60);
        }
    }

    /// Serves requests until each process has loaded the file.
    fn until_loaded(&mut self) {
        let (start, written) = (Instant::now(), self.written());
        while self.tick(1).iter().any(|keys| *keys != written) {
            assert!(start.elapsed() < LIMIT, "a process does not load the file");
        }
    }

    /// Advances the time, and serves the requests of all users that come. Returns the keys of each
    /// process afterwards.
    fn tick(&mut self, seconds: u64) -> Vec<Vec<String>> {
        self.now += seconds;
        self.ticks += 1;
        let is_due = |user: &User| user.habit != Habit::Rare || self.now - user.last_visit >= RARE;
        let due: Vec<usize> = (0..self.users.len())
            .filter(|at| is_due(&self.users[*at]))
            .collect();
        let count = self.processes.len();
        for (at, process) in self.processes.iter_mut().enumerate() {
            let here = due
                .iter()
                .filter(|user| (**user + self.ticks) % count == at);
            let visits = here.map(|user| self.users[*user].visit(*user));
            process.ask(&json!({ "now": self.now, "visits": visits.collect::<Vec<_>>() }));
        }
        if self.dice.roll(2) == 0 {
            self.write_a_part();
        }
        let answers = self.processes.iter_mut().map(Process::answer);
        let answers: Vec<Value> = answers.collect();
        self.refusals = answers
            .iter()
            .filter_map(|answer| answer["refusals"].as_u64())
            .sum();
        answers.iter().map(|answer| self.check(answer)).collect()
    }

    /// Writes a part of the file in place, and later the whole file again, as a program does that
    /// is interrupted.
    fn write_a_part(&mut self) {
        let text = std::fs::read_to_string(&self.keys).expect("text");
        let part = &text[..self.dice.roll(text.len())];
        std::fs::write(&self.keys, part).expect("a part");
        std::thread::sleep(Duration::from_millis(self.dice.roll(30) as u64));
        match self.dice.roll(2) {
            0 => std::fs::write(&self.keys, text).expect("the file in place"),
            _ => {
                let new = self.keys.with_extension("new");
                std::fs::write(&new, text).expect("a file");
                std::fs::rename(&new, &self.keys).expect("the file by a rename");
            }
        }
    }

    /// Checks the answers to the users, and returns the keys of the process.
    fn check(&mut self, answer: &Value) -> Vec<String> {
        let keys = answer["keys"].as_array().expect("keys").iter();
        let keys: Vec<String> = keys
            .map(|key| key.as_str().expect("text").to_owned())
            .collect();
        assert!(
            self.versions.contains(&keys),
            "{keys:?} were never in the file"
        );
        for answer in answer["visits"].as_array().expect("visits") {
            let number = answer["user"].as_u64().expect("a number") as usize;
            let user = &mut self.users[number];
            let is_first = user.cookie.is_empty();
            assert_eq!(answer["error"], Value::Null);
            assert!(
                is_first || answer["owner"].as_str() == Some(&*number.to_string()),
                "user {number} is logged out at tick {}: {answer}",
                self.ticks
            );
            assert_eq!(answer["writes"], user.writes, "user {number}");
            user.writes += u64::from(user.habit == Habit::Writes);
            user.cookie = answer["cookie"].as_str().expect("a cookie").to_owned();
            user.last_visit = self.now;
            self.visits += 1;
        }
        keys
    }

    /// Removes the only pair, and returns after which time no process opened a cookie of it.
    fn remove_a_leaked_pair(&mut self) -> Duration {
        self.tick(1);
        let forged = |in_server| {
            let user = self
                .users
                .iter()
                .position(|user| user.in_server == in_server);
            let user = user.expect("a user");
            self.users[user].visit(user)
        };
        let forged = [forged(false), forged(true)];
        self.step(&["retire", "--leaked", "1"])
            .expect("it is removed");
        let start = Instant::now();
        loop {
            let mut opened = 0;
            for process in &mut self.processes {
                process.ask(&json!({ "now": self.now, "visits": forged }));
                let answer = process.answer();
                let visits = answer["visits"].as_array().expect("visits");
                opened += visits
                    .iter()
                    .filter(|visit| !visit["owner"].is_null())
                    .count();
            }
            if opened == 0 {
                return start.elapsed();
            }
            assert!(start.elapsed() < LIMIT, "a process still opens the cookie");
        }
    }
}

impl User {
    /// Returns the request, as it is sent to a process.
    fn visit(&self, number: usize) -> Value {
        json!({
            "user": number,
            "in_server": self.in_server,
            "writes": self.habit == Habit::Writes,
            "cookie": self.cookie,
        })
    }
}

/// A process that serves requests.
struct Process {
    process: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(url: &str, keys: &Path, skew: i64, interval: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .env(URL, url)
            .env("PROOF_KEYS", keys)
            .env("PROOF_SKEW", skew.to_string())
            .env("PROOF_INTERVAL", interval.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut started = Process {
            requests: process.stdin.take().expect("a pipe"),
            answers: BufReader::new(process.stdout.take().expect("a pipe")).lines(),
            process,
        };
        started.answer(); // it has connected
        started
    }

    fn ask(&mut self, request: &Value) {
        writeln!(self.requests, "{request}").expect("the process reads its input");
    }

    fn answer(&mut self) -> Value {
        let line = self
            .answers
            .next()
            .expect("the process answers")
            .expect("text");
        serde_json::from_str(&line).expect("JSON")
    }

    fn end(mut self) {
        drop(self.requests);
        assert!(self.process.wait().expect("the process ends").success());
    }
}

/// Both stores of a process, over one ring.
#[derive(Clone)]
struct BothStores {
    ring: KeyRing,
    in_cookies: CookieStore,
    in_server: ServerStore,
}

impl BothStores {
    fn open(url: &str, keys: &str, clock: &Arc<AtomicU64>) -> Self {
        // Sessions without an absolute limit outlive any age of a cookie.
        let codec = CodecOptions::new().max_age(Duration::ZERO);
        let options = KeyRingOptions::new().codec(codec);
        let ring = KeyRing::with_options(KeySource::file(keys), options).expect("keys");
        let lifetime = || {
            Lifetime::new()
                .idle(Duration::from_secs(IDLE))
                .without_absolute()
        };
        let now = || {
            let clock = clock.clone();
            move || UnixTime::from_secs(clock.load(Ordering::SeqCst))
        };
        let in_cookies = CookieStore::with_options(ring.clone(), CookieOptions::new(), lifetime());
        let options = ServerOptions::new().lifetime(lifetime()).clock(now());
        let in_server = ServerStore::with_options(ring.clone(), connected(url), options);
        BothStores {
            ring,
            in_cookies: in_cookies.expect("a store").clock(now()),
            in_server: in_server.expect("a store"),
        }
    }

    async fn serve(self, visit: Value) -> Value {
        let stores: Stores = match visit["in_server"] == true {
            true => self.in_server.into(),
            false => self.in_cookies.into(),
        };
        let cookie = visit["cookie"].as_str().unwrap_or_default();
        let mut jar = match cookie {
            "" => Jar::new(),
            cookie => jar_of(cookie),
        };
        let user = visit["user"].to_string();
        let answer = serve(&mut jar, stores, &user, visit["writes"] == true).await;
        let (owner, writes) = answer.as_ref().ok().cloned().unwrap_or_default();
        json!({
            "user": visit["user"],
            "owner": owner,
            "writes": writes,
            "cookie": jar.get(COOKIE),
            "error": answer.err().map(|error| error.to_string()),
        })
    }
}

/// Serves a request, and returns the owner and the writes before it. A browser without a cookie logs
/// in.
async fn serve(
    jar: &mut Jar,
    stores: Stores,
    user: &str,
    writes: bool,
) -> Result<(Option<String>, u64), Error> {
    let sessions = jar.sessions(stores);
    let session = sessions.session().await?;
    let owner = session.owner();
    let before = session.get::<u64>("writes")?.unwrap_or(0);
    if jar.get(COOKIE).is_none() {
        session.login(user)?;
    }
    if writes {
        session.insert("writes", before + 1)?;
    }
    if let Some(fields) = sessions.finish().await? {
        fields
            .set_cookies()
            .iter()
            .for_each(|field| jar.receive(field));
    }
    Ok((owner, before))
}

/// Returns whether this was a process that serves requests, which has then served them all.
pub(crate) fn was_server() -> bool {
    let Ok(url) = std::env::var(URL) else {
        return false;
    };
    let variable = |name: &str| std::env::var(name).expect("a variable");
    let clock = Arc::new(AtomicU64::new(UnixTime::now().as_secs()));
    let stores = BothStores::open(&url, &variable("PROOF_KEYS"), &clock);
    let interval = variable("PROOF_INTERVAL").parse().expect("milliseconds");
    let skew: i64 = variable("PROOF_SKEW").parse().expect("seconds");
    let _watch = stores
        .ring
        .watch(Duration::from_millis(interval))
        .expect("a thread");
    println!("{}", json!("connected"));
    for request in std::io::stdin().lines() {
        let request: Value = serde_json::from_str(&request.expect("text")).expect("JSON");
        let now = request["now"].as_u64().expect("a time");
        clock.store(now.saturating_add_signed(skew), Ordering::SeqCst);
        let visits = request["visits"].as_array().expect("visits").clone();
        let answers = RUNTIME.block_on(async {
            let visits = visits
                .into_iter()
                .map(|visit| tokio::spawn(stores.clone().serve(visit)));
            let mut answers = Vec::new();
            for visit in visits.collect::<Vec<_>>() {
                answers.push(visit.await.expect("a request"));
            }
            answers
        });
        let status = stores.ring.status();
        let keys: Vec<String> = status.keys.iter().map(ToString::to_string).collect();
        println!(
            "{}",
            json!({ "visits": answers, "keys": keys, "refusals": status.refusals })
        );
    }
    true
}
