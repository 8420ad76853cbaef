//! [`Pool`]: connections, from the caller's pool or from this crate's. sqlx's pool pings the server
//! whenever a connection is returned, which is half of a read's round trips. This crate's does not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError};
use tokio::time::timeout;

use super::server::{GivenPool, Server};
use crate::backend::Error;

/// A connection that was used within this time is reused without a ping.
const NO_PING_WITHIN: Duration = Duration::from_secs(1);

/// The longest wait for the answer to a ping. It is also at most a quarter of an operation's time
/// limit, so that the operation can open another connection in time.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// An idle connection is closed after this time.
const MAX_IDLE: Duration = Duration::from_secs(10 * 60);

/// A connection is closed at this age: the server's name may lead to another machine by then.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// The interval at which connections past these limits are closed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

pub(super) enum Pool<S: Server> {
    Own(managed::Pool<Opener<S>>),
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        expect(dead_code, reason = "tiberius has no pool that a caller could have")
    )]
    Given(S::Given),
}

impl<S: Server> Pool<S> {
    /// Returns a pool of this crate, which opens connections when they are needed. `timeout` is the
    /// time limit of an operation.
    pub(super) fn of(
        connect: S::Options,
        max_connections: usize,
        timeout: Duration,
    ) -> Result<Self, Error> {
        if max_connections == 0 {
            return Err(Error::usage("max_connections is 0: set it to 1 or more"));
        }
        let opener = Opener {
            connect: Box::new(S::without_log(connect)),
            ping: PING_TIMEOUT.min(timeout / 4),
            last_failure: Mutex::new(None),
            last_sweep: Mutex::new(Instant::now()),
        };
        let pool = managed::Pool::builder(opener).max_size(max_connections);
        // The most recently used connection is leased first, so that the others become idle.
        let pool = pool.queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| {
            Error::usage("the connection pool cannot be created").with_source(error)
        })?;
        Ok(Pool::Own(pool))
    }

    /// Turns the log of statements off, for statements with values in their texts. In the caller's
    /// pool, this affects only connections that are opened later.
    #[cfg_attr(not(any(feature = "postgres", feature = "mysql")), expect(dead_code))]
    pub(super) fn log_no_statements(&self) {
        if let Pool::Given(pool) = self {
            pool.log_no_statements();
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
                LeasedConnection::Own(pooled?)
            }
            // Boxed, so that the future of every operation does not grow by this one's size.
            Pool::Given(pool) => {
                LeasedConnection::Given(Box::pin(pool.acquire()).await.map_err(S::reading)?)
            }
        };
        Ok(Lease {
            leased,
            is_answered: false,
        })
    }

    /// Notes that a connection failed or did not answer in time. Connections opened before this
    /// failure are assumed dead and are not reused.
    pub(super) fn note_failure(&self) {
        if let Pool::Own(pool) = self {
            pool.manager().note_failure();
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
    pub(super) fn connect_options(&self) -> S::Options {
        match self {
            Pool::Own(pool) => (*pool.manager().connect).clone(),
            Pool::Given(pool) => pool.connect_options(),
        }
    }
}

/// Closes old and idle connections, at most once per `SWEEP_INTERVAL`.
fn sweep<S: Server>(pool: &managed::Pool<Opener<S>>) {
    let mut last_sweep = unpoisoned(&pool.manager().last_sweep);
    if last_sweep.elapsed() < SWEEP_INTERVAL {
        return;
    }
    *last_sweep = Instant::now();
    drop(last_sweep);
    let is_young_enough = |pooled: &PooledConnection<S>, of: Metrics| {
        pooled.0.is_some() && is_young(of.age(), of.last_used())
    };
    drop(pool.retain(is_young_enough));
}

fn is_young(age: Duration, idle: Duration) -> bool {
    age <= MAX_AGE && idle <= MAX_IDLE
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pooled connection, or `None` after it was closed.
pub(super) struct PooledConnection<S: Server>(Option<S::Connection>);

/// Opens connections, and decides which idle ones are reused. A write sent over a dead connection
/// has an unknown outcome, so a doubtful connection is pinged first.
pub(super) struct Opener<S: Server> {
    connect: Box<S::Options>,
    ping: Duration,
    /// The time of the last failure.
    last_failure: Mutex<Option<Instant>>,
    /// The time of the last sweep.
    last_sweep: Mutex<Instant>,
}

impl<S: Server> Opener<S> {
    fn note_failure(&self) {
        *unpoisoned(&self.last_failure) = Some(Instant::now());
    }

    fn is_suspect(&self, opened: Instant) -> bool {
        unpoisoned(&self.last_failure).is_some_and(|last_failure| last_failure >= opened)
    }

    async fn answers_ping(&self, connection: &mut S::Connection) -> bool {
        let answers_ping = matches!(timeout(self.ping, S::ping(connection)).await, Ok(Ok(())));
        if !answers_ping {
            self.note_failure();
        }
        answers_ping
    }
}

impl<S: Server> Manager for Opener<S> {
    type Type = PooledConnection<S>;
    type Error = S::Error;

    async fn create(&self) -> Result<PooledConnection<S>, S::Error> {
        let connection = Box::pin(S::open(&self.connect)).await?; // boxed as in `lease`
        Ok(PooledConnection(Some(connection)))
    }

    async fn recycle(
        &self,
        pooled: &mut PooledConnection<S>,
        metrics: &Metrics,
    ) -> Result<(), RecycleError<S::Error>> {
        let (age, idle) = (metrics.age(), metrics.last_used());
        if let Some(connection) = &mut pooled.0
            && is_young(age, idle)
            && !self.is_suspect(metrics.created)
            && (idle < NO_PING_WITHIN || self.answers_ping(connection).await)
        {
            return Ok(());
        }
        Err(RecycleError::message("too old, idle for too long, or dead"))
    }
}

/// A connection for one operation. It goes back to the pool if the server has answered. Otherwise
/// it is closed: its late answer would make the next operation wait, perhaps forever.
pub(super) struct Lease<S: Server> {
    leased: LeasedConnection<S>,
    is_answered: bool,
}

enum LeasedConnection<S: Server> {
    Own(Object<Opener<S>>),
    Given(<S::Given as GivenPool<S>>::Leased),
}

impl<S: Server> Lease<S> {
    pub(super) fn connection(&mut self) -> Result<&mut S::Connection, Error> {
        match &mut self.leased {
            LeasedConnection::Own(pooled) => {
                let closed = || Error::unavailable("the connection is closed");
                pooled.0.as_mut().ok_or_else(closed)
            }
            LeasedConnection::Given(connection) => Ok(connection),
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
            LeasedConnection::Own(pooled) => pooled.0 = None,
            LeasedConnection::Given(connection) => S::Given::close_on_drop(connection),
        }
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use sqlx::Postgres;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn a_connection_expires_by_age_and_by_idle_time() {
        let (moment, more) = (Duration::ZERO, Duration::from_millis(1));
        assert!(is_young(MAX_AGE, MAX_IDLE));
        assert!(!is_young(MAX_AGE + more, moment));
        assert!(!is_young(moment, MAX_IDLE + more));
    }

    #[tokio::test]
    async fn connections_opened_before_a_failure_are_not_reused() {
        let pool = Pool::<Postgres>::of(PgConnectOptions::new(), 1, Duration::from_secs(5));
        let pool = pool.unwrap();
        let Pool::Own(own) = &pool else { panic!() };
        let before = Instant::now();
        assert!(!own.manager().is_suspect(before));
        pool.note_failure();
        assert!(own.manager().is_suspect(before));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!own.manager().is_suspect(Instant::now()));
    }
}
