//! The state of a session within one request: its data, the changes to it, and the cookie to be
//! sent. `state/commit_plan.rs` decides what to save in the end, and notes what was saved.
//! `state/login_and_limits.rs` changes the session itself, and `state/legacy_cookies.rs` has the old
//! cookies of a Go package. This module has no locks, no I/O and no clock.

mod commit_plan;
mod legacy_cookies;
mod login_and_limits;

use std::sync::Arc;

use crate::backend::{Key, OwnerName};
use crate::codec::{SecureCookie, UnixTime};

use super::cookie_life::CookieLife;
use super::metadata::{Metadata, is_later};
use super::session_data::{Change, Log, SessionData};
use super::setup::Setup;
use super::store::{IdChange, LoadedSession, Moved, RowRef};
use super::{Error, Refusal, SessionEnd, SessionStatus, Values};

pub(super) use commit_plan::{CommitPlan, CommitTask, SaveSnapshot};

pub(super) struct State {
    pub(super) data: SessionData,
    /// The changes that are not saved yet, if the store may have to replay them.
    log: Option<Log>,
    /// Counts all changes, not only those of values.
    version: u64,
    /// The version in the cookie in `response_cookie`, or, if there is no such cookie, in the client's.
    saved: u64,
    /// Counts the sessions that this handle has been. Each login and each end begins another one.
    incarnation: u64,
    /// The date of its cookie, or `None` before the first save.
    sealed_at: Option<UnixTime>,
    /// The place of the stored session: of this one, or of the one that it replaces. `None` if the
    /// session is in its cookie or was never saved.
    row_ref: Option<Arc<RowRef>>,
    id_change: IdChange,
    /// The version in which `id_change` was decided.
    id_changed_at: u64,
    cookie_life: CookieLife,
    /// The time at which the client drops its cookie, as far as it is known. `None` if the client
    /// drops it when the browser closes.
    cookie_end: Option<UnixTime>,
    /// The cookies of that name that the client sent.
    request_cookie: RequestCookie,
    /// The old cookies of a Go package that the client sent.
    legacy_cookies: LegacyCookies,
    /// True if the client sent a cookie under the store's second name.
    has_other_cookie: bool,
    /// True if the client may have a good cookie that was not in this request. Then this request
    /// sets and removes no cookie in its place, and only a login is saved.
    leaves_cookie: bool,
    /// True if this request does not count as use of the session.
    is_passive: bool,
    /// True if the stored session has ended, by this request or before.
    has_ended: bool,
    is_new: bool,
    /// True if an older key sealed the client's cookie.
    is_stale: bool,
    /// The codec that opened the values, if they were in the client's cookie.
    opener: Option<SecureCookie>,
    refusal: Option<Refusal>,
    /// The owners to revoke: their other sessions end with the next save.
    revokes: Vec<OwnerName>,
    /// True if the deadline was moved beyond the last extension of the owner's record.
    lasts_longer: bool,
    phase: Phase,
    is_closed: bool,
    response_cookie: ResponseCookie,
    /// True if this request has logged a user in.
    has_new_login: bool,
    /// The value of the field Clear-Site-Data, if the response is to have it.
    clear_site_data: Option<String>,
    #[cfg(feature = "dbsc")]
    pub(super) proof: super::binding::SessionProof,
}

/// The state of the session.
#[derive(Clone, PartialEq, Eq)]
enum Phase {
    Live,
    /// There is no session. The next change begins a new one.
    LoggedOut,
    /// There is no session. Only a login begins a new one.
    Ended,
    /// Another request ended the session. Only a login begins a new one.
    Gone,
    /// The outcome of a save is unknown. Nothing more can be done with the session.
    InDoubt,
}

/// The cookies of one name that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestCookie {
    Absent,
    /// A cookie that is removed only if its session ends.
    Present,
    /// A cookie that is removed unless another one replaces it, because no session will ever have
    /// it again.
    Dead,
}

/// The old cookies of a Go package that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegacyCookies {
    Absent,
    /// They are removed when the session's own cookie is set or removed.
    Present,
    /// Another host may have planted one of them.
    Ambiguous,
}

