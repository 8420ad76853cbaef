//! Requests to etcd, each within the time limit of its operation.
//!
//! A request is sent again, over another connection, only if it was certainly not applied and the
//! connection or its member is to blame. A read may also be sent again after a failure.

use std::time::Duration;

use etcd_client::{
    Client, Error as ClientError, GetOptions, GetResponse, KvClient, LeaseTimeToLiveOptions,
    LeaseTimeToLiveResponse, Txn, TxnResponse,
};
use tokio::time::{Instant, timeout_at};

use super::super::Error;
use super::super::deadline::deadline_after;
use super::super::effect::Effect::{self, Reads, Writes};
use super::errors::Failure;
use super::members::Members;
use super::options::EtcdOptions;

/// The largest number of headers that one request reads, and of records that one request removes:
/// fewer than the operations that etcd lets a transaction have (`--max-txn-ops`).
pub(super) const HEADERS: usize = 100;

pub(super) struct Requests {
    pub(super) members: Members,
    pub(super) timeout: Duration,
    max_response_bytes: usize,
}

/// The bytes of a response beyond those of one record: lists of keys and headers.
const LISTS: usize = 4 * 1024 * 1024;

impl Requests {
    pub(super) fn new(members: Members, options: &EtcdOptions) -> Self {
        Requests {
            members,
            timeout: options.timeout,
            max_response_bytes: options.max_request_bytes.saturating_add(LISTS),
        }
    }

    /// Begins an operation with the backend's time limit.
    pub(super) fn operation(&self) -> Operation<'_> {
        Operation {
            members: &self.members,
            max_response_bytes: self.max_response_bytes,
            give_up: deadline_after(self.timeout),
        }
    }
}

/// One operation of a backend. Its requests share one time limit.
pub(super) struct Operation<'r> {
    members: &'r Members,
    max_response_bytes: usize,
    pub(super) give_up: Instant,
}

impl Operation<'_> {
    /// Allows responses with that many records of the largest size.
    pub(super) fn with_records(self, records: usize) -> Self {
        Operation {
            max_response_bytes: self.max_response_bytes.saturating_mul(records),
            ..self
        }
    }
}

impl Operation<'_> {
    /// Returns the keys of a range, after all writes that were acknowledged before.
    pub(super) async fn get(&self, key: &[u8], options: GetOptions) -> Result<GetResponse, Error> {
        let request = |client: Client| {
            let (key, options) = (key.to_vec(), options.clone());
            let mut client = self.key_values(&client);
            async move { client.get(key, Some(options)).await }
        };
        let answer = self.send(Reads, request).await;
        answer.map_err(|failure| failure.into_error(Reads))
    }

    /// Runs a transaction that only reads.
    pub(super) async fn read(&self, txn: Txn) -> Result<TxnResponse, Error> {
        let answer = self.run(Reads, &txn).await;
        answer.map_err(|failure| failure.into_error(Reads))
    }

    /// Runs a transaction that may write.
    pub(super) async fn write(&self, txn: &Txn) -> Result<TxnResponse, Failure> {
        self.run(Writes, txn).await
    }

    async fn run(&self, effect: Effect, txn: &Txn) -> Result<TxnResponse, Failure> {
        let request = |client: Client| {
            let (txn, mut client) = (txn.clone(), self.key_values(&client));
            async move { client.txn(txn).await }
        };
        self.send(effect, request).await
    }

    /// Returns the ID of a new lease of that many seconds.
    pub(super) async fn grant(&self, seconds: i64) -> Result<i64, Error> {
        let request = |client: Client| async move {
            let granted = client.lease_client().grant(seconds, None).await;
            granted.map(|lease| lease.id())
        };
        // No key has the lease yet, so a lost lease changes no record, and ends by itself.
        let answer = self.send(Writes, request).await;
        answer.map_err(|failure| failure.into_error(Reads))
    }

    /// Returns how long a lease lasts at least, in whole seconds, or `None` if there is no such lease.
    pub(super) async fn time_left(&self, lease: i64) -> Result<Option<Duration>, Error> {
        let answer = self.lease(lease, LeaseTimeToLiveOptions::new()).await?;
        // A member that has just become the leader may not yet know the time left.
        let seconds = answer.ttl().min(answer.granted_ttl()).max(0);
        let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Ok((answer.granted_ttl() > 0).then_some(left))
    }

    /// Returns whether a lease exists, and no key has it.
    pub(super) async fn is_unused_lease(&self, lease: i64) -> Result<bool, Error> {
        let with_keys = LeaseTimeToLiveOptions::new().with_keys();
        let answer = self.lease(lease, with_keys).await?;
        Ok(answer.granted_ttl() > 0 && answer.keys().is_empty())
    }

    async fn lease(
        &self,
        lease: i64,
        options: LeaseTimeToLiveOptions,
    ) -> Result<LeaseTimeToLiveResponse, Error> {
        let request = |client: Client| {
            let options = options.clone();
            async move {
                client
                    .lease_client()
                    .time_to_live(lease, Some(options))
                    .await
            }
        };
        let answer = self.send(Reads, request).await;
        answer.map_err(|failure| failure.into_error(Reads))
    }

    /// Revokes a lease, and removes the keys that have it.
    pub(super) async fn revoke(&self, lease: i64) -> Result<(), Error> {
        let request =
            |client: Client| async move { client.lease_client().revoke(lease).await.map(drop) };
        let answer = self.send(Writes, request).await;
        answer.map_err(|failure| failure.into_error(Writes))
    }

    /// Returns the client for keys. By default it would refuse responses of more than 4 MiB.
    fn key_values(&self, client: &Client) -> KvClient {
        let client = client.kv_client();
        client.max_decoding_message_size(self.max_response_bytes)
    }

    async fn send<T, F>(&self, effect: Effect, request: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        // Each member once, and the first one again: its connection may only have been old.
        let mut more_attempts = self.members.count();
        loop {
            let limit = match effect {
                Writes => self.give_up,
                Reads => self.share(more_attempts),
            };
            let failure = match self.attempt(limit, &request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let may_repeat = failure.is_not_applied || effect == Reads;
            let has_time = Instant::now() < self.give_up;
            if !(may_repeat && failure.is_of_connection && has_time && more_attempts > 0) {
                return Err(failure);
            }
            more_attempts -= 1;
        }
    }

    /// Returns the time at which an attempt gives up that leaves time for more attempts.
    fn share(&self, more_attempts: usize) -> Instant {
        let now = Instant::now();
        let attempts = u32::try_from(more_attempts + 1).unwrap_or(u32::MAX);
        now + self.give_up.saturating_duration_since(now) / attempts
    }

    /// Sends the request over the present connection, and gives the connection up if it failed.
    async fn attempt<T, F>(
        &self,
        limit: Instant,
        request: &impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let connection = match timeout_at(limit, self.members.connection()).await {
            Ok(connection) => connection?,
            Err(_) => return Err(Failure::no_connection()),
        };
        let failure = match timeout_at(limit, request(connection.client.clone())).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::of(&error),
            Err(_) => Failure::timeout(),
        };
        if failure.is_of_connection {
            self.members.leave(&connection);
        }
        Err(failure)
    }
}
