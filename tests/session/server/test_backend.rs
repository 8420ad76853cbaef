//! A backend that forwards to a real one: it records the calls, and can make the n-th next call
//! fail, lose its reply, or wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use silverback::backend::{
    Backend, Change, Changes, Created, Error, Expiry, Generation, Generations, Key, Layout,
    Listener, Login, Outcome, OwnerName, Owners, Record, Revision, Scan, Stored, async_trait,
};
use tokio::sync::{Notify, broadcast};

/// A planned behaviour of a call.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The call is not applied, and reports this.
    Fails,
    /// The stored bytes are not a valid record.
    IsCorrupt,
    /// The call is not applied, and the outcome is unknown.
    LosesRequest,
    /// The call is applied, and the outcome is unknown.
    LosesReply,
    /// The call waits, and is then applied.
    Waits(Gate),
}

/// What happens to the reports of changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reports {
    Arrive,
    AreLost,
    /// Each listener fails.
    Fail,
    /// Each listener waits for ever.
    Hang,
}

/// The place at which a call waits.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Notify, Notify)>);

impl Gate {
    /// Returns when a call has reached the gate.
    pub(crate) async fn is_reached(&self) {
        let reached = self.0.0.notified();
        let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
        reached.expect("a call reaches the gate");
    }

    /// Lets the call continue.
    pub(crate) fn open(&self) {
        self.0.1.notify_one();
    }

    async fn pass(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }
}

#[derive(Clone)]
pub(crate) struct TestBackend(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Backend>,
    announced: broadcast::Sender<Change>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<&'static str>,
    /// The expiry of the last owner that was begun, extended or revoked.
    last_owner_expiry: Option<Expiry>,
    /// Keys that every owner's list also contains, as in a stale index.
    listed: Vec<Key>,
    /// The planned faults, by the number of earlier calls.
    faults: HashMap<usize, Fault>,
    is_down: bool,
    /// The limit of a record's value in bytes, if there is one.
    longest_value: Option<usize>,
    /// The duration of each call.
    time: Duration,
    /// The number of keys in the last call that loaded many.
    last_load_many: usize,
    /// `None` if the backend has no reports.
    reports: Option<Reports>,
    /// The number of times that a listener was opened.
    listeners: usize,
}

impl TestBackend {
    pub(crate) fn new(inner: Arc<dyn Backend>) -> Self {
        TestBackend(Arc::new(Shared {
            inner,
            announced: broadcast::channel(1_000).0,
            state: Mutex::default(),
        }))
    }

    /// Returns the calls since the last call of this method, in order, and removes all planned
    /// faults.
    pub(crate) fn calls(&self) -> String {
        let mut state = self.0.state.lock().unwrap();
        state.faults.clear();
        std::mem::take(&mut state.calls).join(" ")
    }

    /// Plans a fault for the n-th next call, counted from 0, and removes all others.
    pub(crate) fn at(&self, call: usize, fault: Fault) {
        self.calls();
        self.and_at(call, fault);
    }

    /// Plans a further fault.
    pub(crate) fn and_at(&self, call: usize, fault: Fault) {
        let mut state = self.0.state.lock().unwrap();
        let place = state.calls.len() + call;
        state.faults.insert(place, fault);
    }

    /// Lets the n-th next call wait.
    pub(crate) fn waits_at(&self, call: usize) -> Gate {
        self.calls();
        self.and_waits_at(call)
    }

    /// Lets a further call wait.
    pub(crate) fn and_waits_at(&self, call: usize) -> Gate {
        let gate = Gate::default();
        self.and_at(call, Fault::Waits(gate.clone()));
        gate
    }

    /// Adds a key to every owner's list.
    pub(crate) fn lists(&self, key: Key) {
        self.0.state.lock().unwrap().listed.push(key);
    }

    /// Makes every call fail, until it is set to false.
    pub(crate) fn is_down(&self, is_down: bool) {
        self.0.state.lock().unwrap().is_down = is_down;
    }

    /// Refuses to swap in a record with a longer value.
    pub(crate) fn refuses_values_over(&self, bytes: usize) {
        self.0.state.lock().unwrap().longest_value = Some(bytes);
    }

    /// Lets the backend report changes, in this way.
    pub(crate) fn reports(&self, reports: Reports) {
        self.0.state.lock().unwrap().reports = Some(reports);
    }

    /// Returns how many times a listener was opened.
    pub(crate) fn listeners(&self) -> usize {
        self.0.state.lock().unwrap().listeners
    }

    fn how_reports(&self) -> Option<Reports> {
        self.0.state.lock().unwrap().reports
    }

    /// Sets the duration of each call.
    pub(crate) fn takes(&self, time: Duration) {
        self.0.state.lock().unwrap().time = time;
    }

    fn check_length(&self, record: &Record) -> Result<(), Error> {
        let (length, limit) = (
            record.value().len(),
            self.0.state.lock().unwrap().longest_value,
        );
        match limit {
            Some(limit) if length > limit => Err(Error::too_large(length, limit)),
            _ => Ok(()),
        }
    }

