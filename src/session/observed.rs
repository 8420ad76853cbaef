//! The calls of sessions to their store, each with its [event](super::events).

use tokio_util::sync::CancellationToken;

use crate::backend::OwnerName;

use super::events::{Event, EventKind};
use super::store::{IdChange, RowRef, SaveRequest, SaveResult, Store};
use super::{Error, Refusal};

/// Saves a session. The outcome is one event.
pub(super) async fn save(
    store: &dyn Store,
    save: SaveRequest,
    dropped: CancellationToken,
) -> Result<SaveResult, Error> {
    if !store.setup().events.is_on() {
        return store.save(save, dropped).await;
    }
    let kind = kind_of(&save);
    let before = save.row_ref.clone().filter(|_| !save.is_first);
    let owner = save.data.metadata.owner().cloned();
    let saved = store.save(save, dropped).await;
    let row_ref = match &saved {
        Ok(saved) => saved.row_ref.as_deref(),
        Err(_) => before.as_deref(),
    };
    emit_outcome(store, kind, row_ref, owner.as_ref(), saved.as_ref().err());
    saved
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

/// Ends a stored session. The outcome is one event.
pub(super) async fn end(store: &dyn Store, row_ref: &RowRef) -> Result<bool, Error> {
    let ended = store.end(row_ref).await;
    report_end(store, row_ref, &ended);
    ended
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
    let kind = match ended {
        Ok(false) => EventKind::Gone,
        _ => EventKind::Ended,
    };
    let owner = row_ref.login.as_ref().map(|login| &login.owner);
    emit_outcome(store, kind, Some(row_ref), owner, ended.as_ref().err());
}

/// Ends all sessions of an owner.
pub(super) async fn end_all(store: &dyn Store, owner: &OwnerName) -> Result<(), Error> {
    let ended = store.end_all(owner).await;
    if ended.is_ok() {
        emit(store, EventKind::Revoked, None, Some(owner), None);
    } else {
        emit_outcome(
            store,
            EventKind::Revoked,
            None,
            Some(owner),
            ended.as_ref().err(),
        );
    }
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

/// Reports a failure outside of a save: of a load, or of a request whose save cannot begin.
pub(super) fn report(store: &dyn Store, kind: Option<EventKind>, error: &Error) {
    let kind = kind.unwrap_or_else(|| EventKind::of_error(error));
    emit(store, kind, None, None, Some(error));
}

fn emit_outcome(
    store: &dyn Store,
    kind: EventKind,
    row_ref: Option<&RowRef>,
    owner: Option<&OwnerName>,
    error: Option<&Error>,
) {
    let kind = error.map_or(kind, EventKind::of_error);
    emit(store, kind, row_ref, owner, error);
}

fn emit(
    store: &dyn Store,
    kind: EventKind,
    row_ref: Option<&RowRef>,
    owner: Option<&OwnerName>,
    error: Option<&Error>,
) {
    store.setup().events.emit(&Event {
        kind,
        cookie_name: store.name(),
        session_id: &|| store.public_id(row_ref?),
        owner,
        error,
    });
}
