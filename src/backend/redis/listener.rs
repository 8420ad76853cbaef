//! [`RedisListener`]: changes of keys, as the server reports them to a connection that has read these
//! keys (client-side caching, the command `CLIENT TRACKING`). The server reports one change of a key:
//! the listener reads the key again to hear of the next one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{timeout, timeout_at};

use super::super::deadline::deadline_after;
use super::super::effect::Effect::Reads;
use super::super::{Change, Changes, Error, Listener};
use super::client::{Client, Servers};
use super::errors::{failed, no_connection_in_time, too_late};
use super::owner_keys::id_of;
use super::records::KEYS_AT_ONCE;
use super::{GoRedis, Redis};

/// Returns the key in Redis of what changes, if it has one.
type KeyOf = Box<dyn Fn(&Change) -> Option<Vec<u8>> + Send + Sync>;

pub(super) struct RedisListener {
    connection: MultiplexedConnection,
    pushes: UnboundedReceiver<PushInfo>,
    timeout: Duration,
    key_of: KeyOf,
    /// The keys whose next change the server will report, and what changes with them.
    tracked: HashMap<Vec<u8>, Change>,
    /// Reported changes that [`next`](Listener::next) has not returned yet.
    reported: VecDeque<Change>,
}

impl Client {
    /// Begins to listen for changes of keys.
    pub(super) async fn listen(&self, key_of: KeyOf) -> Result<Box<dyn Listener>, Error> {
        let Servers::Primary(primary) = &self.servers else {
            return Err(Error::unavailable("a Redis cluster reports no changes"));
        };
        let (sender, pushes) = unbounded_channel();
        let give_up = deadline_after(self.timeout);
        let opened = Box::pin(primary.address.open(move |push| {
            // The listener may have been dropped.
            let _ = sender.send(push);
        }));
        let connection = match timeout_at(give_up, opened).await {
            Ok(opened) => opened?,
            Err(_) => return Err(no_connection_in_time()),
        };
        let mut listener = RedisListener {
            connection,
            pushes,
            timeout: self.timeout,
            key_of,
            tracked: HashMap::new(),
            reported: VecDeque::new(),
        };
        listener
            .ask(redis::cmd("CLIENT").arg("TRACKING").arg("ON"))
            .await?;
        Ok(Box::new(listener))
    }
}

impl RedisListener {
    async fn ask(&mut self, command: &Cmd) -> Result<(), Error> {
        let asked = command.query_async::<Value>(&mut self.connection);
        match timeout(self.timeout, asked).await {
            Ok(answer) => answer.map(drop).map_err(|error| failed(Reads, error)),
            Err(_) => Err(too_late(Reads)),
        }
    }

    /// Notes the changes in a push.
    fn note(&mut self, push: &PushInfo) -> Result<(), Error> {
        match push.kind {
            PushKind::Disconnection => Err(lost()),
            PushKind::Invalidate => {
                match push.data.first() {
                    Some(Value::Array(keys)) => {
                        for key in keys {
                            if let Value::BulkString(key) = key {
                                self.reported.extend(self.tracked.remove(key));
                            }
                        }
                    }
                    // All keys were removed.
                    _ => self
                        .reported
                        .extend(self.tracked.drain().map(|(_, change)| change)),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Listener for RedisListener {
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        self.tracked.retain(|_, change| wanted.contains(change));
        let keys = wanted
            .iter()
            .filter_map(|change| Some(((self.key_of)(change)?, change)));
        let mut new = Vec::new();
        for (key, change) in keys {
            if !self.tracked.contains_key(&key) {
                new.push((key, change.clone()));
            }
        }
        if new.is_empty() {
            return self.ask(&redis::cmd("PING")).await;
        }
        for keys in new.chunks(KEYS_AT_ONCE) {
            // Before the server can report them.
            self.tracked.extend(keys.iter().cloned());
            let mut read = redis::cmd("EXISTS");
            for (key, _) in keys {
                read.arg(key.as_slice());
            }
            self.ask(&read).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.reported.pop_front() {
                return Ok(change);
            }
            let push = self.pushes.recv().await.ok_or_else(lost)?;
            self.note(&push)?;
        }
    }
}

fn lost() -> Error {
    Error::unavailable("the connection to Redis was lost")
}

#[async_trait]
impl Changes for Redis {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let redis = self.clone();
        let key_of = move |change: &Change| {
            Some(match change {
                Change::Record(key) => redis.0.records.of(key),
                Change::Owner(name) => redis.0.owners.of_owner(&id_of(name)).into_bytes(),
            })
        };
        self.0.client.listen(Box::new(key_of)).await
    }
}

#[async_trait]
impl Changes for GoRedis {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let redis = self.clone();
        let key_of = move |change: &Change| match change {
            Change::Record(key) => redis.key(key).ok(),
            Change::Owner(_) => None,
        };
        self.0.client.listen(Box::new(key_of)).await
    }
}
