//! `silverback reseal`: opens cookies with any key, and seals them with the newest.

use clap::Args;
use silverback::codec::{Codec, Codecs, Error, HashFunction, Opened, UnixTime};

use super::cookies::Cookies;
use super::failure::Failure;
use super::settings::{Opening, OpeningHash};

/// Open cookies with any key; print them sealed by the newest key.
///
/// Each cookie keeps its date, so that its expiry does not change. Cookies with SHA-1 are opened
/// too, and sealed with the --hash (SHA-256 for sha1).
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Reseal {
    #[command(flatten)]
    opening: Opening,

    #[command(flatten)]
    cookies: Cookies,
}

const AFTER_HELP: &str = "\
Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  cookie=$(echo '{\"user\": \"ape\"}' | silverback encode --name sid)
  export SILVERBACK_KEYS=$(silverback keygen),$SILVERBACK_KEYS
  silverback reseal --name sid \"$cookie\"";

impl Reseal {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            format,
            hash,
            clock,
            ..
        } = &self.opening;
        let keys = self.opening.keys()?;
        let chain = |hash| self.opening.codecs(keys.pairs.clone(), hash);
        let hash = match *hash {
            OpeningHash::Sha1 => HashFunction::Sha256,
            hash => hash.into(),
        };
        let (codecs, sha1_codecs) = (chain(hash)?, chain(HashFunction::Sha1)?);
        let (name, now) = (&format.name, clock.now());
        let answer = |cookie: &str| {
            let opened = open(&codecs, &sha1_codecs, name, cookie, now)?;
            let resealed = codecs.seal_at(name, opened.value(), opened.issued_at())?;
            Ok(self.cookies.line_of(resealed))
        };
        let hashes = [hash, HashFunction::Sha1];
        let hint = |cookie: &str| self.opening.hint(&keys, &hashes, cookie);
        self.cookies.process(answer, hint)
    }
}

/// Opens a cookie with the first chain, or with the second if it is not valid for the first.
///
/// There are two chains because one chain refuses the same key with two hash functions.
fn open(
    codecs: &Codecs,
    sha1_codecs: &Codecs,
    name: &str,
    cookie: &str,
    now: UnixTime,
) -> Result<Opened<Vec<u8>>, Error> {
    match codecs.open_at(name, cookie, now) {
        Err(refused) if refused.is_not_valid() => sha1_codecs.open_at(name, cookie, now),
        result => result,
    }
}
