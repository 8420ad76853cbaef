//! [`DynamoStore`]: what Go's dynamostore is configured by, and the store that comes of it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;

use crate::backend::{self, Backend, DynamoDbOptions, GoDynamoDb, GoItems};
use crate::codec::KeyPairs;
use crate::session::{CookieOptions, Error, ServerStore};

use super::sessions::Sessions;

/// Where Go looks if it is told of no region; ours, if the environment does not tell either.
const REGION: &str = "us-east-1";

/// The sessions of a Go program that uses
/// [pratikju/dynamostore](https://github.com/pratikju/dynamostore), in the same table: both
/// programs may run at the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::codec::KeyPairs;
/// use silverback::compat::{DynamoStoreConfig, dynamostore};
///
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let config = DynamoStoreConfig::new()
///     .table("mysession")
///     .endpoint("http://localhost:8000"); // not for AWS itself
/// let store = dynamostore(config, keys).await?;
/// let sessions = store.named("session-name")?; // for a SessionLayer
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewDynamoStore(config, keyPairs...)` | [`dynamostore`]; the keys are typed: [`KeyPairs`] |
/// | `config["table"]`, `["read_capacity"]`, `["write_capacity"]`, `["region"]`, `["endpoint"]`, `["max_age"]`, `["ttl_enabled"]` | the methods of [`DynamoStoreConfig`] of these names |
/// | a client of one's own | [`DynamoStore::from_client`] |
/// | `store.Options` | [`options`](DynamoStore::options), safe unless you say otherwise |
/// | `store.MaxAge(age)` | [`max_age`](DynamoStore::max_age), once and for all: no request changes it for others |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](DynamoStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["name"]`, `session.Values["name"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)`, `store.Save(r, w, session)` | nothing: what was changed is saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`destroy`](crate::session::Session::destroy) |
///
/// What is safer than in Go:
/// - a table that does not answer is an error, and no new session;
/// - what is read is what was written last, and not what a replica still has;
/// - an item whose `ttl` has passed opens nothing, whether DynamoDB has removed it or not;
/// - an ID that has no item is not taken over from the client: the next save makes another;
/// - each write compares, so that no update of ours is lost, and what has ended stays ended,
///   as far as the Go program does not bring it back;
/// - `max_age` bounds cookies and items, too, which in Go are good for 30 days whatever it
///   is in the configuration.
///
/// As in Go, a session and its cookie last [`max_age`](DynamoStore::max_age) from the last
/// save; and here also from the last use, as soon as a tenth of that time has passed since.
/// Different from Go: the region is the environment's, if the configuration names none, and
/// `us-east-1` only if that does not either.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    backend: GoDynamoDb,
    sessions: Sessions,
}

/// What Go's `NewDynamoStore` takes as a map.
#[derive(Clone, Debug)]
#[must_use]
pub struct DynamoStoreConfig {
    table: String,
    read_capacity: u32,
    write_capacity: u32,
    region: Option<String>,
    endpoint: Option<String>,
    max_age: Option<Duration>,
    ttl_enabled: bool,
}

impl Default for DynamoStoreConfig {
    fn default() -> Self {
        DynamoStoreConfig {
            table: "session-backend".to_owned(),
            read_capacity: 5,
            write_capacity: 5,
            region: None,
            endpoint: None,
            max_age: None,
            ttl_enabled: true,
        }
    }
}

impl DynamoStoreConfig {
    /// Go's defaults, which the methods name.
    pub fn new() -> Self {
        DynamoStoreConfig::default()
    }

    /// The table. Default: `session-backend`.
    pub fn table(self, table: impl Into<String>) -> Self {
        let table = table.into();
        DynamoStoreConfig { table, ..self }
    }

    /// How many reads a second the table is made for, if it is made. Default: 5.
    pub fn read_capacity(self, read_capacity: u32) -> Self {
        DynamoStoreConfig {
            read_capacity,
            ..self
        }
    }

    /// How many writes a second the table is made for, if it is made. Default: 5.
    pub fn write_capacity(self, write_capacity: u32) -> Self {
        DynamoStoreConfig {
            write_capacity,
            ..self
        }
    }

