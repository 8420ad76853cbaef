//! [`Pool`]: connections, from the caller's pool or from a pool of our own. sqlx's pool pings the
//! server whenever a connection comes back, which is half of a read's round trips; ours does not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError};
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::with_sqlx::Server;
use crate::backend::Error;

/// A connection that was used within this time is reused without a ping.
const FRESH: Duration = Duration::from_secs(1);

/// The longest wait for the answer to a ping. It is also at most a quarter of an operation's time
/// limit, so that the operation can open another connection in time.
const PING: Duration = Duration::from_secs(1);

/// An idle connection is closed after this time.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);

/// A connection is closed at this age: the server's name may lead to another machine by then.
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// The interval at which connections past these limits are closed.
const SWEEP: Duration = Duration::from_secs(60);

/// How a server's connections are opened.
pub(super) type OptionsOf<S> = <<S as sqlx::Database>::Connection as Connection>::Options;

pub(super) enum Pool<S: Server> {
    Own(managed::Pool<Opener<S>>),
    Given(sqlx::Pool<S>),
}

impl<S: Server> Pool<S> {
    /// A pool of our own, which opens connections when they are needed. `timeout` is the time limit
    /// of an operation.
    pub(super) fn of(
        connect: OptionsOf<S>,
        max_connections: usize,
        timeout: Duration,
    ) -> Result<Self, Error> {
        if max_connections == 0 {
            return Err(Error::usage("max_connections is 0: set it to 1 or more"));
        }
        let opener = Opener {
            connect: Box::new(connect.disable_statement_logging()),
            ping: PING.min(timeout / 4),
            lost: Mutex::new(None),
            swept: Mutex::new(Instant::now()),
        };
        let pool = managed::Pool::builder(opener).max_size(max_connections);
        // The last used first, so that the others become idle and are closed.
        let pool = pool.queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| {
            Error::usage("the connection pool cannot be created").with_source(error)
        })?;
        Ok(Pool::Own(pool))
    }

    /// Turns the log of statements off, for statements with values in their texts. A pool of the
    /// caller logs none on the connections that it opens from now on.
    pub(super) fn log_no_statements(&self) {
        if let Pool::Given(pool) = self {
            let connect = (*pool.connect_options()).clone();
            pool.set_connect_options(connect.disable_statement_logging());
        }
    }

    /// Takes a connection for one operation. Waits for a free one, or opens one.
    pub(super) async fn lease(&self) -> Result<Lease<S>, Error> {
        let leased = match self {
            Pool::Own(pool) => {
                sweep(pool);
                let pooled = pool.get().await.map_err(|error| match error {
                    PoolError::Backend(error) => S::reading(error),
                    error => Error::unavailable("the connection pool is closed").with_source(error),
                });
                Leased::Own(pooled?)
            }
            // Boxed, so that the future of every operation does not grow by this one's size.
            Pool::Given(pool) => Leased::Given(Box::pin(pool.acquire()).await.map_err(S::reading)?),
        };
        Ok(Lease {
            leased,
            is_answered: false,
        })
    }

    /// Notes that a connection failed or did not answer in time. Connections opened before this
    /// failure are assumed dead and are not reused.
    pub(super) fn lose(&self) {
        if let Pool::Own(pool) = self {
            pool.manager().lose();
        }
    }

    /// Closes the pool, and waits for the running operations.
    pub(super) async fn close(&self) {
        match self {
            Pool::Own(pool) => {
                pool.close();
                // `waiting` includes connections that are being opened.
                while pool.status().size + pool.status().waiting > 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Pool::Given(pool) => pool.close().await,
        }
    }

    /// Returns the options that connections are opened with.
    pub(super) fn connect_options(&self) -> OptionsOf<S> {
        match self {
            Pool::Own(pool) => (*pool.manager().connect).clone(),
            Pool::Given(pool) => (*pool.connect_options()).clone(),
        }
    }
}

