//! [`DynamoStore`]: the sessions of Go's dynamostore.

use std::time::Duration;

use aws_sdk_dynamodb::Client;

use crate::backend::{self, DynamoDbOptions, GoDynamoDb, GoItems};
use crate::codec::KeyPairs;
use crate::session::Error;

use super::gorilla_store::GorillaStore;

/// Go's default region. It is ours only if the environment names no region either.
const REGION: &str = "us-east-1";

/// The sessions of a Go program that uses
/// [pratikju/dynamostore](https://github.com/pratikju/dynamostore). Both programs use the same
/// table and may run at the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::codec::KeyPairs;
/// use silverback::compat::{DynamoStore, DynamoStoreConfig};
///
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let config = DynamoStoreConfig::new()
///     .table("mysession")
///     .endpoint("http://localhost:8000"); // not for AWS itself
/// let store = DynamoStore::connect(config, keys).await?;
/// let sessions = store.named("session-name")?; // for a SessionLayer
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewDynamoStore(config, keyPairs...)` | [`DynamoStore::connect`](DynamoStore#method.connect); the keys are typed: [`KeyPairs`] |
/// | `config["table"]`, `["read_capacity"]`, `["write_capacity"]`, `["region"]`, `["endpoint"]`, `["max_age"]`, `["ttl_enabled"]` | the methods of [`DynamoStoreConfig`] of these names |
/// | a client of your own | [`DynamoStore::from_client`] |
/// | all other methods | those of [`GorillaStore`](GorillaStore#method.new) |
///
/// # Differences from Go
///
/// - All that [`GorillaStore`] lists.
/// - Reads are consistent: they return the last write, not the state of a lagging replica.
/// - An item opens nothing after its `ttl`, even before DynamoDB removes it.
/// - `max_age` also limits the age of cookies and items. In Go they are valid for 30 days,
///   whatever the configuration's `max_age` is.
///
/// If the configuration names no region, the environment's region is used, and `us-east-1` only
/// if the environment names no region either. Go then uses `us-east-1` at once.
pub type DynamoStore = GorillaStore<GoDynamoDb>;

/// The settings that Go's `NewDynamoStore` takes as a map.
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
    timeout: Option<Duration>,
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
            timeout: None,
        }
    }
}

impl DynamoStoreConfig {
    /// Returns Go's defaults. Each method names its own.
    pub fn new() -> Self {
        DynamoStoreConfig::default()
    }

    /// Sets the table's name. Default: `session-backend`.
    pub fn table(self, table: impl Into<String>) -> Self {
        let table = table.into();
        DynamoStoreConfig { table, ..self }
    }

    /// Sets the read capacity of the table, in reads per second, if this program creates it.
    /// Default: 5.
    pub fn read_capacity(self, read_capacity: u32) -> Self {
        DynamoStoreConfig {
            read_capacity,
            ..self
        }
    }

    /// Sets the write capacity of the table, in writes per second, if this program creates it.
    /// Default: 5.
    pub fn write_capacity(self, write_capacity: u32) -> Self {
        DynamoStoreConfig {
            write_capacity,
            ..self
        }
    }

    /// Sets the region. Default: the environment's region, or `us-east-1` if it has no region.
    pub fn region(self, region: impl Into<String>) -> Self {
        let region = Some(region.into());
        DynamoStoreConfig { region, ..self }
    }

    /// Sets the URL of another server that speaks DynamoDB's protocol. Default: AWS itself.
    pub fn endpoint(self, endpoint: impl Into<String>) -> Self {
        let endpoint = Some(endpoint.into());
        DynamoStoreConfig { endpoint, ..self }
    }

    /// Sets the lifetime of a session, in whole seconds: see [`GorillaStore::max_age`]. Default: 30
    /// days.
    pub fn max_age(self, max_age: Duration) -> Self {
        let max_age = Some(max_age);
        DynamoStoreConfig { max_age, ..self }
    }

    /// Sets whether items have an expiry, and DynamoDB is asked to remove expired items, also in
    /// an existing table. Default: true.
    pub fn ttl_enabled(self, ttl_enabled: bool) -> Self {
        DynamoStoreConfig {
            ttl_enabled,
            ..self
        }
    }

    /// Limits the time of an operation: see [`DynamoDbOptions::timeout`]. Default: 5 seconds. Go's
    /// configuration has no such limit.
    pub fn timeout(self, timeout: Duration) -> Self {
        let timeout = Some(timeout);
        DynamoStoreConfig { timeout, ..self }
    }

    fn options(&self) -> DynamoDbOptions {
        let options = DynamoDbOptions::new()
            .provisioned(self.read_capacity, self.write_capacity)
            .ttl_enabled(self.ttl_enabled);
        match self.timeout {
            Some(timeout) => options.timeout(timeout),
            None => options,
        }
    }

    fn items(&self) -> GoItems {
        match self.ttl_enabled {
            true => GoItems::dynamostore(),
            false => GoItems::dynamostore().without_ttl(),
        }
    }
}

/// The store of dynamostore's sessions: [`DynamoStore`].
impl DynamoStore {
    /// Opens the store in the configuration's table, and creates the table if it is missing. The
    /// credentials are those that AWS's own tools would use.
    ///
    /// # Errors
    /// Returns a usage error for AWS itself without the feature `tls`. Returns an unavailable error
    /// if DynamoDB cannot be reached, or does not permit an operation.
    #[doc(alias = "NewDynamoStore")]
    pub async fn connect(config: DynamoStoreConfig, keys: KeyPairs) -> Result<Self, Error> {
        let (region, endpoint) = (config.region.clone(), config.endpoint.clone());
        let client = backend::dynamodb_client(region, endpoint, Some(REGION)).await?;
        let store = DynamoStore::from_client(&client, config, keys)?;
        store.backend().migrate().await?;
        Ok(store)
    }

    /// Keeps sessions in the configuration's table, with a client of your own. The client's region
    /// and endpoint are used, not those of the configuration. The table must exist, or
    /// [`GoDynamoDb::migrate`] creates it. Sends no request.
    ///
    /// ```no_run
    /// # async fn serve(client: aws_sdk_dynamodb::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use silverback::codec::KeyPairs;
    /// use silverback::compat::{DynamoStore, DynamoStoreConfig};
    ///
    /// let keys = KeyPairs::from_env("SESSION_KEYS")?;
    /// let config = DynamoStoreConfig::new().table("mysession");
    /// let store = DynamoStore::from_client(&client, config, keys)?;
    /// store.backend().migrate().await?; // creates the table if it is missing
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`GoDynamoDb::from_client`].
    pub fn from_client(
        client: &Client,
        config: DynamoStoreConfig,
        keys: KeyPairs,
    ) -> Result<Self, Error> {
        let (items, options) = (config.items(), config.options());
        let backend = GoDynamoDb::from_client(client, config.table, items, options)?;
        let store = DynamoStore::new(backend, keys);
        Ok(match config.max_age {
            Some(max_age) => store.max_age(max_age),
            None => store,
        })
    }
}
