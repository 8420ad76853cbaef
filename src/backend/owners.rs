//! [`Owners`]: the records of each owner (the user who is logged in), and revoking all of them at
//! once.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Generation, Generations, Key, OwnerName};

/// One login of an owner: its place in the order of the owner's logins.
///
/// If a login began after another one had been answered, it has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Login {
    /// The owner's generation when the login began.
    pub generation: Generation,
    /// The number of the owner's logins that had begun by then, this one included. It counts from 1
    /// as long as the owner's record is live, across generations too.
    pub number: u64,
}

impl Login {
    /// Creates the login of that number. For backends of your own.
    #[must_use]
    pub const fn new(generation: Generation, number: u64) -> Self {
        Login { generation, number }
    }
}

/// The owner of a record, and the login that the record belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name, such as a user's ID.
    pub name: OwnerName,
    /// The login that the record belongs to.
    pub login: Login,
}

/// Shows that there is an owner, but not the name.
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// Keeps one small record for each owner: the generation, the number of logins, the expiry, and the
/// login, if any, that the last revocation kept.
#[async_trait]
pub trait Owners: Generations {
    /// Begins a login of the owner, in one step: creates the owner's record if it is missing, adds
    /// one to its number of logins, and extends its expiry as [`extend`](Generations::extend) does.
    ///
    /// The login must then create its record under `key`. [`keys`](Owners::keys) lists that record
    /// as soon as it exists. If the record is never created, the login's number is not used again.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create).
    async fn begin(&self, owner: &OwnerName, until: Expiry, key: &Key) -> Result<Login, Error>;

    /// Revokes the owner's records as [`revoke`](Generations::revoke) does, except those of the
    /// login `keep`: these stay live under all their keys, also if they are written later.
    ///
    /// A login can be kept only if its records are live: a login of an earlier generation that the
    /// last revocation did not keep stays revoked.
    ///
    /// # Errors
    /// Returns the errors of [`begin`](Owners::begin).
    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error>;

    /// Returns the keys of the owner's live records, in no particular order.
    ///
    /// A record under the key that its login [began](Owners::begin) with is listed from the moment
    /// it exists. A backend with a slow index may list other records later.
    ///
    /// A session moves to another key in two writes: it is created there, and the old record loses
    /// its owner and names the new key. A list that is read at the same time has at least one of the
    /// two keys. Therefore a backend may list a key after the record there has lost its owner.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error>;

    /// Returns whether the backend can list an owner's records. Otherwise [`keys`](Owners::keys) is
    /// a usage error, and a store on the backend has no lists of sessions and no `max_sessions`. By
    /// default, it can.
    fn can_list(&self) -> bool {
        true
    }
}
