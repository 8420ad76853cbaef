//! [`MemoryOptions`]: the capacity of a [`Memory`](super::Memory).

/// The default limit of the number of records.
const CAPACITY: usize = 1_000_000;

/// The capacity of a [`Memory`](super::Memory). Each setting has a default.
///
/// ```
/// use silverback::backend::{Memory, MemoryOptions};
///
/// let options = MemoryOptions::new().capacity(100_000).capacity_without_owner(20_000);
/// let backend = Memory::with_options(options);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct MemoryOptions {
    pub(super) capacity: usize,
    /// `None` means half of the capacity.
    pub(super) capacity_without_owner: Option<usize>,
}

impl MemoryOptions {
    /// Returns the defaults: a million records, half of them without an owner.
    pub fn new() -> Self {
        MemoryOptions {
            capacity: CAPACITY,
            capacity_without_owner: None,
        }
    }

    /// Limits the number of records, expired ones that are not purged yet included. Default:
    /// 1,000,000.
    pub fn capacity(mut self, records: usize) -> Self {
        self.capacity = records;
        self
    }

    /// Limits the number of records without an owner: anonymous sessions, and the tombstones of
    /// ended or renewed sessions. Default: half of the [capacity](MemoryOptions::capacity).
    ///
    /// Beyond the limit, a new anonymous session is an
    /// [unavailable](super::super::Error::is_unavailable) error, and logins go on. Replacing a
    /// record always succeeds, so tombstones may exceed the limit. An adapter without owners, such
    /// as the one for `tower-sessions`, needs the whole capacity.
    pub fn capacity_without_owner(mut self, records: usize) -> Self {
        self.capacity_without_owner = Some(records);
        self
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions::new()
    }
}
