//! [`Client`]: runs scripts, each within the time limit of its operation. No write is repeated unless
//! the server has said that it did nothing.

use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::super::Error;
use super::super::deadline::deadline_after;
use super::super::effect::Effect::{self, Reads, Writes};
use super::super::timeout::check_timeout;
use super::cluster::{Cluster, Node};
use super::errors::{failed, has_no_script};
use super::options::RedisOptions;
use super::primary::{Answer, Primary, PrimaryAddress};
use super::scripts::{Call, Script};

pub(super) struct Client {
    pub(super) servers: Servers,
    pub(super) timeout: Duration,
    /// The number of replicas that each write waits for.
    replicas: usize,
}

pub(super) enum Servers {
    Primary(Box<Primary>),
    Cluster(Box<Cluster>),
}

/// One operation of a backend. Its commands share one time limit.
#[derive(Clone, Copy)]
pub(super) struct Operation<'o> {
    client: &'o Client,
    give_up: Instant,
}

impl Client {
    pub(super) fn new(servers: Servers, options: &RedisOptions) -> Result<Self, Error> {
        check_timeout(options.timeout)?;
        if options.replicas > 0 && matches!(servers, Servers::Cluster(_)) {
            return Err(Error::usage(
                "a Redis cluster cannot wait for replicas: remove wait_for_replicas",
            ));
        }
        Ok(Client {
            servers,
            timeout: options.timeout,
            replicas: options.replicas,
        })
    }

    /// Returns a client of the primary that another client reaches.
    pub(super) fn of_primary(client: redis::Client, options: &RedisOptions) -> Result<Self, Error> {
        let address = PrimaryAddress::Fixed(Box::new(client));
        let primary = Primary::new(address, options.connections.max(1));
        Client::new(Servers::Primary(Box::new(primary)), options)
    }

    pub(super) fn operation(&self) -> Operation<'_> {
        Operation {
            client: self,
            give_up: deadline_after(self.timeout),
        }
    }

    /// Returns whether the server reports changes: one server does, in RESP3.
    pub(super) fn reports_changes(&self) -> bool {
        match &self.servers {
            Servers::Primary(primary) => primary.address.receives_pushes(),
            Servers::Cluster(_) => false,
        }
    }

    /// Returns whether a record and its owner are on two nodes, so that no script reads both.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }
}

impl Operation<'_> {
    /// Runs a script whose keys are all on one node.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Value, Error> {
        let effect = script.effect;
        let call = Call {
            script,
            keys,
            arguments,
        };
        let answer = match self.send(&call.by_hash(), effect).await? {
            Err(error) if has_no_script(&error) => self.send(&call.by_text(), effect).await?,
            answer => answer,
        };
        answer.map_err(|error| failed(effect, error))
    }

    /// Sends a command that reads.
    pub(super) async fn read(&self, command: &Cmd) -> Result<Value, Error> {
        let answer = self.send(command, Reads).await?;
        answer.map_err(|error| failed(Reads, error))
    }

    /// Sends a command that reads to a node of a cluster.
    pub(super) async fn read_from(
        &self,
        node: Option<&Node>,
        command: Cmd,
    ) -> Result<Value, Error> {
        let answer = match (&self.client.servers, node) {
            (Servers::Cluster(cluster), Some(node)) => {
                cluster.read_from(node, command, self.give_up).await?
            }
            _ => self.send(&command, Reads).await?,
        };
        answer.map_err(|error| failed(Reads, error))
    }

    /// Returns the nodes that have records: `None` for the only one.
    pub(super) async fn nodes(&self) -> Result<Vec<Option<Node>>, Error> {
        match &self.client.servers {
            Servers::Primary(_) => Ok(vec![None]),
            Servers::Cluster(cluster) => {
                let nodes = cluster.primaries(self.give_up).await?;
                Ok(nodes.into_iter().map(Some).collect())
            }
        }
    }

    async fn send(&self, command: &Cmd, effect: Effect) -> Result<Answer, Error> {
        match (&self.client.servers, effect, self.client.replicas) {
            (Servers::Cluster(cluster), ..) => cluster.send(command, effect, self.give_up).await,
            (Servers::Primary(primary), Reads, _) | (Servers::Primary(primary), Writes, 0) => {
                primary.send(command, effect, self.give_up).await
            }
            (Servers::Primary(primary), Writes, replicas) => {
                primary
                    .send_to_replicas(command, replicas, self.give_up)
                    .await
            }
        }
    }
}
