//! The exact millisecond in which a record expires, on backends that use this machine's clock.

use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use silverback::backend::{Backend, Created, Expiry, Outcome, Owner, OwnerName, Record};
use tokio::runtime::Runtime;

use super::candidates::Candidate;
use super::missing_server;
use silverback::backend::Key;

/// The backends that use this machine's clock.
const OURS: [&str; 5] = ["memory", "files", "sqlite", "dynamodb", "etcd"];

/// The number of operations of each kind that must begin in that millisecond.
const HITS: usize = 3;

pub(crate) fn trials(runtime: &Arc<Runtime>, candidates: &[Arc<Candidate>]) -> Vec<Trial> {
    let ours = candidates.iter().filter(|of| OURS.contains(&of.name));
    let trials = ours.map(|candidate| {
        let name = format!(
            "{}::a_record_has_expired_in_its_millisecond",
            candidate.name
        );
        let (runtime, candidate) = (runtime.clone(), candidate.clone());
        Trial::ignorable_test(name, move || {
            runtime.block_on(async {
                match candidate.backend().await {
                    Ok(backend) => check_expiry(&*backend).await,
                    Err(why) => missing_server(candidate.requirement, why),
                }
            })
        })
    });
    trials.collect()
}

/// Waits for the moment without yielding the thread.
fn at(moment: Expiry) -> bool {
    while Expiry::now() < moment {
        std::hint::spin_loop();
    }
    Expiry::now() == moment
}

async fn check_expiry(backend: &dyn Backend) -> Result<Completion, Failed> {
    let owners = backend.owners().expect("each of these backends has owners");
    let unique = silverback::backend::Generation::random()?;
    // The record is made this many milliseconds before its expiry. The lead grows if that was too
    // late.
    let (mut hits, mut rounds, mut lead) = ([0; 6], 0, 20);
    while hits.iter().any(|hits| *hits < HITS) {
        rounds += 1;
        assert!(
            rounds < 500,
            "the right millisecond was never hit: {hits:?}"
        );
        let question = rounds % hits.len();
        let key = Key::new([&unique.as_bytes()[..], &rounds.to_be_bytes()].concat())?;
        let name = OwnerName::new(format!("{:?} {rounds}", key.as_bytes()))?;
        let soon = Expiry::from_millis(Expiry::now().as_millis() + lead);
        let record = Record::new("v", soon);
        // The record expires with its owner's record, or by its own expiry.
        let record = match question {
            5 => {
                let login = owners.begin(&name, soon, &key).await?;
                record
                    .with_expiry(Expiry::NEVER)
                    .owned_by(Owner { name, login })
            }
            _ => record,
        };
        let Created::Saved(seen) = backend.create(&key, &record).await? else {
            panic!("the key is new");
        };
        if Expiry::now() >= soon {
            lead *= 2;
            continue;
        }
        if !at(soon) {
            continue; // another process delayed this one
        }
        match question {
            0 | 5 => assert_eq!(backend.load(&key).await?, None),
            1 => assert_eq!(backend.swap(&key, &seen, &record).await?, Outcome::Gone),
            2 => assert_eq!(
                backend.touch(&key, &seen, Expiry::NEVER).await?,
                Outcome::Gone
            ),
            3 => assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone),
            _ => assert!(matches!(
                backend.create(&key, &record).await?,
                Created::Saved(_)
            )),
        }
        hits[question] += 1;
    }
    Ok(Completion::Completed)
}