    pub(crate) fn last_load_many(&self) -> usize {
        self.0.state.lock().unwrap().last_load_many
    }

    pub(crate) fn last_owner_expiry(&self) -> Option<Expiry> {
        self.0.state.lock().unwrap().last_owner_expiry
    }

    fn record_owner_expiry(&self, until: Expiry) {
        self.0.state.lock().unwrap().last_owner_expiry = Some(until);
    }

    fn fault(&self, call: &'static str) -> Option<Fault> {
        let mut state = self.0.state.lock().unwrap();
        let place = state.calls.len();
        state.calls.push(call);
        match state.is_down {
            true => Some(Fault::Fails),
            false => state.faults.remove(&place),
        }
    }

    async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let fault = self.fault(name);
        let time = self.0.state.lock().unwrap().time;
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        match fault {
            None => call.await,
            Some(Fault::Fails) => Err(Error::unavailable("the server does not answer")),
            Some(Fault::IsCorrupt) => Err(Error::corrupt("half of a file")),
            Some(Fault::LosesRequest) => Err(Error::outcome_unknown("the request was lost")),
            Some(Fault::LosesReply) => {
                call.await?;
                Err(Error::outcome_unknown("the reply was lost"))
            }
            Some(Fault::Waits(gate)) => {
                gate.pass().await;
                call.await
            }
        }
    }

    fn inner_owners(&self) -> &dyn Owners {
        self.0.inner.owners().expect("the backend knows owners")
    }
}

#[async_trait]
impl Backend for TestBackend {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.call("load", self.0.inner.load(key)).await
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        self.0.state.lock().unwrap().last_load_many = keys.len();
        self.call("load_many", self.0.inner.load_many(keys)).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.call("create", self.0.inner.create(key, record)).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let swap = async {
            self.check_length(record)?;
            self.0.inner.swap(key, seen, record).await
        };
        self.call("swap", swap).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let touch = self.0.inner.touch(key, seen, until);
        self.call("touch", touch).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.call("remove", self.0.inner.remove(key, seen)).await
    }

    fn layout(&self) -> Layout {
        self.0.inner.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.0.inner.keeps_expiries()
    }

    fn owners(&self) -> Option<&dyn Owners> {
        self.0.inner.owners().is_some().then_some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.how_reports().is_some().then_some(self)
    }

    /// Lists the records of the real backend. These calls are neither recorded nor do they fail.
    fn scan(&self) -> Option<&dyn Scan> {
        self.0.inner.scan()
    }
}

#[async_trait]
impl Generations for TestBackend {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        let generation = self.inner_owners().generation(owner);
        self.call("generation", generation).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.record_owner_expiry(until);
        let extend = self.inner_owners().extend(owner, until);
        self.call("extend", extend).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.record_owner_expiry(until);
        let revoke = self.inner_owners().revoke(owner, until);
        self.call("revoke", revoke).await
    }
}

#[async_trait]
impl Owners for TestBackend {
    async fn begin(&self, owner: &OwnerName, until: Expiry, key: &Key) -> Result<Login, Error> {
        self.record_owner_expiry(until);
        let begin = self.inner_owners().begin(owner, until, key);
        self.call("begin", begin).await
    }

    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error> {
        self.record_owner_expiry(until);
        let revoke = self.inner_owners().revoke_except(owner, until, keep);
        self.call("revoke", revoke).await
    }

    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let mut keys = self.call("keys", self.inner_owners().keys(owner)).await?;
        let listed = self.0.state.lock().unwrap().listed.clone();
        keys.extend(listed);
        Ok(keys)
    }
}

#[async_trait]
impl Changes for TestBackend {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        self.0.state.lock().unwrap().listeners += 1;
        Ok(Box::new(TestListener {
            backend: self.clone(),
            announced: self.0.announced.subscribe(),
            wanted: HashSet::new(),
        }))
    }

    async fn announce(&self, change: &Change) -> Result<(), Error> {
        if self.how_reports() == Some(Reports::Arrive) {
            let _ = self.0.announced.send(change.clone());
        }
        Ok(())
    }
}

struct TestListener {
    backend: TestBackend,
    announced: broadcast::Receiver<Change>,
    /// A change is reported once, as Redis does.
    wanted: HashSet<Change>,
}

#[async_trait]
impl Listener for TestListener {
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        self.wanted.clone_from(wanted);
        match self.backend.how_reports() {
            Some(Reports::Fail) => Err(Error::unavailable("the connection was lost")),
            Some(Reports::Hang) => std::future::pending().await,
            _ => Ok(()),
        }
    }

    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            let announced = self.announced.recv().await;
            let change = announced.map_err(|_| Error::unavailable("too many changes"))?;
            if self.wanted.remove(&change) {
                return Ok(change);
            }
        }
    }
}
