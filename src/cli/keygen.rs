//! `silverback keygen`: prints new keys.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use silverback::codec::{HashKey, KeyPair};
use zeroize::Zeroizing;

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
        let pairs = (0..self.pairs).map(|_| new_pair(self.sign_only));
        let specs = pairs.map(|pair| Ok(spec_of(&pair?).to_string()));
        let specs: Vec<String> = specs.collect::<Result<_, Failure>>()?;
        match self.json {
            true => writeln!(io::stdout(), "{}", json!({ "pairs": specs }))?,
            false => writeln!(io::stdout(), "{}", specs.join(","))?,
        }
        Ok(())
    }
}

/// Returns a new pair.
pub(super) fn new_pair(sign_only: bool) -> Result<KeyPair, Failure> {
    Ok(match sign_only {
        true => KeyPair::sign_only(HashKey::generate()?),
        false => KeyPair::generate()?,
    })
}

/// Returns the text of a pair, in hex.
pub(super) fn spec_of(pair: &KeyPair) -> Zeroizing<String> {
    let hex = |key: &[u8]| Zeroizing::new(base16ct::lower::encode_string(key));
    let hash = hex(pair.hash().expose());
    match pair.block() {
        Some(block) => Zeroizing::new([&hash, ":", &hex(block.expose())].concat()),
        None => hash,
    }
}