    /// The region. Default: the environment's, or else `us-east-1`.
    pub fn region(self, region: impl Into<String>) -> Self {
        let region = Some(region.into());
        DynamoStoreConfig { region, ..self }
    }

    /// The URL of something that speaks as DynamoDB does. Default: AWS itself.
    pub fn endpoint(self, endpoint: impl Into<String>) -> Self {
        let endpoint = Some(endpoint.into());
        DynamoStoreConfig { endpoint, ..self }
    }

    /// How long a session lasts, in whole seconds. Default: 30 days.
    pub fn max_age(self, max_age: Duration) -> Self {
        let max_age = Some(max_age);
        DynamoStoreConfig { max_age, ..self }
    }

    /// Whether items have an expiry, and DynamoDB is told to remove those whose expiry has
    /// passed, also in a table that was there before. Default: true.
    pub fn ttl_enabled(self, ttl_enabled: bool) -> Self {
        DynamoStoreConfig {
            ttl_enabled,
            ..self
        }
    }
}

/// The store in the table of the configuration, which is made if it is missing. Credentials
/// are those that AWS's own tools would use.
///
/// # Errors
/// Usage, for AWS itself without the feature `tls`; unavailable, if DynamoDB cannot be
/// reached or does not let its user.
#[doc(alias = "NewDynamoStore")]
pub async fn dynamostore(config: DynamoStoreConfig, keys: KeyPairs) -> Result<DynamoStore, Error> {
    let (region, endpoint) = (config.region.clone(), config.endpoint.clone());
    let client = backend::dynamodb_client(region, endpoint, Some(REGION)).await;
    let client = client.map_err(Error::of_backend)?;
    DynamoStore::from_client(&client, config, keys).await
}

impl DynamoStore {
    /// The same with a client of your own, whose region and endpoint count.
    ///
    /// # Errors
    /// As [`dynamostore`].
    pub async fn from_client(
        client: &Client,
        config: DynamoStoreConfig,
        keys: KeyPairs,
    ) -> Result<Self, Error> {
        let table = DynamoDbOptions::new(config.table)
            .provisioned(config.read_capacity, config.write_capacity)
            .ttl_enabled(config.ttl_enabled);
        let items = match config.ttl_enabled {
            true => GoItems::dynamostore(),
            false => GoItems::dynamostore().without_ttl(),
        };
        let backend = GoDynamoDb::open(client, table, items).await;
        let sessions = Sessions::sealed_by(keys);
        Ok(DynamoStore {
            backend: backend.map_err(Error::of_backend)?,
            sessions: match config.max_age {
                Some(max_age) => sessions.max_age(max_age),
                None => sessions,
            },
        })
    }

    /// How long a session lasts after its last save or use, in whole seconds, and how old a
    /// cookie and an item's text may be.
    #[must_use]
    #[doc(alias = "MaxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.sessions = self.sessions.max_age(max_age);
        self
    }

    /// How many bytes the text of an item may have; zero means any number that fits. Default:
    /// 4096, as in Go, which refuses longer ones unless its codecs are told otherwise too.
    #[must_use]
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.sessions.max_length = max_length;
        self
    }

    /// The options of the cookies, but for the name. Default: those of [`CookieOptions::new`],
    /// where Go has `Path=/` alone.
    #[must_use]
    #[doc(alias = "Options")]
    pub fn options(mut self, cookie: CookieOptions) -> Self {
        self.sessions.cookie = cookie;
        self
    }

    /// The types that the Go program registers itself (`gob.Register`), by the names that Go
    /// gives them: see [`ServerOptions::known_types`](crate::session::ServerOptions::known_types).
    #[must_use]
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.sessions.known_types.extend(names);
        self
    }

    /// The sessions of that name: the cookie's, under which Go seals its items, too.
    ///
    /// # Errors
    /// Usage, if it is no cookie's name, or options do not go together.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        self.sessions.named(name, self.backend())
    }

    /// The items.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.backend.clone())
    }
}
