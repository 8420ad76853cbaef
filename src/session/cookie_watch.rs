//! Looks whether the watched sessions of a [`CookieStore`] have ended: whether they are past the
//! limits in their cookies, and whether their owners were revoked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;

use crate::backend::{Error, Generation, Generations, OwnerName};

use super::watcher::{Watch, WatchedSession, Watcher};
use super::{CookieStore, Refusal, SessionEnd};

/// The present generation of each owner, as far as the storage has answered.
type Current = HashMap<OwnerName, Option<Generation>>;

#[async_trait]
impl Watch for CookieStore {
    fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    async fn look(&self, sessions: &mut [WatchedSession]) -> Vec<Option<SessionEnd>> {
        let mut current = Current::new();
        if let Some(generations) = &self.generations
            && let Err(error) = ask(&**generations, sessions, &mut current).await
        {
            let cookie = self.setup.cookie.name();
            tracing::warn!(cookie, %error, "the revocations of owners could not be looked up");
        }
        let now = self.setup.now();
        let end = |session: &mut WatchedSession| match is_revoked(session, &current) {
            true => Some(session.end_of(Refusal::Revoked, now)),
            false => session.passed_limit(now),
        };
        sessions.iter_mut().map(end).collect()
    }
}

/// Asks once for the generation of each owner, until the storage does not answer.
async fn ask(
    generations: &dyn Generations,
    sessions: &[WatchedSession],
    current: &mut Current,
) -> Result<(), Error> {
    for login in sessions.iter().filter_map(|session| session.login.as_ref()) {
        if let Entry::Vacant(vacant) = current.entry(login.owner.clone()) {
            match generations.generation(&login.owner).await {
                Ok(generation) => drop(vacant.insert(generation)),
                Err(error) if error.is_unavailable() => return Err(error),
                // The record of one owner must not hide the others.
                Err(error) => tracing::error!(%error, "the owner of a watched session is unknown"),
            }
        }
    }
    Ok(())
}

fn is_revoked(session: &WatchedSession, current: &Current) -> bool {
    let Some(login) = &session.login else {
        return false;
    };
    match current.get(&login.owner) {
        Some(generation) => generation.is_none() || *generation != login.generation(),
        None => false,
    }
}
