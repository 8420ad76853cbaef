//! [`Session::merge`]: takes over another stored session.

use std::sync::Arc;

use super::commit::run_to_its_end;
use super::observed;
use super::session_data::{Change, SessionData};
use super::state::Place;
use super::store::{Loaded, LoadedSession};
use super::{Error, Lookup, Refusal, Session};

/// The most times that a merge begins again because another request has changed the other session.
const MOST_ATTEMPTS: usize = 8;

impl Session {
    /// Takes over the values of another session of the same store, whose cookie's value is `cookie`:
    /// saves this session at once, and then ends the other one. Use it if one person turns out to
    /// have two sessions, for example from two apps.
    ///
    /// If both sessions have a value, the other session's counts. The ID, the cookie and the login
    /// stay. The later of both deadlines counts, and if one session is remembered, this one is; but a
    /// login lasts no longer because of a session without a login. If `cookie` is this session's own,
    /// nothing changes.
    ///
    /// **Another person may have made the other session**, and its values replace yours. Where a value
    /// names the user, as in sessions that a Go program shares, compare both before you merge.
    ///
    /// This session is saved before the other one ends, and the other one ends only if no request has
    /// changed it since; otherwise the merge begins again. So no value is lost, also if two requests
    /// merge two sessions in opposite directions. If two requests merge one session at the same time,
    /// both may get its values.
    ///
    /// Returns a refusal if `cookie` opens no session, or the session of [another
    /// owner](Refusal::OtherOwner).
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
    /// # let store = ServerStore::new(codecs, Memory::new())?;
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
    /// Returns the errors of [`save`](Session::save), and a usage error in each of these cases:
    ///
    /// - The sessions are in their cookies, which cannot be ended, or [move](super::Migrating) to
    ///   another store.
    /// - `cookie` is the one of this request, and a login or a logout is not saved yet. To keep the
    ///   values in a login, use [`login_keeping_values`](Session::login_keeping_values).
    ///
    /// Returns a [conflict](Error::is_conflict) if other requests keep changing the other session.
    #[doc(alias = "MergeSession")]
    pub async fn merge(&self, cookie: &str) -> Result<Lookup<()>, Error> {
        let (session, cookie) = (self.clone(), cookie.to_owned());
        // If the caller is dropped, the other session must still end.
        let work = async move |_| session.merge_to_its_end(&cookie).await;
        let merged = run_to_its_end(&*self.0.store, work).await;
        merged.unwrap_or_else(|error| Err(Error::in_doubt().with_source(error)))
    }

    async fn merge_to_its_end(&self, cookie: &str) -> Result<Lookup<()>, Error> {
        if !self.0.store.can_end_unchanged() {
            return Err(no_server());
        }
        for attempt in 0..MOST_ATTEMPTS {
            let other = match self.load_other(cookie).await? {
                Lookup::Found(other) => other,
                // Its values are here. Another request has ended or moved it since.
                Lookup::Refused(_) if attempt > 0 => return Ok(Lookup::Found(())),
                Lookup::Refused(refusal) => return Ok(Lookup::Refused(refusal)),
            };
            let row_ref = other.row_ref.clone().ok_or_else(no_server)?;
            match self.state().place_of(&row_ref.key) {
                Place::Own => return Ok(Lookup::Found(())),
                Place::Replaced => return Err(not_saved()),
                Place::Elsewhere => {}
            }
            if !may_take_over(&self.state().data, &other.data) {
                return Ok(Lookup::Refused(Refusal::OtherOwner));
            }
            self.change_and_save(taking_over(other)).await?;
            if observed::end_unchanged(&*self.0.store, &row_ref).await? {
                return Ok(Lookup::Found(()));
            }
        }
        Err(Error::conflict())
    }

    async fn load_other(&self, cookie: &str) -> Result<Lookup<LoadedSession>, Error> {
        Ok(match self.0.store.load(cookie).await? {
            Loaded::Live(other) => Lookup::Found(*other),
            Loaded::Moved(_) => Lookup::Refused(Refusal::Moved),
            Loaded::Refused(refusal) | Loaded::Dead(refusal) => Lookup::Refused(refusal),
        })
    }
}

fn no_server() -> Error {
    Error::usage(
        "only sessions in one server can be merged: use a ServerStore, or a Migrating in its last \
         stage",
    )
}

fn not_saved() -> Error {
    Error::usage(
        "the cookie is the one of this request, whose login or logout is not saved yet: to keep the \
         values in a login, use login_keeping_values",
    )
}

/// Returns the change by which a session takes over another one.
fn taking_over(other: LoadedSession) -> Change {
    let other = other.data;
    Arc::new(move |data: &mut SessionData| {
        if !may_take_over(data, &other) {
            return Err(Error::usage(
                "the session has another owner since the merge began: begin it again",
            ));
        }
        data.values.merge(&other.values)?;
        data.metadata.last_as_long_as(&other.metadata);
        Ok(())
    })
}

/// Returns false for the session of another owner, whose values the owner of this one must not see.
fn may_take_over(data: &SessionData, other: &SessionData) -> bool {
    let theirs = other.metadata.owner();
    theirs.is_none() || theirs == data.metadata.owner()
}
