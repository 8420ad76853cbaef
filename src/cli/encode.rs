//! `silverback encode`: seals standard input into a cookie.

use std::io::{self, Read, Write};

use clap::Args;
use serde_json::json;
use silverback::codec::Codec;
use silverback::gob::Value;

use super::failure::Failure;
use super::gob;
use super::payload::{self, Format};
use super::settings::{AgeLimits, Clock, CookieFormat, Keys, SealingHash};

/// Seal a JSON document from standard input; print the cookie's value.
///
/// With --serializer raw, standard input is any bytes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Encode {
    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    format: CookieFormat,

    /// The hash function of the MAC
    #[arg(long, value_enum, default_value_t)]
    hash: SealingHash,

    #[command(flatten)]
    clock: Clock,

    /// Standard input is the text of `decode --exact`
    #[arg(long)]
    exact: bool,

    /// Print a JSON object with the field `cookie`
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  echo '{\"user\": \"ape\"}' | silverback encode --name sid
  silverback decode --name sid --exact COOKIE | silverback encode --name new --exact";

impl Encode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let CookieFormat {
            name, serializer, ..
        } = &self.format;
        let codecs = self
            .format
            .codecs(self.keys.read()?, self.hash.into(), &AgeLimits::ANY)?;
        let mut input = Vec::new();
        io::stdin().read_to_end(&mut input)?;
        let payload = payload::from_input(*serializer, self.exact, input)?;
        if *serializer == Format::Gob
            && let Ok(value) = Value::from_slice(&payload)
        {
            gob::report_unregistered("the document", value.registered_names());
        }
        let cookie = codecs.seal_at(name, &payload, self.clock.now())?;
        match self.json {
            true => writeln!(io::stdout(), "{}", json!({ "cookie": cookie }))?,
            false => writeln!(io::stdout(), "{cookie}")?,
        }
        Ok(())
    }
}
