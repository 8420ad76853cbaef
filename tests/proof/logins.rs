//! Logins of one owner at the same moment, in two stores and in two processes: once all are
//! answered, exactly as many sessions are left as the store allows, or as there were logins,
//! and they are those of the latest logins.

use std::sync::Arc;

use silverback::backend::Backend;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::testing::Jar;
use silverback::session::{ServerOptions, ServerStore};

use crate::{ROUNDS, RUNTIME};

/// How many sessions the stores allow.
const LIMITS: [usize; 3] = [1, 2, 5];

/// How many log in at once, and how many of ten thousand rounds are played: more rounds with
/// fewer logins.
const AT_ONCE: [(usize, usize); 4] = [(2, 1_500), (4, 1_500), (20, 150), (60, 50)];

fn rounds(of_ten_thousand: usize) -> usize {
    (*ROUNDS * of_ten_thousand / 10_000).max(1)
}

/// A store of its own, with the keys in that text.
fn store(backend: Arc<dyn Backend>, keys: &str, limit: usize) -> ServerStore {
    let codecs = Codecs::from_pairs(keys.parse::<KeyPairs>().unwrap()).unwrap();
    ServerStore::with_options(codecs, backend, ServerOptions::new().at_most(limit)).unwrap()
}

fn fresh_keys() -> String {
    let pair = |length| {
        let bytes = silverback::codec::generate_random_key(length).unwrap();
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!("{}:{}", pair(64), pair(32))
}

/// So many logins at once, in each of the stores in turn.
async fn log_in(stores: &[ServerStore], owner: &str, logins: usize) {
    let barrier = Arc::new(tokio::sync::Barrier::new(logins));
    let mut tasks = Vec::new();
    for number in 0..logins {
        let store = stores[number % stores.len()].clone();
        let (barrier, owner) = (barrier.clone(), owner.to_owned());
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let logged_in = Jar::with(store, |session| session.login(owner)).await;
            logged_in.expect("a login");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// What was seen of the rounds with one limit and one number of logins.
struct Tally {
    limit: usize,
    at_once: usize,
    rounds: usize,
    wrong: usize,
    emptied: usize,
}

impl Tally {
    fn new(limit: usize, at_once: usize, rounds: usize) -> Self {
        Tally {
            limit,
            at_once,
            rounds,
            wrong: 0,
            emptied: 0,
        }
    }

    async fn count(&mut self, store: &ServerStore, owner: &str) {
        let left = left(store, owner, self.at_once as u64).await;
        let first = self.at_once.saturating_sub(self.limit) as u64;
        let expected: Vec<u64> = (first..self.at_once as u64)
            .map(|number| number + 1)
            .collect();
        self.wrong += usize::from(left != expected);
        self.emptied += usize::from(left.is_empty());
        store.revoke(owner).await.unwrap();
    }

    fn told(&self) -> String {
        let Tally {
            limit,
            at_once,
            rounds,
            wrong,
            emptied,
        } = self;
        format!("at most {limit}, {at_once} at once: {wrong} of {rounds} wrong, {emptied} emptied")
    }
}

/// The numbers of the logins whose sessions are left.
async fn left(store: &ServerStore, owner: &str, at_once: u64) -> Vec<u64> {
    let sessions = store.list(owner).await.unwrap();
    let first = 1 + at_once.saturating_sub(sessions.len() as u64);
    (0..sessions.len() as u64)
        .map(|number| first + number)
        .collect()
}

/// Holds all tallies against what is promised.
fn judge(tallies: &[Tally]) -> String {
    let told: Vec<String> = tallies.iter().map(Tally::told).collect();
    let told = told.join("; ");
    assert!(tallies.iter().all(|tally| tally.wrong == 0), "{told}");
    told
}

pub(crate) fn leave_the_latest(backend: Arc<dyn Backend>) -> String {
    let mut tallies = Vec::new();
    for limit in LIMITS {
        for (at_once, of_ten_thousand) in AT_ONCE {
            let keys = fresh_keys();
            let stores = [(); 2].map(|()| store(backend.clone(), &keys, limit));
            let mut tally = Tally::new(limit, at_once, rounds(of_ten_thousand));
            for round in 0..tally.rounds {
                let owner = format!("{limit} {at_once} {round}");
                RUNTIME.block_on(async {
                    log_in(&stores, &owner, at_once).await;
                    tally.count(&stores[round % 2], &owner).await;
                });
            }
            tallies.push(tally);
        }
    }
    judge(&tallies)
}
