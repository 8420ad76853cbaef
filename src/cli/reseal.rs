//! `silverback reseal`: cookies of any key become cookies of the newest.

use clap::Args;
use silverback::codec::{Codec, Codecs, Error, HashFunction, Opened, UnixTime};

use super::Failure;
use super::cookies::Cookies;
use super::settings::{Opening, OpeningHash};

/// Open cookies with any key; print them sealed by the newest.
///
/// Each keeps its date, so it expires when it would have. What an older service
/// sealed with SHA-1 is opened too, and sealed with the --hash (SHA-256 for sha1).
#[derive(Args)]
pub(super) struct Reseal {
    #[command(flatten)]
    opening: Opening,

    #[command(flatten)]
    cookies: Cookies,
}

impl Reseal {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            frame, hash, clock, ..
        } = &self.opening;
        let keys = self.opening.keys()?;
        let chain = |hash| self.opening.codecs(keys.pairs.clone(), hash);
        let hash = match *hash {
            OpeningHash::Sha1 => HashFunction::Sha256,
            hash => hash.into(),
        };
        let (sealer, older) = (chain(hash)?, chain(HashFunction::Sha1)?);
        let (name, now) = (&frame.name, clock.now());
        let answer = |cookie: &str| {
            let opened = open(&sealer, &older, name, cookie, now)?;
            sealer.seal_at(name, opened.value(), opened.issued_at())
        };
        let hashes = [hash, HashFunction::Sha1];
        let hint = |cookie: &str| self.opening.hint(&keys, &hashes, cookie);
        self.cookies.answer(answer, hint)
    }
}

/// A key under two hash functions does not fit in one chain, so there are two; a
/// cookie that is none of the first's is shown to the second.
fn open(
    sealer: &Codecs,
    older: &Codecs,
    name: &str,
    cookie: &str,
    now: UnixTime,
) -> Result<Opened<Vec<u8>>, Error> {
    match sealer.open_at(name, cookie, now) {
        Err(refused) if refused.is_not_valid() => older.open_at(name, cookie, now),
        answered => answered,
    }
}
