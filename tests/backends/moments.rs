//! The very millisecond that a record expires in, on backends that go by this machine's clock.

use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use silverback::backend::{Backend, Created, Expiry, Outcome, Owner, OwnerName, Record};
use tokio::runtime::Runtime;

use super::absent;
use super::contestants::Contestant;
use silverback::backend::Key;

/// The contestants that go by this machine's clock.
const OURS: [&str; 4] = ["memory", "files", "sqlite", "dynamodb"];

/// How often an operation begins in that millisecond before it is enough.
const HITS: usize = 3;

pub(crate) fn trials(runtime: &Arc<Runtime>, contestants: &[Arc<Contestant>]) -> Vec<Trial> {
    let ours = contestants.iter().filter(|of| OURS.contains(&of.name));
    let trials = ours.map(|contestant| {
        let name = format!("{}::a_record_is_over_from_its_expiry_on", contestant.name);
        let (runtime, contestant) = (runtime.clone(), contestant.clone());
        Trial::ignorable_test(name, move || {
            runtime.block_on(async {
                match contestant.backend().await {
                    Ok(backend) => is_over(&*backend).await,
                    Err(why) => absent(contestant.requirement, why),
                }
            })
        })
    });
    trials.collect()
}

/// Waits for the moment without giving the thread away.
fn at(moment: Expiry) -> bool {
    while Expiry::now() < moment {
        std::hint::spin_loop();
    }
    Expiry::now() == moment
}

async fn is_over(backend: &dyn Backend) -> Result<Completion, Failed> {
    let owners = backend.owners().expect("each of them has owners");
    let unique = silverback::backend::Generation::random()?;
    // The record is made so many milliseconds before the moment: more, if that was too late.
    let (mut hits, mut rounds, mut lead) = ([0; 6], 0, 20);
    while hits.iter().any(|hits| *hits < HITS) {
        rounds += 1;
        assert!(rounds < 500, "it never came at the right moment: {hits:?}");
        let question = rounds % hits.len();
        let key = Key::new([&unique.as_bytes()[..], &rounds.to_be_bytes()].concat())?;
        let name = OwnerName::new(format!("{:?} {rounds}", key.as_bytes()))?;
        let soon = Expiry::from_millis(Expiry::now().as_millis() + lead);
        let record = Record::new("v", soon);
        // What the owner's record does not outlive, and its own expiry.
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
            continue; // another process had this one's time
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