/// A session before a change.
pub(super) struct Checkpoint {
    data: SessionData,
    log_end: usize,
    phase: Phase,
    was_saved: bool,
}

/// The cookie to be sent.
#[derive(Clone)]
pub(super) enum ResponseCookie {
    Unchanged,
    Set(String),
    Removed,
}

/// A stored session as seen from a session.
pub(super) enum Place {
    Elsewhere,
    /// It is the session itself.
    Own,
    /// The session takes its place when it is saved, after a login or a logout.
    Replaced,
}

impl State {
    /// Returns a session that begins now.
    pub(super) fn new(
        setup: &Setup,
        request_cookie: RequestCookie,
        refusal: Option<Refusal>,
    ) -> Self {
        let data = SessionData {
            values: Values::of_model(setup.model.clone()),
            metadata: Metadata::new(&setup.lifetime, setup.now()),
        };
        State {
            is_new: true,
            refusal,
            leaves_cookie: refusal.is_some_and(Refusal::leaves_cookie),
            ..State::of(data, setup, request_cookie)
        }
    }

    pub(super) fn loaded(session: LoadedSession, setup: &Setup) -> Self {
        State {
            sealed_at: Some(session.sealed_at),
            cookie_end: setup.cookie_life.end(&session.data.metadata),
            is_stale: session.is_stale,
            opener: session.opener,
            row_ref: session.row_ref,
            ..State::of(session.data, setup, RequestCookie::Present)
        }
    }

    /// Returns the session of a request that arrived with an ID that has moved.
    pub(super) fn superseded(moved: Moved, setup: &Setup) -> Self {
        let new = State::new(setup, RequestCookie::Present, Some(Refusal::Moved));
        State {
            is_new: moved.data.is_none(),
            data: moved.data.unwrap_or(new.data),
            row_ref: moved.renewed,
            ..new
        }
    }

    fn of(data: SessionData, setup: &Setup, request_cookie: RequestCookie) -> Self {
        State {
            data,
            log: setup.replays.then(Log::default),
            version: 0,
            saved: 0,
            incarnation: 0,
            sealed_at: None,
            row_ref: None,
            id_change: IdChange::Same,
            id_changed_at: 0,
            cookie_life: setup.cookie_life.clone(),
            cookie_end: None,
            request_cookie,
            legacy_cookies: LegacyCookies::Absent,
            has_other_cookie: false,
            leaves_cookie: false,
            is_passive: false,
            has_ended: false,
            is_new: false,
            is_stale: false,
            opener: None,
            refusal: None,
            revokes: Vec::new(),
            lasts_longer: false,
            phase: Phase::Live,
            is_closed: false,
            response_cookie: ResponseCookie::Unchanged,
            has_new_login: false,
            clear_site_data: None,
            #[cfg(feature = "dbsc")]
            proof: super::binding::SessionProof::default(),
        }
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Returns whether the client has a session that this one is, or replaces: the request's cookie
    /// opened it, or this request has saved it.
    fn has_opened(&self) -> bool {
        !self.is_new || matches!(self.response_cookie, ResponseCookie::Set(_))
    }

    /// Returns whether the last save has failed so that no other can follow.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Gone | Phase::InDoubt)
    }

