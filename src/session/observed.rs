//! The calls of sessions to their store, each with its [event](super::events).

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::OwnerName;

use super::events::{Event, EventKind};
use super::setup::Setup;
use super::store::{IdChange, RowRef, SaveRequest, SaveResult, Store};
use super::{Error, Refusal, SessionId};

/// A save whose outcome is still to be reported.
pub(super) struct PendingSave {
    kind: EventKind,
    owner: Option<OwnerName>,
    /// The row of the session, or of the session that it replaces.
    before: Option<Arc<RowRef>>,
    replaces: bool,
    revokes_others: bool,
}

impl PendingSave {
    /// Returns the save as it will be reported, or `None` without an observer.
    pub(super) fn of(store: &dyn Store, save: &SaveRequest) -> Option<Self> {
        store.setup().events.is_on().then(|| PendingSave {
            kind: kind_of(save),
            owner: save.data.metadata.owner().cloned(),
            before: save.row_ref.clone(),
            replaces: save.replaces,
            revokes_others: save.revokes_others,
        })
    }

    /// Reports the result: one outcome. If another session was replaced, or the owner's others were
    /// revoked, that is another event.
    pub(super) fn report(self, store: &dyn Store, result: Result<Option<&RowRef>, &Error>) {
        let before = self.before.as_deref();
        let owner = self.owner.as_ref();
        match result {
            Ok(row_ref) => {
                if self.replaces {
                    let of_old = before.and_then(|row_ref| row_ref.login.as_ref());
                    let of_old = of_old.map(|login| &login.owner);
                    emit(store, EventKind::Replaced, before, of_old, None);
                }
                if self.revokes_others {
                    emit(store, EventKind::Revoked, None, owner, None);
                }
                emit(store, self.kind, row_ref, owner, None);
            }
            Err(error) => {
                let before = before.filter(|_| !self.replaces);
                emit(
                    store,
                    EventKind::of_error(error),
                    before,
                    owner,
                    Some(error),
                );
            }
        }
    }
}

/// Returns the kind of a save that succeeds.
fn kind_of(save: &SaveRequest) -> EventKind {
    match save.is_first {
        true if save.data.metadata.login.is_some() => EventKind::LoggedIn,
        true => EventKind::Created,
        false if save.id_change == IdChange::Renewed => EventKind::Renewed,
        false if save.is_touch => EventKind::Touched,
        false => EventKind::Saved,
    }
}

/// Saves a session outside of a request.
pub(super) async fn save(
    store: &dyn Store,
    save: SaveRequest,
    dropped: CancellationToken,
) -> Result<SaveResult, Error> {
    let pending = PendingSave::of(store, &save);
    let saved = store.save(save, dropped).await;
    if let Some(pending) = pending {
        let result = saved.as_ref();
        pending.report(store, result.map(|saved| saved.row_ref.as_deref()));
    }
    saved
}

/// Ends a session that another one has taken over, unless its row has changed.
pub(super) async fn end_unchanged(store: &dyn Store, row_ref: &RowRef) -> Result<bool, Error> {
    let ended = store.end_unchanged(row_ref).await;
    // If the row has changed, the merge begins again, and ends it later.
    if !matches!(ended, Ok(false)) {
        report_end(store, row_ref, &ended);
    }
    ended
}

/// Reports the end of a stored session, or that another request has ended it before.
pub(super) fn report_end(store: &dyn Store, row_ref: &RowRef, ended: &Result<bool, Error>) {
    let id = || store.public_id(row_ref);
    let owner = row_ref.login.as_ref().map(|login| &login.owner);
    report_end_in(store.setup(), &id, owner, ended);
}

/// Reports the end of a session of a store with that setup.
pub(super) fn report_end_in(
    setup: &Setup,
    session_id: &dyn Fn() -> Option<SessionId>,
    owner: Option<&OwnerName>,
    ended: &Result<bool, Error>,
) {
    let kind = match ended {
        Ok(true) => EventKind::Ended,
        Ok(false) => EventKind::Gone,
        Err(error) => EventKind::of_error(error),
    };
    emit_in(setup, kind, session_id, owner, ended.as_ref().err());
}

/// Ends all sessions of an owner.
pub(super) async fn end_all(store: &dyn Store, owner: &OwnerName) -> Result<(), Error> {
    let ended = store.end_all(owner).await;
    let error = ended.as_ref().err();
    let kind = error.map_or(EventKind::Revoked, EventKind::of_error);
    emit(store, kind, None, Some(owner), error);
    ended
}

/// Reports the end of a session of which only the cookie exists.
pub(super) fn ended_in_cookie(store: &dyn Store) {
    emit(store, EventKind::Ended, None, None, None);
}

/// Reports how the cookies of a request were opened: a refusal, and a cookie of an older key.
pub(super) fn loaded(store: &dyn Store, refusal: Option<Refusal>, is_stale: bool) {
    if let Some(refusal) = refusal {
        emit(store, EventKind::Refused(refusal), None, None, None);
    }
    if is_stale {
        emit(store, EventKind::StaleKey, None, None, None);
    }
}

/// Reports that a session could not be loaded.
pub(super) fn load_failed(store: &dyn Store, error: &Error) {
    emit(store, EventKind::LoadFailed, None, None, Some(error));
}

/// Reports that a save failed before it reached the store, or was interrupted.
pub(super) fn save_failed(store: &dyn Store, error: &Error) {
    emit(store, EventKind::of_error(error), None, None, Some(error));
}

fn emit(
    store: &dyn Store,
    kind: EventKind,
    row_ref: Option<&RowRef>,
    owner: Option<&OwnerName>,
    error: Option<&Error>,
) {
    let id = || store.public_id(row_ref?);
    emit_in(store.setup(), kind, &id, owner, error);
}

fn emit_in(
    setup: &Setup,
    kind: EventKind,
    session_id: &dyn Fn() -> Option<SessionId>,
    owner: Option<&OwnerName>,
    error: Option<&Error>,
) {
    setup.events.emit(&Event {
        kind,
        cookie_name: setup.cookie.name(),
        session_id,
        owner,
        error,
    });
}
