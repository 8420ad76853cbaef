//! The backends under test, and how to make each.

use std::pin::Pin;
use std::sync::Arc;

use silverback::backend::{Backend, connect};
use tokio::sync::OnceCell;

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
        }
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
    ];
    #[cfg(feature = "postgres")]
    let all = all
        .into_iter()
        .chain(super::postgres::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "mssql")]
    let all = all
        .into_iter()
        .chain(super::mssql::candidates())
        .collect::<Vec<_>>();
    #[cfg(feature = "aws")]
    let all = all
        .into_iter()
        .chain(super::dynamodb::candidates())
        .collect();
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
