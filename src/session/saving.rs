//! How a [`Session`] is saved: one at a time, and where it is kept in a server to the end,
//! whoever waits for it.

use crate::codec::UnixTime;

use super::cookie_writer::is_cookie_value;
use super::foreign_cookies::ForeignCookies;
use super::session::Undo;
use super::state::{Came, Outgoing, Saving, Task, Work};
use super::{Error, Refusal, Session};

/// The right to save a session, which one has at a time.
pub(super) struct Turn(#[expect(dead_code)] tokio::sync::OwnedMutexGuard<()>);

impl Session {
    /// Saves the session now, where the response is long in coming or something must not
    /// happen unless the session was saved. The cookie still travels with the response's
    /// head, and later changes are saved before that leaves. If the response is an error
    /// of a session's in the end, the cookie does not reach the client.
    ///
    /// Without it the session is saved by itself. Where it lives in a server, what is being
    /// saved is saved to the end, though the request may be dropped.
    ///
    /// # Errors
    /// [Too large](Error::is_too_large), with both figures;
    /// [unavailable](Error::is_unavailable), and then perhaps of
    /// [unknown outcome](Error::is_outcome_unknown); [gone](Error::is_gone);
    /// [conflict](Error::is_conflict); [closed](Error::is_closed); usage, for values
    /// the codec's serializer cannot hold, or a host that
    /// [`insecure_http`](super::CookieOptions::insecure_http) is not for.
    #[doc(alias = "Save")]
    pub async fn save(&self) -> Result<(), Error> {
        self.state().check_not_closed()?;
        self.commit().await
    }

    /// Does what there is to do.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        let turn = self.turn().await;
        self.commit_in(turn, None).await
    }

    /// Waits for whoever saves this session at the moment.
    pub(super) async fn turn(&self) -> Turn {
        Turn(self.0.turn.clone().lock_owned().await)
    }

    /// Does what there is to do, to its end, though whoever waits for it may wait no more.
    /// What is to be undone is undone unless it was saved.
    pub(super) async fn commit_in(&self, turn: Turn, undo: Option<Undo>) -> Result<(), Error> {
        let setup = self.setup();
        let now = setup.now();
        let work = self.state().work(&setup.lifetime, now)?;
        let session = self.clone();
        let is_nothing = work.is_nothing();
        let work = async move {
            let _turn = turn;
            session.perform(work, now).await?;
            if let Some(undo) = undo {
                undo.no_more();
            }
            Ok(())
        };
        match (self.0.store.saves(), tokio::runtime::Handle::try_current()) {
            (Some(saves), Ok(_)) if !is_nothing => {
                saves.spawn(work).await.unwrap_or_else(|error| {
                    self.state().in_doubt();
                    Err(Error::in_doubt().with_source(error))
                })
            }
            _ => work.await,
        }
    }

    async fn perform(&self, Work { revoke, task }: Work, now: UnixTime) -> Result<(), Error> {
        for owner in &revoke {
            self.0.store.revoke(owner).await?;
            self.state().revoked(owner);
        }
        match task {
            Task::Nothing => Ok(()),
            Task::End(kept) => {
                let by_us = self.0.store.end(&kept).await?;
                // Or with all others of its owner.
                let with_all = kept
                    .login
                    .as_ref()
                    .is_some_and(|of| revoke.contains(&of.owner));
                self.state().ended(by_us || with_all);
                Ok(())
            }
            Task::Save(saving) => self.save_in_turn(*saving, now).await,
        }
    }

    async fn save_in_turn(&self, saving: Saving, now: UnixTime) -> Result<(), Error> {
        let (is_touch, incarnation) = (saving.save.is_touch, saving.incarnation());
        let kept = self.keep(saving, now).await;
        match &kept {
            Err(error) if error.is_gone() => {
                self.state().gone(incarnation, error.has_revoked());
            }
            Err(error) if error.is_outcome_unknown() && !is_touch => self.state().in_doubt(),
            _ => {}
        }
        match kept {
            // Nobody asked for it to be saved, and the client's cookie is still good.
            Err(error) if is_touch && !error.is_unavailable() => {
                tracing::warn!(cookie = self.name(), %error, "session not touched");
                Ok(())
            }
            kept => kept,
        }
    }

    async fn keep(&self, saving: Saving, now: UnixTime) -> Result<(), Error> {
        let setup = self.setup();
        setup.cookie.check_host(self.0.is_loopback)?;
        let saved = self.0.store.save(saving.save.clone()).await?;
        let cookie = match &saved.cookie {
            Some(text) if !is_cookie_value(text) => {
                return Err(Error::usage(
                    "the codec made a text that no cookie can hold",
                ));
            }
            Some(text) => {
                // As others have left it, if they have saved it too.
                let content = saved.merged.as_ref().unwrap_or(&saving.save.content);
                let max_age = setup.cookie_life.max_age(&content.metadata, now);
                Some(setup.cookie.set(text, max_age))
            }
            None => None,
        };
        self.state().settle(&saving, saved, cookie);
        Ok(())
    }

    /// Takes no more changes, from now on.
    pub(super) fn close(&self) {
        self.state().close();
    }

    /// Whether the response may leave though what was done to the session is not saved,
    /// because it is gone.
    pub(super) fn may_be_lost(&self) -> bool {
        !self.setup().fails_when_gone && !self.state().owes_an_end()
    }

    /// True if the client may have a good cookie that this request does not know.
    pub(super) fn leaves_cookie(&self) -> bool {
        self.state().leaves_cookie()
    }

    /// Appends the removals of cookies that another host may have planted, if there may be any,
    /// to the Set-Cookies of a response that sets the session's own cookie or does not.
    pub(super) fn remove_foreign(
        &self,
        foreign: &mut ForeignCookies<'_>,
        sets_own: bool,
        all: &mut Vec<String>,
    ) {
        let refusal = self.state().refusal();
        if refusal.is_some_and(Refusal::may_be_planted) {
            foreign.remove(&self.setup().cookie, sets_own, all);
        }
    }

    /// Appends the Set-Cookies that the response is to carry for this session. Removals come
    /// first: where a host and its domain have one cookie, the later field counts.
    pub(super) fn set_cookies_into(&self, foreign: &mut ForeignCookies<'_>, all: &mut Vec<String>) {
        let cookie = &self.setup().cookie;
        let (came, outgoing) = {
            let state = self.state();
            (state.came(), state.outgoing())
        };
        self.remove_foreign(foreign, matches!(outgoing, Outgoing::Cookie(_)), all);
        let removes_all = |all: &mut Vec<String>| all.extend(cookie.removals().cloned());
        match outgoing {
            Outgoing::Cookie(set_cookie) => {
                if came != Came::Nothing {
                    // Which scope the client's cookie has, no request says.
                    all.extend(cookie.former_removals().cloned());
                }
                all.push(set_cookie);
            }
            Outgoing::Removal => removes_all(all),
            Outgoing::Nothing if came == Came::DeadCookie => removes_all(all),
            Outgoing::Nothing => {}
        }
    }
}
