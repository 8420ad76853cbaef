//! [`Rows`]: sessions as rows of a backend, in the format of a dialect. It also performs the calls
//! of the [`Protocol`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{
    self, Backend, Change, Created, Expiry, Key, Outcome, Owner, Record, Revision, Stored,
};
use crate::codec::UnixTime;

use super::caller::Caller;
use super::dialect::RowFormat;
use super::expiry::{expiry_of, unix_time};
use super::metadata::{Metadata, NEVER_SEEN};
use super::protocol::{
    Answer, Call, Found, Intent, LONGEST_TRAIL, NewData, Protocol, Row, Step, Successor, Verdict,
    WriteId,
};
use super::recent_moves::RecentMoves;
use super::session_data::SessionData;
use super::setup::Clock;
use super::store::RowRef;
use super::watcher::Watcher;
use super::{Error, Lifetime, Refusal};

/// The greatest difference between the clocks of machines that share a backend.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest pause before a conflict with another process is resolved. (Within a process no pause
/// is needed: requests lock the row.)
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Rows {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) format: Box<dyn RowFormat>,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    /// The least time for which a tombstone is kept, in whole seconds. It is longer than any
    /// request that has seen the session.
    pub(super) longest_request: Duration,
    /// The most bytes of a session's row. `None` if the format has its own limit, or no limit is
    /// set.
    pub(super) max_row_size: Option<usize>,
    /// The substitute for tombstones in formats that lack them.
    pub(super) recent_moves: RecentMoves,
    /// Looks again at sessions whose rows have changed.
    pub(super) watcher: Watcher,
}

/// A session that was read from its row.
pub(super) struct LiveRow {
    pub(super) data: SessionData,
    pub(super) row_ref: RowRef,
}

/// The result of a look-up by key.
pub(super) enum RowState {
    Live(Box<LiveRow>),
    Missing,
    /// A tombstone: the session ended no longer ago than the longest request takes.
    Ended,
    /// The tombstone of a session that has a successor.
    Moved(Successor, MovedAt),
    /// Bytes that are not one of our sessions, or a session that has passed a limit.
    Refused(Refusal),
}

/// The time at which a session got its successor.
pub(super) type MovedAt = UnixTime;

impl Rows {
    /// Returns the expiry of a session's row: the end of the idle limit, or the deadline if it is
    /// earlier.
    pub(super) fn expiry(&self, metadata: &Metadata) -> Expiry {
        let ends = [metadata.idle_at(&self.lifetime), metadata.deadline];
        expiry_of(ends.into_iter().flatten().min())
    }

    /// Looks up the session under a key.
    pub(super) async fn look_up(&self, key: &Key) -> Result<RowState, Error> {
        self.state_of(key, self.backend.load(key).await)
    }

    /// Looks up the sessions under many keys, with one call to the backend. Returns one answer for
    /// each key.
    pub(super) async fn look_up_many(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Result<RowState, Error>>, Error> {
        let loaded = self.backend.load_many(keys).await?;
        let states = keys.iter().zip(loaded);
        Ok(states
            .map(|(key, loaded)| self.state_of(key, loaded))
            .collect())
    }

    /// Reads what the backend has loaded under a key.
    fn state_of(
        &self,
        key: &Key,
        loaded: Result<Option<Stored>, backend::Error>,
    ) -> Result<RowState, Error> {
        let stored = match loaded {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                let moved = self.recent_moves.successor(key, (self.clock)());
                return Ok(moved.map_or(RowState::Missing, |(to, at)| RowState::Moved(to, at)));
            }
            Err(error) if error.is_corrupt() => return Ok(RowState::Refused(Refusal::NotValid)),
            Err(error) => return Err(Error::of_backend(error)),
        };
        let expiry = stored.record.expiry();
        Ok(match self.read(key, stored)? {
            Err(refusal) => RowState::Refused(refusal),
            Ok(Found { row, revision, .. }) => match row {
                Row::Tombstone { successor: None } => RowState::Ended,
                Row::Tombstone {
                    successor: Some(successor),
                } => RowState::Moved(successor, self.written_at(expiry)),
                Row::Live(data) => RowState::Live(Box::new(LiveRow {
                    row_ref: RowRef {
                        id: None,
                        key: key.clone(),
                        revision: Some(revision),
                        login: data.metadata.login.clone(),
                        expiry,
                        is_stale: false,
                        in_old: false,
                    },
                    data,
                })),
            },
        })
    }

