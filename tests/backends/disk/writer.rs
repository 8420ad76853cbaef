//! The process that writes: this program, selected by a variable of its environment.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use silverback::backend::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Outcome, Owner, Record, Revision,
    connect,
};
use tokio::runtime::Runtime;

use super::folders::Folders;
use super::record::{KEYS, State, Step, is_owned, key, owner};
use super::{held_locks, outages};

/// The work, a space, and the backend's URL.
pub(super) const VARIABLE: &str = "SILVERBACK_TEST_WRITER";

/// The number of additions of each process.
pub(super) const ADDED: u64 = 50;

/// The number of concurrent tasks, each with its own keys.
const TASKS: usize = 4;

/// Does the work that the environment requests. Returns false without such a request.
pub(crate) fn is_writer(runtime: &Runtime) -> bool {
    let Ok(asked) = std::env::var(VARIABLE) else {
        return false;
    };
    let (work, url) = asked.split_once(' ').expect("work and a URL");
    if work == "hold" {
        held_locks::hold(url);
        return true;
    }
    runtime.block_on(async {
        if work == "ask" {
            return outages::ask(url).await;
        }
        let backend = match url.split_once(':') {
            Some(("gorilla_files", folder)) => Folders::Gorilla.open(folder.as_ref()),
            _ => connect(url).await,
        };
        let backend = backend.expect("the backend");
        match work {
            "forever" => write_forever(backend).await,
            "add" => add(&*backend).await.expect("additions"),
            times => write(&*backend, times.parse().expect("a number")).await,
        }
    });
    true
}

struct Writer {
    backend: Arc<dyn Backend>,
    login: Login,
    writes: AtomicU64,
}

async fn write_forever(backend: Arc<dyn Backend>) {
    let owners = backend.owners().expect("owners");
    let login = owners.begin(&owner(), Expiry::NEVER, &key(0)).await;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = since_epoch.expect("a time after 1970").as_micros();
    let writer = Arc::new(Writer {
        login: login.expect("a login"),
        // Later than those of the previous process, and very far in the future as milliseconds.
        writes: AtomicU64::new(start.try_into().expect("a time before 500000")),
        backend,
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.run(task).await.expect("no error") })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that never ends");
    }
}

impl Writer {
    /// Writes to each of the task's keys in turn.
    async fn run(&self, task: usize) -> Result<(), Error> {
        loop {
            for number in (task..KEYS).step_by(TASKS) {
                let choice = Generation::random()?.as_bytes()[0];
                self.change(number, choice % 6).await?;
            }
            self.purge().await?;
        }
    }

    async fn change(&self, number: usize, choice: u8) -> Result<(), Error> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        let state = State {
            value: write,
            until: write,
        };
        let record = state.record(number, self.login);
        let key = key(number);
        let Some(stored) = self.backend.load(&key).await? else {
            let saved = announced(number, Some(state), self.backend.create(&key, &record));
            assert!(matches!(saved.await?, Created::Saved(_)));
            return Ok(());
        };
        let (seen, before) = (&stored.revision, State::of(&stored));
        let is_done = match choice {
            0 => {
                let remove = self.backend.remove(&key, seen);
                announced(number, None, remove).await? == Outcome::Done(())
            }
            1 | 2 => {
                let value = before.value;
                let state = State { value, ..state };
                let touch = self.backend.touch(&key, seen, state.expiry());
                let outcome = announced(number, Some(state), touch).await?;
                matches!(outcome, Outcome::Done(_))
            }
            _ => {
                let swap = self.backend.swap(&key, seen, &record);
                let outcome = announced(number, Some(state), swap).await?;
                matches!(outcome, Outcome::Done(_))
            }
        };
        assert!(is_done, "there is no concurrent write");
        Ok(())
    }

    /// Creates an expired record, and purges it.
    async fn purge(&self) -> Result<(), Error> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        let key = Key::new(format!("over-{write}"))?;
        let record = Record::new("v", Expiry::from_millis(0));
        self.backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        self.backend.scan().expect("a scan").purge(10).await?;
        Ok(())
    }
}

/// Prints a line before the write, and another after its acknowledgement.
async fn announced<T>(
    key: usize,
    state: Option<State>,
    write: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    say(Step {
        is_done: false,
        key,
        state,
    });
    let answer = write.await?;
    say(Step {
        is_done: true,
        key,
        state,
    });
    Ok(answer)
}

/// Prints a line in one piece.
fn say(step: Step) {
    let line = step.to_string();
    let mut out = std::io::stdout().lock();
    let said = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    said.expect("a reader");
}

/// Creates that many records, every other one with an owner, and then swaps, touches and removes
/// each.
async fn write(backend: &dyn Backend, times: usize) {
    let owned_by = match backend.owners() {
        Some(owners) => {
            let login = owners.begin(&owner(), Expiry::NEVER, &key(0)).await;
            let (name, login) = (owner(), login.expect("a login"));
            Some(Owner { name, login })
        }
        None => None,
    };
    let record = |number: usize| {
        let record = Record::new([b'v'; 500], Expiry::NEVER);
        match &owned_by {
            Some(owner) if is_owned(number) => record.owned_by(owner.clone()),
            _ => record,
        }
    };
    let mut seen: Vec<Revision> = Vec::new();
    for number in 0..times {
        let created = announced(number, None, backend.create(&key(number), &record(number))).await;
        match created.expect("an answer") {
            Created::Saved(revision) => seen.push(revision),
            Created::Exists => panic!("the key is new"),
        }
    }
    for (number, seen) in seen.iter_mut().enumerate() {
        let (key, record) = (key(number), record(number));
        let swap = backend.swap(&key, seen, &record);
        *seen = done(announced(number, None, swap).await);
    }
    let later = Expiry::after(Duration::from_secs(86_400));
    for (number, seen) in seen.iter_mut().enumerate() {
        let key = key(number);
        let touch = backend.touch(&key, seen, later);
        *seen = done(announced(number, None, touch).await);
    }
    for (number, seen) in seen.iter().enumerate() {
        let key = key(number);
        done(announced(number, None, backend.remove(&key, seen)).await);
    }
}

fn done<T>(outcome: Result<Outcome<T>, Error>) -> T {
    match outcome.expect("an answer") {
        Outcome::Done(done) => done,
        Outcome::Conflict | Outcome::Gone => panic!("there is no concurrent write"),
    }
}

fn sum_key() -> Key {
    Key::new("sum").expect("a short key")
}

/// Returns the sum of all additions.
pub(super) async fn sum(backend: &dyn Backend) -> Result<Option<u64>, Error> {
    let stored = backend.load(&sum_key()).await?;
    Ok(stored.map(|stored| {
        let bytes = stored.record.value().try_into();
        u64::from_be_bytes(bytes.expect("a number"))
    }))
}

/// Adds one repeatedly, concurrently with other processes.
async fn add(backend: &dyn Backend) -> Result<(), Error> {
    let record = |sum: u64| Record::new(sum.to_be_bytes(), Expiry::NEVER);
    let mut left = ADDED;
    while left > 0 {
        let is_added = match backend.load(&sum_key()).await? {
            None => backend.create(&sum_key(), &record(1)).await? != Created::Exists,
            Some(stored) => {
                let bytes = stored.record.value().try_into();
                let sum = u64::from_be_bytes(bytes.expect("a number"));
                let next = record(sum + 1);
                let swapped = backend.swap(&sum_key(), &stored.revision, &next).await?;
                matches!(swapped, Outcome::Done(_))
            }
        };
        left -= u64::from(is_added);
    }
    Ok(())
}
