//! `silverback decode`: cookies become JSON.

use clap::Args;
use silverback::codec::{Codec, Opened};

use super::cookies::Cookies;
use super::settings::{Ages, Clock, Frame, Keys, OpeningHash};
use super::{Failure, picture};

/// Open cookies; print each payload as one line of JSON.
///
/// With - a refused cookie is answered by a line with ! and the kind, and the exit
/// status is 1. Bytes (raw) are pictured as a string of standard base64.
#[derive(Args)]
pub(super) struct Decode {
    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    frame: Frame,

    /// The hash function under the MAC
    #[arg(long, value_enum, default_value_t)]
    hash: OpeningHash,

    #[command(flatten)]
    ages: Ages,

    #[command(flatten)]
    clock: Clock,

    /// Say on standard error which key opened each cookie, its age, and whether it is stale
    #[arg(long)]
    verbose: bool,

    #[command(flatten)]
    cookies: Cookies,
}

impl Decode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let codecs = self
            .frame
            .codecs(self.keys.read()?, self.hash.into(), &self.ages)?;
        let now = self.clock.now();
        self.cookies.answer(|cookie| {
            let opened = codecs.open_at(&self.frame.name, cookie, now)?;
            let picture = picture::picture(self.frame.serializer, opened.value())?;
            if self.verbose {
                explain(&opened);
            }
            Ok(picture)
        })
    }
}

fn explain<T>(opened: &Opened<T>) {
    let age = humantime::format_duration(opened.age());
    let stale = if opened.is_stale() { "yes" } else { "no" };
    eprintln!("key: {}, age: {age}, stale: {stale}", opened.key());
}
