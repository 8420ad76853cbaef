//! Saves a [`Session`], one save at a time. If the session is in a server, a write that has begun
//! is finished even if the request is dropped.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::codec::UnixTime;

use super::cookie_writer::is_cookie_value;
use super::foreign_cookies::ForeignCookies;
use super::observed::{self, PendingSave};
use super::session_values::Undo;
use super::state::{
    CommitPlan, CommitTask, LegacyCookies, RequestCookie, ResponseCookie, SaveSnapshot,
};
use super::store::Store;
use super::{Error, Refusal, Session};

/// The right to save a session. Only one task has it at a time.
pub(super) struct SaveGuard(#[expect(dead_code)] tokio::sync::OwnedMutexGuard<()>);

/// Runs a save in a task of its own, if the store and the runtime support it. If the caller is
/// dropped, the save's token is cancelled: a save that still waits is abandoned, and a write that
/// has begun is finished.
///
/// # Errors
/// Returns an error if the task panicked or the runtime ended.
pub(super) async fn run_to_its_end<T, F>(
    store: &dyn Store,
    save: impl FnOnce(CancellationToken) -> F,
) -> Result<T, JoinError>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let dropped = CancellationToken::new();
    let save = save(dropped.clone());
    let _cancels = dropped.drop_guard();
    match (store.saves(), tokio::runtime::Handle::try_current()) {
        (Some(saves), Ok(_)) => saves.spawn(save.in_current_span()).await,
        _ => Ok(save.await),
    }
}

impl Session {
    /// Saves the session now. Use it if the response takes long, or if something must happen only
    /// after the session was saved.
    ///
    /// Without this call, the session is saved once before the response's head leaves. With it, the
    /// cookie still travels in that head, and later changes are saved before it leaves. If a
    /// session cannot be saved then and the response is an error, the cookie does not reach the
    /// client.
    ///
    /// If the session is in a server and the request is dropped, a write that has begun is
    /// finished. A save that still waits for other requests is abandoned.
    ///
    /// # Errors
    /// Returns one of these errors:
    /// - [too large](Error::is_too_large), with the size and the limit;
    /// - [unavailable](Error::is_unavailable), which may also be of [unknown
    ///   outcome](Error::is_outcome_unknown) or [overloaded](Error::is_overloaded);
    /// - [gone](Error::is_gone);
    /// - [conflict](Error::is_conflict);
    /// - [closed](Error::is_closed);
    /// - usage, if the codec's serializer cannot hold a value, or if
    ///   [`insecure_http`](super::CookieOptions::insecure_http) does not allow the host.
    #[doc(alias = "Save")]
    pub async fn save(&self) -> Result<(), Error> {
        self.state().check_not_closed()?;
        self.commit(self.save_guard().await, None).await
    }

    /// Waits for the task that saves this session at the moment.
    pub(super) async fn save_guard(&self) -> SaveGuard {
        SaveGuard(self.0.save_lock.clone().lock_owned().await)
    }

    /// Saves or ends the session if that is needed. A write that has begun is finished, even if the
    /// caller is dropped. If the session is not saved, `undo` undoes its change.
    pub(super) async fn commit(&self, guard: SaveGuard, undo: Option<Undo>) -> Result<(), Error> {
        let setup = self.setup();
        let now = setup.now();
        let (has_failed, plan) = {
            let mut state = self.state();
            (state.has_failed(), state.plan_commit(&setup.lifetime, now))
        };
        // A failure of an earlier save was reported then.
        let plan = plan.inspect_err(|error| match has_failed {
            true => {}
            false => observed::save_failed(&*self.0.store, error),
        })?;
        if plan.is_nothing() {
            if plan.ends_cookie {
                observed::ended_in_cookie(&*self.0.store);
            }
            return Ok(());
        }
        let session = self.clone();
        let work = async move |dropped| {
            let _guard = guard;
            session.perform(plan, now, dropped).await?;
            if let Some(undo) = undo {
                undo.no_more();
            }
            Ok(())
        };
        let done = run_to_its_end(&*self.0.store, work).await;
        done.unwrap_or_else(|error| {
            self.state().in_doubt();
            let error = Error::in_doubt().with_source(error);
            observed::save_failed(&*self.0.store, &error);
            Err(error)
        })
    }

    /// Revokes owners, and then ends or saves the session.
    async fn perform(
        &self,
        CommitPlan {
            revoke,
            task,
            ends_cookie,
        }: CommitPlan,
        now: UnixTime,
        dropped: CancellationToken,
    ) -> Result<(), Error> {
        for owner in &revoke {
            observed::end_all(&*self.0.store, owner).await?;
            self.state().revoked(owner);
        }
        match task {
            CommitTask::Nothing => {
                if ends_cookie {
                    observed::ended_in_cookie(&*self.0.store);
                }
                Ok(())
            }
            CommitTask::End(row_ref) => {
                // It may have ended together with all other sessions of its owner.
                let login = row_ref.login.as_ref();
                let with_all = login.is_some_and(|of| revoke.contains(&of.owner));
                let ended = self
                    .0
                    .store
                    .end(&row_ref)
                    .await
                    .map(|by_us| by_us || with_all);
                observed::report_end(&*self.0.store, &row_ref, &ended);
                self.state().ended(ended?);
                Ok(())
            }
            CommitTask::Save(snapshot) => {
                let pending = PendingSave::of(&*self.0.store, &snapshot.save);
                let stored = self.store_changes(&snapshot, now, dropped).await;
                if let Some(pending) = pending {
                    let row_ref = self.state().row_ref();
                    let result = stored.as_ref().map(|()| row_ref.as_deref());
                    pending.report(&*self.0.store, result);
                }
                match stored {
                    Ok(()) => Ok(()),
                    Err(error) => self.note_failure(&snapshot, error),
                }
            }
        }
    }

