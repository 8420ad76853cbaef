//! The laws of a [`Backend`] as tests, for the backends of this crate and for your own.
//!
//! Each law is a function of a backend and a key space of its own, so that all laws can run at the
//! same time on one server. It panics if the backend breaks the law, or lacks the operations that
//! the law needs. Check first whether the law [applies](Law::applies_to), and report the laws that
//! do not.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::sync::Arc;
//! use silverback::backend::Memory;
//! use silverback::backend::conformance::{KeySpace, LAWS};
//!
//! let backend = Arc::new(Memory::new());
//! for law in LAWS.iter().filter(|law| law.applies_to(&*backend)) {
//!     (law.run)(backend.clone(), KeySpace::new().unwrap()).await; // better: a test per law.name
//! }
//! # });
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)] // these are tests

mod changes;
mod laws;
mod logins;
mod moves;
mod owners;
mod records;
mod scans;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

use super::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Moves, Outcome, Owner, OwnerName,
    Owners, Record, Revision, Scan, Stored,
};

pub use laws::{LAWS, Law, Needs, Running};

/// Keys and names of owners that no other test uses.
#[derive(Clone, Debug)]
pub struct KeySpace(String);

impl KeySpace {
    /// Returns another key space each time.
    ///
    /// # Errors
    /// Returns an unavailable error if the system has no randomness.
    pub fn new() -> Result<Self, Error> {
        let random = Generation::random()?;
        Ok(KeySpace(base16ct::lower::encode_string(random.as_bytes())))
    }

    fn key(&self, name: &str) -> Key {
        Key::new(format!("{}-{name}", self.0)).unwrap()
    }

    fn owner(&self, name: &str) -> OwnerName {
        OwnerName::new(format!("{}-{name}", self.0)).unwrap()
    }
}

/// Returns a time after the end of any test.
fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn record(value: &[u8]) -> Record {
    Record::new(value, soon())
}

async fn create(backend: &dyn Backend, key: &Key, record: &Record) -> Revision {
    match backend.create(key, record).await.unwrap() {
        Created::Saved(revision) => revision,
        Created::Exists => panic!("the backend has a live record under a key that must be free"),
    }
}

fn expect_done<T>(outcome: Result<Outcome<T>, Error>) -> T {
    match outcome.unwrap() {
        Outcome::Done(answer) => answer,
        Outcome::Conflict => panic!("a conflict without a concurrent write"),
        Outcome::Gone => panic!("the record is gone, and no request removed it"),
    }
}

fn owners_of(backend: &dyn Backend) -> &dyn Owners {
    backend.owners().expect("this law needs Backend::owners")
}

/// Asserts that the owner's list consists of these keys, or that the backend refuses to list.
async fn assert_lists(owners: &dyn Owners, owner: &OwnerName, expected: &[Key]) {
    let listed = owners.keys(owner).await;
    match owners.can_list() {
        true => assert_eq!(listed.unwrap(), expected),
        false => assert!(listed.unwrap_err().is_usage()),
    }
}

/// Returns a record of that login.
fn owned(owner: &OwnerName, login: Login) -> Record {
    record(b"v").owned_by(Owner {
        name: owner.clone(),
        login,
    })
}

/// Begins a login of that owner. No record is ever created under the key that it names.
async fn begin_login(backend: &dyn Backend, keys: &KeySpace, owner: &OwnerName) -> Login {
    let owners = owners_of(backend);
    let elsewhere = keys.key("elsewhere");
    owners.begin(owner, soon(), &elsewhere).await.unwrap()
}

/// An expiry in the near future. A test can wait for it by the server's clock and by this
/// machine's.
struct NearExpiry {
    until: Expiry,
}

impl NearExpiry {
    fn after(milliseconds: u64) -> Self {
        NearExpiry {
            until: Expiry::after(Duration::from_millis(milliseconds)),
        }
    }

    /// Waits until the record of an owner with this expiry has expired.
    async fn wait_for_expiry_of(&self, backend: &dyn Backend, owner: &OwnerName) {
        let watchdog = Expiry::after(Duration::from_secs(60));
        let owners = owners_of(backend);
        while Expiry::now() < self.until || owners.generation(owner).await.unwrap().is_some() {
            assert!(
                Expiry::now() < watchdog,
                "the owner's record did not expire in time"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn moves_of(backend: &dyn Backend) -> &dyn Moves {
    backend.moves().expect("this law needs Backend::moves")
}

fn scan_of(backend: &dyn Backend) -> &dyn Scan {
    backend.scan().expect("this law needs Backend::scan")
}

async fn load(backend: &dyn Backend, key: &Key) -> Option<Stored> {
    backend.load(key).await.unwrap()
}

/// Runs `task` this many times concurrently, all from the same moment on.
async fn concurrently<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    task: impl Fn(usize) -> F,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(times));
    let tasks: Vec<_> = (0..times)
        .map(|number| {
            let (barrier, task) = (barrier.clone(), task(number));
            tokio::spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
