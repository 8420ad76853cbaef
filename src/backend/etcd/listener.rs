//! [`EtcdListener`]: changes of keys, by watches. All watches of a listener share one stream.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{
    Error as ClientError, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream,
};
use tokio::time::{timeout, timeout_at};

use super::super::deadline::deadline_after;
use super::super::effect::Effect::Reads;
use super::super::{Change, Changes, Error, Key, Listener};
use super::errors::Failure;
use super::requests::Requests;
use super::{Etcd, GoEtcd};

/// A key, or the keys from one to before another.
pub(super) enum Watched {
    Key(Vec<u8>),
    Range(Vec<u8>, Vec<u8>),
}

/// Returns the keys of what changes, if it has keys.
type KeysOf = Box<dyn Fn(&Change) -> Option<Watched> + Send + Sync>;

pub(super) struct EtcdListener {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    timeout: Duration,
    readable: Vec<u8>,
    keys_of: KeysOf,
    last_id: i64,
    /// The numbers of the watches.
    ids: HashMap<Change, i64>,
    changes: HashMap<i64, Change>,
    /// The watches that etcd has not confirmed yet.
    unconfirmed: HashSet<i64>,
    /// Reported changes that [`next`](Listener::next) has not returned yet.
    reported: VecDeque<Change>,
}

impl Requests {
    /// Begins to listen for changes of keys. `readable` is a key that the user may read.
    pub(super) async fn listen(
        &self,
        readable: Vec<u8>,
        keys_of: KeysOf,
    ) -> Result<Box<dyn Listener>, Error> {
        let give_up = deadline_after(self.timeout);
        let open = async {
            let connection = self.members.connection().await?;
            let mut client = connection.client.watch_client();
            // The client opens no stream without a watch.
            let opened = client.watch(readable.clone(), Some(WatchOptions::new().with_watch_id(1)));
            opened.await.map_err(|error| {
                let failure = Failure::of(&error);
                if failure.is_of_connection {
                    self.members.leave(&connection);
                }
                failure
            })
        };
        let opened = match timeout_at(give_up, open).await {
            Ok(opened) => opened,
            Err(_) => Err(Failure::timeout()),
        };
        let (requests, responses) = opened.map_err(|failure| failure.into_error(Reads))?.split();
        Ok(Box::new(EtcdListener {
            requests,
            responses,
            timeout: self.timeout,
            readable,
            keys_of,
            last_id: 1,
            ids: HashMap::new(),
            changes: HashMap::new(),
            unconfirmed: HashSet::from([1]),
            reported: VecDeque::new(),
        }))
    }
}

impl EtcdListener {
    async fn watch(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        let unwanted = self.ids.keys().filter(|change| !wanted.contains(*change));
        for change in unwanted.cloned().collect::<Vec<_>>() {
            if let Some(id) = self.ids.remove(&change) {
                self.changes.remove(&id);
                self.send(Request::Cancel(id)).await?;
            }
        }
        for change in wanted {
            if !self.ids.contains_key(change)
                && let Some(keys) = (self.keys_of)(change)
            {
                let id = self.request(keys).await?;
                self.ids.insert(change.clone(), id);
                self.changes.insert(id, change.clone());
            }
        }
        if self.unconfirmed.is_empty() {
            // Only an answer shows that the connection is alive.
            let id = self.request(Watched::Key(self.readable.clone())).await?;
            self.send(Request::Cancel(id)).await?;
        }
        while !self.unconfirmed.is_empty() {
            let response = receive(&mut self.responses).await?;
            self.note(&response)?;
        }
        Ok(())
    }

    /// Requests a watch, and returns its number.
    async fn request(&mut self, keys: Watched) -> Result<i64, Error> {
        self.last_id += 1;
        self.unconfirmed.insert(self.last_id);
        self.send(Request::Watch(self.last_id, keys)).await?;
        Ok(self.last_id)
    }

    /// Sends a request, and reads responses until it is sent: etcd takes no more requests while many
    /// responses wait.
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        let mut received = Vec::new();
        {
            let mut sent = pin!(request.send(&mut self.requests));
            loop {
                tokio::select! {
                    sent = &mut sent => break sent.map_err(failed)?,
                    response = receive(&mut self.responses) => received.push(response?),
                }
            }
        }
        received.iter().try_for_each(|response| self.note(response))
    }

    /// Notes the changes in a response.
    fn note(&mut self, response: &WatchResponse) -> Result<(), Error> {
        let id = response.watch_id();
        let change = self.changes.get(&id);
        // A watch that was refused has no number.
        if response.canceled() && (id < 0 || change.is_some()) {
            return Err(Error::unavailable("etcd ended a watch"));
        }
        if response.created() {
            self.unconfirmed.remove(&id);
        } else if !response.events().is_empty() {
            self.reported.extend(change.cloned());
        }
        Ok(())
    }
}

enum Request {
    Watch(i64, Watched),
    Cancel(i64),
}

impl Request {
    async fn send(self, requests: &mut WatchRequestSender) -> Result<(), ClientError> {
        match self {
            Request::Cancel(id) => requests.cancel(id).await,
            Request::Watch(id, keys) => {
                // A response has the values of all changes, which together may be too long for one.
                let options = WatchOptions::new().with_watch_id(id).with_fragment();
                match keys {
                    Watched::Key(key) => requests.watch(key, Some(options)).await,
                    Watched::Range(first, end) => {
                        requests.watch(first, Some(options.with_range(end))).await
                    }
                }
            }
        }
    }
}

/// Waits for the next response. The end of the stream is an error.
async fn receive(responses: &mut WatchResponseStream) -> Result<WatchResponse, Error> {
    let response = responses.message().await.map_err(failed)?;
    response.ok_or_else(|| Error::unavailable("etcd ended the watches"))
}

fn failed(error: ClientError) -> Error {
    Failure::of(&error).into_error(Reads)
}

#[async_trait]
impl Listener for EtcdListener {
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        match timeout(self.timeout, self.watch(wanted)).await {
            Ok(watched) => watched,
            Err(_) => Err(Failure::timeout().into_error(Reads)),
        }
    }

    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.reported.pop_front() {
                return Ok(change);
            }
            let response = receive(&mut self.responses).await?;
            self.note(&response)?;
        }
    }
}

#[async_trait]
impl Changes for Etcd {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let etcd = self.clone();
        let readable = self.0.keys.header(&Key::new("silverback-ping")?);
        let keys_of = move |change: &Change| match change {
            Change::Record(key) => Some(Watched::Key(etcd.0.keys.header(key))),
            Change::Owner(name) => {
                let (first, end) = etcd.0.keys.owner(name).live_keys();
                Some(Watched::Range(first, end))
            }
        };
        self.0.requests.listen(readable, Box::new(keys_of)).await
    }
}

#[async_trait]
impl Changes for GoEtcd {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let etcd = self.clone();
        let (readable, _) = self.0.keys.rows_after(None);
        let keys_of = move |change: &Change| match change {
            Change::Record(key) => etcd.0.keys.of(key).ok().map(|keys| Watched::Key(keys.row)),
            Change::Owner(_) => None,
        };
        self.0.requests.listen(readable, Box::new(keys_of)).await
    }
}
