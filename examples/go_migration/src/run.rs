//! Starts the two programs and the proxy.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::go_program::GoProgram;
use super::proxy::Proxy;
use super::routes::{self, Plan, Routes};
#[cfg(feature = "postgres")]
use super::servers::postgres::PostgresServer;
use super::storage::{Storage, StoreName};
use super::watched::Watched;
use super::{app, keys, listen};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The first port to try.
    pub(crate) port: u16,
    pub(crate) store: StoreName,
    pub(crate) database: Option<String>,
    /// The folder of the keys and routes.
    pub(crate) folder: PathBuf,
}

/// All programs, which end when this is dropped.
pub(crate) struct Running {
    address: SocketAddr,
    servers: JoinSet<std::io::Result<()>>,
    _go: GoProgram,
    _database: Option<Database>,
}

impl Running {
    pub(crate) async fn start(
        settings: Settings,
        go_source: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(&settings.folder)?;
        let folder = settings.folder.canonicalize()?;
        let (keys, routes) = (folder.join(keys::FILE), folder.join(routes::FILE));
        keys::make_missing(&keys)?;
        if !routes.exists() {
            routes::write(&routes, Plan::Split)?;
        }
        let database = Database::of(&settings)?;
        let url = database.as_ref().map(Database::url);
        let storage = Storage::open(settings.store, url).await?;
        let arguments = [
            format!("--store={}", settings.store.flag()),
            format!("--keys={}", keys.display()),
        ];
        let go = GoProgram::start(go_source, &folder, &arguments, url.map(for_go))?;
        let mut servers = JoinSet::new();
        let rust = app::app(keys, settings.store, storage)?;
        let rust = serve(&mut servers, rust, listen::bind(0).await?)?;
        let routes = Watched::open(routes, Routes::parse)?;
        let proxy = Proxy::new(routes, go.address(), rust).router();
        let address = serve(&mut servers, proxy, listen::bind(settings.port).await?)?;
        Ok(Running {
            address,
            servers,
            _go: go,
            _database: database,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all programs at once. A service instead stops its listener with
    /// `with_graceful_shutdown`, and then waits for `ServerStore::drain`.
    pub(crate) async fn stop(mut self) {
        self.servers.shutdown().await;
    }
}

fn serve(
    servers: &mut JoinSet<std::io::Result<()>>,
    app: Router,
    listener: TcpListener,
) -> Result<SocketAddr, Box<dyn Error>> {
    let address = listener.local_addr()?;
    servers.spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// Go's driver requires TLS unless the URL says otherwise.
fn for_go(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    match url.contains("sslmode=") {
        true => url.to_owned(),
        false => format!("{url}{separator}sslmode=disable"),
    }
}

/// A database of yours, or a private server.
enum Database {
    Given(String),
    #[cfg(feature = "postgres")]
    Private(
        #[expect(dead_code, reason = "ends when it is dropped")] Box<PostgresServer>,
        String,
    ),
}

impl Database {
    /// Returns the database of the settings, or `None` if sessions are in cookies.
    fn of(settings: &Settings) -> Result<Option<Self>, Box<dyn Error>> {
        if settings.store == StoreName::Cookie {
            return Ok(None);
        }
        if !cfg!(feature = "postgres") {
            return Err("this store needs `--features postgres` before the `--`".into());
        }
        let given = settings.database.clone();
        match given.or_else(|| std::env::var("DATABASE_URL").ok()) {
            Some(url) => Ok(Some(Database::Given(url))),
            None => Database::private().map(Some),
        }
    }

    #[cfg(feature = "postgres")]
    fn private() -> Result<Self, Box<dyn Error>> {
        let server = PostgresServer::start().map_err(|why| {
            format!(
                "no private PostgreSQL server: {why}. Give a database: --database \
                 postgres://USER:PASSWORD@HOST/DATABASE, or the variable DATABASE_URL"
            )
        })?;
        let url = server.url();
        println!("a private PostgreSQL server runs, whose data is removed at the end: {url}");
        Ok(Database::Private(Box::new(server), url))
    }

    #[cfg(not(feature = "postgres"))]
    fn private() -> Result<Self, Box<dyn Error>> {
        Err("this store needs a database".into())
    }

    fn url(&self) -> &str {
        match self {
            Database::Given(url) => url,
            #[cfg(feature = "postgres")]
            Database::Private(_, url) => url,
        }
    }
}
