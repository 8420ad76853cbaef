//! Where connections come from: from a pool of the caller's, or from one of our own, which
//! asks the server nothing that nobody wants to know. (sqlx's asks whether it is there each
//! time that a connection comes back.)

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use super::errors::reading;
use super::options::PostgresOptions;
use crate::backend::Error;

/// How long after it was used a connection is taken to be there.
const FRESH: Duration = Duration::from_secs(1);

/// How long the server has to say that it is there, at most; and at most a quarter of what an
/// operation has, which is to find out in time.
const PING: Duration = Duration::from_secs(1);

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
    pub(super) fn of(connect: PgConnectOptions, options: &PostgresOptions) -> Result<Self, Error> {
        if options.max_connections == 0 {
            return Err(Error::usage("a pool has one connection or more"));
        }
        let opener = Opener {
            connect: Box::new(connect),
            ping: PING.min(options.timeout / 4),
            lost: Mutex::new(None),
            swept: Mutex::new(Instant::now()),
        };
        let pool = managed::Pool::builder(opener).max_size(options.max_connections);
        // The last used first: so the others lie idle, and are closed.
        let pool = pool.queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| Error::usage("no pool can be made").with_source(error))?;
        Ok(Pool::Own(pool))
    }

    /// A connection that nobody else has, waited for and opened as need be.
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        let leased = match self {
            Pool::Own(pool) => {
                sweep(pool);
                let kept = pool.get().await.map_err(|error| match error {
                    PoolError::Backend(error) => reading(error),
                    error => Error::unavailable("the connections are closed").with_source(error),
                });
                Leased::Own(kept?)
            }
            // In a box, since every operation has room for all that it may await.
            Pool::Given(pool) => Leased::Given(Box::pin(pool.acquire()).await.map_err(reading)?),
        };
        Ok(Lease {
            leased,
            is_answered: false,
        })
    }

    /// A connection was lost, or not answered in time: all that were opened before are as bad,
    /// until the contrary is cheaper to find out than to open another.
    pub(super) fn lose(&self) {
        if let Pool::Own(pool) = self {
            pool.manager().lose();
        }
    }

    /// Waits for the operations that are still going on.
    pub(super) async fn close(&self) {
        match self {
            Pool::Own(pool) => {
                pool.close();
                // Those that wait are those that are being opened, too.
                while pool.status().size + pool.status().waiting > 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
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
    let is_kept = |kept: &Kept, of: Metrics| kept.0.is_some() && is_young(of.age(), of.last_used());
    drop(pool.retain(is_kept));
}

fn is_young(age: Duration, idle: Duration) -> bool {
    age <= OLDEST && idle <= LONGEST_IDLE
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection of our own; none, once it is closed.
pub(super) struct Kept(Option<PgConnection>);

/// Opens connections, and says which of those that lay idle are used again. A write that is
/// sent over one that is not there any more has an unknown outcome, and so it is better not
/// sent.
pub(super) struct Opener {
    connect: Box<PgConnectOptions>,
    ping: Duration,
    /// When a connection was lost.
    lost: Mutex<Option<Instant>>,
    /// When was last looked for connections that are over.
    swept: Mutex<Instant>,
}

impl Opener {
    fn lose(&self) {
        *unpoisoned(&self.lost) = Some(Instant::now());
    }

    fn is_lost(&self, opened: Instant) -> bool {
        unpoisoned(&self.lost).is_some_and(|lost| lost >= opened)
    }

    async fn is_there(&self, connection: &mut PgConnection) -> bool {
        let is_there = matches!(timeout(self.ping, connection.ping()).await, Ok(Ok(())));
        if !is_there {
            self.lose();
        }
        is_there
    }
}

impl Manager for Opener {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Kept, sqlx::Error> {
        let connection = Box::pin(self.connect.connect()).await?; // in a box as above
        Ok(Kept(Some(connection)))
    }

    async fn recycle(
        &self,
        kept: &mut Kept,
        metrics: &Metrics,
    ) -> Result<(), RecycleError<sqlx::Error>> {
        let (age, idle) = (metrics.age(), metrics.last_used());
        if let Some(connection) = &mut kept.0
            && is_young(age, idle)
            && !self.is_lost(metrics.created)
            && (idle < FRESH || self.is_there(connection).await)
        {
            return Ok(());
        }
        Err(RecycleError::message("it is over"))
    }
}

/// A connection that is used again once it is answered, and closed else: one whose answer is
/// still to come would keep the next waiting, perhaps for ever.
pub(super) struct Lease {
    leased: Leased,
    is_answered: bool,
}

enum Leased {
    Own(Object<Opener>),
    Given(PoolConnection<Postgres>),
}

impl Lease {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        match &mut self.leased {
            Leased::Own(kept) => {
                let closed = || Error::unavailable("the connection is closed");
                kept.0.as_mut().ok_or_else(closed)
            }
            Leased::Given(connection) => Ok(connection),
        }
    }

    /// Nothing more will come of what was sent.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match &mut self.leased {
            _ if self.is_answered => {}
            Leased::Own(kept) => kept.0 = None,
            Leased::Given(connection) => connection.close_on_drop(),
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
        let pool = Pool::of(PgConnectOptions::new(), &PostgresOptions::new()).unwrap();
        let Pool::Own(own) = &pool else { panic!() };
        let before = Instant::now();
        assert!(!own.manager().is_lost(before));
        pool.lose();
        assert!(own.manager().is_lost(before));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!own.manager().is_lost(Instant::now()));
    }
}
