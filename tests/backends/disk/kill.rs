//! A writer is killed repeatedly in one place, and the test checks its records after each kill.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use libtest_mimic::Failed;
use silverback::backend::{Backend, Created, Expiry, Generation, Key, Outcome, Record, connect};

use super::super::candidates::on_disk;
use super::record::{KEYS, State, Step, is_owned, key, owner};
use super::{report, writer};

/// The last acknowledged state of a key, and the state that was attempted afterwards.
#[derive(Clone, Copy, Default)]
struct Known {
    state: Option<State>,
    tried: Option<Option<State>>,
}

/// The figures of all rounds.
#[derive(Default)]
struct Seen {
    acknowledged: usize,
    unfinished: usize,
    unfinished_and_applied: usize,
}

pub(super) async fn try_rounds(kind: &str, rounds: usize) -> Result<(), Failed> {
    let url = on_disk(kind);
    let mut known = [Known::default(); KEYS];
    let mut seen = Seen::default();
    for round in 0..rounds {
        for step in killed(&url, round)? {
            let of = &mut known[step.key];
            if step.is_done {
                seen.acknowledged += 1;
                (of.state, of.tried) = (step.state, None);
            } else {
                of.tried = Some(step.state);
            }
        }
        let backend = connect(&url).await?;
        check_records(&*backend, &mut known, &mut seen).await?;
        check_locks(&*backend).await?;
    }
    assert!(seen.acknowledged > rounds, "the writers wrote no record");
    report(&format!(
        "{kind}: {rounds} writers killed, {} writes acknowledged all of them found, \
         {} begun and not acknowledged, of which {} were applied",
        seen.acknowledged, seen.unfinished, seen.unfinished_and_applied
    ));
    Ok(())
}

/// Starts a writer, kills it, and returns its steps.
fn killed(url: &str, round: usize) -> Result<Vec<Step>, Failed> {
    let mut child = writer("forever", url).spawn()?;
    let (first, lines) = listen(&mut child);
    if !round.is_multiple_of(4) {
        // Three rounds in four kill the writer during its writes, and the fourth at any moment.
        let signal = first.recv_timeout(Duration::from_secs(60));
        signal.expect("a writer that continues after the previous kill");
    }
    let chance = u16::from_be_bytes(*Generation::random()?.as_bytes().first_chunk().unwrap());
    std::thread::sleep(Duration::from_millis(u64::from(chance % 250)));
    assert!(child.try_wait()?.is_none(), "the writer ended by itself");
    child.kill()?;
    child.wait()?;
    let text = lines.join().expect("the output of the writer");
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    let steps = whole.lines().map(|line| Step::parse(line).expect(line));
    Ok(steps.collect())
}

/// Reads the child's output to its end, and signals its first line.
fn listen(child: &mut Child) -> (Receiver<()>, JoinHandle<String>) {
    let out = child.stdout.take().expect("a pipe");
    let (first, signal) = channel();
    let lines = std::thread::spawn(move || {
        let (mut out, mut text) = (BufReader::new(out), String::new());
        out.read_line(&mut text).expect("text");
        let _ = first.send(());
        out.read_to_string(&mut text).expect("text");
        text
    });
    (signal, lines)
}

/// Checks that each record is whole and has the acknowledged or the last attempted state, and that
/// all lists contain exactly these records.
async fn check_records(
    backend: &dyn Backend,
    known: &mut [Known],
    seen: &mut Seen,
) -> Result<(), Failed> {
    for (number, known) in known.iter_mut().enumerate() {
        let found = backend.load(&key(number)).await?.as_ref().map(State::of);
        if let Some(tried) = known.tried {
            seen.unfinished += 1;
            seen.unfinished_and_applied += usize::from(found == tried);
        }
        let is_known = found == known.state || Some(found) == known.tried;
        assert!(
            is_known,
            "key {number} is {found:?}, of {:?} or {:?}",
            known.state, known.tried
        );
        *known = Known {
            state: found,
            tried: None,
        };
    }
    let live = || (0..KEYS).filter(|number| known[*number].state.is_some());
    let scan = backend.scan().expect("a scan");
    let page = scan.page(None, 2 * KEYS).await?.entries;
    let listed: Vec<Key> = page.into_iter().map(|entry| entry.key).collect();
    assert_eq!(listed, live().map(key).collect::<Vec<_>>());
    let owners = backend.owners().expect("owners");
    let mut owned = owners.keys(&owner()).await?;
    owned.sort();
    let expected = live().filter(|number| is_owned(*number)).map(key);
    assert_eq!(owned, expected.collect::<Vec<_>>());
    while scan.purge(10).await?.removed == 10 {}
    Ok(())
}

/// Checks that no lock is left.
async fn check_locks(backend: &dyn Backend) -> Result<(), Failed> {
    let (key, record) = (Key::new("next")?, Record::new("v", Expiry::NEVER));
    let Created::Saved(revision) = backend.create(&key, &record).await? else {
        panic!("the last round removed the record");
    };
    assert_eq!(backend.remove(&key, &revision).await?, Outcome::Done(()));
    Ok(())
}
