//! A backend that forwards to a real one: it delays calls at random, loses replies, and can cut a
//! request off at any of its calls.

use std::sync::{Arc, Mutex};

use silverback::backend::async_trait;
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Outcome, Owners, Record, Revision, Stored,
};
use tokio::sync::Notify;

use crate::dice::Dice;

#[derive(Clone)]
pub(crate) struct RandomBackend(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Backend>,
    /// The maximum number of times that a call yields to other tasks.
    max_yields: usize,
    state: Mutex<State>,
    was_cut: Notify,
}

struct State {
    dice: Dice,
    /// The last call of a request, and whether it is still applied.
    cut: Option<Cut>,
    /// One reply is lost in this number of writes.
    one_lost_in: Option<usize>,
}

/// The place at which a request is cut off: before or after its n-th call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) calls_left: usize,
    pub(crate) is_done: bool,
}

/// The behaviour of a call.
enum Behaviour {
    Forward,
    CutAfter,
    CutBefore,
    LosesReply,
    LosesRequest,
}

impl RandomBackend {
    pub(crate) fn new(inner: Arc<dyn Backend>, max_yields: usize) -> Self {
        let state = State {
            dice: Dice::new(),
            cut: None,
            one_lost_in: None,
        };
        RandomBackend(Arc::new(Shared {
            inner,
            max_yields,
            state: Mutex::new(state),
            was_cut: Notify::new(),
        }))
    }

    /// Cuts off the request that makes the next calls.
    pub(crate) fn cut(&self, cut: Option<Cut>) {
        self.0.state.lock().unwrap().cut = cut;
    }

    /// Returns when a request was cut off.
    pub(crate) async fn was_cut(&self) {
        self.0.was_cut.notified().await;
    }

    pub(crate) fn lose_one_reply_in(&self, writes: usize) {
        self.0.state.lock().unwrap().one_lost_in = Some(writes);
    }

    /// Yields to other tasks at random.
    async fn wait(&self) {
        let yields = {
            let mut state = self.0.state.lock().unwrap();
            state.dice.roll(self.0.max_yields + 1)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
    }

    fn next_behaviour(&self, is_write: bool) -> Behaviour {
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
                    Behaviour::Forward
                }
                None if cut.is_done => Behaviour::CutAfter,
                None => Behaviour::CutBefore,
            };
        }
        match one_lost_in {
            Some(writes) if is_write && dice.roll(*writes) == 0 => match dice.roll(2) {
                0 => Behaviour::LosesReply,
                _ => Behaviour::LosesRequest,
            },
            _ => Behaviour::Forward,
        }
    }

    async fn call<T>(
        &self,
        is_write: bool,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.wait().await;
        let answer = match self.next_behaviour(is_write) {
            Behaviour::Forward => call.await,
            Behaviour::CutAfter => {
                let _ = call.await;
                self.0.was_cut.notify_one();
                std::future::pending().await
            }
            Behaviour::CutBefore => {
                self.0.was_cut.notify_one();
                std::future::pending().await
            }
            Behaviour::LosesReply => {
                call.await?;
                Err(Error::outcome_unknown("the reply was lost"))
            }
            Behaviour::LosesRequest => Err(Error::outcome_unknown("the request was lost")),
        };
        self.wait().await;
        answer
    }
}

#[async_trait]
impl Backend for RandomBackend {
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
