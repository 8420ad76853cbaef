//! [`DynamoStore`]: the settings of Go's dynamostore, and stores with these settings.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;

use crate::backend::{self, Backend, DynamoDbOptions, GoDynamoDb, GoItems};
use crate::codec::KeyPairs;
use crate::session::{CookieOptions, Error, ServerStore};

use super::gorilla_settings::GorillaSettings;

/// Go's default region. It is ours only if the environment names no region either.
const REGION: &str = "us-east-1";

/// The sessions of a Go program that uses
/// [pratikju/dynamostore](https://github.com/pratikju/dynamostore). Both programs use the same
/// table and may run at the same time.
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
/// | a client of your own | [`DynamoStore::from_client`] |
/// | `store.Options` | [`options`](DynamoStore::options), with safe defaults |
/// | `store.MaxAge(age)` | [`max_age`](DynamoStore::max_age), set once: no request changes it for others |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](DynamoStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["name"]`, `session.Values["name"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)`, `store.Save(r, w, session)` | not needed: changes are saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`end`](crate::session::Session::end) |
///
/// # Differences from Go
///
/// This store is stricter:
/// - If the table does not answer, the request gets an error, not a new session.
/// - Reads are consistent: they return the last write, not the state of a lagging replica.
/// - An item opens nothing after its `ttl`, even before DynamoDB removes it.
/// - A client's ID without an item is not reused: the next save makes a new ID.
/// - Each write compares the item with the one that was read. No update of ours is lost, and an
///   ended session stays ended, unless the Go program brings it back.
/// - `max_age` also limits the age of cookies and items. In Go they are valid for 30 days,
///   whatever the configuration's `max_age` is.
///
/// As in Go, a session and its cookie last [`max_age`](DynamoStore::max_age) from the last save.
/// Here a use renews them, too, if a tenth of that time has passed since the last renewal.
///
/// If the configuration names no region, the environment's region is used, and `us-east-1` only
/// if the environment names no region either. Go then uses `us-east-1` at once.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    backend: GoDynamoDb,
    settings: GorillaSettings,
}

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

    /// Sets the lifetime of a session, in whole seconds: see [`DynamoStore::max_age`]. Default: 30
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
}

/// Opens the store in the configuration's table, and creates the table if it is missing. The
/// credentials are those that AWS's own tools would use.
///
/// # Errors
/// Returns a usage error for AWS itself without the feature `tls`. Returns an unavailable error
/// if DynamoDB cannot be reached, or does not permit an operation.
#[doc(alias = "NewDynamoStore")]
pub async fn dynamostore(config: DynamoStoreConfig, keys: KeyPairs) -> Result<DynamoStore, Error> {
    let (region, endpoint) = (config.region.clone(), config.endpoint.clone());
    let client = backend::dynamodb_client(region, endpoint, Some(REGION)).await;
    let client = client.map_err(Error::of_backend)?;
    DynamoStore::from_client(&client, config, keys).await
}

impl DynamoStore {
    /// Opens the store with a client of your own. The client's region and endpoint are used, not
    /// those of the configuration.
    ///
    /// # Errors
    /// Returns the errors of [`dynamostore`].
    pub async fn from_client(
        client: &Client,
        config: DynamoStoreConfig,
        keys: KeyPairs,
    ) -> Result<Self, Error> {
        let options = DynamoDbOptions::new()
            .provisioned(config.read_capacity, config.write_capacity)
            .ttl_enabled(config.ttl_enabled);
        let items = match config.ttl_enabled {
            true => GoItems::dynamostore(),
            false => GoItems::dynamostore().without_ttl(),
        };
        let backend = GoDynamoDb::from_client(client, config.table, items, options);
        let backend = backend.map_err(Error::of_backend)?;
        backend.migrate().await.map_err(Error::of_backend)?;
        let settings = GorillaSettings::new(keys);
        Ok(DynamoStore {
            backend,
            settings: match config.max_age {
                Some(max_age) => settings.max_age(max_age),
                None => settings,
            },
        })
    }

    /// Sets the lifetime of a session after its last save or use, in whole seconds. It also
    /// limits the age of a cookie and of an item's text. Default: that of the configuration.
    #[must_use]
    #[doc(alias = "MaxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings = self.settings.max_age(max_age);
        self
    }

    /// Sets the maximum length of an item's text, in bytes. Zero means any length that DynamoDB
    /// accepts. Default: 4096, as in Go. A Go program refuses longer texts unless its codecs
    /// have the same setting.
    #[must_use]
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.settings.max_length = max_length;
        self
    }

    /// Sets the options of the cookies, except the name. Default: [`CookieOptions::new`]. Go's
    /// default is only `Path=/`.
    #[must_use]
    #[doc(alias = "Options")]
    pub fn options(mut self, cookie: CookieOptions) -> Self {
        self.settings.cookie = cookie;
        self
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[must_use]
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.settings.known_types.extend(names);
        self
    }

    /// Returns the store of the sessions under `name`: the name of the cookie, under which Go
    /// also seals its items.
    ///
    /// # Errors
    /// Returns a usage error if `name` is not a valid cookie name, or if options contradict each
    /// other.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        self.settings.store(name, self.backend())
    }

    /// Returns the backend of the items.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.backend.clone())
    }
}
