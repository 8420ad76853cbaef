//! [`KeyRing`]: a chain of keys that is replaced while the service runs.
//!
//! | file | contents |
//! |---|---|
//! | `ring.rs` | [`KeyRing`]: the chain, and its replacement |
//! | `source.rs`, `command.rs` | [`KeySource`]: a file, a command or a function |
//! | `stable.rs` | the rule that loads no part of a file |
//! | `succession.rs` | the rules for pairs that replace others |
//! | `options.rs`, `status.rs` | [`KeyRingOptions`]; [`KeyRingStatus`] and [`KeyRingEvent`] |
//! | `watch.rs` | [`KeyRingWatch`]: the thread that reads the keys at each interval |

mod command;
mod options;
mod ring;
mod source;
mod stable;
mod status;
mod succession;
#[cfg(test)]
mod tests;
mod watch;

pub use options::KeyRingOptions;
pub use ring::KeyRing;
pub use source::KeySource;
pub use status::{KeyRingEvent, KeyRingStatus};
pub use watch::KeyRingWatch;
