//! [`Cluster`]: connections to the nodes of a cluster. Each command has one key, and goes to the node
//! that has the key's slot.

use std::pin::Pin;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::Error;
use super::super::effect::Effect;
use super::errors::{failed, no_connection, no_connection_in_time, too_late};
use super::primary::Answer;

/// The pause before a command is sent again whose slot is moving.
const PAUSE: Duration = Duration::from_millis(10);

/// The opening of connections to the nodes.
type Connecting<'c> = Pin<Box<dyn Future<Output = RedisResult<ClusterConnection>> + Send + 'c>>;

pub(super) struct Cluster {
    client: ClusterClient,
    /// It opens connections to nodes by itself, and reads again which node has which slot.
    connection: OnceCell<ClusterConnection>,
}

/// The address of a node.
pub(super) struct Node {
    host: String,
    port: u16,
}

impl Cluster {
    pub(super) fn new(client: ClusterClient) -> Self {
        Cluster {
            client,
            connection: OnceCell::new(),
        }
    }

    /// Sends a command to the node that has its key. A node without the key does nothing: then the
    /// command is sent again, to the node that it names.
    pub(super) async fn send(
        &self,
        command: &Cmd,
        effect: Effect,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        let mut connection = self.connection(give_up).await?;
        let mut moved = None;
        loop {
            let sent = async {
                match &moved {
                    None => command.query_async::<Value>(&mut connection).await,
                    Some(node) => ask(&mut connection, command, node).await,
                }
            };
            let Ok(answer) = timeout_at(give_up, sent).await else {
                return Err(too_late(effect));
            };
            match answer {
                Err(error) if is_elsewhere(&error) => {
                    moved = node_to_ask(&error);
                    if moved.is_none() && timeout_at(give_up, sleep(PAUSE)).await.is_err() {
                        return Ok(Err(error));
                    }
                }
                Err(error) if error.is_connection_refusal() => return Err(no_connection(error)),
                Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                    return Err(failed(effect, error));
                }
                answer => return Ok(answer),
            }
        }
    }

    /// Sends a command that reads to a certain node.
    pub(super) async fn read_from(
        &self,
        node: &Node,
        command: Cmd,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        let mut connection = self.connection(give_up).await?;
        let sent = connection.route_command(command, RoutingInfo::SingleNode(node.routing()));
        match timeout_at(give_up, sent).await {
            Ok(answer) => Ok(answer.and_then(Value::extract_error)),
            Err(_) => Err(too_late(Effect::Reads)),
        }
    }

    /// Returns the nodes that take writes.
    pub(super) async fn primaries(&self, give_up: Instant) -> Result<Vec<Node>, Error> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let mut connection = self.connection(give_up).await?;
        let sent = connection.route_command(
            command,
            RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random),
        );
        let Ok(answer) = timeout_at(give_up, sent).await else {
            return Err(too_late(Effect::Reads));
        };
        let slots = answer.and_then(Value::extract_error);
        let slots = slots.map_err(|error| failed(Effect::Reads, error))?;
        nodes_in(&slots).ok_or_else(|| Error::unavailable("Redis did not name the cluster's nodes"))
    }

    async fn connection(&self, give_up: Instant) -> Result<ClusterConnection, Error> {
        let connect = || -> Connecting<'_> {
            // Boxed, since the client library's futures are nested deeply.
            let config = ClusterConfig::default();
            Box::pin(self.client.get_async_connection_with_config(config))
        };
        let opened = self.connection.get_or_try_init(connect);
        match timeout_at(give_up, opened).await {
            Ok(Ok(connection)) => Ok(connection.clone()),
            Ok(Err(error)) => Err(no_connection(error)),
            Err(_) => Err(no_connection_in_time()),
        }
    }
}

impl Node {
    /// Reads `host:port`, as errors and `CLUSTER SLOTS` name nodes. An IPv6 address has colons too.
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Node {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }

    fn routing(&self) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::ByAddress {
            host: self.host.clone(),
            port: self.port,
        }
    }
}

/// Returns whether another node has the key's slot, or will have it soon. Nothing was done.
fn is_elsewhere(error: &RedisError) -> bool {
    let ErrorKind::Server(kind) = error.kind() else {
        return false;
    };
    matches!(
        kind,
        ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ReadOnly
    )
}

/// Returns the node that takes the command if it is asked, while the slot is moving there. After a
/// move, `None`: the connection learns by itself where the slot is.
fn node_to_ask(error: &RedisError) -> Option<Node> {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Ask) => Node::parse(error.redirect_node()?.0),
        _ => None,
    }
}

/// Sends a command for a slot that the node is about to get.
async fn ask(connection: &mut ClusterConnection, command: &Cmd, node: &Node) -> Answer {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ASKING").add_command(command.clone());
    let answers = connection
        .route_pipeline(pipeline, 0, 2, node.routing())
        .await?;
    match answers.into_iter().nth(1) {
        Some(answer) => answer.extract_error(),
        None => Ok(Value::Nil),
    }
}

/// Returns the primaries in an answer to `CLUSTER SLOTS`: a list of a first and a last slot, the
/// primary, and the replicas. A node is a list of its host, its port, and more.
fn nodes_in(slots: &Value) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    for slot in slots.as_sequence()? {
        let primary = slot.as_sequence()?.get(2)?.as_sequence()?;
        let (Some(Value::BulkString(host)), Some(Value::Int(port))) =
            (primary.first(), primary.get(1))
        else {
            return None;
        };
        let node = Node {
            host: String::from_utf8(host.clone()).ok()?,
            port: u16::try_from(*port).ok()?,
        };
        if !nodes
            .iter()
            .any(|known| known.host == node.host && known.port == node.port)
        {
            nodes.push(node);
        }
    }
    Some(nodes)
}
