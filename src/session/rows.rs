//! [`Rows`]: sessions as rows of a backend, in the format of a dialect; and the driver of the
//! [`Protocol`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{
    self, Backend, Created, Expiry, Key, Outcome, Owner, Record, Revision, Stored,
};
use crate::codec::UnixTime;

use super::caller::Caller;
use super::content::Content;
use super::dialect::{ReadRow, RowFormat};
use super::metadata::{Metadata, NEVER_SEEN};
use super::protocol::{
    Answer, Call, Found, Intent, LONGEST_TRAIL, Protocol, Row, Step, Successor, Verdict, Work,
    WriteId,
};
use super::recent_moves::RecentMoves;
use super::store::Clock;
use super::{Error, Lifetime, Refusal};

/// How far the clocks of machines that share a backend may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest pause before a conflict with another process is resolved. (Within a process there
/// is none: requests lock the row.)
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Rows {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) format: Box<dyn RowFormat>,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    /// How long a tombstone is kept at least, in whole seconds: longer than any request that
    /// saw the session.
    pub(super) longest_request: Duration,
    /// How many bytes a session's row has at most; none, if the format has a limit of its own,
    /// or there is to be none.
    pub(super) max_row_size: Option<usize>,
    /// Stands in for tombstones where a format has none.
    pub(super) recent_moves: RecentMoves,
}

/// A session as it was found in its row.
pub(super) struct LiveRow {
    pub(super) content: Content,
    pub(super) revision: Revision,
    pub(super) expiry: Expiry,
}

/// What a key leads to.
pub(super) enum Lookup {
    Live(Box<LiveRow>),
    Missing,
    /// A tombstone: the session ended no longer ago than a request takes.
    Ended,
    /// The tombstone of a session that has a successor.
    Moved(Successor, MovedAt),
    /// Bytes that are no session of ours, or one that is over.
    Refused(Refusal),
}

/// When a session got its successor.
pub(super) type MovedAt = UnixTime;

/// A time as backends have it.
pub(super) fn expiry_at(time: UnixTime) -> Expiry {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Expiry::from_millis(seconds.saturating_mul(1_000))
}

pub(super) fn unix_time(expiry: Expiry) -> UnixTime {
    UnixTime::from_secs(u64::try_from(expiry.as_millis() / 1_000).unwrap_or(0))
}

impl Rows {
    /// When a session's row is missing: idle for too long, or past its deadline.
    pub(super) fn expiry(&self, metadata: &Metadata) -> Expiry {
        let ends = [metadata.idle_at(&self.lifetime), metadata.deadline];
        let end = ends.into_iter().flatten().min();
        end.map_or(Expiry::NEVER, expiry_at)
    }

