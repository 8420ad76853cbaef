//! `silverback decode`: cookies become JSON.

use clap::Args;
use silverback::codec::{Codec, Opened};

use super::cookies::Cookies;
use super::settings::Opening;
use super::{Failure, picture, tell};

/// Open cookies; print each payload as one line of JSON.
///
/// With - a refused cookie is answered by a line with ! and the kind, and the exit
/// status is 1. Bytes (raw) are pictured as a string of standard base64.
#[derive(Args)]
pub(super) struct Decode {
    #[command(flatten)]
    opening: Opening,

    /// Say on standard error which key opened each cookie, its age, and whether it is stale
    #[arg(long)]
    verbose: bool,

    #[command(flatten)]
    cookies: Cookies,
}

impl Decode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            frame, hash, clock, ..
        } = &self.opening;
        let hash = (*hash).into();
        let keys = self.opening.keys()?;
        let codecs = self.opening.codecs(keys.pairs.clone(), hash)?;
        let now = clock.now();
        let answer = |cookie: &str| {
            let opened = codecs.open_at(&frame.name, cookie, now)?;
            let picture = picture::picture(frame.serializer, opened.value())?;
            if self.verbose {
                explain(&opened);
            }
            Ok(picture)
        };
        let hint = |cookie: &str| self.opening.hint(&keys, &[hash], cookie);
        self.cookies.answer(answer, hint)
    }
}

fn explain<T>(opened: &Opened<T>) {
    let age = humantime::format_duration(opened.age());
    let stale = if opened.is_stale() { "yes" } else { "no" };
    tell(format_args!(
        "key: {}, age: {age}, stale: {stale}",
        opened.key()
    ));
}
