//! The laws of a [`Backend`] as tests, for the backends of this crate and for your own.
//!
//! Each law is a function of a backend and a key space of its own, so that all laws can run at the
//! same time on one server. It panics if the backend breaks the law, or lacks what the law is
//! about. Ask first whether the law [applies](Law::applies_to), and report those that do not.
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

mod logins;
mod moves;
mod owners;
mod records;
mod scans;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

use super::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Moves, Outcome, Owner, Owners, Record,
    Revision, Scan, Stored,
};

/// A law, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// The law's number in the list of the [module](super).
    pub number: u8,
    /// The law's name, as a test's.
    pub name: &'static str,
    /// The operations that a backend needs for the law.
    pub needs: Needs,
    /// The test. Panics if the backend breaks the law, or lacks the operations it needs.
    pub run: fn(Arc<dyn Backend>, KeySpace) -> Running,
}

impl Law {
    /// Returns whether the backend has the operations that the law is about.
    #[must_use]
    pub fn applies_to(&self, backend: &dyn Backend) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Owners => backend.owners().is_some(),
            Needs::Moves => backend.moves().is_some(),
            Needs::Scan => backend.scan().is_some(),
        }
    }
}

/// Operations that a law is about and that a backend may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The law is about operations that all backends have.
    Nothing,
    /// [`Backend::owners`].
    Owners,
    /// [`Backend::moves`].
    Moves,
    /// [`Backend::scan`].
    Scan,
}

/// A law that is running.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keys and owners that no other test uses.
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

    fn owner(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }
}

macro_rules! laws {
    ($($number:literal $needs:ident $group:ident::$name:ident;)+) => {
        /// All laws, in the order of the [module](super)'s list.
        pub const LAWS: &[Law] = &[$(Law {
            number: $number,
            name: stringify!($name),
            needs: Needs::$needs,
            run: |backend, keys| Box::pin($group::$name(backend, keys)),
        }),+];
    };
}

laws! {
    1 Nothing records::a_missing_record_loads_as_none;
    2 Nothing records::an_expired_record_counts_as_missing;
    2 Nothing records::a_record_expires_by_itself;
    3 Nothing records::create_has_one_winner;
    4 Nothing records::a_stale_revision_is_a_conflict;
    4 Nothing records::swap_has_one_winner;
    4 Nothing records::no_update_is_lost;
    4 Nothing records::no_revision_is_reused;
    5 Nothing records::update_after_remove_is_gone;
    5 Nothing records::a_second_remove_is_gone;
    5 Nothing records::remove_and_swap_have_one_winner;
    6 Nothing records::touch_changes_the_expiry_only;
    7 Nothing records::all_bytes_are_kept;
    7 Nothing records::keys_are_opaque;
    8 Nothing records::far_expiries_are_right;
    9 Scan scans::purge_removes_expired_records_only;
    9 Scan scans::a_scan_returns_the_live_records;
    10 Owners owners::a_revoked_owner_has_no_records;
    10 Owners owners::names_are_opaque_up_to_their_bound;
    10 Owners owners::a_kept_login_survives_a_revocation;
    10 Owners owners::a_revoked_login_cannot_be_kept;
    10 Owners owners::a_login_of_another_owner_cannot_be_kept;
    10 Owners owners::an_expired_login_cannot_be_kept;
    10 Owners owners::a_record_needs_its_owners_record;
    10 Owners owners::an_owners_expiry_is_never_shortened;
    10 Owners owners::an_owners_expiry_can_be_extended;
    10 Owners owners::an_expired_owner_begins_a_new_generation;
    10 Owners owners::a_record_is_listed_with_its_owner_only;
    10 Owners owners::a_concurrent_write_does_not_survive_a_revocation;
    10 Owners owners::two_thousand_records_of_an_owner_end_together;
    10 Owners logins::concurrent_logins_have_distinct_numbers;
    10 Owners logins::a_later_login_has_a_greater_number;
    10 Owners logins::a_login_is_listed_at_once;
    11 Moves moves::a_move_is_atomic;
    11 Moves moves::a_move_needs_the_current_revision;
    11 Moves moves::a_move_to_a_key_in_use_is_refused;
    11 Moves moves::moves_and_swaps_have_one_winner;
    12 Nothing records::a_ping_is_answered;
}

/// Returns a time after the end of any test.
fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn record(value: &[u8]) -> Record {
    Record::new(value, soon())
}

async fn created(backend: &dyn Backend, key: &Key, record: &Record) -> Revision {
    match backend.create(key, record).await.unwrap() {
        Created::Saved(revision) => revision,
        Created::Exists => panic!("the backend has a live record under a key that must be free"),
    }
}

fn done<T>(outcome: Result<Outcome<T>, Error>) -> T {
    match outcome.unwrap() {
        Outcome::Done(answer) => answer,
        Outcome::Conflict => panic!("a conflict without a concurrent write"),
        Outcome::Gone => panic!("the record is gone, and no request removed it"),
    }
}

fn owners_of(backend: &dyn Backend) -> &dyn Owners {
    backend.owners().expect("this law needs Backend::owners")
}

/// Returns a record of that login.
fn owned(owner: &str, login: Login) -> Record {
    record(b"v").owned_by(Owner {
        name: owner.to_owned(),
        login,
    })
}

/// Begins a login of that owner. No record is ever created under the key that it names.
async fn begun(backend: &dyn Backend, keys: &KeySpace, owner: &str) -> Login {
    let owners = owners_of(backend);
    let elsewhere = keys.key("elsewhere");
    owners.begin(owner, soon(), &elsewhere).await.unwrap()
}

/// A moment in the near future, and the wait for it by the server's clock as well as ours.
struct Short {
    until: Expiry,
}

impl Short {
    fn after(milliseconds: u64) -> Self {
        Short {
            until: Expiry::after(Duration::from_millis(milliseconds)),
        }
    }

    /// Waits until the owner's record has expired, which was kept to that moment.
    async fn is_over_for(&self, backend: &dyn Backend, owner: &str) {
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

async fn loaded(backend: &dyn Backend, key: &Key) -> Option<Stored> {
    backend.load(key).await.unwrap()
}

/// Runs `task` this many times concurrently, all from the same moment on.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
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
