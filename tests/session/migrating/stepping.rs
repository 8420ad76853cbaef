//! A backend whose calls are steps: a test decides which request makes its next call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use silverback::backend::{
    Backend, Created, Error, Expiry, Generation, Generations, Key, Layout, Login, Outcome,
    OwnerName, Owners, Record, Revision, Scan, Stored, async_trait,
};

/// A backend, each call to which waits until its request is polled again.
pub(super) struct Stepping(pub(super) Arc<dyn Backend>);

/// Waits for the next poll.
async fn step() {
    let mut has_waited = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut has_waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Stepping {
    fn owners_inside(&self) -> &dyn Owners {
        self.0.owners().expect("it has owners")
    }
}

#[async_trait]
impl Backend for Stepping {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        step().await;
        self.0.load(key).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        step().await;
        self.0.create(key, record).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        step().await;
        self.0.swap(key, seen, record).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        step().await;
        self.0.touch(key, seen, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        step().await;
        self.0.remove(key, seen).await
    }

    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.0.keeps_expiries()
    }

    fn owners(&self) -> Option<&dyn Owners> {
        self.0.owners().is_some().then_some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        self.0.scan()
    }
}

#[async_trait]
impl Generations for Stepping {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        step().await;
        self.owners_inside().generation(owner).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        step().await;
        self.owners_inside().extend(owner, until).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        step().await;
        self.owners_inside().revoke(owner, until).await
    }
}

#[async_trait]
impl Owners for Stepping {
    async fn begin(&self, owner: &OwnerName, until: Expiry, key: &Key) -> Result<Login, Error> {
        step().await;
        self.owners_inside().begin(owner, until, key).await
    }

    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error> {
        step().await;
        self.owners_inside().revoke_except(owner, until, keep).await
    }

    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        step().await;
        self.owners_inside().keys(owner).await
    }
}

/// A request that is stepped.
pub(super) struct Stepped<'f, T> {
    future: Option<Pin<Box<dyn Future<Output = T> + 'f>>>,
    pub(super) result: Option<T>,
    pub(super) steps: usize,
}

impl<'f, T> Stepped<'f, T> {
    pub(super) fn new(future: impl Future<Output = T> + 'f) -> Self {
        Stepped {
            future: Some(Box::pin(future)),
            result: None,
            steps: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.future.is_none()
    }

    /// Makes the next call of the request.
    pub(super) fn step(&mut self) {
        let Some(future) = &mut self.future else {
            return;
        };
        assert!(self.steps < 500, "the request does not end");
        self.steps += 1;
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            self.result = Some(result);
            self.future = None;
        }
    }

    pub(super) fn run(&mut self) {
        while !self.is_done() {
            self.step();
        }
    }

    /// Stops the request where it is, as a kill of its process does.
    pub(super) fn kill(&mut self) {
        self.future = None;
    }
}

/// Runs a future that only makes calls to backends in memory.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut stepped = Stepped::new(future);
    stepped.run();
    stepped.result.expect("it has ended")
}
