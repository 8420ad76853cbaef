//! `silverback encode`: standard input becomes a cookie.

use std::io::{self, Read, Write};

use clap::Args;
use silverback::codec::Codec;
use silverback::gob::Value;

use super::settings::{Ages, Clock, Format, Frame, Keys, SealingHash};
use super::{Failure, gob, picture};

/// Seal a JSON document from standard input; print the cookie's value.
///
/// With --serializer raw, standard input is bytes of any kind.
#[derive(Args)]
pub(super) struct Encode {
    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    frame: Frame,

    /// The hash function under the MAC
    #[arg(long, value_enum, default_value_t)]
    hash: SealingHash,

    #[command(flatten)]
    clock: Clock,
}

impl Encode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let codecs = self
            .frame
            .codecs(self.keys.read()?, self.hash.into(), &Ages::ANY)?;
        let mut input = Vec::new();
        io::stdin().read_to_end(&mut input)?;
        let payload = picture::payload(self.frame.serializer, input)?;
        if self.frame.serializer == Format::Gob
            && let Ok(value) = Value::from_slice(&payload)
        {
            gob::tell_unregistered("the document", value.registered_names());
        }
        let cookie = codecs.seal_at(&self.frame.name, &payload, self.clock.now())?;
        writeln!(io::stdout(), "{cookie}")?;
        Ok(())
    }
}
