//! [`connect`]: a backend chosen by a URL, at run time.

use std::sync::Arc;

use super::{Backend, Error, Memory};

/// The backend that `url` names.
///
/// | URL | backend | feature |
/// |---|---|---|
/// | `memory:` | [`Memory`] | `backend` |
/// | `files:PATH` | `Files`, below that folder | `files` |
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
/// Usage, for a URL that names no backend of this build; unavailable, if it cannot be
/// reached. The error does not quote the URL, which may hold a password.
pub async fn connect(url: &str) -> Result<Arc<dyn Backend>, Error> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(Error::usage(
            "a backend's URL begins with memory: or files:",
        ));
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(Memory::new())),
        "memory" => Err(Error::usage("nothing follows memory: in a backend's URL")),
        "files" => files(rest),
        _ => Err(Error::usage("no backend is known by the scheme of the URL")),
    }
}

#[cfg(feature = "files")]
fn files(path: &str) -> Result<Arc<dyn Backend>, Error> {
    match path {
        "" => Err(Error::usage("a folder follows files: in a backend's URL")),
        path => Ok(Arc::new(super::Files::open(path)?)),
    }
}

#[cfg(not(feature = "files"))]
fn files(_: &str) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage("files: needs silverback's feature `files`"))
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
