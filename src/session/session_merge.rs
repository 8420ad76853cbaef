//! [`Session::merge`]: takes over another stored session.

use std::sync::Arc;

use super::session_data::{Change, SessionData};
use super::store::{Loaded, LoadedSession, RowRef};
use super::{Error, Lookup, Refusal, Session};

impl Session {
    /// Takes over the values of another session of the same store, whose cookie's value is `cookie`,
    /// saves this session at once, and then ends the other one. Use it if one person turns out to
    /// have two sessions, for example from two apps.
    ///
    /// If both sessions have a value, the other session's counts. The later of both deadlines counts,
    /// and if one of them is remembered, the session is. The ID, the cookie and the login stay. If `cookie` is this session's own, nothing changes.
    ///
    /// This session is saved before the other one ends, so that a failure in between loses nothing.
    /// The merge can then be repeated. A change that another request saves in the other session at
    /// that moment is lost with it.
    ///
    /// Returns a refusal if `cookie` opens no session.
    ///
    /// ```
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// # use silverback::session::{Error, Lookup, ServerStore, Session, testing::Jar};
    /// /// Takes over the cart of the session that the client had in the app.
    /// async fn from_app(session: &Session, cookie: &str) -> Result<bool, Error> {
    ///     Ok(matches!(session.merge(cookie).await?, Lookup::Found(())))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::new(codecs, std::sync::Arc::new(Memory::new()))?;
    /// # let app = Jar::with(store.clone(), |session| session.insert("cart", 3)).await?;
    /// # let cookie = app.get("__Host-id").ok_or("no cookie")?;
    /// # let session = Jar::new().session(store.clone()).await?;
    /// # assert!(from_app(&session, cookie).await?);
    /// # assert_eq!(session.get("cart")?, Some(3));
    /// # assert!(!from_app(&session, cookie).await?, "it has ended");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns a usage error if the store keeps its sessions in their cookies, which cannot be ended,
    /// if the other session belongs to another owner, or if it has keys that are not strings. Returns
    /// the errors of [`save`](Session::save).
    #[doc(alias = "MergeSession")]
    pub async fn merge(&self, cookie: &str) -> Result<Lookup<()>, Error> {
        let other = match self.0.store.load(cookie).await? {
            Loaded::Live(other) => *other,
            Loaded::Moved(_) => return Ok(Lookup::Refused(Refusal::Moved)),
            Loaded::Refused(refusal) | Loaded::Dead(refusal) => {
                return Ok(Lookup::Refused(refusal));
            }
        };
        let row_ref = other.row_ref.clone().ok_or_else(|| {
            Error::usage(
                "a session in its cookie cannot be merged, because it cannot be ended: use a \
                 ServerStore",
            )
        })?;
        if self.is_at(&row_ref) {
            return Ok(Lookup::Found(()));
        }
        self.change_and_save(taking_over(other)).await?;
        self.0.store.end(&row_ref).await?;
        Ok(Lookup::Found(()))
    }

    /// Returns whether this session is the stored one.
    fn is_at(&self, row_ref: &RowRef) -> bool {
        let own = self.state().row_ref();
        own.is_some_and(|own| own.key == row_ref.key)
    }
}

/// Returns the change by which a session takes over another one.
fn taking_over(other: LoadedSession) -> Change {
    let other = other.data;
    Arc::new(move |data: &mut SessionData| {
        check_owner(data, &other)?;
        data.values.merge(&other.values)?;
        data.metadata.last_as_long_as(&other.metadata);
        Ok(())
    })
}

/// Refuses the session of another owner, whose values the owner of this one must not see.
fn check_owner(data: &SessionData, other: &SessionData) -> Result<(), Error> {
    let owner = |data: &SessionData| {
        data.metadata
            .login
            .as_ref()
            .map(|login| login.owner.clone())
    };
    match owner(other) {
        theirs @ Some(_) if theirs != owner(data) => Err(Error::usage(
            "the other session belongs to another owner: log that owner in before the merge",
        )),
        _ => Ok(()),
    }
}
