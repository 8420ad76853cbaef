//! Where connections come from: from a pool of the caller's, or from one of our own, which
//! asks the server nothing that nobody wants to know. (sqlx's asks whether it is there each
//! time that a connection comes back.)

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};

use super::super::Error;
use super::errors::reading;

/// How many connections a pool of ours has at most.
const MOST: usize = 10;

/// For how long a connection that was answered is taken to be there.
const FRESH: Duration = Duration::from_secs(1);

/// For how long a connection that nobody needs is kept.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);

/// How old a connection becomes: the name of the server may stand for another by then.
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// How often is looked for connections that are over.
const SWEEP: Duration = Duration::from_secs(60);

pub(super) enum Pool {
    Own(managed::Pool<Opener>),
    Given(PgPool),
}

impl Pool {
    /// Connections that are opened when they are needed.
    pub(super) fn of(connect: PgConnectOptions) -> Result<Self, Error> {
        let opener = Opener {
            connect: Box::new(connect),
            lost: Mutex::new(None),
            swept: Mutex::new(Instant::now()),
        };
        let pool = managed::Pool::builder(opener).max_size(MOST);
        // The last used first: so the others lie idle, and are closed.
        let pool = pool.queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| Error::usage("no pool can be made").with_source(error))?;
        Ok(Pool::Own(pool))
    }

    /// A connection that nobody else has, waited for and opened as need be.
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        match self {
            Pool::Own(pool) => {
                sweep(pool);
                let lease = pool.get().await.map(Lease::Own);
                lease.map_err(|error| match error {
                    PoolError::Backend(error) => reading(error),
                    error => Error::unavailable("the connections are closed").with_source(error),
                })
            }
            Pool::Given(pool) => {
                // In a box, since every operation has room for all that it may await.
                let connection = Box::pin(pool.acquire()).await.map_err(reading)?;
                let is_answered = false;
                Ok(Lease::Given(Given {
                    connection,
                    is_answered,
                }))
            }
        }
    }

    /// A connection was lost, or not answered in time: all that were opened before are as bad,
    /// until the contrary is cheaper to find out than to open another.
    pub(super) fn lose(&self) {
        if let Pool::Own(pool) = self {
            *unpoisoned(&pool.manager().lost) = Some(Instant::now());
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Pool::Own(pool) => pool.close(),
            Pool::Given(pool) => pool.close().await,
        }
    }

    /// How connections are opened.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        match self {
            Pool::Own(pool) => (*pool.manager().connect).clone(),
            Pool::Given(pool) => (*pool.connect_options()).clone(),
        }
    }
}

/// Closes what is over, now and then.
fn sweep(pool: &managed::Pool<Opener>) {
    let mut swept = unpoisoned(&pool.manager().swept);
    if swept.elapsed() < SWEEP {
        return;
    }
    *swept = Instant::now();
    drop(swept);
    drop(pool.retain(|kept, metrics| !is_over(kept, metrics)));
}

fn is_over(kept: &Kept, metrics: Metrics) -> bool {
    !(kept.is_answered && is_young(metrics.age(), metrics.last_used()))
}

fn is_young(age: Duration, idle: Duration) -> bool {
    age <= OLDEST && idle <= LONGEST_IDLE
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection of our own, from its opening on.
pub(super) struct Kept {
    connection: PgConnection,
    /// Whether the answer to what was sent last is there: else it would keep the next
    /// statement waiting, perhaps for ever.
    is_answered: bool,
}

/// Opens connections, and says which of those that lay idle are used again. A write that is
/// sent over one that is not there any more has an unknown outcome, and so it is better not
/// sent.
pub(super) struct Opener {
    connect: Box<PgConnectOptions>,
    /// When a connection was lost.
    lost: Mutex<Option<Instant>>,
    /// When was last looked for connections that are over.
    swept: Mutex<Instant>,
}

impl Opener {
    fn is_lost(&self, opened: Instant) -> bool {
        unpoisoned(&self.lost).is_some_and(|lost| lost >= opened)
    }
}

impl Manager for Opener {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Kept, sqlx::Error> {
        let connection = Box::pin(self.connect.connect()).await?; // in a box as above
        let is_answered = false;
        Ok(Kept {
            connection,
            is_answered,
        })
    }

    async fn recycle(
        &self,
        kept: &mut Kept,
        metrics: &Metrics,
    ) -> Result<(), RecycleError<sqlx::Error>> {
        if is_over(kept, *metrics) || self.is_lost(metrics.created) {
            return Err(RecycleError::message("it is over"));
        }
        if metrics.last_used() >= FRESH {
            kept.connection.ping().await?;
        }
        kept.is_answered = false;
        Ok(())
    }
}

/// A connection that is used again once it is answered, and closed else.
pub(super) enum Lease {
    Own(Object<Opener>),
    Given(Given),
}

impl Lease {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Lease::Own(kept) => &mut kept.connection,
            Lease::Given(given) => &mut given.connection,
        }
    }

    pub(super) fn answered(&mut self) {
        match self {
            Lease::Own(kept) => kept.is_answered = true,
            Lease::Given(given) => given.is_answered = true,
        }
    }
}

/// A connection of the caller's pool.
pub(super) struct Given {
    connection: PoolConnection<Postgres>,
    is_answered: bool,
}

impl Drop for Given {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_grow_old_and_lie_idle_for_a_while_only() {
        let (moment, more) = (Duration::ZERO, Duration::from_millis(1));
        assert!(is_young(OLDEST, LONGEST_IDLE));
        assert!(!is_young(OLDEST + more, moment));
        assert!(!is_young(moment, LONGEST_IDLE + more));
    }

    #[tokio::test]
    async fn those_opened_before_one_was_lost_are_lost() {
        let pool = Pool::of(PgConnectOptions::new()).unwrap();
        let Pool::Own(own) = &pool else { panic!() };
        let before = Instant::now();
        assert!(!own.manager().is_lost(before));
        pool.lose();
        assert!(own.manager().is_lost(before));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!own.manager().is_lost(Instant::now()));
    }
}
