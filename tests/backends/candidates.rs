//! The backends under test, and how to make each.

use std::pin::Pin;
use std::sync::Arc;

use silverback::backend::conformance::{LAWS, Law};
use silverback::backend::{Backend, connect};
#[cfg(feature = "sqlite")]
use silverback::backend::{GoSqlite, GoTable};
use tokio::sync::OnceCell;

#[cfg(feature = "sqlite")]
use super::encoded::Encoded;

/// The backend, or the reason why it is not available, such as a missing program.
pub(crate) type Made = Result<Arc<dyn Backend>, String>;

pub(crate) type BackendFuture = Pin<Box<dyn Future<Output = Made> + Send>>;

/// A backend that is made when the first trial needs it. All laws use the same backend, each in its
/// own key space.
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    /// The name of the server in `SILVERBACK_REQUIRE`.
    pub(crate) requirement: &'static str,
    make: fn() -> BackendFuture,
    made: OnceCell<Made>,
    /// The laws that the backend does not keep, with the reasons.
    exceptions: &'static [(&'static str, &'static str)],
    has_wrong_clock: bool,
}

impl Candidate {
    pub(crate) fn new(
        name: &'static str,
        requirement: &'static str,
        make: fn() -> BackendFuture,
    ) -> Self {
        Candidate {
            name,
            requirement,
            make,
            made: OnceCell::new(),
            exceptions: &[],
            has_wrong_clock: false,
        }
    }

    /// Tests only the laws about expiries: no other law depends on the server's clock, and the same
    /// kind of server with a right clock keeps them all.
    #[cfg(any(
        feature = "aws",
        feature = "postgres",
        feature = "mysql",
        feature = "redis"
    ))]
    pub(crate) fn with_wrong_clock(self) -> Self {
        Candidate {
            has_wrong_clock: true,
            ..self
        }
    }

    pub(crate) fn laws(&self) -> impl Iterator<Item = &'static Law> {
        let is_about_expiries =
            |law: &&Law| law.name.contains("expir") || matches!(law.number, 2 | 6 | 8 | 9);
        let all = !self.has_wrong_clock;
        LAWS.iter().filter(move |law| all || is_about_expiries(law))
    }

    /// Names laws that the backend does not keep, with the reasons.
    #[cfg(any(feature = "mysql", feature = "redis", feature = "memcached"))]
    pub(crate) fn except(self, exceptions: &'static [(&'static str, &'static str)]) -> Self {
        Candidate { exceptions, ..self }
    }

    /// Returns the reason why the backend does not keep the law, if it does not.
    pub(crate) fn exception(&self, law: &str) -> Option<&'static str> {
        let mut exceptions = self.exceptions.iter();
        let found = exceptions.find(|(name, _)| *name == law);
        found.map(|(_, why)| *why)
    }

    pub(crate) async fn backend(&self) -> Made {
        self.made.get_or_init(self.make).await.clone()
    }
}

/// Returns all backends of this build.
pub(crate) fn all() -> Vec<Candidate> {
    let all = vec![
        Candidate::new("memory", "memory", || {
            Box::pin(always("memory:".to_owned()))
        }),
        #[cfg(feature = "files")]
        Candidate::new("files", "files", || Box::pin(always(on_disk("files")))),
        #[cfg(feature = "sqlite")]
        Candidate::new("sqlite", "sqlite", || Box::pin(always(on_disk("sqlite")))),
        #[cfg(feature = "sqlite")]
        Candidate::new("sqlite_scs", "sqlite", || {
            Box::pin(go_sqlite(GoTable::scs_sqlite3store()))
        }),
        #[cfg(feature = "sqlite")]
        Candidate::new("sqlite_gorm", "sqlite", || {
            Box::pin(go_sqlite(GoTable::scs_gormstore()))
        }),
        #[cfg(feature = "sqlite")]
        Candidate::new("sqlite_wader", "sqlite", || {
            Box::pin(go_sqlite(GoTable::wader_gormstore()))
        }),
    ];
    #[cfg(feature = "postgres")]
    let all = all
        .into_iter()
        .chain(super::postgres::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "mysql")]
    let all = all
        .into_iter()
        .chain(super::mysql::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "mssql")]
    let all = all
        .into_iter()
        .chain(super::mssql::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "memcached")]
    let all = all
        .into_iter()
        .chain(super::memcached::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "redis")]
    let all = all
        .into_iter()
        .chain(super::redis::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "aws")]
    let all = all
        .into_iter()
        .chain(super::dynamodb::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "etcd")]
    let all = all.into_iter().chain(super::etcd::candidates()).collect();
    all
}

/// The kinds that keep records on this machine's disk.
#[cfg(unix)]
pub(crate) const ON_DISK: &[&str] = &[
    #[cfg(feature = "files")]
    "files",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Makes a backend without a server. A failure must not skip its laws.
async fn always(url: String) -> Made {
    Ok(connect(&url).await.expect("a backend in a fresh place"))
}

/// Makes a backend in the table of a Go package.
#[cfg(feature = "sqlite")]
async fn go_sqlite(table: GoTable) -> Made {
    let url = on_disk("sqlite");
    let path = url.strip_prefix("sqlite:").expect("a path");
    let backend = GoSqlite::open(path, table).await;
    let backend = backend.expect("a backend in a fresh place");
    Ok(Encoded::with_nonces(Arc::new(backend)))
}

/// Returns the URL of a backend of that kind in a fresh place below the target directory. The place
/// remains for inspection until the tests run again.
#[cfg(any(unix, feature = "files", feature = "sqlite"))]
pub(crate) fn on_disk(kind: &str) -> String {
    use silverback::backend::conformance::KeySpace;

    static CLEARED: std::sync::Once = std::sync::Once::new();
    let places = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("backends");
    CLEARED.call_once(|| drop(std::fs::remove_dir_all(&places)));
    let unique = format!("{:?}", KeySpace::new().expect("randomness"));
    let unique: String = unique.chars().filter(char::is_ascii_hexdigit).collect();
    let place = places.join(unique);
    std::fs::create_dir_all(&place).expect("a folder below the target directory");
    format!("{kind}:{}", place.join(kind).display())
}
