//! [`connect`] and [`connect_existing`]: a backend chosen by a URL at run time.

use std::sync::Arc;

use super::{Backend, Error, Memory};

/// Opens the backend that `url` names. Creates its folder, file or table if it is missing.
///
/// | URL | backend | feature |
/// |---|---|---|
/// | `memory:` | [`Memory`] | `backend` |
/// | `files:PATH` | `Files`, below that folder | `files` |
/// | `sqlite:PATH`, `sqlite:///PATH` | `Sqlite`, in that file | `sqlite` |
/// | `dynamodb:TABLE`, `dynamodb://TABLE?region=..&endpoint=..&prefix=..` | `DynamoDb`, with the credentials that AWS's own tools would use | `aws` |
/// | `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS` | `Postgres`, as `libpq` and sqlx read it | `postgres` |
///
/// A path is used as it is written, without escapes. It is relative to the working directory unless
/// it begins with a `/`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let backend = silverback::backend::connect("memory:").await?;
/// assert!(silverback::backend::connect("gopher://server").await.is_err());
/// # Ok::<(), silverback::backend::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Returns a usage error if the URL names no backend of this build, and an unavailable error if the
/// backend cannot be reached. The error does not quote the URL, which may hold a password.
pub async fn connect(url: &str) -> Result<Arc<dyn Backend>, Error> {
    open(url, Missing::IsMade).await
}

/// Opens the backend that `url` names, as [`connect`] does, but creates no folder, file or table.
/// For programs that maintain the store of a service.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use silverback::backend::connect_existing;
///
/// # #[cfg(feature = "files")] {
/// let refused = connect_existing("files:/nowhere/sessions").await.err().unwrap();
/// assert!(refused.is_usage());
/// # }
/// assert!(connect_existing("memory:").await.is_ok()); // and empty
/// # });
/// ```
///
/// # Errors
/// Returns the errors of [`connect`], and a usage error if there is no store.
pub async fn connect_existing(url: &str) -> Result<Arc<dyn Backend>, Error> {
    open(url, Missing::IsAnError).await
}

/// The action to take if the store is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsMade,
    IsAnError,
}

async fn open(url: &str, missing: Missing) -> Result<Arc<dyn Backend>, Error> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(Error::usage(
            "the backend's URL has no scheme: use memory:, files:, sqlite:, postgres: or dynamodb:",
        ));
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(Memory::new())),
        "memory" => Err(Error::usage("the URL of a memory backend is memory: alone")),
        "files" => files(rest, missing),
        "sqlite" => sqlite(rest, missing).await,
        "postgres" | "postgresql" => postgres(url, missing).await,
        "dynamodb" => dynamodb(url, missing).await,
        _ => Err(Error::usage(
            "the scheme of the backend's URL is unknown: use memory:, files:, sqlite:, postgres: or \
             dynamodb:",
        )),
    }
}

#[cfg(feature = "files")]
fn files(path: &str, missing: Missing) -> Result<Arc<dyn Backend>, Error> {
    if path.is_empty() {
        return Err(Error::usage(
            "the backend's URL has no path: write files:PATH",
        ));
    }
    let options = super::FilesOptions::new().create_if_missing(missing == Missing::IsMade);
    Ok(Arc::new(super::Files::open_with(path, options)?))
}

#[cfg(not(feature = "files"))]
fn files(_: &str, _: Missing) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "files: needs another build: enable silverback's feature `files`",
    ))
}

#[cfg(feature = "sqlite")]
async fn sqlite(rest: &str, missing: Missing) -> Result<Arc<dyn Backend>, Error> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(Error::usage(
                "the sqlite: URL names a server: write sqlite:PATH",
            ));
        }
        None => rest,
    };
    // Other programs read `?` as the start of options, and `:memory:` as a database that each
    // connection has for itself.
    if path.contains('?') || path.starts_with(':') {
        return Err(Error::usage(
            "the sqlite: URL has options or :memory:, which are not supported: write sqlite:PATH",
        ));
    }
    if path.is_empty() {
        return Err(Error::usage(
            "the backend's URL has no path: write sqlite:PATH",
        ));
    }
    let options = super::SqliteOptions::new().create_if_missing(missing == Missing::IsMade);
    Ok(Arc::new(super::Sqlite::open_with(path, options).await?))
}

#[cfg(not(feature = "sqlite"))]
async fn sqlite(_: &str, _: Missing) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "sqlite: needs another build: enable silverback's feature `sqlite`",
    ))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, missing: Missing) -> Result<Arc<dyn Backend>, Error> {
    let options = super::PostgresOptions::new().create_if_missing(missing == Missing::IsMade);
    Ok(Arc::new(super::Postgres::connect_with(url, options).await?))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_: &str, _: Missing) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "postgres: needs another build: enable silverback's feature `postgres`",
    ))
}

#[cfg(feature = "aws")]
async fn dynamodb(url: &str, missing: Missing) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(match missing {
        Missing::IsMade => super::DynamoDb::connect(url).await?,
        Missing::IsAnError => super::DynamoDb::connect_existing(url).await?,
    }))
}

#[cfg(not(feature = "aws"))]
async fn dynamodb(_: &str, _: Missing) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "dynamodb: needs another build: enable silverback's feature `aws`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_names_no_backend_is_refused_and_not_quoted() {
        for url in [
            "",
            "memory",
            "memory:x",
            "files:",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://host/file.db",
            "sqlite:file.db?mode=memory",
            "secret://user:secret@host",
        ] {
            let error = connect(url).await.err().unwrap();
            assert!(
                error.is_usage() && !error.to_string().contains("secret"),
                "{url}"
            );
        }
        assert!(connect("memory:").await.is_ok());
    }
}
