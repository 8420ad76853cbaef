//! Conversions between the whole seconds of sessions and the milliseconds of a backend's expiries.

use crate::backend::Expiry;
use crate::codec::UnixTime;

/// Converts whole seconds to milliseconds. A time too late for them becomes [`Expiry::NEVER`].
impl From<UnixTime> for Expiry {
    fn from(time: UnixTime) -> Self {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Expiry::from_millis(seconds.saturating_mul(1_000))
    }
}

/// Returns the expiry of what ends at `deadline`, or never.
pub(super) fn expiry_of(deadline: Option<UnixTime>) -> Expiry {
    deadline.map_or(Expiry::NEVER, Expiry::from)
}

/// Drops the part of a second.
pub(super) fn unix_time(expiry: Expiry) -> UnixTime {
    UnixTime::from_secs(u64::try_from(expiry.as_millis() / 1_000).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_becomes_an_expiry() {
        let expiry = |seconds| Expiry::from(UnixTime::from_secs(seconds)).as_millis();
        assert_eq!([expiry(0), expiry(7)], [0, 7_000]);
        for late in [u64::MAX, u64::MAX / 2, u64::MAX / 1_000] {
            assert_eq!(expiry(late), Expiry::NEVER.as_millis());
        }
    }
}
