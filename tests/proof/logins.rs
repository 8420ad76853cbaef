//! Concurrent logins of one owner, in two stores and in two processes. After all responses, exactly
//! as many sessions are left as the stores allow, or as there were logins, and they are those of
//! the latest logins.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use silverback::backend::{Backend, Key};
use silverback::codec::{Codecs, KeyPairs, generate_random_key};
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore};

use crate::{ROUNDS, RUNTIME, connected};

/// The limits of sessions in the stores.
const LIMITS: [usize; 3] = [1, 2, 5];

/// The number of concurrent logins, and in how many of ten thousand rounds: each login reads all
/// others of its round.
const AT_ONCE: [(usize, usize); 4] = [(2, 1_500), (4, 1_500), (20, 150), (60, 50)];

/// The backend of the second process, and the keys of its store.
const URL: &str = "SILVERBACK_PROOF_URL";
const KEYS: &str = "SILVERBACK_PROOF_KEYS";

/// Returns keys of a store as text.
fn fresh_keys() -> String {
    let hex = |length| {
        let key = generate_random_key(length).unwrap();
        key.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!("{}:{}", hex(64), hex(32))
}

fn store(backend: &Arc<dyn Backend>, keys: &str, limit: usize) -> ServerStore {
    let codecs = Codecs::from_pairs(keys.parse::<KeyPairs>().unwrap()).unwrap();
    let options = ServerOptions::new().max_sessions(limit);
    ServerStore::with_options(codecs, backend.clone(), options).unwrap()
}

/// Starts that many concurrent logins, in each of the stores in turn.
async fn log_in(stores: &[ServerStore], owner: &str, logins: usize) {
    let barrier = Arc::new(tokio::sync::Barrier::new(logins));
    let tasks: Vec<_> = (0..logins)
        .map(|number| {
            let store = stores[number % stores.len()].clone();
            let (barrier, owner) = (barrier.clone(), owner.to_owned());
            tokio::spawn(async move {
                barrier.wait().await;
                Jar::with(store, |session| session.login(owner)).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().expect("a login");
    }
}

/// Returns the numbers of the logins that have sessions.
async fn left(store: &ServerStore, owner: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for session in store.list(owner).await.unwrap() {
        let key = Key::new(session.id().as_str()).unwrap();
        let stored = store.backend().load(&key).await.unwrap();
        let record = stored.expect("no request ends the session now").record;
        numbers.push(
            record
                .owner()
                .expect("the record has an owner")
                .login
                .number,
        );
    }
    numbers.sort();
    numbers
}

/// Rounds with this number of concurrent logins, and this limit.
#[derive(Clone, Copy)]
struct Round {
    limit: usize,
    logins: usize,
}

impl Round {
    /// Returns each kind of round, and how often it is played.
    fn all() -> impl Iterator<Item = (Round, usize)> {
        LIMITS.into_iter().flat_map(|limit| {
            AT_ONCE.map(|(logins, times)| {
                let times = (*ROUNDS * times / 10_000).max(1);
                (Round { limit, logins }, times)
            })
        })
    }

    /// Returns whether exactly the expected sessions are left.
    async fn is_right(self, store: &ServerStore, owner: &str) -> bool {
        let left = left(store, owner).await;
        let ended = self.logins.saturating_sub(self.limit);
        let latest = (ended + 1..=self.logins).map(|number| number as u64);
        store.end_all(owner).await.unwrap();
        left == latest.collect::<Vec<_>>()
    }
}

/// Plays all rounds, and counts those with a wrong result.
fn play(mut is_right: impl FnMut(Round, &str) -> bool) -> String {
    let mut wrong = Vec::new();
    let mut played = 0;
    for (round, times) in Round::all() {
        let Round { limit, logins } = round;
        let owner = |time: usize| format!("{limit} {logins} {time}");
        let failed = (0..times)
            .filter(|time| !is_right(round, &owner(*time)))
            .count();
        played += times;
        if failed > 0 {
            wrong.push(format!(
                "at most {limit}, {logins} at once: {failed} of {times} wrong"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
    format!("{played} rounds, each left the latest logins")
}

pub(crate) fn leave_the_latest(backend: Arc<dyn Backend>) -> String {
    let keys = fresh_keys();
    play(|round, owner| {
        let stores = [(); 2].map(|()| store(&backend, &keys, round.limit));
        RUNTIME.block_on(async {
            log_in(&stores, owner, round.logins).await;
            round.is_right(&stores[0], owner).await
        })
    })
}

/// Half of the logins run in another process.
pub(crate) fn leave_the_latest_of_two_processes(url: &str) -> String {
    let (keys, backend) = (fresh_keys(), connected(url));
    let mut second = SecondProcess::start(url, &keys);
    let said = play(|round, owner| {
        let half = round.logins / 2;
        let stores = [store(&backend, &keys, round.limit)];
        second.begin(&format!("{} {half} {owner}", round.limit));
        RUNTIME.block_on(log_in(&stores, owner, round.logins - half));
        second.has_ended();
        RUNTIME.block_on(round.is_right(&stores[0], owner))
    });
    second.end();
    said
}

struct SecondProcess {
    process: Child,
    rounds: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl SecondProcess {
    fn start(url: &str, keys: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .envs([(URL, url), (KEYS, keys)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut second = SecondProcess {
            rounds: process.stdin.take().expect("a pipe"),
            answers: BufReader::new(process.stdout.take().expect("a pipe")).lines(),
            process,
        };
        second.has_ended(); // the process has connected
        second
    }

    fn begin(&mut self, round: &str) {
        writeln!(self.rounds, "{round}").expect("the process reads its input");
    }

    fn has_ended(&mut self) {
        let line = self.answers.next().expect("the process answers");
        line.expect("text");
    }

    fn end(mut self) {
        drop(self.rounds);
        assert!(self.process.wait().expect("the process ends").success());
    }
}

/// Returns whether this was the second process, which then has run the requested logins.
pub(crate) fn was_second_process() -> bool {
    let (Ok(url), Ok(keys)) = (std::env::var(URL), std::env::var(KEYS)) else {
        return false;
    };
    let backend = connected(&url);
    println!("connected");
    for round in std::io::stdin().lines() {
        let round = round.expect("text");
        let mut parts = round.splitn(3, ' ');
        let mut next = || parts.next().expect("a limit, how many, and the owner");
        let (limit, logins, owner) = (next(), next(), next());
        let store = store(&backend, &keys, limit.parse().expect("a limit"));
        let logins = logins.parse().expect("a number");
        RUNTIME.block_on(log_in(&[store], owner, logins));
        println!("{round}");
    }
    true
}
