//! [`MigrationStage`]: the stages of a move. [`OldStore`]: the store that sessions move away from.

use super::super::store::Storage;
use super::super::{CookieStore, ServerStore};

/// The stage of a [`Migrating`](super::Migrating) store.
///
/// Deploy the stages one after the other. At each moment, the processes of a fleet may be at one
/// stage or at two neighbours of this list:
///
/// 1. the old store alone
/// 2. [`Prepare`](MigrationStage::Prepare)
/// 3. [`Move`](MigrationStage::Move)
/// 4. [`Done`](MigrationStage::Done), or the new store alone
///
/// Every step can be taken back. See [`Migrating`](super::Migrating).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationStage {
    /// Sessions of both stores open, and are saved where they are. New sessions begin in the old
    /// store.
    #[default]
    Prepare,
    /// Sessions of both stores open. New sessions begin in the new store, and a session of the old
    /// store moves there when it is saved next.
    Move,
    /// Only sessions of the new store open.
    Done,
}

/// The store that sessions move away from: a [`ServerStore`] or a [`CookieStore`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OldStore {
    /// Sessions in a server.
    Server(ServerStore),
    /// Sessions in cookies.
    Cookie(Box<CookieStore>),
}

impl From<ServerStore> for OldStore {
    fn from(store: ServerStore) -> Self {
        OldStore::Server(store)
    }
}

impl From<CookieStore> for OldStore {
    fn from(store: CookieStore) -> Self {
        OldStore::Cookie(Box::new(store))
    }
}

impl OldStore {
    pub(super) fn storage(&self) -> &dyn Storage {
        match self {
            OldStore::Server(old) => old,
            OldStore::Cookie(old) => &**old,
        }
    }
}
