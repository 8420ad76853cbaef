//! `silverback sessions delete`: ends sessions, or removes records.

use clap::Args;
use silverback::backend::{Backend, Key, Outcome};
use silverback::session::Refusal;

use super::super::failure::{Failure, report};
use super::store::{Service, StoreArguments, parse_key, reason};

/// The largest number of attempts to remove a record, if concurrent requests change it.
const MAX_ATTEMPTS: usize = 1_000;

/// End sessions, or remove their records.
///
/// With the keys of the service and the name of its cookie, each session ends as by a logout: no
/// concurrent request can restore it, and it ends even if a concurrent request renews its key.
/// Without --name no keys are needed, and the record under the KEY is removed, whatever it
/// contains: a session that is renewed at that moment continues under its new key.
///
/// If there is no session under a KEY, a message is printed, the other KEYs are processed, and
/// the exit status is 1.
#[derive(Args)]
pub(super) struct Delete {
    #[command(flatten)]
    store: StoreArguments,

    #[command(flatten)]
    service: Service,

    /// The keys of the sessions, as `sessions list` prints them
    #[arg(value_name = "KEY", required = true)]
    sessions: Vec<String>,
}

impl Delete {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let keys = self.sessions.iter().map(|key| parse_key(key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let store = self.store.open(&self.service).await?;
        let backend = match &store {
            Some(store) => store.backend().clone(),
            None => self.store.connect().await?,
        };
        let mut any_refused = false;
        for (key, text) in keys.iter().zip(&self.sessions) {
            let done = match &store {
                Some(store) => store.end_by_key(key).await?.into_result(),
                None => remove(&*backend, key).await?,
            };
            if let Err(refusal) = done {
                any_refused = true;
                report(format_args!("silverback: {text}: {}", reason(refusal)));
            }
        }
        match any_refused {
            true => Err(Failure::Refused(String::new())),
            false => Ok(()),
        }
    }
}

/// Removes a record, whatever it contains. If a concurrent request changes it, tries again.
async fn remove(backend: &dyn Backend, key: &Key) -> Result<Result<(), Refusal>, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(stored) = backend.load(key).await? else {
            return Ok(Err(Refusal::Gone));
        };
        match backend.remove(key, &stored.revision).await? {
            Outcome::Done(()) => return Ok(Ok(())),
            Outcome::Gone => return Ok(Err(Refusal::Gone)),
            Outcome::Conflict => {}
        }
    }
    Err(Failure::usage(
        "concurrent requests keep changing the record: try again later",
    ))
}
