//! [`Login`]: who is logged in to a session, since when, and what the record of the owner said
//! when the login began.

use crate::backend::{self, Generation};
use crate::codec::UnixTime;

use super::Epoch;

/// Who logged in, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) owner: String,
    pub(super) at: UnixTime,
    /// None where revocation is not asked for, or not asked yet.
    pub(super) begun: Option<Begun>,
}

/// What the record of a login's owner said when the login began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) epoch: Epoch,
    /// None for sessions that live in cookies.
    pub(super) order: Option<Order>,
}

/// The place of a login among all logins of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: u64,
    /// The earlier login of the same owner in the same browser, whose session ends once this one's
    /// is there.
    pub(super) replaces: Option<u64>,
}

impl Login {
    pub(super) fn epoch(&self) -> Option<&Epoch> {
        self.begun.as_ref().map(|begun| &begun.epoch)
    }

    pub(super) fn order(&self) -> Option<Order> {
        self.begun.as_ref()?.order
    }

    /// The login as the backend knows it; none, if the backend has not begun it.
    pub(super) fn in_backend(&self) -> Option<backend::Login> {
        Some(backend::Login {
            generation: self.epoch()?.generation()?,
            number: self.order()?.number,
        })
    }
}

impl Begun {
    /// As long as one in a backend can be.
    pub(super) fn longest_in_backend() -> Self {
        let generation = Generation::from_bytes([u8::MAX; 16]);
        let number = u64::MAX;
        Begun::in_backend(backend::Login { generation, number }, Some(number))
    }

    /// Of a session that lives in a cookie.
    pub(super) fn in_cookie(epoch: Epoch) -> Self {
        Begun { epoch, order: None }
    }

    /// Of a session in a backend, which takes the place of that of the login `replaces`.
    pub(super) fn in_backend(login: backend::Login, replaces: Option<u64>) -> Self {
        let number = login.number;
        Begun {
            epoch: Epoch::of_generation(login.generation),
            order: Some(Order { number, replaces }),
        }
    }
}
