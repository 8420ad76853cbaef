//! Keys, stores, clocks and generations for the tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use silverback::backend::{Error, Expiry, Generation, Generations, OwnerName, async_trait};
use silverback::codec::{CodecOptions, Codecs, KeyPair, UnixTime};
use silverback::session::{CookieOptions, CookieStore, Lifetime};

/// Returns the chain of these keys, which opens cookies of any age.
pub(crate) fn codecs(keys: impl IntoIterator<Item = KeyPair>) -> Codecs {
    let options = CodecOptions::new().max_age(std::time::Duration::ZERO);
    Codecs::from_pairs_with(keys, &options).unwrap()
}

pub(crate) fn fresh_codecs() -> Codecs {
    codecs([KeyPair::generate().unwrap()])
}

pub(crate) fn store() -> CookieStore {
    CookieStore::new(fresh_codecs()).unwrap()
}

pub(crate) fn store_with(cookie: CookieOptions, lifetime: Lifetime) -> CookieStore {
    CookieStore::with_options(fresh_codecs(), cookie, lifetime).unwrap()
}

/// A clock that changes only by `pass`.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn new() -> Self {
        Clock(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    /// Returns a clock for sessions in a backend, which has its own clock.
    pub(crate) fn starting_now() -> Self {
        Clock(Arc::new(AtomicU64::new(UnixTime::now().as_secs())))
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Returns the store with this clock.
    pub(crate) fn of(&self, store: CookieStore) -> CookieStore {
        let clock = self.clone();
        store.clock(move || clock.now())
    }
}

/// An owner's generation and the expiry of the record.
type OwnerRecord = (Generation, Expiry);

/// Generations in memory, which can be made to fail.
#[derive(Clone, Default)]
pub(crate) struct TestGenerations {
    pub(crate) records: Arc<Mutex<HashMap<String, OwnerRecord>>>,
    pub(crate) is_down: Arc<AtomicBool>,
    pub(crate) asked: Arc<AtomicU64>,
}

impl TestGenerations {
    fn answer(&self) -> Result<(), Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("the generations do not answer")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Generations for TestGenerations {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        self.answer()?;
        let records = self.records.lock().unwrap();
        Ok(records
            .get(owner.as_str())
            .map(|(generation, _)| *generation))
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.answer()?;
        let fresh = Generation::random()?;
        let mut records = self.records.lock().unwrap();
        let name = owner.as_str().to_owned();
        let record = records.entry(name).or_insert((fresh, until));
        record.1 = record.1.max(until);
        Ok(record.0)
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.answer()?;
        let fresh = Generation::random()?;
        let mut records = self.records.lock().unwrap();
        records.insert(owner.as_str().to_owned(), (fresh, until));
        Ok(fresh)
    }
}
