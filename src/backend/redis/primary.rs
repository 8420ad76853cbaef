//! [`Primary`]: connections to one server that takes writes, at an address or as sentinels name it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, Cmd, ProtocolVersion, PushInfo, RedisError, Value};
use tokio::time::{Instant, timeout_at};

use super::super::Error;
use super::super::effect::Effect;
use super::errors::{
    ends_the_connection, failed, is_of_replica, no_connection, no_connection_in_time, too_late,
};

/// The answer of a server: a value, or its refusal of the command, which did nothing.
pub(super) type Answer = Result<Value, RedisError>;

pub(super) struct Primary {
    first: Reconnecting,
    others: Vec<Reconnecting>,
    next: AtomicUsize,
    pub(super) address: PrimaryAddress,
}

/// The opening of a connection.
type Connecting<'c> = Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send + 'c>>;

/// Where the primary is found.
pub(super) enum PrimaryAddress {
    /// At one address, always.
    Fixed(Box<Client>),
    /// At the address that sentinels name.
    BehindSentinels(Box<tokio::sync::Mutex<SentinelClient>>),
}

/// A connection that is opened when it is needed, and again when it has ended.
#[derive(Default)]
struct Reconnecting {
    current: Mutex<Option<Connection>>,
    /// Held by the task that connects.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Connection {
    number: u64,
    /// Whether the server has closed the connection.
    has_ended: Arc<AtomicBool>,
    /// Carries any number of concurrent commands.
    multiplexed: MultiplexedConnection,
}

impl Primary {
    pub(super) fn new(address: PrimaryAddress, connections: usize) -> Self {
        Primary {
            first: Reconnecting::default(),
            others: (1..connections).map(|_| Reconnecting::default()).collect(),
            next: AtomicUsize::new(0),
            address,
        }
    }

    /// Sends a command. If a server has become a replica, asks for the primary once more.
    pub(super) async fn send(
        &self,
        command: &Cmd,
        effect: Effect,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        match self.try_send(command, effect, give_up).await? {
            Err(error) if is_of_replica(&error) => self.try_send(command, effect, give_up).await,
            answer => Ok(answer),
        }
    }

    /// Sends a write, and waits until this many replicas have received it.
    pub(super) async fn send_to_replicas(
        &self,
        command: &Cmd,
        replicas: usize,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        let slot = self.slot();
        let mut connection = slot.open(&self.address, give_up).await?;
        let answer = slot
            .ask(&mut connection, command, Effect::Writes, give_up)
            .await?;
        if answer.is_err() {
            return Ok(answer);
        }
        let left = give_up.saturating_duration_since(Instant::now());
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas).arg(left.as_millis().max(1) as u64);
        match slot
            .ask(&mut connection, &wait, Effect::Writes, give_up)
            .await?
        {
            Ok(Value::Int(reached))
                if usize::try_from(reached).is_ok_and(|reached| reached >= replicas) =>
            {
                Ok(answer)
            }
            _ => Err(Error::outcome_unknown(format!(
                "Redis has the write, but fewer than {replicas} replicas have received it in time"
            ))),
        }
    }

    async fn try_send(
        &self,
        command: &Cmd,
        effect: Effect,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        let slot = self.slot();
        let mut connection = slot.open(&self.address, give_up).await?;
        slot.ask(&mut connection, command, effect, give_up).await
    }

    /// Returns the next of the connections.
    fn slot(&self) -> &Reconnecting {
        if self.others.is_empty() {
            return &self.first;
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        self.others.get(next).unwrap_or(&self.first)
    }
}

