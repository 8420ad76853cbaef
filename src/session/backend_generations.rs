//! [`BackendGenerations`]: the generations of a backend's owners, for sessions in cookies.

use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{self, Backend, Expiry, Generation, Generations, OwnerName, Owners};

use super::Error;

/// The generations of a backend's owners. One revocation then ends an owner's sessions in cookies
/// and those in the same backend.
pub(super) struct BackendGenerations(Arc<dyn Backend>);

impl BackendGenerations {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Result<Self, Error> {
        match backend.owners() {
            Some(_) => Ok(BackendGenerations(backend)),
            None => Err(Error::no_owners()),
        }
    }

    fn owners(&self) -> Result<&dyn Owners, backend::Error> {
        let none = || backend::Error::usage("the backend has no owners any more");
        self.0.owners().ok_or_else(none)
    }
}

#[async_trait]
impl Generations for BackendGenerations {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, backend::Error> {
        self.owners()?.generation(owner).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        self.owners()?.extend(owner, until).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, backend::Error> {
        self.owners()?.revoke(owner, until).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Jar;
    use super::super::{CookieStore, ServerStore, Session};
    use super::*;
    use crate::backend::Memory;
    use crate::codec::{Codecs, KeyPairs};

    fn codecs() -> Codecs {
        Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn one_revocation_ends_sessions_in_cookies_and_in_the_backend() {
        let backend: Arc<dyn Backend> = Arc::new(Memory::new());
        let in_cookies = CookieStore::new(codecs()).unwrap();
        let in_cookies = in_cookies.revocable_in(backend.clone()).unwrap();
        let in_backend = ServerStore::new(codecs(), backend).unwrap();
        let login = |session: &Session| session.login("ape");
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
