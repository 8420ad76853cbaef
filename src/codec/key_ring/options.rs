//! [`KeyRingOptions`].

use std::fmt;
use std::time::Duration;

use super::super::CodecOptions;
use super::status::KeyRingEvent;

/// The default time between two reads of a file without a checksum.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// The default time limit of a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) type OnEvent = Box<dyn Fn(&KeyRingEvent<'_>) + Send + Sync>;

/// The options of a [`KeyRing`](super::KeyRing).
///
/// ```
/// use std::time::Duration;
/// use silverback::codec::{CodecOptions, KeyRingOptions};
///
/// let options = KeyRingOptions::new()
///     .codec(CodecOptions::new().max_age(Duration::from_secs(12 * 60 * 60)))
///     .settle_time(Duration::from_secs(2));
/// ```
#[must_use]
pub struct KeyRingOptions {
    pub(super) codec: CodecOptions,
    pub(super) settle_time: Duration,
    pub(super) command_timeout: Duration,
    pub(super) on_event: Option<OnEvent>,
}

impl KeyRingOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        KeyRingOptions {
            codec: CodecOptions::new(),
            settle_time: SETTLE_TIME,
            command_timeout: COMMAND_TIMEOUT,
            on_event: None,
        }
    }

    /// Sets the options of the codec of each pair. Default: those of [`CodecOptions::new`].
    pub fn codec(self, codec: CodecOptions) -> Self {
        KeyRingOptions { codec, ..self }
    }

    /// Sets the time between two reads of a file without a
    /// [checksum](super::super::key_file_with_checksum). Default: 500 milliseconds. The keys are
    /// loaded if both reads have the same text.
    ///
    /// Zero makes the first read count. Use it only if the file is always replaced by a rename, as
    /// in a secret that Kubernetes has mounted.
    pub fn settle_time(self, settle_time: Duration) -> Self {
        KeyRingOptions {
            settle_time,
            ..self
        }
    }

    /// Sets the time after which a command is ended, and its keys are refused. Default: 30
    /// seconds.
    pub fn command_timeout(self, command_timeout: Duration) -> Self {
        KeyRingOptions {
            command_timeout,
            ..self
        }
    }

    /// Sets a function that is called after each reload that has replaced the keys or failed. An
    /// event contains no key. While a watch finds wrong keys, the function is called at each
    /// interval.
    pub fn on_event(self, on_event: impl Fn(&KeyRingEvent<'_>) + Send + Sync + 'static) -> Self {
        KeyRingOptions {
            on_event: Some(Box::new(on_event)),
            ..self
        }
    }
}

impl Default for KeyRingOptions {
    fn default() -> Self {
        KeyRingOptions::new()
    }
}

impl fmt::Debug for KeyRingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRingOptions")
            .field("codec", &self.codec)
            .field("settle_time", &self.settle_time)
            .field("command_timeout", &self.command_timeout)
            .finish_non_exhaustive()
    }
}
