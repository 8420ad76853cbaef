//! [`Leases`]: the leases that remove expired keys.
//!
//! A record's own expiry decides whether the record is live; a lease only tidies up. As in
//! Kubernetes, records that expire at about the same time share a lease, so that a write needs no
//! lease of its own, and leases are far fewer than records. A lease is granted for a quarter longer
//! than its first record needs, so that later writes and touches can use it too. A lease that other
//! records use must not be revoked. It ends by itself, soon after the last of its records.

use std::time::Duration;

use etcd_client::{Txn, TxnResponse};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::super::effect::Effect::Writes;
use super::super::{Error, Expiry};
use super::errors::Failure;
use super::requests::Operation;

/// The largest number of records on one lease. When a lease ends, etcd removes all its keys at
/// once.
const RECORDS_PER_LEASE: u32 = 500;

/// The longest lease that etcd grants, in seconds: about 285 years.
pub(super) const LONGEST_SECONDS: u64 = 9_000_000_000;

/// The time that a lease lasts beyond the expiry of its records, at least. It covers the rounding to
/// seconds.
const MARGIN: Duration = Duration::from_secs(2);

/// The time by which a lease is longer than a quarter more than its first record needs. Records
/// that expire soon share it.
const EXTRA: Duration = Duration::from_secs(60);

/// The number of leases that this process remembers.
const REMEMBERED: usize = 256;

/// The leases that this process was granted.
#[derive(Default)]
pub(super) struct Leases(Mutex<Vec<Lease>>);

/// A time by two clocks: one of them may be set, and the other one may stop while the machine sleeps.
type Moment = (Instant, Expiry);

fn now() -> Moment {
    (Instant::now(), Expiry::now())
}

struct Lease {
    id: i64,
    /// The moment before the lease was granted.
    began: Moment,
    length: Duration,
    /// The number of records that may still get this lease.
    room: u32,
}

impl Lease {
    /// Returns the time until etcd ends the lease, at least.
    fn left(&self, now: Moment) -> Duration {
        let elapsed = now.0.saturating_duration_since(self.began.0);
        let elapsed = elapsed.max(now.1.saturating_duration_since(self.began.1));
        self.length.saturating_sub(elapsed)
    }

    /// Returns whether the lease lasts until a record expires, and not much longer.
    fn fits(&self, needed: Duration, now: Moment) -> bool {
        let left = self.left(now);
        left >= needed && left <= needed * 2 + 2 * EXTRA
    }
}

impl Leases {
    /// Runs a write of keys that expire at `until`. `txn` makes the transaction for the ID of a
    /// lease, or for 0 if the keys need none. `seen` is the lease that the keys have.
    ///
    /// Returns the response and the ID.
    pub(super) async fn write(
        &self,
        operation: &Operation<'_>,
        until: Expiry,
        seen: i64,
        txn: impl Fn(i64) -> Txn,
    ) -> Result<(TxnResponse, i64), Error> {
        let lease = self.choose(operation, until, seen).await?;
        match operation.write(&txn(lease)).await {
            Ok(response) => Ok((response, lease)),
            // The lease was revoked, or the data of etcd is another one. Nothing was written.
            Err(failure) if failure.is_missing_lease => {
                self.forget(lease).await;
                let lease = self.choose(operation, until, 0).await?;
                let response = operation.write(&txn(lease)).await;
                Ok((
                    response.map_err(|failure| failure.into_error(Writes))?,
                    lease,
                ))
            }
            Err(failure) => Err(failure.into_error(Writes)),
        }
    }

    /// Returns the ID of a lease that lasts until then, or 0 if no lease is needed.
    async fn choose(
        &self,
        operation: &Operation<'_>,
        until: Expiry,
        seen: i64,
    ) -> Result<i64, Error> {
        let needed = until.saturating_duration_since(Expiry::now()) + MARGIN;
        if until == Expiry::NEVER || needed.as_secs() > LONGEST_SECONDS {
            return Ok(0);
        }
        let Ok(mut leases) = timeout_at(operation.give_up, self.0.lock()).await else {
            return Err(Failure::no_connection().into_error(Writes));
        };
        let now = now();
        leases.retain(|lease| !lease.left(now).is_zero());
        let fits = |lease: &&mut Lease| lease.fits(needed, now);
        if leases.iter_mut().filter(fits).any(|lease| lease.id == seen) {
            return Ok(seen);
        }
        let mut with_room = leases.iter_mut().filter(fits);
        if let Some(lease) = with_room.find(|lease| lease.room > 0) {
            lease.room -= 1;
            return Ok(lease.id);
        }
        let lease = grant(operation, needed).await?;
        let id = lease.id;
        if leases.len() >= REMEMBERED {
            leases.remove(0);
        }
        leases.push(lease);
        Ok(id)
    }

    async fn forget(&self, id: i64) {
        self.0.lock().await.retain(|lease| lease.id != id);
    }
}

/// Returns a new lease, with room for all but its first record.
async fn grant(operation: &Operation<'_>, needed: Duration) -> Result<Lease, Error> {
    let length = needed + needed / 4 + EXTRA;
    let seconds = length.as_secs().min(LONGEST_SECONDS);
    let began = now();
    Ok(Lease {
        id: operation
            .grant(i64::try_from(seconds).unwrap_or(i64::MAX))
            .await?,
        began,
        length: Duration::from_secs(seconds),
        room: RECORDS_PER_LEASE - 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(began: Expiry, length: u64) -> Lease {
        Lease {
            id: 1,
            began: (Instant::now(), began),
            length: Duration::from_secs(length),
            room: 1,
        }
    }

    #[test]
    fn a_lease_is_used_only_for_records_that_expire_before_it_and_not_much_before() {
        let lease = lease(Expiry::now(), 10_000);
        for (needed, fits) in [(10, false), (4_000, false), (5_000, true), (9_990, true)] {
            let needed = Duration::from_secs(needed);
            assert_eq!(lease.fits(needed, now()), fits, "{needed:?}");
        }
        assert!(!lease.fits(Duration::from_secs(10_001), now()));
    }

    #[test]
    fn the_clock_that_shows_more_time_counts() {
        let an_hour_ago = Expiry::from_millis(Expiry::now().as_millis() - 3_600_000);
        assert!(lease(an_hour_ago, 3_600).left(now()).is_zero());
        let set_back = lease(Expiry::after(Duration::from_secs(3_600)), 10);
        assert!(set_back.left(now()) <= Duration::from_secs(10));
    }
}
