//! [`KeySource`]: the place from which a ring reads its keys.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::super::key_file::{check_checksum, has_checksum, read_key_file};
use super::super::{Error, KeyPair, KeyPairs};
use super::command::output_of;
use super::options::KeyRingOptions;
use super::stable::{Pause, stable_text};
use super::succession;

/// The place from which a [`KeyRing`](super::KeyRing) reads its keys, at the start and at each
/// reload.
///
/// ```
/// use silverback::codec::{KeyPairs, KeyRing, KeyRingOptions, KeySource};
///
/// let source = KeySource::function(|| KeyPairs::generate(1));
/// let ring = KeyRing::with_options(source, KeyRingOptions::new())?;
/// let first = ring.status().keys;
/// assert!(ring.reload()?, "this source has other keys each time");
/// assert_ne!(ring.status().keys, first);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub struct KeySource(Kind);

type Function = Box<dyn Fn() -> Result<KeyPairs, Error> + Send + Sync>;

enum Kind {
    File(PathBuf),
    /// A program and its arguments, and a mark of the threads that read their output.
    Command(Vec<OsString>, Arc<()>),
    Function(Function),
}

impl KeySource {
    /// Reads the SPEC in a file, such as a mounted secret. See [`KeyRing`](super::KeyRing) for
    /// the ways to replace it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        KeySource(Kind::File(path.into()))
    }

    /// Reads the SPEC that a command prints on its standard output. The first item is the
    /// program, and the others are its arguments. No shell interprets them.
    ///
    /// The keys are refused if the command fails, prints no SPEC or more than 64 KiB, or exceeds
    /// the [time limit](KeyRingOptions::command_timeout), which kills the program, and not the
    /// programs that it started. Its standard error is that of the service. A part of a SPEC that a
    /// command prints before it succeeds is loaded, unless the SPEC has a
    /// [checksum](super::super::key_file_with_checksum).
    ///
    /// ```no_run
    /// use silverback::codec::{KeyRing, KeyRingOptions, KeySource};
    ///
    /// let vault = ["vault", "kv", "get", "-field=keys", "secret/shop"];
    /// let ring = KeyRing::with_options(KeySource::command(vault), KeyRingOptions::new())?;
    /// # Ok::<(), silverback::codec::Error>(())
    /// ```
    pub fn command<A: Into<OsString>>(command: impl IntoIterator<Item = A>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        KeySource(Kind::Command(command, Arc::default()))
    }

    /// Reads the SPEC that a command prints, as [`command`](KeySource::command) does. The command
    /// is in an environment variable, with white space between the program and its arguments.
    /// Quotes have no meaning.
    ///
    /// # Errors
    /// Returns a usage error if the variable is not set, is not text, or is empty.
    pub fn command_from_env(variable: &str) -> Result<Self, Error> {
        let command = std::env::var(variable).unwrap_or_default();
        let mut command = command
            .split_ascii_whitespace()
            .map(OsString::from)
            .peekable();
        match command.peek() {
            Some(_) => Ok(KeySource(Kind::Command(command.collect(), Arc::default()))),
            None => Err(Error::usage(
                "the variable for the command that prints the keys is not set: set it to a \
                 program and its arguments",
            )),
        }
    }

    /// Calls a function, for example one that asks a key service. It runs in the thread that
    /// reloads the ring, and must end by itself.
    pub fn function(read: impl Fn() -> Result<KeyPairs, Error> + Send + Sync + 'static) -> Self {
        KeySource(Kind::Function(Box::new(read)))
    }

    /// Reads the pairs, or returns `None` if the pause was ended. A file that has the `loaded`
    /// pairs is read only once.
    pub(super) fn read(
        &self,
        options: &KeyRingOptions,
        loaded: &[KeyPair],
        pause: &mut Pause<'_>,
    ) -> Result<Option<Vec<KeyPair>>, Error> {
        let pairs: Option<KeyPairs> = match &self.0 {
            Kind::Function(read) => Some(read()?),
            Kind::Command(command, reading) => {
                let text = output_of(command, options.command_timeout, reading)?;
                check_checksum(&text).map_err(Error::usage)?;
                Some(text.parse()?)
            }
            Kind::File(path) => {
                let is_loaded = |text: &str| {
                    let pairs = text.parse::<KeyPairs>();
                    pairs.is_ok_and(|pairs| succession::are_same(loaded, pairs.iter().as_slice()))
                };
                let is_complete = |text: &str| has_checksum(text) || is_loaded(text);
                let mut read = || -> Result<Zeroizing<String>, Error> { read_key_file(path) };
                let text = stable_text(&mut read, &is_complete, options.settle_time, pause)?;
                text.map(|text| text.parse()).transpose()?
            }
        };
        Ok(pairs.map(|pairs| pairs.into_iter().collect()))
    }
}

/// Shows the kind of the source. A path or an argument may be a key by mistake.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::File(_) => "KeySource::file",
            Kind::Command(..) => "KeySource::command",
            Kind::Function(_) => "KeySource::function",
        })
    }
}
