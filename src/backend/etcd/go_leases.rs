//! The leases of the rows that a Go package shares.
//!
//! A Go program judges a row by its lease alone. The lease must therefore end when the row expires,
//! so that rows do not share [`Leases`](super::leases::Leases), which end later. A row keeps its
//! lease as long as its expiry stays the same. Otherwise it gets a new one, and the lease that is
//! replaced is revoked: at once if Silverback granted it for this row, and after a look at its keys
//! if a Go program did.

use std::time::Duration;

use etcd_client::{Txn, TxnResponse};

use super::super::effect::Effect::Writes;
use super::super::{Error, Expiry};
use super::go_rows::SeenRow;
use super::leases::LONGEST_SECONDS;
use super::requests::Operation;

/// Runs a write of a row that expires at `until`. `txn` makes the transaction for the ID of a lease,
/// or for 0 if the row needs none. `seen` is the row that is replaced.
///
/// Returns the response and the ID.
pub(super) async fn write(
    operation: &Operation<'_>,
    until: Expiry,
    seen: Option<&SeenRow>,
    txn: impl Fn(i64) -> Txn,
) -> Result<(TxnResponse, i64), Error> {
    if let Some(lease) = seen.and_then(|seen| lease_until(seen, until)) {
        let written = operation.write(&txn(lease)).await;
        let response = written.map_err(|failure| failure.into_error(Writes))?;
        return Ok((response, lease));
    }
    let lease = grant(operation, until).await?;
    match operation.write(&txn(lease)).await {
        Ok(response) => {
            match (response.succeeded(), seen) {
                (true, Some(seen)) => end_leases_of(operation, seen).await,
                (true, None) => {}
                (false, _) => end(operation, lease).await,
            }
            Ok((response, lease))
        }
        Err(failure) => {
            if failure.is_not_applied {
                end(operation, lease).await;
            }
            Err(failure.into_error(Writes))
        }
    }
}

/// Returns the lease of the row if Silverback granted it for this expiry.
fn lease_until(seen: &SeenRow, until: Expiry) -> Option<i64> {
    let fits = seen.lease == seen.own_lease && seen.expiry == until;
    fits.then_some(seen.lease)
}

/// Returns the ID of a new lease that lasts until then, or 0 for a row that never expires.
async fn grant(operation: &Operation<'_>, until: Expiry) -> Result<i64, Error> {
    match until {
        Expiry::NEVER => Ok(0),
        until => {
            let left = until.saturating_duration_since(Expiry::now());
            operation.grant(seconds(left)).await
        }
    }
}

/// Returns the length of a lease for a row with that much time left. etcd itself makes shorter
/// leases 2 seconds long.
fn seconds(left: Duration) -> i64 {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    i64::try_from(whole.clamp(1, LONGEST_SECONDS)).unwrap_or(i64::MAX)
}

/// Revokes the leases of a row that was replaced or removed. If that fails, they end by themselves.
pub(super) async fn end_leases_of(operation: &Operation<'_>, seen: &SeenRow) {
    if seen.lease == seen.own_lease {
        return end(operation, seen.lease).await;
    }
    for lease in [seen.lease, seen.own_lease] {
        if lease != 0 && operation.is_unused_lease(lease).await.unwrap_or(false) {
            end(operation, lease).await;
        }
    }
}

/// Revokes a lease that no key has. If that fails, it ends by itself.
async fn end(operation: &Operation<'_>, lease: i64) {
    if lease != 0 {
        let _ = operation.revoke(lease).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_until_the_expiry_and_less_than_a_second_more() {
        for (millis, expected) in [
            (0, 1),
            (1, 1),
            (1_000, 1),
            (1_001, 2),
            (3_600_000, 3_600),
            (u64::MAX, 9_000_000_000),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn only_a_lease_of_ours_for_the_same_expiry_is_kept() {
        let until = Expiry::from_millis(1_000);
        let seen = SeenRow {
            mod_revision: 7,
            expiry: until,
            lease: 3,
            own_lease: 3,
        };
        assert_eq!(lease_until(&seen, until), Some(3));
        assert_eq!(lease_until(&seen, Expiry::from_millis(999)), None);
        let of_go = SeenRow {
            own_lease: 0,
            ..seen
        };
        assert_eq!(lease_until(&of_go, until), None);
    }
}
