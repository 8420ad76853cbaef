//! [`KeyRingStatus`] and [`KeyRingEvent`]: the keys in use, and the results of reloads.

use super::super::fingerprint::KeyFingerprint;
use super::super::{Error, KeyPair, UnixTime};

/// The keys of a [`KeyRing`](super::KeyRing) and the results of its reloads, for a health page or
/// metrics. It contains no key.
///
/// ```
/// use silverback::codec::{KeyPairs, KeyRing, KeyRingOptions, KeySource};
///
/// let pairs = KeyPairs::generate(2)?;
/// let source = KeySource::function(move || Ok(pairs.clone()));
/// let status = KeyRing::with_options(source, KeyRingOptions::new())?.status();
/// assert_eq!((status.keys.len(), status.replacements, status.refusals), (2, 0, 0));
/// assert!(status.last_error.is_none());
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyRingStatus {
    /// The fingerprints of the key pairs in use, the newest first.
    pub keys: Vec<KeyFingerprint>,
    /// The time since which these keys are in use.
    pub loaded_at: UnixTime,
    /// The time of the last reload that did not fail.
    pub confirmed_at: UnixTime,
    /// How often a reload has replaced the keys.
    pub replacements: u64,
    /// How often a reload has failed.
    pub refusals: u64,
    /// The error of the last reload, or `None` if it did not fail.
    pub last_error: Option<String>,
    /// The time of the last reload that failed.
    pub refused_at: Option<UnixTime>,
}

impl KeyRingStatus {
    pub(super) fn new(pairs: &[KeyPair], now: UnixTime) -> Self {
        KeyRingStatus {
            keys: pairs.iter().map(KeyPair::fingerprint).collect(),
            loaded_at: now,
            confirmed_at: now,
            replacements: 0,
            refusals: 0,
            last_error: None,
            refused_at: None,
        }
    }

    pub(super) fn replaced_by(&mut self, pairs: &[KeyPair], now: UnixTime) {
        self.keys = pairs.iter().map(KeyPair::fingerprint).collect();
        self.loaded_at = now;
        self.replacements += 1;
    }

    pub(super) fn accepted(&mut self, now: UnixTime) {
        self.confirmed_at = now;
        self.last_error = None;
    }

    /// Notes a failure, and returns whether the reload before had another result.
    pub(super) fn refused(&mut self, error: &Error, now: UnixTime) -> bool {
        let error = Some(error.to_string());
        let is_news = self.last_error != error;
        self.last_error = error;
        self.refusals += 1;
        self.refused_at = Some(now);
        is_news
    }
}

/// A result of a reload, for [`on_event`](super::KeyRingOptions::on_event). It contains no key.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyRingEvent<'e> {
    /// The keys were replaced.
    Replaced(&'e KeyRingStatus),
    /// The reload failed, and the keys before it stay in use.
    Refused(&'e Error),
}
