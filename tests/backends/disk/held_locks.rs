//! Locks that another process never releases.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use silverback::backend::{Backend, Created, Expiry, Key, Owner, OwnerName, Record};
use tokio::task::JoinSet;

use super::folders::Folders;
use super::{report, writer};

/// The number of concurrent logins.
const LOGINS: usize = 600;

/// The default timeout of an operation.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time at which the test stops waiting.
const WATCHDOG: Duration = Duration::from_secs(25);

/// Takes all locks, prints a line, and waits until its input ends.
pub(super) fn hold(asked: &str) {
    let (kind, folder) = asked.split_once(' ').expect("a kind and a folder");
    let paths = Folders::parse(kind).locks(folder.as_ref());
    let locked = |path| {
        let file = File::create(path).expect("a lock file");
        file.lock().expect("a lock");
        file
    };
    let held: Vec<File> = paths.into_iter().map(locked).collect();
    println!("{} held", held.len());
    std::io::stdout().flush().expect("a pipe");
    let _ = std::io::stdin().read(&mut [0]);
}

/// Starts another process, which has all locks when this returns.
fn holder(kind: Folders, folder: &str) -> Result<Child, Failed> {
    let mut command = writer(&format!("hold {}", kind.name()), folder);
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let out = child.stdout.as_mut().expect("a pipe");
    out.read_exact(&mut [0; 4])?;
    Ok(child)
}

fn record() -> Record {
    Record::new("v", Expiry::NEVER)
}

/// Makes the backend calls of a login.
async fn log_in(
    backend: Arc<dyn Backend>,
    number: usize,
) -> Result<Created, silverback::backend::Error> {
    let key = Key::new(format!("login-{number}"))?;
    let name = OwnerName::new(format!("owner-{number}"))?;
    let record = match backend.owners() {
        Some(owners) => {
            let login = owners.begin(&name, Expiry::NEVER, &key).await?;
            record().owned_by(Owner { name, login })
        }
        None => record(),
    };
    backend.create(&key, &record).await
}

/// Writes are refused in time, reads always succeed, and no refused write is applied later.
pub(super) async fn are_refused_in_time(kind: Folders) -> Result<(), Failed> {
    let folder = kind.place();
    let backend = kind.open(&folder)?;
    let known = Key::new("known")?;
    backend
        .create(&known, &record())
        .await?
        .saved()
        .expect("the key is new");
    let mut holder = holder(kind, folder.to_str().expect("text"))?;
    let began = Instant::now();
    let mut logins = JoinSet::new();
    for number in 0..LOGINS {
        logins.spawn(log_in(backend.clone(), number));
    }
    let (mut reads, mut slowest) = (0, Duration::ZERO);
    let mut unanswered = 0;
    while began.elapsed() < TIMEOUT && unanswered == 0 {
        let read_at = Instant::now();
        match tokio::time::timeout(Duration::from_secs(2), backend.load(&known)).await {
            Ok(stored) => assert!(stored?.is_some()),
            Err(_) => unanswered += 1,
        }
        (reads, slowest) = (reads + 1, slowest.max(read_at.elapsed()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut refused = 0;
    let watched = tokio::time::timeout_at((began + WATCHDOG).into(), async {
        while let Some(login) = logins.join_next().await {
            let error = login.expect("no panic").expect_err("no lock is free");
            assert!(
                error.is_unavailable() && !error.is_outcome_unknown(),
                "{error}"
            );
            assert!(error.to_string().contains("lock"), "{error}");
            refused += 1;
        }
    });
    let is_late = watched.await.is_err();
    let took = began.elapsed();
    holder.kill()?;
    holder.wait()?;
    report(&format!(
        "{kind:?}: {refused} of {LOGINS} logins refused in {took:?}, {} hung; {reads} reads, the \
         slowest {slowest:?}, {unanswered} hung",
        LOGINS - refused
    ));
    assert!(!is_late, "{} of {LOGINS} logins hang", LOGINS - refused);
    assert_eq!(unanswered, 0, "reads hang");
    assert!(took < TIMEOUT + Duration::from_secs(5), "{took:?}");
    // A refused record is not stored, and a login can be repeated.
    for number in 0..LOGINS {
        assert_eq!(
            backend.load(&Key::new(format!("login-{number}"))?).await?,
            None
        );
    }
    assert!(matches!(log_in(backend, 0).await?, Created::Saved(_)));
    Ok(())
}

/// A purge waits for one lock, and lists the others as skipped.
pub(super) async fn delay_no_purge_for_long() -> Result<(), Failed> {
    let (kind, over) = (Folders::Native, Record::new("v", Expiry::from_millis(0)));
    let folder = kind.place();
    let backend = kind.open(&folder)?;
    for number in 0..50 {
        backend
            .create(&Key::new(format!("{number}"))?, &over)
            .await?
            .saved()
            .expect("the key is new");
    }
    let mut holder = holder(kind, folder.to_str().expect("text"))?;
    let scan = backend.scan().expect("a scan");
    let began = Instant::now();
    let purged = tokio::time::timeout(WATCHDOG, scan.purge(100)).await;
    let took = began.elapsed();
    holder.kill()?;
    holder.wait()?;
    let purged = purged.map_err(|_| "the purge hangs")??;
    assert_eq!(purged.removed, 0);
    assert!(purged.skipped.len() > 1 && took < TIMEOUT + Duration::from_secs(5));
    assert_eq!(scan.purge(100).await?.removed, 50);
    Ok(())
}

/// The application occupies all blocking threads of the runtime, and files can still be read and
/// written.
pub(super) fn need_no_thread_of_the_application(kind: Folders) -> Result<(), Failed> {
    let folder = kind.place();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.max_blocking_threads(2).enable_all().build()?;
    let gates = [(); 2].map(|()| {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || gate.recv().is_err());
        open
    });
    let done: Result<_, silverback::backend::Error> = runtime.block_on(async {
        let backend = kind.open(&folder)?;
        let key = Key::new("a")?;
        let done = async {
            backend
                .create(&key, &record())
                .await?
                .saved()
                .expect("the key is new");
            backend.load(&key).await
        };
        let done = tokio::time::timeout(WATCHDOG, done).await;
        done.ok().transpose()
    });
    drop(gates);
    assert!(
        done?.flatten().is_some(),
        "the backend waits for the application"
    );
    Ok(())
}
