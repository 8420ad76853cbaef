//! `silverback sessions end`: ends sessions.

use clap::Args;

use super::super::failure::{Failure, report};
use super::store::{Service, StoreArguments, parse_keys, reason};

/// End sessions, as a logout does.
///
/// Give the keys of the service, the name of its cookie, and its store name if it has one. No
/// concurrent request can restore a session that has ended. A session ends even if a concurrent
/// request renews its key.
///
/// If there is no session under a KEY, a message is printed, the other KEYs are processed, and
/// the exit status is 1. To remove a record that the keys do not open, use `sessions remove`.
#[derive(Args)]
pub(super) struct End {
    #[command(flatten)]
    store: StoreArguments,

    #[command(flatten)]
    service: Service,

    /// The keys of the sessions, as `sessions list` prints them
    #[arg(value_name = "KEY", required = true)]
    sessions: Vec<String>,
}

impl End {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let keys = parse_keys(&self.sessions)?;
        let store = self.store.open(&self.service).await?;
        let mut any_refused = false;
        for (key, text) in keys.iter().zip(&self.sessions) {
            if let Err(refusal) = store.end_by_key(key).await?.into_result() {
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
