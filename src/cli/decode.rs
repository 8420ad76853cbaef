//! `silverback decode`: opens cookies, and prints their payloads as JSON.

use clap::Args;
use silverback::codec::{Codec, Opened};

use super::cookies::Cookies;
use super::failure::{Failure, report};
use super::payload;
use super::settings::Opening;

/// Open cookies; print each payload as one line of JSON.
///
/// With -, a refused cookie is printed as ! and the reason, such as `!expired`, and the exit
/// status is 1. Raw bytes are printed as a string of standard base64.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Decode {
    #[command(flatten)]
    opening: Opening,

    /// Print on standard error the key that opened each cookie, its age, and whether it is stale
    #[arg(long)]
    verbose: bool,

    #[command(flatten)]
    cookies: Cookies,
}

const AFTER_HELP: &str = "\
Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  cookie=$(echo '{\"user\": \"ape\"}' | silverback encode --name sid)
  silverback decode --name sid --verbose \"$cookie\"";

impl Decode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            format,
            hash,
            clock,
            ..
        } = &self.opening;
        let hash = (*hash).into();
        let keys = self.opening.keys()?;
        let codecs = self.opening.codecs(keys.pairs.clone(), hash)?;
        let now = clock.now();
        let answer = |cookie: &str| {
            let opened = codecs.open_at(&format.name, cookie, now)?;
            let json = payload::to_json(format.serializer, opened.value())?;
            if self.verbose {
                explain(&opened);
            }
            Ok(json)
        };
        let hint = |cookie: &str| self.opening.hint(&keys, &[hash], cookie);
        self.cookies.process(answer, hint)
    }
}

fn explain<T>(opened: &Opened<T>) {
    let age = humantime::format_duration(opened.age());
    let stale = if opened.is_stale() { "yes" } else { "no" };
    report(format_args!(
        "key: {}, age: {age}, stale: {stale}",
        opened.key()
    ));
}