    /// Returns whether an older key sealed the client's cookie.
    pub(super) fn has_stale_cookie(&self) -> bool {
        self.is_stale
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the place of the stored session, or `None` if it is not stored, or may not be read.
    pub(super) fn row_ref(&self) -> Option<Arc<RowRef>> {
        let is_itself = !matches!(self.id_change, IdChange::Replaced { .. });
        let is_read = !(self.leaves_cookie && self.is_new);
        self.row_ref.clone().filter(|_| is_itself && is_read)
    }

    /// Returns the session that the client has, and its place if it is stored, or why there is no
    /// session to watch.
    pub(super) fn to_watch(&self) -> Result<(Metadata, Option<Arc<RowRef>>), SessionEnd> {
        match self.phase {
            Phase::LoggedOut | Phase::Ended | Phase::Gone => Err(SessionEnd::Ended),
            Phase::Live | Phase::InDoubt if self.leaves_cookie || !self.has_opened() => {
                Err(SessionEnd::Unwatched)
            }
            Phase::Live | Phase::InDoubt => Ok((self.data.metadata.clone(), self.row_ref())),
        }
    }

    /// Returns true if the client may have a good cookie that was not in this request.
    pub(super) fn leaves_cookie(&self) -> bool {
        self.leaves_cookie
    }

    pub(super) fn request_cookie(&self) -> RequestCookie {
        self.request_cookie
    }

    /// Returns whether the client sent a cookie under the store's second name. The next Set-Cookie
    /// removes it.
    pub(super) fn has_other_cookie(&self) -> bool {
        self.has_other_cookie
    }

    /// Notes that the client sent a cookie under the store's second name.
    pub(super) fn with_other_cookie(self) -> Self {
        State {
            has_other_cookie: true,
            ..self
        }
    }

    /// Makes this request not count as use of the session.
    pub(super) fn be_passive(&mut self) {
        self.is_passive = true;
    }

    /// Refuses a change that can no longer be saved.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.check_not_closed()?;
        match self.phase {
            Phase::Ended => Err(Error::ended()),
            Phase::Gone => Err(Error::gone()),
            Phase::Live | Phase::LoggedOut | Phase::InDoubt => Ok(()),
        }
    }

    /// Refuses every operation after the response's head has left, or if the outcome of a save is
    /// unknown.
    pub(super) fn check_not_closed(&self) -> Result<(), Error> {
        match self.phase {
            _ if self.is_closed => Err(Error::closed()),
            Phase::InDoubt => Err(Error::in_doubt()),
            _ => Ok(()),
        }
    }

    /// Applies a change that can be replayed. If it fails, the session stays unchanged.
    pub(super) fn change(
        &mut self,
        change: impl Fn(&mut SessionData) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.check_open()?;
        change(&mut self.data)?;
        self.changed(|| Arc::new(change));
        Ok(())
    }

    /// Applies a change that was computed before. `again` returns the change in a form that can be
    /// replayed.
    pub(super) fn apply(
        &mut self,
        apply: impl FnOnce(&mut SessionData) -> Result<(), Error>,
        again: impl FnOnce() -> Change,
    ) -> Result<(), Error> {
        self.check_open()?;
        let before = self.data.metadata.deadline;
        apply(&mut self.data)?;
        self.lasts_longer |= is_later(self.data.metadata.deadline, before);
        self.changed(again);
        Ok(())
    }

    /// Removes a value, and returns whether there was one. If there was no value, the session is
    /// not changed.
    pub(super) fn remove(&mut self, key: &str) -> Result<bool, Error> {
        self.check_open()?;
        let is_there = self.data.values.contains(key);
        if is_there {
            let key = key.to_owned();
            self.change(move |data| {
                data.values.remove(&key);
                Ok(())
            })?;
        }
        Ok(is_there)
    }

    fn changed(&mut self, again: impl FnOnce() -> Change) {
        if let Some(log) = &mut self.log {
            log.push(again());
        }
        self.version += 1;
        self.phase = Phase::Live;
    }

    /// Returns whether another request has renewed the session since this one loaded it. The
    /// response to that request has the cookie.
    fn is_renewed_elsewhere(&self) -> bool {
        let row_ref = self.row_ref.as_ref();
        self.id_change == IdChange::Same && row_ref.is_some_and(|row_ref| row_ref.id.is_none())
    }

    pub(super) fn status(&self) -> SessionStatus {
        match self.phase {
            Phase::LoggedOut | Phase::Ended | Phase::Gone => SessionStatus::Ended,
            Phase::Live | Phase::InDoubt if self.has_changes() => SessionStatus::Modified,
            Phase::Live | Phase::InDoubt => SessionStatus::Unmodified,
        }
    }