    /// What that key leads to.
    pub(super) async fn look_up(&self, key: &Key) -> Result<Lookup, Error> {
        let stored = match self.backend.load(key).await {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                let moved = self.recent_moves.successor(key, (self.clock)());
                return Ok(moved.map_or(Lookup::Missing, |(to, at)| Lookup::Moved(to, at)));
            }
            Err(error) if error.is_corrupt() => return Ok(Lookup::Refused(Refusal::NotValid)),
            Err(error) => return Err(Error::of_backend(error)),
        };
        let expiry = stored.record.expiry();
        Ok(match self.read(key, stored)? {
            Err(refusal) => Lookup::Refused(refusal),
            Ok(Found { row, revision, .. }) => match row {
                Row::Tombstone { successor: None } => Lookup::Ended,
                Row::Tombstone {
                    successor: Some(successor),
                } => Lookup::Moved(successor, self.written_at(expiry)),
                Row::Live(content) => Lookup::Live(Box::new(LiveRow {
                    content,
                    revision,
                    expiry,
                })),
            },
        })
    }

    /// The session of that key, or, if it was renewed, where it is now.
    pub(super) async fn look_up_renewed(&self, key: &Key) -> Result<(Key, Lookup), Error> {
        let mut key = key.clone();
        for _ in 0..LONGEST_TRAIL {
            match self.look_up(&key).await? {
                Lookup::Moved(to, _) if to.is_renewal => key = to.key,
                found => return Ok((key, found)),
            }
        }
        Err(Error::conflict())
    }

    /// How long a tombstone is kept from the second of the clock that it is written in: that
    /// second may be all but over.
    fn tombstone_seconds(&self) -> u64 {
        self.longest_request.as_secs().saturating_add(1)
    }

    /// When a tombstone of that expiry was written.
    fn written_at(&self, expiry: Expiry) -> UnixTime {
        let kept = self.tombstone_seconds();
        UnixTime::from_secs(unix_time(expiry).as_secs().saturating_sub(kept))
    }

    /// What a record says, if it is one of that key, and its owner the one that is sealed
    /// within.
    fn read(&self, key: &Key, stored: Stored) -> Result<Result<Found<Content>, Refusal>, Error> {
        let Stored { record, revision } = stored;
        let read = self.format.read(key, record.value(), (self.clock)())?;
        let ReadRow { mut row, write } = match read {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Row::Live(Content { metadata, .. }) = &mut row {
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

    /// When a session was used last: a touch moves the record's expiry and nothing else. An
    /// expiry that no touch of these limits made, which would be one to come, says nothing: the
    /// limits were longer, the record has none, or somebody else wrote it.
    fn see_touches(&self, metadata: &mut Metadata, expiry: Expiry) {
        let now = (self.clock)();
        let limits = metadata.limits(&self.lifetime);
        let told = match self.backend.layout().keeps_expiries() {
            true => limits.last_seen(unix_time(expiry)),
            false => None,
        };
        metadata.seen = match told {
            Some(told) if told.since(now) <= CLOCK_SKEW => metadata.seen.max(told),
            // A Go program wrote it, and says no more than that it lives.
            _ if metadata.seen == NEVER_SEEN => now,
            _ => metadata.seen,
        };
    }

    /// The record of a row; none for a tombstone in a dialect that has none.
    fn record(
        &self,
        key: &Key,
        row: &Row<Content>,
        write: WriteId,
    ) -> Result<Option<Record>, Error> {
        let Some(bytes) = self.format.write(key, row, write, (self.clock)())? else {
            return Ok(None);
        };
        Ok(Some(match row {
            Row::Tombstone { .. } => {
                let now = (self.clock)().as_secs();
                let kept_to = now.saturating_add(self.tombstone_seconds());
                Record::new(bytes, expiry_at(UnixTime::from_secs(kept_to)))
            }
            Row::Live(Content { metadata, .. }) => {
                self.check_size(&bytes)?;
                let record = Record::new(bytes, self.expiry(metadata));
                match owner_of(metadata)? {
                    Some(owner) => record.owned_by(owner),
                    None => record,
                }
            }
        }))
    }

    /// Whether a session can be written at all.
    pub(super) fn check(&self, key: &Key, content: Content) -> Result<(), Error> {
        let row = Row::Live(content);
        let bytes = self
            .format
            .write(key, &row, WriteId::default(), (self.clock)())?;
        self.check_size(&bytes.unwrap_or_default())
    }

    /// Refuses a row that is too large to be written. One that is there already, of a store with
    /// another limit, is read.
    fn check_size(&self, bytes: &[u8]) -> Result<(), Error> {
        match self.max_row_size {
            Some(most) if bytes.len() > most => Err(Error::too_large_row(bytes.len(), most)),
            _ => Ok(()),
        }
    }

    /// Does what the protocol says, to its end. Conflicts are resolved until the caller's deadline.
    pub(super) async fn drive(
        &self,
        intent: Intent<Content>,
        work: Option<Work<'_, Content>>,
        caller: &Caller,
    ) -> Result<Driven, Error> {
        let write: WriteId = *backend::Generation::random()
            .map_err(Error::of_backend)?
            .as_bytes();
        let moves = !self.format.has_tombstones() && self.backend.moves().is_some();
        let planned = planned_move(&intent);
        let mut protocol = Protocol::new(intent, work, write).moving(moves);
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
                    return said(verdict, protocol.is_merged(), failure, caller);
                }
            };
            if protocol.conflicts() > conflicts {
                conflicts = protocol.conflicts();
                pause(conflicts, caller).await;
            }
            if caller.is_late() {
                protocol.resolve_no_more();
            }
            let answer = match self.ask(call, write).await {
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

    async fn ask(&self, call: Call<Content>, write: WriteId) -> Result<Answer<Content>, Error> {
        Ok(match call {
            Call::Load(key) => match self.backend.load(&key).await.map_err(Error::of_backend)? {
                None => Answer::Loaded(self.recent_tombstone(&key)),
                Some(stored) => {
                    let found = self.read(&key, stored)?;
                    let no_row = |_| Error::unavailable("the row is none of ours");
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
                    Some(record) => self.backend.swap(&key, &seen, &record).await,
                    None => self.remove(&key, &seen).await,
                };
                let swapped = swapped.map_err(Error::of_backend)?;
                Answer::Swapped(self.unless_moved(&key, swapped))
            }
            Call::Move(key, seen, to, row) => {
                let record = self.record(&to.key, &row, write)?;
                let (Some(moves), Some(record)) = (self.backend.moves(), record) else {
                    return Ok(Answer::Failed);
                };
                let moved = moves.move_to(&key, &seen, &to.key, &record).await;
                let moved = moved.map_err(Error::of_backend)?;
                Answer::Swapped(self.unless_moved(&key, moved))
            }
            Call::Remove(key, seen) => {
                if let Err(error) = self.backend.remove(&key, &seen).await {
                    tracing::warn!(%error, "a session that nobody has an ID of was left behind");
                }
                Answer::Removed
            }
        })
    }

    /// Remembers a move that leaves no tombstone.
    fn note_move(&self, old: Key, to: Successor) {
        if !self.format.has_tombstones() {
            self.recent_moves.note(old, to, (self.clock)());
        }
    }

    /// The tombstone that a row would have left in another format.
    fn recent_tombstone(&self, key: &Key) -> Option<Found<Content>> {
        let (successor, _) = self.recent_moves.successor(key, (self.clock)())?;
        Some(Found {
            row: Row::Tombstone {
                successor: Some(successor),
            },
            revision: Revision::new([]),
            write: WriteId::default(),
        })
    }

    /// A row that has just been moved is no longer as it was seen, rather than gone: so the
    /// protocol looks where it went.
    fn unless_moved(&self, key: &Key, outcome: Outcome<Revision>) -> Outcome<Revision> {
        match outcome {
            Outcome::Gone if self.recent_tombstone(key).is_some() => Outcome::Conflict,
            outcome => outcome,
        }
    }

    /// What stands for a tombstone where there are none.
    async fn remove(
        &self,
        key: &Key,
        seen: &Revision,
    ) -> Result<Outcome<Revision>, backend::Error> {
        let removed = self.backend.remove(key, seen).await?;
        Ok(removed.map(|()| seen.clone()))
    }
}

/// The key that a session is to leave, and its successor.
fn planned_move(intent: &Intent<Content>) -> Option<(Key, Successor)> {
    let (seen, to, is_renewal) = match intent {
        Intent::Renew { seen, to } => (seen, to, true),
        Intent::Replace { seen, to, .. } => (seen, to, false),
        _ => return None,
    };
    let key = to.clone();
    Some((seen.key.clone(), Successor { key, is_renewal }))
}

/// What the protocol came to.
#[derive(Clone)]
pub(super) enum Driven {
    Saved {
        key: Key,
        revision: Revision,
        content: Content,
        /// Whether others had saved it too.
        is_merged: bool,
    },
    Ended,
    Gone,
}

impl Driven {
    /// The same, if `on_others` with changes of other requests within.
    pub(super) fn merged(mut self, on_others: bool) -> Self {
        if let Driven::Saved { is_merged, .. } = &mut self {
            *is_merged |= on_others;
        }
        self
    }
}

fn said(
    verdict: Verdict<Content>,
    is_merged: bool,
    failure: Option<Error>,
    caller: &Caller,
) -> Result<Driven, Error> {
    match verdict {
        Verdict::Saved(key, revision, content) => Ok(Driven::Saved {
            key,
            revision,
            content,
            is_merged,
        }),
        Verdict::Ended => Ok(Driven::Ended),
        Verdict::Gone => Ok(Driven::Gone),
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

/// Whose the row is, where owners are kept.
fn owner_of(metadata: &Metadata) -> Result<Option<Owner>, Error> {
    let Some(login) = metadata.login.as_ref().filter(|of| of.begun.is_some()) else {
        return Ok(None);
    };
    let foreign = || Error::unavailable("the session's login is none of the backend's");
    Ok(Some(Owner {
        name: login.owner.clone(),
        login: login.in_backend().ok_or_else(foreign)?,
    }))
}

/// Lets other processes go first: a random part of a time that doubles with each conflict.
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