impl Reconnecting {
    /// Returns the open connection, or opens one. Concurrent callers wait for the same attempt.
    async fn open(&self, address: &PrimaryAddress, give_up: Instant) -> Result<Connection, Error> {
        if let Some(open) = self.current() {
            return Ok(open);
        }
        let opened = async {
            let _turn = self.connecting.lock().await;
            if let Some(open) = self.current() {
                return Ok(open);
            }
            // Boxed, since the client library's futures are nested deeply.
            let connect: Connecting<'_> = Box::pin(address.connect());
            let opened = connect.await?;
            *self.lock() = Some(opened.clone());
            Ok(opened)
        };
        match timeout_at(give_up, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(no_connection_in_time()),
        }
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        command: &Cmd,
        effect: Effect,
        give_up: Instant,
    ) -> Result<Answer, Error> {
        let asked = command.query_async::<Value>(&mut connection.multiplexed);
        let Ok(answer) = timeout_at(give_up, asked).await else {
            // The server may be gone without a word. Commands under way keep their connection.
            self.discard(connection.number);
            return Err(too_late(effect));
        };
        match answer {
            Err(error) if is_of_replica(&error) => {
                self.discard(connection.number);
                Ok(Err(error))
            }
            Err(error) if ends_the_connection(&error) => {
                self.discard(connection.number);
                Err(failed(effect, error))
            }
            answer => Ok(answer),
        }
    }

    fn current(&self) -> Option<Connection> {
        let current = self.lock();
        let open = current.as_ref()?;
        (!open.has_ended.load(Ordering::Acquire)).then(|| open.clone())
    }

    /// Stops using a connection, unless another one has already taken its place.
    fn discard(&self, number: u64) {
        self.lock().take_if(|open| open.number == number);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrimaryAddress {
    async fn connect(&self) -> Result<Connection, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let has_ended = Arc::new(AtomicBool::new(false));
        let flag = has_ended.clone();
        // Without subscriptions, only the end of the connection is announced.
        let opened = self.open(move |_| flag.store(true, Ordering::Release));
        let multiplexed = opened.await?;
        Ok(Connection {
            number: COUNT.fetch_add(1, Ordering::Relaxed),
            has_ended,
            multiplexed,
        })
    }

    /// Returns whether the server may send something without a request, which it does in RESP3 only.
    pub(super) fn receives_pushes(&self) -> bool {
        match self {
            PrimaryAddress::Fixed(client) => receives_pushes(client),
            // The URL of sentinels asks for RESP3.
            PrimaryAddress::BehindSentinels(_) => true,
        }
    }

    /// Opens a connection. `receive` gets what the server sends without a request.
    pub(super) async fn open(
        &self,
        receive: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, Error> {
        let client = self.client().await?;
        // The time limits are ours.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let config = match receives_pushes(&client) {
            false => config,
            true => config.set_push_sender(move |push: PushInfo| {
                receive(push);
                Ok::<(), ()>(())
            }),
        };
        let mut multiplexed = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(no_connection)?;
        check_role(&mut multiplexed).await?;
        Ok(multiplexed)
    }

    async fn client(&self) -> Result<Client, Error> {
        match self {
            PrimaryAddress::Fixed(client) => Ok(Client::clone(client)),
            PrimaryAddress::BehindSentinels(sentinels) => {
                let client = sentinels.lock().await.async_get_client().await;
                client.map_err(|error| {
                    Error::unavailable("no sentinel names a primary that answers")
                        .with_source(error)
                })
            }
        }
    }
}

fn receives_pushes(client: &Client) -> bool {
    let settings = client.get_connection_info().redis_settings();
    settings.protocol() != ProtocolVersion::RESP2
}

/// Refuses a replica: it does not have the latest records. A server that does not let its user ask
/// is taken for a primary.
async fn check_role(connection: &mut MultiplexedConnection) -> Result<(), Error> {
    let role = redis::cmd("ROLE").query_async::<Value>(connection).await;
    let Ok(Value::Array(role)) = role else {
        return Ok(());
    };
    match role.first() {
        Some(Value::BulkString(name)) if name != b"master" => Err(Error::unavailable(
            "the Redis server is a replica: use the address of the primary",
        )),
        _ => Ok(()),
    }
}
