//! `silverback sessions delete`: sessions end, or records go.

use clap::Args;
use silverback::backend::{Backend, Key, Outcome};
use silverback::session::Refusal;

use super::super::{Failure, tell};
use super::store::{Place, Service, parse_key, reason};

/// How often a record that changes meanwhile is tried to be removed.
const MOST_CONFLICTS: usize = 1_000;

/// End sessions, or remove their records.
///
/// With the keys of the service and the name of its cookie, each session ends as by a
/// logout: no request that is at work brings it back, and it is found even if it is moving to
/// another key at this moment. Without --name no keys are needed, and the record under the
/// KEY is removed, whatever it is: a session that was moving goes on.
///
/// A KEY that is not there is said, the others go on, and the exit status is 1.
#[derive(Args)]
pub(super) struct Delete {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    service: Service,

    /// The sessions' keys, as `sessions list` prints them
    #[arg(value_name = "KEY", required = true)]
    sessions: Vec<String>,
}

impl Delete {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let keys = self.sessions.iter().map(|key| parse_key(key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let store = self.place.open(&self.service).await?;
        let backend = match &store {
            Some(store) => store.backend().clone(),
            None => self.place.connect().await?,
        };
        let mut any_refused = false;
        for (key, text) in keys.iter().zip(&self.sessions) {
            let done = match &store {
                Some(store) => store.end_found(key).await?,
                None => remove(&*backend, key).await?,
            };
            if let Err(refusal) = done {
                any_refused = true;
                tell(format_args!("silverback: {text}: {}", reason(refusal)));
            }
        }
        match any_refused {
            true => Err(Failure::Refused(String::new())),
            false => Ok(()),
        }
    }
}

/// Removes a record, in whatever state it is.
async fn remove(backend: &dyn Backend, key: &Key) -> Result<Result<(), Refusal>, Failure> {
    for _ in 0..MOST_CONFLICTS {
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
        "the record changes faster than it can be removed",
    ))
}