    /// Returns whether the request loaded the row under `key`, and whether this session takes its
    /// place when it is saved.
    pub(super) fn place_of(&self, key: &Key) -> Place {
        let row_ref = self.row_ref.as_ref();
        match row_ref.is_some_and(|row_ref| row_ref.key == *key) {
            false => Place::Elsewhere,
            true if matches!(self.id_change, IdChange::Replaced { .. }) => Place::Replaced,
            true => Place::Own,
        }
    }

    /// Returns whether there are changes that are not saved.
    fn has_changes(&self) -> bool {
        self.version != self.saved
    }

    /// Returns the state to which a change can be undone.
    pub(super) fn before(&self) -> Checkpoint {
        Checkpoint {
            data: self.data.clone(),
            log_end: self.log_end(),
            phase: self.phase.clone(),
            was_saved: !self.has_changes(),
        }
    }

    /// Undoes the change that led to `version`, unless other changes have followed.
    pub(super) fn take_back(&mut self, version: u64, before: Checkpoint) {
        if self.version != version || matches!(self.phase, Phase::Gone | Phase::InDoubt) {
            return;
        }
        self.data = before.data;
        self.phase = before.phase;
        if let Some(log) = &mut self.log {
            log.take_back_to(before.log_end);
        }
        // Version numbers are never reused.
        self.version += 1;
        if before.was_saved {
            self.saved = self.version;
        }
    }

    fn log_end(&self) -> usize {
        self.log.as_ref().map_or(0, Log::end)
    }

    /// Takes out the changes, because they can no longer be saved.
    pub(super) fn forget_changes(&mut self) -> Option<Log> {
        self.log.take()
    }

    /// Refuses all changes from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Notes that the owner's sessions have ended.
    pub(super) fn revoked(&mut self, owner: &OwnerName) {
        self.revokes.retain(|of| of != owner);
    }

    /// Notes that the stored session has ended. If another request had ended it before (`by_us` is
    /// false), the client's cookie may be that of another session by now, and stays.
    pub(super) fn ended(&mut self, by_us: bool) {
        self.row_ref = None;
        self.id_change = IdChange::Same;
        self.has_ended = true;
        if !by_us && matches!(self.phase, Phase::LoggedOut | Phase::Ended) {
            self.request_cookie = RequestCookie::Absent;
            self.response_cookie = ResponseCookie::Unchanged;
        }
    }

    /// Notes that another request ended the session: nothing is saved, and no cookie is sent. If
    /// this handle is another session by now, it stays as it is. Its own save finds out what is
    /// gone.
    pub(super) fn gone(&mut self, incarnation: u64, has_revoked: bool) {
        if self.incarnation == incarnation {
            if has_revoked {
                self.revokes.clear();
            }
            self.row_ref = None;
            self.id_change = IdChange::Same;
            self.phase = Phase::Gone;
            self.request_cookie = RequestCookie::Absent;
            self.response_cookie = ResponseCookie::Unchanged;
        }
    }

    /// Notes that the outcome of a save is unknown. Saving again might apply everything twice.
    pub(super) fn in_doubt(&mut self) {
        self.phase = Phase::InDoubt;
        self.response_cookie = ResponseCookie::Unchanged;
    }

    /// Returns whether this session or others of its owner were to end and have not ended.
    pub(super) fn owes_an_end(&self) -> bool {
        !self.revokes.is_empty() || self.ends_in_vain()
    }

    /// Returns true if the request ends a session that it cannot identify: one of a later login, or
    /// one of several.
    fn ends_in_vain(&self) -> bool {
        let ends = matches!(self.phase, Phase::LoggedOut | Phase::Ended)
            || matches!(self.id_change, IdChange::Replaced { .. });
        self.leaves_cookie && ends && self.row_ref.is_none() && !self.has_ended
    }

    /// Returns whether this request has logged a user in.
    #[cfg(feature = "dbsc")]
    pub(super) fn has_new_login(&self) -> bool {
        self.has_new_login
    }

    /// Returns the value of the field Clear-Site-Data, if the response is to have it.
    pub(super) fn clear_site_data(&self) -> Option<String> {
        self.clear_site_data.clone()
    }

    pub(super) fn response_cookie(&self) -> ResponseCookie {
        self.response_cookie.clone()
    }
}
