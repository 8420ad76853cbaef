//! The stores that the Rust program shares with the Go program.

use std::error::Error;
use std::time::Duration;

#[cfg(feature = "postgres")]
use silverback::backend::{Cleanup, GoPostgres, GoTable};
use silverback::codec::{Codecs, KeyPairs};
#[cfg(feature = "postgres")]
use silverback::compat::{PgStore, ScsStore};
use silverback::session::{self, CookieOptions, CookieStore, Lifetime, Stores};

/// The cookie's name in both programs. gorilla seals a cookie under it.
const COOKIE: &str = "shop";

/// The types that the Go program registers with `gob.Register`. Only the login's time needs one.
const KNOWN_TYPES: [&str; 1] = ["time.Time"];

/// gorilla's default `MaxAge`.
const MONTH: Duration = Duration::from_secs(86_400 * 30);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StoreName {
    Cookie,
    Pgstore,
    Scs,
}

impl StoreName {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "cookie" => Some(StoreName::Cookie),
            "pgstore" => Some(StoreName::Pgstore),
            "scs" => Some(StoreName::Scs),
            _ => None,
        }
    }

    /// Returns the name of Go's flag.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            StoreName::Cookie => "cookie",
            StoreName::Pgstore => "pgstore",
            StoreName::Scs => "scs",
        }
    }

    /// Returns the name that the page shows.
    pub(crate) fn title(self) -> &'static str {
        match self {
            StoreName::Cookie => "Silverback, CookieStore",
            StoreName::Pgstore => "Silverback, PgStore",
            StoreName::Scs => "Silverback, scs_postgresstore",
        }
    }
}

/// The place of the sessions, which stays the same when the keys change.
pub(crate) enum Storage {
    Cookie,
    #[cfg(feature = "postgres")]
    Pgstore(
        GoPostgres,
        #[expect(dead_code, reason = "ends when it is dropped")] Cleanup,
    ),
    #[cfg(feature = "postgres")]
    Scs(ScsStore),
}

impl Storage {
    /// Opens the rows of the store in the database at `url`.
    #[cfg(feature = "postgres")]
    pub(crate) async fn open(store: StoreName, url: Option<&str>) -> Result<Self, Box<dyn Error>> {
        let Some(url) = url else {
            return Ok(Storage::Cookie);
        };
        Ok(match store {
            StoreName::Cookie => Storage::Cookie,
            StoreName::Pgstore => {
                let rows = GoPostgres::connect(url, GoTable::antonlindstrom_pgstore()).await?;
                let shared = std::sync::Arc::new(rows.clone());
                let every = Duration::from_secs(5 * 60);
                let cleanup = Cleanup::every(every, shared, |error| eprintln!("{error}"));
                Storage::Pgstore(rows, cleanup)
            }
            StoreName::Scs => Storage::Scs(silverback::compat::scs_postgresstore(url).await?),
        })
    }

    #[cfg(not(feature = "postgres"))]
    pub(crate) async fn open(_: StoreName, _: Option<&str>) -> Result<Self, Box<dyn Error>> {
        Ok(Storage::Cookie)
    }

    /// Returns the store with these keys, and with the name and limits of the Go program. scs has
    /// no keys.
    pub(crate) fn stores(&self, keys: KeyPairs) -> Result<Stores, session::Error> {
        // Over TLS, leave `insecure_http` out, and set `Secure: true` in Go.
        let cookie = CookieOptions::new().insecure_http().persistent(true);
        match self {
            Storage::Cookie => in_cookies(keys, cookie),
            #[cfg(feature = "postgres")]
            Storage::Pgstore(rows, _) => {
                let store = PgStore::new(rows.clone(), keys).options(cookie);
                Ok(store.known_types(KNOWN_TYPES).named(COOKIE)?.into())
            }
            #[cfg(feature = "postgres")]
            Storage::Scs(store) => {
                let manager = store.manager().cookie(cookie);
                Ok(manager.known_types(KNOWN_TYPES).named(COOKIE)?.into())
            }
        }
    }
}

fn in_cookies(keys: KeyPairs, cookie: CookieOptions) -> Result<Stores, session::Error> {
    let invalid = |error| session::Error::usage("the keys are not valid").with_source(error);
    let codecs = Codecs::from_pairs(keys).map_err(invalid)?;
    let lifetime = Lifetime::new().idle(MONTH).without_absolute();
    let store = CookieStore::with_options(codecs, cookie.name(COOKIE)?, lifetime)?;
    Ok(store.known_types(KNOWN_TYPES).into())
}
