//! [`MemoryOptions`]: how much a [`Memory`](super::Memory) holds.

/// How many records there may be unless the options say another number.
const CAPACITY: usize = 1_000_000;

/// How many records a [`Memory`](super::Memory) holds: each setting has a default.
///
/// ```
/// use silverback::backend::{Memory, MemoryOptions};
///
/// let options = MemoryOptions::new().capacity(100_000).capacity_without_owner(20_000);
/// let backend = Memory::with_options(options);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryOptions {
    pub(super) capacity: usize,
    /// None: half of the capacity.
    pub(super) capacity_without_owner: Option<usize>,
}

impl MemoryOptions {
    /// Sets the defaults: a million records, half of them without an owner.
    pub fn new() -> Self {
        MemoryOptions {
            capacity: CAPACITY,
            capacity_without_owner: None,
        }
    }

    /// Limits the records, expired ones that are not purged yet included. Default: 1,000,000.
    pub fn capacity(mut self, records: usize) -> Self {
        self.capacity = records;
        self
    }

    /// Limits the records without an owner: anonymous sessions, and what sessions that ended
    /// or were renewed leave for a minute. Default: half of the
    /// [capacity](MemoryOptions::capacity).
    ///
    /// Beyond the limit, beginning an anonymous session is an error,
    /// [unavailable](super::super::Error::is_unavailable), and logins go on. A record that
    /// takes the place of another is never refused. An adapter that knows no owners, such as
    /// the one for `tower-sessions`, needs the whole capacity.
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
