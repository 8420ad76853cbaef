//! `silverback sessions end`: ends sessions.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use silverback::session::Refusal;

use super::super::failure::{Failure, report};
use super::keys::find_keys;
use super::store::{Service, StoreArguments, reason};

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

    /// Print a JSON object for each KEY: key, ended, and reason (null if it was ended)
    #[arg(long)]
    json: bool,

    /// The keys of the sessions, as `sessions list` prints them
    #[arg(value_name = "KEY", required = true)]
    sessions: Vec<String>,
}

impl End {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let arguments = self.store.parse_keys(&self.sessions)?;
        let store = self.store.open(&self.service).await?;
        let keys = find_keys(&arguments, &**store.backend()).await?;
        let mut any_refused = false;
        for ((key, text), number) in keys.iter().zip(&self.sessions).zip(1..) {
            let ended = match key {
                Some(key) => store.end_by_key(key).await?.into_result().map(drop),
                None => Err(Refusal::Gone),
            };
            let refused = ended.err().map(reason);
            let name = self.store.key_form().name(number, text);
            any_refused |= refused.is_some();
            if self.json {
                let (ended, reason) = (refused.is_none(), refused);
                let line = json!({"key": name, "ended": ended, "reason": reason});
                writeln!(io::stdout(), "{line}")?;
            } else if let Some(reason) = refused {
                report(format_args!("silverback: {name}: {reason}"));
            }
        }
        match any_refused {
            true => Err(Failure::Refused(String::new())),
            false => Ok(()),
        }
    }
}