/// Closes old and idle connections, at most once per `SWEEP`.
fn sweep<S: Server>(pool: &managed::Pool<Opener<S>>) {
    let mut swept = unpoisoned(&pool.manager().swept);
    if swept.elapsed() < SWEEP {
        return;
    }
    *swept = Instant::now();
    drop(swept);
    let is_young_enough =
        |pooled: &Pooled<S>, of: Metrics| pooled.0.is_some() && is_young(of.age(), of.last_used());
    drop(pool.retain(is_young_enough));
}

fn is_young(age: Duration, idle: Duration) -> bool {
    age <= OLDEST && idle <= LONGEST_IDLE
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pooled connection; `None` once it is closed.
pub(super) struct Pooled<S: Server>(Option<S::Connection>);

/// Opens connections, and decides which idle ones are reused. A write sent over a dead connection
/// has an unknown outcome, so a doubtful connection is pinged first.
pub(super) struct Opener<S: Server> {
    connect: Box<OptionsOf<S>>,
    ping: Duration,
    /// The time of the last failure.
    lost: Mutex<Option<Instant>>,
    /// The time of the last sweep.
    swept: Mutex<Instant>,
}

impl<S: Server> Opener<S> {
    fn lose(&self) {
        *unpoisoned(&self.lost) = Some(Instant::now());
    }

    fn is_lost(&self, opened: Instant) -> bool {
        unpoisoned(&self.lost).is_some_and(|lost| lost >= opened)
    }

    async fn is_there(&self, connection: &mut S::Connection) -> bool {
        let is_there = matches!(timeout(self.ping, connection.ping()).await, Ok(Ok(())));
        if !is_there {
            self.lose();
        }
        is_there
    }
}

impl<S: Server> Manager for Opener<S> {
    type Type = Pooled<S>;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Pooled<S>, sqlx::Error> {
        let connection = Box::pin(self.connect.connect()).await?; // boxed as in `lease`
        Ok(Pooled(Some(connection)))
    }

    async fn recycle(
        &self,
        pooled: &mut Pooled<S>,
        metrics: &Metrics,
    ) -> Result<(), RecycleError<sqlx::Error>> {
        let (age, idle) = (metrics.age(), metrics.last_used());
        if let Some(connection) = &mut pooled.0
            && is_young(age, idle)
            && !self.is_lost(metrics.created)
            && (idle < FRESH || self.is_there(connection).await)
        {
            return Ok(());
        }
        Err(RecycleError::message("too old, idle for too long, or dead"))
    }
}

/// A connection for one operation. It goes back to the pool if the server has answered. Otherwise
/// it is closed: its late answer would make the next operation wait, perhaps forever.
pub(super) struct Lease<S: Server> {
    leased: Leased<S>,
    is_answered: bool,
}

enum Leased<S: Server> {
    Own(Object<Opener<S>>),
    Given(PoolConnection<S>),
}

impl<S: Server> Lease<S> {
    pub(super) fn connection(&mut self) -> Result<&mut S::Connection, Error> {
        match &mut self.leased {
            Leased::Own(pooled) => {
                let closed = || Error::unavailable("the connection is closed");
                pooled.0.as_mut().ok_or_else(closed)
            }
            Leased::Given(connection) => Ok(connection),
        }
    }

    /// Notes that the server has answered.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl<S: Server> Drop for Lease<S> {
    fn drop(&mut self) {
        match &mut self.leased {
            _ if self.is_answered => {}
            Leased::Own(pooled) => pooled.0 = None,
            Leased::Given(connection) => connection.close_on_drop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Postgres;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn a_connection_expires_by_age_and_by_idle_time() {
        let (moment, more) = (Duration::ZERO, Duration::from_millis(1));
        assert!(is_young(OLDEST, LONGEST_IDLE));
        assert!(!is_young(OLDEST + more, moment));
        assert!(!is_young(moment, LONGEST_IDLE + more));
    }

    #[tokio::test]
    async fn connections_opened_before_a_failure_are_not_reused() {
        let pool = Pool::<Postgres>::of(PgConnectOptions::new(), 1, Duration::from_secs(5));
        let pool = pool.unwrap();
        let Pool::Own(own) = &pool else { panic!() };
        let before = Instant::now();
        assert!(!own.manager().is_lost(before));
        pool.lose();
        assert!(own.manager().is_lost(before));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!own.manager().is_lost(Instant::now()));
    }
}
