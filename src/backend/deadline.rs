//! [`deadline_after`]: the moment at which an operation gives up.

use std::time::Duration;

use tokio::time::Instant;

/// The longest timeout that counts. A clock cannot add an arbitrary duration.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Returns the deadline of an operation that begins now.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_timeout_has_a_deadline() {
        assert!(deadline_after(Duration::MAX) > Instant::now());
    }
}
