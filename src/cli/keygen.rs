//! `silverback keygen`: prints new keys.

use std::io::{self, Write};

use clap::Args;
use silverback::codec::{KeyPair, KeyPairs};
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
}

const AFTER_HELP: &str = "\
Example:
  (umask 077; silverback keygen > keys)
  echo '{\"user\": \"ape\"}' | silverback encode --name sid --keys-file keys";

impl Keygen {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let pairs = KeyPairs::generate(self.pairs.into())?;
        let specs = pairs.iter().map(|pair| match self.sign_only {
            true => spec_of(&KeyPair::sign_only(pair.hash().clone())),
            false => spec_of(pair),
        });
        let specs: Vec<String> = specs.map(|spec| spec.to_string()).collect();
        writeln!(io::stdout(), "{}", specs.join(","))?;
        Ok(())
    }
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
