//! Looks whether the watched sessions of a [`ServerStore`] have ended, with one call to the backend
//! for all of them.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::backend::{Changes, Key};
use crate::codec::UnixTime;

use super::super::metadata::Metadata;
use super::super::protocol::LONGEST_TRAIL;
use super::super::rows::{LiveRow, RowState};
use super::super::store::RowRef;
use super::super::watcher::{self, Watch, WatchedSession, Watcher};
use super::super::{Error, Refusal, SessionEnd};
use super::{ServerStore, SharedStore};

/// The answer of one look at a session.
enum Seen {
    Live(WatchedSession),
    /// The session has this key by now.
    Moved(Key, Via),
    Ended(SessionEnd),
    /// The row could not be read for now.
    Unknown,
}

/// The way in which a session got another key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Renewal,
    /// Another session has replaced it, perhaps that of another login of its owner.
    Login,
}

/// A session that is followed from key to key.
struct Trail {
    /// The place among the sessions of this look.
    place: usize,
    session: WatchedSession,
    has_login: bool,
}

impl ServerStore {
    pub(in super::super) fn watched(
        &self,
        metadata: &Metadata,
        row_ref: &RowRef,
    ) -> WatchedSession {
        let key = Some(row_ref.key.clone());
        WatchedSession::new(key, metadata, &self.0.setup.lifetime)
    }

    /// Waits until the session has ended. Returns why, and the session as it was last seen.
    pub(in super::super) async fn watch(
        &self,
        session: WatchedSession,
    ) -> (SessionEnd, WatchedSession) {
        watcher::watch(&self.0, session).await
    }
}

#[async_trait]
impl Watch for SharedStore {
    fn watcher(&self) -> &Watcher {
        &self.rows.watcher
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.rows.backend.changes()
    }

    async fn look(&self, sessions: &mut [WatchedSession]) -> Vec<Option<SessionEnd>> {
        let mut ends = vec![None; sessions.len()];
        let trails = sessions.iter().enumerate().map(|(place, session)| Trail {
            place,
            session: session.clone(),
            has_login: false,
        });
        let mut trails: Vec<Trail> = trails.collect();
        for _ in 0..LONGEST_TRAIL {
            let states = match self.states(&trails).await {
                Ok(states) => states,
                Err(error) => {
                    let cookie = self.setup.cookie.name();
                    tracing::warn!(cookie, %error, "the ends of sessions could not be looked up");
                    HashMap::new()
                }
            };
            let mut followed = Vec::new();
            for mut trail in trails {
                let Some((session, end)) =
                    sessions.get_mut(trail.place).zip(ends.get_mut(trail.place))
                else {
                    continue;
                };
                match self.seen(&trail, &states) {
                    Seen::Live(live) => *session = live,
                    Seen::Ended(why) => *end = Some(why),
                    Seen::Unknown => *end = session.passed_limit(self.setup.now()),
                    Seen::Moved(key, via) => {
                        trail.session.key = Some(key);
                        trail.has_login |= via == Via::Login;
                        followed.push(trail);
                    }
                }
            }
            trails = followed;
            if trails.is_empty() {
                break;
            }
        }
        ends
    }
}

/// The answers for the keys of one call.
type States = HashMap<Key, Result<RowState, Error>>;

impl SharedStore {
    async fn states(&self, trails: &[Trail]) -> Result<States, Error> {
        let keys = trails.iter().filter_map(|trail| trail.session.key.clone());
        let mut keys: Vec<Key> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let states = self.rows.look_up_many(&keys).await?;
        Ok(keys.into_iter().zip(states).collect())
    }

    fn seen(&self, trail: &Trail, states: &States) -> Seen {
        let (session, now) = (&trail.session, self.setup.now());
        let ended = |refusal| Seen::Ended(session.end_of(refusal, now));
        let state = session.key.as_ref().and_then(|key| states.get(key));
        match state {
            None => Seen::Unknown,
            Some(Err(error)) if error.is_unavailable() => Seen::Unknown,
            Some(Err(_)) => ended(Refusal::NotValid),
            Some(Ok(RowState::Missing | RowState::Ended)) => ended(Refusal::Gone),
            Some(Ok(RowState::Refused(refusal))) => ended(*refusal),
            Some(Ok(RowState::Live(row))) => self.seen_live(session, row, now),
            Some(Ok(RowState::Moved(to, _))) if to.is_renewal => {
                Seen::Moved(to.key.clone(), Via::Renewal)
            }
            // After a second login in one interval, a logout may have come between the two.
            Some(Ok(RowState::Moved(to, _))) if session.login.is_some() && !trail.has_login => {
                Seen::Moved(to.key.clone(), Via::Login)
            }
            Some(Ok(RowState::Moved(..))) => ended(Refusal::Moved),
        }
    }

    /// Returns the session in a live row, unless it is past its limits, or another user's by now.
    fn seen_live(&self, session: &WatchedSession, row: &LiveRow, now: UnixTime) -> Seen {
        let (metadata, lifetime) = (&row.data.metadata, &self.setup.lifetime);
        let owner = session.login.as_ref().map(|login| &login.owner);
        match metadata.check(lifetime, now) {
            Err(refusal) => Seen::Ended(session.end_of(refusal, now)),
            Ok(()) if metadata.owner() != owner => Seen::Ended(SessionEnd::Ended),
            Ok(()) => Seen::Live(WatchedSession::new(session.key.clone(), metadata, lifetime)),
        }
    }
}