    /// Looks up the session under a key, and follows its renewals.
    pub(super) async fn look_up_renewed(&self, key: &Key) -> Result<RowState, Error> {
        let mut key = key.clone();
        for _ in 0..LONGEST_TRAIL {
            match self.look_up(&key).await? {
                RowState::Moved(to, _) if to.is_renewal => key = to.key,
                found => return Ok(found),
            }
        }
        Err(Error::conflict())
    }

    /// Returns how long a tombstone is kept. The clock's present second may be nearly over, so one
    /// second is added.
    fn tombstone_seconds(&self) -> u64 {
        self.longest_request.as_secs().saturating_add(1)
    }

    /// Returns when a tombstone with that expiry was written.
    fn written_at(&self, expiry: Expiry) -> UnixTime {
        let kept = self.tombstone_seconds();
        UnixTime::from_secs(unix_time(expiry).as_secs().saturating_sub(kept))
    }

    /// Reads the row in a record. Refuses a row of another key, and a session if its sealed owner
    /// differs from the record's owner.
    pub(super) fn read(
        &self,
        key: &Key,
        stored: Stored,
    ) -> Result<Result<Found<SessionData>, Refusal>, Error> {
        let Stored { record, revision } = stored;
        let read = self.format.read(key, record.value(), (self.clock)())?;
        let (mut row, write) = match read {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Row::Live(SessionData { metadata, .. }) = &mut row {
            let is_its_own = |owner: Option<Owner>| record.owner() == owner.as_ref();
            if !owner_of(metadata).is_ok_and(is_its_own) {
                return Ok(Err(Refusal::NotValid));
            }
            self.see_touches(metadata, record.expiry());
        }
        Ok(Ok(Found {
            row,
            revision,
            write,
        }))
    }

    /// Updates the session's last use from the record's expiry, since a touch changes only the
    /// expiry. The expiry is ignored if it would mean a last use in the future, beyond the clock
    /// skew. In that case the limits were longer, the record has no expiry, or another program
    /// wrote it.
    fn see_touches(&self, metadata: &mut Metadata, expiry: Expiry) {
        let now = (self.clock)();
        if expiry == Expiry::NEVER && self.format.loses_expiries() {
            // A Go program wrote the row. The response that reads it writes it again.
            metadata.seen = metadata.seen.max(now);
            metadata.owes_cookie = true;
            return;
        }
        let limits = metadata.limits(&self.lifetime);
        let last_use = match self.backend.keeps_expiries() {
            true => limits.last_seen(unix_time(expiry)),
            false => None,
        };
        metadata.seen = match last_use {
            Some(last_use) if last_use.saturating_duration_since(now) <= CLOCK_SKEW => {
                metadata.seen.max(last_use)
            }
            // A Go program wrote the row, and the row does not hold the last use.
            _ if metadata.seen == NEVER_SEEN => now,
            _ => metadata.seen,
        };
    }

    /// Returns the record of a row, or `None` for a tombstone if the dialect has no tombstones. The
    /// row is not a copy any more.
    fn record(
        &self,
        key: &Key,
        row: &Row<SessionData>,
        write: WriteId,
    ) -> Result<Option<Record>, Error> {
        match row {
            Row::Live(data) if data.metadata.is_copy => {
                let mut data = data.clone();
                data.metadata.is_copy = false;
                self.record_as_is(key, &Row::Live(data), write)
            }
            row => self.record_as_is(key, row, write),
        }
    }

    /// Returns the record of a row, which may be a copy of a row in another store.
    pub(super) fn record_as_is(
        &self,
        key: &Key,
        row: &Row<SessionData>,
        write: WriteId,
    ) -> Result<Option<Record>, Error> {
        let Some(bytes) = self.format.write(key, row, write, (self.clock)())? else {
            return Ok(None);
        };
        Ok(Some(match row {
            Row::Tombstone { .. } => {
                let now = (self.clock)().as_secs();
                let kept_to = now.saturating_add(self.tombstone_seconds());
                Record::new(bytes, UnixTime::from_secs(kept_to).into())
            }
            Row::Live(SessionData { metadata, .. }) => {
                self.check_size(&bytes)?;
                let record = Record::new(bytes, self.expiry(metadata));
                match owner_of(metadata)? {
                    Some(owner) => record.owned_by(owner),
                    None => record,
                }
            }
        }))
    }

    /// Refuses a session that cannot be written at all.
    pub(super) fn check(&self, key: &Key, data: SessionData) -> Result<(), Error> {
        let row = Row::Live(data);
        let bytes = self
            .format
            .write(key, &row, WriteId::default(), (self.clock)())?;
        self.check_size(&bytes.unwrap_or_default())
    }

    /// Refuses to write a row that is too large. A larger row that already exists, from a store
    /// with another limit, can still be read.
    fn check_size(&self, bytes: &[u8]) -> Result<(), Error> {
        match self.max_row_size {
            Some(most) if bytes.len() > most => Err(Error::too_large_row(bytes.len(), most)),
            _ => Ok(()),
        }
    }

    /// Performs the protocol's calls until its verdict. Conflicts are resolved until the caller's
    /// deadline.
    pub(super) async fn run(
        &self,
        intent: Intent<SessionData>,
        new_data: Option<NewData<'_, SessionData>>,
        caller: &Caller,
    ) -> Result<Conclusion, Error> {
        let write: WriteId = *backend::Generation::random()?.as_bytes();
        let moves = !self.format.has_tombstones() && self.backend.moves().is_some();
        let planned = planned_move(&intent);
        let mut protocol = Protocol::new(intent, new_data, write).moving(moves);
        let mut conflicts = 0;
        let mut failure = None;
        let mut step = protocol.begin();
        loop {
            let call = match step {
                Step::Ask(call) => call,
                Step::Refused(error) => return Err(error),
                Step::Done(verdict) => {
                    if let (Some((old, to)), Verdict::Saved(key, ..)) = (planned, &verdict)
                        && to.key == *key
                    {
                        self.note_move(old, to);
                    }
                    return conclude(verdict, protocol.is_merged(), failure, caller);
                }
            };
            if protocol.conflicts() > conflicts {
                conflicts = protocol.conflicts();
                pause(conflicts, caller).await;
            }
            if caller.is_late() {
                protocol.resolve_no_more();
            }
            let answer = match self.call_backend(call, write).await {
                Ok(answer) => answer,
                Err(error) => {
                    let is_unknown = error.is_outcome_unknown();
                    failure = Some(error);
                    match is_unknown {
                        true => Answer::Unknown,
                        false => Answer::Failed,
                    }
                }
            };
            step = protocol.next(answer);
        }
    }

    async fn call_backend(
        &self,
        call: Call<SessionData>,
        write: WriteId,
    ) -> Result<Answer<SessionData>, Error> {
        Ok(match call {
            Call::Load(key) => match self.backend.load(&key).await? {
                None => Answer::Loaded(self.recent_tombstone(&key)),
                Some(stored) => {
                    let found = self.read(&key, stored)?;
                    let no_row = |_| Error::unavailable("the row was not written by this store");
                    Answer::Loaded(Some(found.map_err(no_row)?))
                }
            },
            Call::Create(key, row) => {
                let Some(record) = self.record(&key, &row, write)? else {
                    return Ok(Answer::Failed);
                };
                match self.backend.create(&key, &record).await {
                    Ok(Created::Saved(revision)) => Answer::Created(revision),
                    Ok(Created::Exists) => Answer::Exists,
                    Err(error) => return Err(Error::of_backend(error)),
                }
            }
            Call::Swap(key, seen, row) => {
                let swapped = match self.record(&key, &row, write)? {
                    Some(record) => self.backend.swap(&key, &seen, &record).await?,
                    None => self.remove(&key, &seen).await?,
                };
                let is_end = matches!(row, Row::Tombstone { .. });
                if is_end && matches!(swapped, Outcome::Done(_)) {
                    self.announce(Change::Record(key.clone())).await;
                }
                Answer::Swapped(self.unless_moved(&key, swapped))
            }
            Call::Move(key, seen, to, row) => {
                let record = self.record(&to.key, &row, write)?;
                let (Some(moves), Some(record)) = (self.backend.moves(), record) else {
                    return Ok(Answer::Failed);
                };
                let moved = moves.move_to(&key, &seen, &to.key, &record).await?;
                if matches!(moved, Outcome::Done(_)) {
                    self.announce(Change::Record(key.clone())).await;
                }
                Answer::Swapped(self.unless_moved(&key, moved))
            }
            Call::Remove(key, seen) => {
                if let Err(error) = self.backend.remove(&key, &seen).await {
                    tracing::warn!(%error, "a session whose ID no client has could not be removed");
                }
                Answer::Removed
            }
        })
    }

    /// Reports a change that may have ended watched sessions: to this store, and to other programs. If
    /// these do not hear of it, they find the end at their interval.
    pub(super) async fn announce(&self, change: Change) {
        self.watcher.note_changes([change.clone()]);
        if let Some(changes) = self.backend.changes()
            && let Err(error) = changes.announce(&change).await
        {
            tracing::warn!(%error, "the end of a session was not announced");
        }
    }

    /// Remembers a move that leaves no tombstone.
    fn note_move(&self, old: Key, to: Successor) {
        if !self.format.has_tombstones() {
            self.recent_moves.note(old, to, (self.clock)());
        }
    }

    /// Returns the tombstone that the row would have in another format.
    fn recent_tombstone(&self, key: &Key) -> Option<Found<SessionData>> {
        let (successor, _) = self.recent_moves.successor(key, (self.clock)())?;
        Some(Found {
            row: Row::Tombstone {
                successor: Some(successor),
            },
            revision: Revision::new([]),
            write: WriteId::default(),
        })
    }

    /// Reports a conflict for a row that this process has just moved, instead of a missing row. The
    /// protocol then looks for its successor.
    fn unless_moved(&self, key: &Key, outcome: Outcome<Revision>) -> Outcome<Revision> {
        match outcome {
            Outcome::Gone if self.recent_tombstone(key).is_some() => Outcome::Conflict,
            outcome => outcome,
        }
    }

    /// Removes a row in a format without tombstones.
    async fn remove(
        &self,
        key: &Key,
        seen: &Revision,
    ) -> Result<Outcome<Revision>, backend::Error> {
        let removed = self.backend.remove(key, seen).await?;
        Ok(removed.map(|()| seen.clone()))
    }
}

/// Returns the key that a session is to leave, and its successor.
fn planned_move(intent: &Intent<SessionData>) -> Option<(Key, Successor)> {
    let (seen, to, is_renewal) = match intent {
        Intent::Renew { seen, to } => (seen, to, true),
        Intent::Replace { seen, to, .. } => (seen, to, false),
        _ => return None,
    };
    let key = to.clone();
    Some((seen.key.clone(), Successor { key, is_renewal }))
}

/// The result of a run of the protocol.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "one for each save, and not kept")]
pub(super) enum Conclusion {
    Saved {
        key: Key,
        revision: Revision,
        data: SessionData,
        /// True if the data also holds changes of other requests.
        is_merged: bool,
    },
    Ended,
    Gone,
}

impl Conclusion {
    /// Marks the result as merged if `on_others`: the data also holds changes of other requests.
    pub(super) fn merged(mut self, on_others: bool) -> Self {
        if let Conclusion::Saved { is_merged, .. } = &mut self {
            *is_merged |= on_others;
        }
        self
    }
}

fn conclude(
    verdict: Verdict<SessionData>,
    is_merged: bool,
    failure: Option<Error>,
    caller: &Caller,
) -> Result<Conclusion, Error> {
    match verdict {
        Verdict::Saved(key, revision, data) => Ok(Conclusion::Saved {
            key,
            revision,
            data,
            is_merged,
        }),
        Verdict::Ended => Ok(Conclusion::Ended),
        Verdict::Gone => Ok(Conclusion::Gone),
        Verdict::Conflict => Err(Error::conflict()),
        Verdict::TimedOut => Err(caller.timed_out()),
        Verdict::Failed => {
            Err(failure.unwrap_or_else(|| Error::unavailable("the session was not saved")))
        }
        Verdict::Unknown => {
            let error = Error::in_doubt();
            Err(match failure {
                Some(cause) => error.with_source(cause),
                None => error,
            })
        }
    }
}

/// Returns the owner of a row, if the backend keeps owners.
fn owner_of(metadata: &Metadata) -> Result<Option<Owner>, Error> {
    let Some(login) = metadata.login.as_ref().filter(|of| of.begun.is_some()) else {
        return Ok(None);
    };
    let foreign = || Error::unavailable("the session's login was not made by this backend");
    Ok(Some(Owner {
        name: login.owner.clone(),
        login: login.in_backend().ok_or_else(foreign)?,
    }))
}

/// Pauses for a random part of a time that doubles with each conflict, so that other processes can
/// proceed.
async fn pause(conflicts: usize, caller: &Caller) {
    if tokio::runtime::Handle::try_current().is_err() {
        return;
    }
    let growth = u32::try_from(conflicts.min(14)).unwrap_or(14);
    let longest = LONGEST_PAUSE.min(Duration::from_micros(50) * 2_u32.saturating_pow(growth));
    let part = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    let end = Instant::now() + longest.mul_f64(part);
    tokio::time::sleep_until(end.min(caller.deadline)).await;
}
