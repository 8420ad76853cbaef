//! A backend between a store and the real one: it lets others go first at random, loses
//! replies, and can cut a request off at any of its calls.

use std::sync::{Arc, Mutex};

use silverback::backend::async_trait;
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Outcome, Owners, Record, Revision, Stored,
};
use tokio::sync::Notify;

use crate::dice::Dice;

#[derive(Clone)]
pub(crate) struct Perturbed(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Backend>,
    /// How long others may go first: so many turns of the runtime at most.
    most_turns: usize,
    state: Mutex<State>,
    was_cut: Notify,
}

struct State {
    dice: Dice,
    /// Which call is the last, and whether it is still done.
    cut: Option<Cut>,
    /// Of how many writes one reply is lost.
    one_lost_in: Option<usize>,
}

/// Where a request is cut off: before or after its n-th call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) calls_left: usize,
    pub(crate) is_done: bool,
}

/// What becomes of a call.
enum Turn {
    Goes,
    IsDoneAndCut,
    IsCut,
    LosesItsReply,
    IsLost,
}

impl Perturbed {
    pub(crate) fn new(inner: Arc<dyn Backend>, most_turns: usize) -> Self {
        let state = State {
            dice: Dice::new(),
            cut: None,
            one_lost_in: None,
        };
        Perturbed(Arc::new(Shared {
            inner,
            most_turns,
            state: Mutex::new(state),
            was_cut: Notify::new(),
        }))
    }

    /// Cuts the request off whose calls come next.
    pub(crate) fn cut(&self, cut: Option<Cut>) {
        self.0.state.lock().unwrap().cut = cut;
    }

    /// Ends when a request was cut off.
    pub(crate) async fn was_cut(&self) {
        self.0.was_cut.notified().await;
    }

    pub(crate) fn lose_one_reply_in(&self, writes: usize) {
        self.0.state.lock().unwrap().one_lost_in = Some(writes);
    }

    /// Lets others go first.
    async fn wait(&self) {
        let turns = {
            let mut state = self.0.state.lock().unwrap();
            state.dice.roll(self.0.most_turns + 1)
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    fn turn(&self, is_write: bool) -> Turn {
        let mut state = self.0.state.lock().unwrap();
        let State {
            dice,
            cut,
            one_lost_in,
        } = &mut *state;
        if let Some(cut) = cut {
            return match cut.calls_left.checked_sub(1) {
                Some(left) => {
                    cut.calls_left = left;
                    Turn::Goes
                }
                None if cut.is_done => Turn::IsDoneAndCut,
                None => Turn::IsCut,
            };
        }
        match one_lost_in {
            Some(writes) if is_write && dice.roll(*writes) == 0 => match dice.roll(2) {
                0 => Turn::LosesItsReply,
                _ => Turn::IsLost,
            },
            _ => Turn::Goes,
        }
    }

    async fn call<T>(
        &self,
        is_write: bool,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.wait().await;
        let answer = match self.turn(is_write) {
            Turn::Goes => call.await,
            Turn::IsDoneAndCut => {
                let _ = call.await;
                self.0.was_cut.notify_one();
                std::future::pending().await
            }
            Turn::IsCut => {
                self.0.was_cut.notify_one();
                std::future::pending().await
            }
            Turn::LosesItsReply => {
                call.await?;
                Err(Error::outcome_unknown("the reply was lost"))
            }
            Turn::IsLost => Err(Error::outcome_unknown("the request was lost")),
        };
        self.wait().await;
        answer
    }
}

#[async_trait]
impl Backend for Perturbed {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.call(false, self.0.inner.load(key)).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.call(true, self.0.inner.create(key, record)).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.call(true, self.0.inner.swap(key, seen, record)).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.call(true, self.0.inner.touch(key, seen, until)).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.call(true, self.0.inner.remove(key, seen)).await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        self.0.inner.owners()
    }
}