    /// Saves the session in its store, and notes the cookie for the response.
    async fn store_changes(
        &self,
        snapshot: &SaveSnapshot,
        now: UnixTime,
        dropped: CancellationToken,
    ) -> Result<(), Error> {
        let setup = self.setup();
        setup.cookie.check_host(self.0.is_loopback)?;
        let saved = self.0.store.save(snapshot.save.clone(), dropped).await?;
        let cookie = match &saved.cookie {
            Some(text) if !is_cookie_value(text) => {
                return Err(Error::usage(
                    "the codec returned a text that a cookie cannot hold",
                ));
            }
            Some(text) => {
                // If other requests have saved the session too, this includes their changes.
                let data = saved.merged.as_ref().unwrap_or(&snapshot.save.data);
                let max_age = setup.cookie_life.max_age(&data.metadata, now);
                let other = self.0.store.other_setup().filter(|_| saved.is_for_other);
                Some(other.unwrap_or(setup).cookie.set(text, max_age))
            }
            None => None,
        };
        self.state().settle(snapshot, saved, cookie);
        Ok(())
    }

    /// Notes a failed save. Returns its error, unless the response may leave without the save.
    fn note_failure(&self, snapshot: &SaveSnapshot, error: Error) -> Result<(), Error> {
        let is_touch = snapshot.save.is_touch;
        if error.is_gone() {
            self.state()
                .gone(snapshot.incarnation(), error.has_revoked());
        } else if error.is_outcome_unknown() && !is_touch {
            self.state().in_doubt();
        }
        if is_touch && (error.is_overloaded() || !error.is_unavailable()) {
            // The request changed nothing, and the client's cookie is still good.
            tracing::warn!(cookie = self.name(), %error, "the expiry of the session was not extended");
            return Ok(());
        }
        Err(error)
    }

    /// Refuses all changes from now on.
    pub(super) fn close(&self) {
        self.state().close();
    }

    /// Returns whether the response may leave although the session is gone and its changes were not
    /// saved.
    pub(super) fn may_be_lost(&self) -> bool {
        !self.setup().fails_when_gone && !self.state().owes_an_end()
    }

    /// Returns true if the client may have a good cookie that was not in the request.
    pub(super) fn leaves_cookie(&self) -> bool {
        self.state().leaves_cookie()
    }

    /// Appends the removals of cookies that another host may have planted, if there may be any, to
    /// the response's Set-Cookies. `sets_own` is true if the response also sets the session's own
    /// cookie.
    pub(super) fn remove_foreign(
        &self,
        foreign: &mut ForeignCookies<'_>,
        sets_own: bool,
        all: &mut Vec<String>,
    ) {
        let (refusal, legacy_cookies) = {
            let state = self.state();
            (state.refusal(), state.legacy_cookies())
        };
        if !refusal.is_some_and(Refusal::may_be_planted) {
            return;
        }
        match (&self.setup().legacy_cookie, legacy_cookies) {
            (Some(cookie), LegacyCookies::Ambiguous) => foreign.remove(cookie, sets_own, all),
            _ => foreign.remove(&self.setup().cookie, sets_own, all),
        }
    }

    /// Appends the removal of the old cookie of a Go package, if the request had one.
    fn remove_legacy(&self, all: &mut Vec<String>) {
        let had_one = self.state().legacy_cookies() != LegacyCookies::Absent;
        let cookie = self.setup().legacy_cookie.iter().filter(|_| had_one);
        all.extend(cookie.flat_map(|cookie| cookie.removals().cloned()));
    }

    /// Appends this session's Set-Cookies to the response's. Removals come first: if a host and its
    /// domain share one cookie, the later field counts.
    pub(super) fn set_cookies_into(&self, foreign: &mut ForeignCookies<'_>, all: &mut Vec<String>) {
        let cookie = &self.setup().cookie;
        let (request_cookie, response_cookie, other_cookie) = {
            let state = self.state();
            let other = self.0.store.other_setup().map(|of| &of.cookie);
            let other = other.filter(|_| state.has_other_cookie());
            (state.request_cookie(), state.response_cookie(), other)
        };
        self.remove_foreign(
            foreign,
            matches!(response_cookie, ResponseCookie::Set(_)),
            all,
        );
        if !matches!(response_cookie, ResponseCookie::Unchanged) {
            self.remove_legacy(all);
        }
        let removes_all = |all: &mut Vec<String>| all.extend(cookie.removals().cloned());
        match response_cookie {
            ResponseCookie::Set(set_cookie) => {
                if request_cookie != RequestCookie::Absent {
                    // A request does not show the scope of its cookie.
                    all.extend(cookie.former_removals().cloned());
                }
                if let Some(other) = other_cookie
                    && !other.sets(&set_cookie)
                {
                    all.extend(other.removals().cloned());
                }
                all.push(set_cookie);
            }
            ResponseCookie::Removed => {
                removes_all(all);
                if let Some(other) = other_cookie {
                    all.extend(other.removals().cloned());
                }
            }
            // Under another name the dead cookie may be planted, and the good one held back by
            // SameSite: a removal would take the good one.
            ResponseCookie::Unchanged
                if request_cookie == RequestCookie::Dead && cookie.is_host_bound() =>
            {
                removes_all(all);
            }
            ResponseCookie::Unchanged => {}
        }
    }
}
