//! `silverback keygen`: prints new keys.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use silverback::codec::{KeyPair, KeyPairs};

use super::failure::Failure;

/// Print new keys.
///
/// Each pair is a hash key of 64 bytes and an AES-256 key, in hex.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Keygen {
    /// The number of pairs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pairs: u16,

    /// Leave out the block keys: cookies are signed and not encrypted, so clients can read them
    #[arg(long)]
    sign_only: bool,

    /// Print a JSON object with the field `pairs`: the text of each pair
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  (umask 077; silverback keygen > keys)
  echo '{\"user\": \"ape\"}' | silverback encode --name sid --keys-file keys";

impl Keygen {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let pairs = KeyPairs::generate(self.pairs.into())?;
        let specs: Vec<String> = pairs.iter().map(|pair| self.spec(pair)).collect();
        match self.json {
            true => writeln!(io::stdout(), "{}", json!({ "pairs": specs }))?,
            false => writeln!(io::stdout(), "{}", specs.join(","))?,
        }
        Ok(())
    }

    fn spec(&self, pair: &KeyPair) -> String {
        let hash = base16ct::lower::encode_string(pair.hash().expose());
        match pair.block().filter(|_| !self.sign_only) {
            Some(block) => format!("{hash}:{}", base16ct::lower::encode_string(block.expose())),
            None => hash,
        }
    }
}
