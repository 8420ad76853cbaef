//! [`PostgresListener`]: notifications of changes (`LISTEN`, `NOTIFY`). Postgres reports no changes by
//! itself: the program that makes a change announces it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use super::super::faults::too_late;
use super::super::server::Server;
use super::Postgres;
use crate::backend::effect::Effect::Reads;
use crate::backend::{Change, Changes, Error, Listener};

const CHANNEL: &str = "silverback";

struct PostgresListener {
    listener: PgListener,
    timeout: Duration,
    /// The changes that are wanted, by their texts in a notification.
    wanted: HashMap<String, Change>,
}

/// Returns the text of a change in a notification: a hash, since every user of the database may
/// listen.
fn text_of(change: &Change) -> String {
    let (kind, name) = match change {
        Change::Record(key) => ("record", key.as_bytes()),
        Change::Owner(name) => ("owner", name.as_str().as_bytes()),
    };
    let hash = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(name);
    base16ct::lower::encode_string(&hash.finalize())
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match timeout(limit, answer).await {
        Ok(answer) => answer.map_err(sqlx::Postgres::reading),
        Err(_) => Err(too_late(Reads)),
    }
}

#[async_trait]
impl Changes for Postgres {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let sender = &self.0.engine.sender;
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(sender.pool.connect_options());
        let opened = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            // A lost connection is an error here.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        Ok(Box::new(PostgresListener {
            listener: within(sender.timeout, opened).await?,
            timeout: sender.timeout,
            wanted: HashMap::new(),
        }))
    }

    async fn announce(&self, change: &Change) -> Result<(), Error> {
        let text = text_of(change);
        // In the text of the statement: a prepared one may be lost behind a pooler.
        let notify = AssertSqlSafe(format!("SELECT pg_notify('{CHANNEL}', '{text}')"));
        let sender = &self.0.engine.sender;
        let sent = sender.send(Reads, async |connection| {
            sqlx::raw_sql(notify).execute(connection).await
        });
        sent.await.map(drop)
    }
}

#[async_trait]
impl Listener for PostgresListener {
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        let of = |change: &Change| (text_of(change), change.clone());
        self.wanted = wanted.iter().map(of).collect();
        let asked = sqlx::raw_sql("SELECT 1").execute(&mut self.listener);
        within(self.timeout, asked).await.map(drop)
    }

    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            let received = self.listener.try_recv().await;
            let received = received.map_err(sqlx::Postgres::reading)?;
            let Some(notification) = received else {
                return Err(Error::unavailable("the connection to Postgres was lost"));
            };
            if let Some(change) = self.wanted.get(notification.payload()) {
                return Ok(change.clone());
            }
        }
    }
}
