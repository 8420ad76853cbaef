//! The backends that are tried, and how to have each.

use std::pin::Pin;
use std::sync::Arc;

use silverback::backend::{Backend, connect};
use tokio::sync::OnceCell;

/// The backend, or why there is none: a server's program is not here, say.
pub(crate) type Made = Result<Arc<dyn Backend>, String>;

pub(crate) type Making = Pin<Box<dyn Future<Output = Made> + Send>>;

/// A backend that is made when the first trial needs it. All laws are tried on the one, each
/// in its own key space.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What `SILVERBACK_REQUIRE` calls the server.
    pub(crate) requirement: &'static str,
    make: fn() -> Making,
    made: OnceCell<Made>,
}

impl Contestant {
    pub(crate) fn new(name: &'static str, requirement: &'static str, make: fn() -> Making) -> Self {
        Contestant {
            name,
            requirement,
            make,
            made: OnceCell::new(),
        }
    }

    pub(crate) async fn backend(&self) -> Made {
        self.made.get_or_init(self.make).await.clone()
    }
}

/// All of this build.
pub(crate) fn all() -> Vec<Contestant> {
    let mut all = vec![
        Contestant::new("memory", "memory", || {
            Box::pin(always("memory:".to_owned()))
        }),
        #[cfg(feature = "files")]
        Contestant::new("files", "files", || Box::pin(always(on_disk("files")))),
        #[cfg(feature = "sqlite")]
        Contestant::new("sqlite", "sqlite", || Box::pin(always(on_disk("sqlite")))),
    ];
    #[cfg(feature = "postgres")]
    all.extend(super::postgres::contestants());
    #[cfg(feature = "aws")]
    all.extend(super::dynamodb::contestants());
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

/// A backend that needs no server: one that cannot be had is no reason to ignore its laws.
async fn always(url: String) -> Made {
    Ok(connect(&url)
        .await
        .expect("a backend in a place of its own"))
}

/// The URL of a backend of that kind in a place that nobody else uses, below the target
/// directory. It stays, to be looked at, until the tests run again.
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
