//! `silverback sessions remove`: removes records.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use silverback::backend::{Backend, Change, Key, Outcome};

use super::super::failure::{Failure, report};
use super::announce::announce;
use super::keys::find_keys;
use super::store::StoreArguments;

/// The largest number of attempts to remove a record, if concurrent requests change it.
const MAX_ATTEMPTS: usize = 1_000;

/// Remove records, whatever they contain. No keys are needed.
///
/// A session that a concurrent request renews continues under its new key: to end it in any
/// case, use `sessions end`.
///
/// If there is no record under a KEY, a message is printed, the other KEYs are processed, and
/// the exit status is 1.
#[derive(Args)]
pub(super) struct Remove {
    #[command(flatten)]
    store: StoreArguments,

    /// Print a JSON object for each KEY: key, removed (whether there was a record)
    #[arg(long)]
    json: bool,

    /// The keys of the records, as `sessions list` prints them
    #[arg(value_name = "KEY", required = true)]
    records: Vec<String>,
}

impl Remove {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let arguments = self.store.parse_keys(&self.records)?;
        let backend = self.store.connect().await?;
        let keys = find_keys(&arguments, &*backend).await?;
        let mut any_missing = false;
        for ((key, text), number) in keys.iter().zip(&self.records).zip(1..) {
            let removed = match key {
                Some(key) => remove(&*backend, key).await?,
                None => false,
            };
            any_missing |= !removed;
            let name = self.store.key_form().name(number, text);
            if self.json {
                let line = json!({"key": name, "removed": removed});
                writeln!(io::stdout(), "{line}")?;
            } else if !removed {
                report(format_args!("silverback: {name}: there is no such record"));
            }
        }
        match any_missing {
            true => Err(Failure::Refused(String::new())),
            false => Ok(()),
        }
    }
}

/// Removes a record, and returns whether it existed. If a concurrent request changes it, tries
/// again.
async fn remove(backend: &dyn Backend, key: &Key) -> Result<bool, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(stored) = backend.load(key).await? else {
            return Ok(false);
        };
        match backend.remove(key, &stored.revision).await? {
            Outcome::Done(()) => {
                announce(backend, Change::Record(key.clone())).await;
                return Ok(true);
            }
            Outcome::Gone => return Ok(false),
            Outcome::Conflict => {}
        }
    }
    Err(Failure::usage(
        "concurrent requests keep changing the record: try again later",
    ))
}
