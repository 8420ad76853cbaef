//! [`Login`]: the user who is logged in to a session, the time of the login, and the state of the
//! owner's record at that time.

use std::num::NonZeroU64;

use crate::backend::{self, Generation, OwnerName};
use crate::codec::UnixTime;

use super::Error;

/// The owner of a session, and the time of the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) owner: OwnerName,
    pub(super) at: UnixTime,
    /// `None` if revocation is not in use, or if the login has not been recorded yet.
    pub(super) begun: Option<Begun>,
}

/// The state of the owner's record when the login began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) generation: Generation,
    /// `None` for sessions that are stored in cookies.
    pub(super) order: Option<Order>,
}

/// The place of a login among all logins of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: u64,
    /// The earlier login of the same owner in the same browser. Its session ends once the session
    /// of this login exists.
    pub(super) replaces: Option<u64>,
    /// A mark of the row that the session takes the place of, if there was one.
    pub(super) place: Option<NonZeroU64>,
}

/// Checks the name of a user.
pub(super) fn owner_name(text: impl Into<String>) -> Result<OwnerName, Error> {
    OwnerName::new(text).map_err(|error| Error::usage(error.to_string()))
}

impl Login {
    pub(super) fn generation(&self) -> Option<Generation> {
        self.begun.as_ref().map(|begun| begun.generation)
    }

    pub(super) fn order(&self) -> Option<Order> {
        self.begun.as_ref()?.order
    }

    /// Returns the login as the backend stores it, or `None` if the backend has not recorded it.
    pub(super) fn in_backend(&self) -> Option<backend::Login> {
        Some(backend::Login {
            generation: self.generation()?,
            number: self.order()?.number,
        })
    }
}

impl Begun {
    /// Returns a record of the greatest length that a backend can create.
    pub(super) fn longest_in_backend() -> Self {
        let order = Order {
            number: u64::MAX,
            replaces: Some(u64::MAX),
            place: Some(NonZeroU64::MAX),
        };
        Begun::in_backend(Generation::from_bytes([u8::MAX; 16]), order)
    }

    /// Creates the record for a session that is stored in a cookie.
    pub(super) fn in_cookie(generation: Generation) -> Self {
        Begun {
            generation,
            order: None,
        }
    }

    /// Creates the record for a session in a backend.
    pub(super) fn in_backend(generation: Generation, order: Order) -> Self {
        Begun {
            generation,
            order: Some(order),
        }
    }
}
