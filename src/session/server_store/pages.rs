//! [`StoredPage`]: all sessions of a [`ServerStore`], page by page.

use crate::backend::{Entry, Key};

use super::super::{Error, Refusal, StoredSession};
use super::ServerStore;

/// One page of the live sessions of a [`ServerStore`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoredPage {
    /// The sessions.
    pub sessions: Vec<StoredSession>,
    /// The key after which the next page begins. `None` on the last page.
    pub next: Option<Key>,
    /// The keys of rows that are not sessions of this store, or that its codec does not open because
    /// they are too long.
    pub refused: Vec<(Key, Refusal)>,
    /// One error for each row that the backend could not read.
    pub skipped: Vec<Error>,
}

impl ServerStore {
    /// Returns the live sessions of at most `limit` rows after the key `after`, whatever their owner.
    /// For operators: to count sessions, or to end those that a condition selects.
    ///
    /// A session that begins, ends or is renewed during the listing may or may not be in a page, so
    /// repeat the listing until it finds nothing more to end. A page may be empty and have a next one,
    /// since ended sessions leave rows for a while. A row that is not a session of this store is in
    /// [`refused`](StoredPage::refused). Each session takes one request to the server.
    ///
    /// ```
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// # use silverback::session::{Error, ServerStore, testing::Jar};
    /// /// Ends all sessions with an old version of the cart, and returns their number.
    /// async fn end_old_carts(store: &ServerStore) -> Result<usize, Error> {
    ///     let (mut after, mut ended) = (None, 0);
    ///     loop {
    ///         let page = store.page(after.as_ref(), 100).await?;
    ///         for session in &page.sessions {
    ///             if session.values().contains("cart v1") {
    ///                 ended += usize::from(store.end_by_key(session.key()).await?.found().is_some());
    ///             }
    ///         }
    ///         match page.next {
    ///             Some(next) => after = Some(next),
    ///             None => return Ok(ended),
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::new(codecs, Memory::new())?;
    /// # Jar::with(store.clone(), |session| session.insert("cart v1", 1)).await?;
    /// # Jar::with(store.clone(), |session| session.insert("cart v2", 2)).await?;
    /// # assert_eq!((end_old_carts(&store).await?, end_old_carts(&store).await?), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer, and a usage error if it cannot
    /// list its records.
    #[doc(alias = "Iterate")]
    #[doc(alias = "All")]
    pub async fn page(&self, after: Option<&Key>, limit: usize) -> Result<StoredPage, Error> {
        let scan = self.backend().scan().ok_or_else(|| {
            Error::usage(
                "the backend cannot list its records: use another backend to list sessions",
            )
        })?;
        let listed = scan.page(after, limit).await.map_err(Error::of_backend)?;
        let mut page = StoredPage {
            next: listed.next,
            skipped: listed.skipped.into_iter().map(Error::of_backend).collect(),
            ..StoredPage::default()
        };
        for Entry { key, .. } in listed.entries {
            match self.look_at(&key).await? {
                Ok(session) => page.sessions.push(session),
                Err(refusal @ (Refusal::NotValid | Refusal::TooLong)) => {
                    page.refused.push((key, refusal));
                }
                // It has ended since the backend listed it.
                Err(_) => {}
            }
        }
        Ok(page)
    }

    /// Finds the session under a key, and logs no refusal: each row of another store would be logged
    /// again with each listing.
    async fn look_at(&self, key: &Key) -> Result<Result<StoredSession, Refusal>, Error> {
        let store = &self.0;
        let row = match store.rows.look_up(key).await {
            Err(error) if error.is_too_large() => Err(Refusal::TooLong),
            state => store.live_row(state?),
        };
        Ok(row.map(|row| StoredSession::new(store.rows.format.public_id(key), row)))
    }
}
