//! [`BackendEpochs`]: the epochs of sessions in cookies, stored in a backend.

use std::fmt;
use std::sync::Arc;

use crate::backend::{Backend, Expiry, Owners};
use crate::codec::UnixTime;

use super::rows::expiry_at;
use super::{Epoch, Epochs, Error, async_trait};

/// Stores epochs as the generations of a [`Backend`]'s owners.
///
/// One revocation then ends an owner's sessions in cookies and those in the same backend.
///
/// ```
/// use std::sync::Arc;
/// use silverback::backend::Memory;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{BackendEpochs, CookieStore};
///
/// let epochs = BackendEpochs::new(Arc::new(Memory::new()))?;
/// let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?.epochs(epochs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BackendEpochs(Arc<dyn Backend>);

impl BackendEpochs {
    /// Takes the epochs from the owners in `backend`.
    ///
    /// # Errors
    /// Returns a usage error if the backend has no owners.
    pub fn new(backend: Arc<dyn Backend>) -> Result<Self, Error> {
        match backend.owners() {
            Some(_) => Ok(BackendEpochs(backend)),
            None => Err(no_owners()),
        }
    }

    fn owners(&self) -> Result<&dyn Owners, Error> {
        self.0.owners().ok_or_else(no_owners)
    }
}

pub(super) fn no_owners() -> Error {
    Error::usage("the backend does not know whose sessions are whose")
}

fn until_or_never(until: Option<UnixTime>) -> Expiry {
    until.map_or(Expiry::NEVER, expiry_at)
}

#[async_trait]
impl Epochs for BackendEpochs {
    async fn current(&self, owner: &str) -> Result<Option<Epoch>, Error> {
        let generation = self.owners()?.generation(owner).await;
        let generation = generation.map_err(Error::of_backend)?;
        Ok(generation.map(Epoch::of_generation))
    }

    async fn begin(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error> {
        let owners = self.owners()?;
        let extended = owners.extend(owner, until_or_never(until)).await;
        extended
            .map(Epoch::of_generation)
            .map_err(Error::of_backend)
    }

    async fn revoke(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error> {
        let owners = self.owners()?;
        let revoked = owners.revoke(owner, until_or_never(until), None).await;
        revoked.map(Epoch::of_generation).map_err(Error::of_backend)
    }
}

impl fmt::Debug for BackendEpochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackendEpochs(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Jar;
    use super::super::{CookieStore, ServerStore};
    use super::*;
    use crate::backend::Memory;
    use crate::codec::{Codecs, KeyPairs};

    fn codecs() -> Codecs {
        Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn one_revocation_ends_sessions_in_cookies_and_in_the_backend() {
        let backend: Arc<dyn Backend> = Arc::new(Memory::new());
        let epochs = BackendEpochs::new(backend.clone()).unwrap();
        let in_cookies = CookieStore::new(codecs()).unwrap().epochs(epochs);
        let in_backend = ServerStore::new(codecs(), backend).unwrap();
        let login = |session: &super::super::Session| session.login("ape");
        let cookie = Jar::with(in_cookies.clone(), login).await.unwrap();
        let row = Jar::with(in_backend.clone(), login).await.unwrap();
        let owners = async || {
            let of_cookie = cookie.session(in_cookies.clone()).await.unwrap().owner();
            let of_row = row.session(in_backend.clone()).await.unwrap().owner();
            (of_cookie, of_row)
        };
        let ape = Some("ape".to_owned());
        assert_eq!(owners().await, (ape.clone(), ape));
        in_backend.end_all("ape").await.unwrap();
        assert_eq!(owners().await, (None, None));
    }
}
