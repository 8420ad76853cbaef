//! Any bytes as a row of each dialect with rows in the clear (scs, and gorilla's in gob and JSON):
//! loading never panics, and a loaded session is saved and loaded again with all its values.
#![no_main]

use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Layout, Outcome, Record, Revision, Stored, async_trait,
};
use silverback::codec::{Serializer, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, Dialect, Lifetime, Refusal, ServerOptions, ServerStore};
use silverback_fuzz::at_once;

/// A backend that has one record, under each key.
struct One {
    record: Mutex<Record>,
    layout: Layout,
}

#[async_trait]
impl Backend for One {
    async fn load(&self, _: &Key) -> Result<Option<Stored>, Error> {
        let record = self.record.lock().expect("no thread panics").clone();
        Ok(Some(Stored::new(record, Revision::new("1"))))
    }

    async fn create(&self, _: &Key, _: &Record) -> Result<Created, Error> {
        Ok(Created::Exists)
    }

    async fn swap(
        &self,
        _: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        *self.record.lock().expect("no thread panics") = record.clone();
        Ok(Outcome::Done(seen.clone()))
    }

    async fn touch(&self, _: &Key, seen: &Revision, _: Expiry) -> Result<Outcome<Revision>, Error> {
        Ok(Outcome::Done(seen.clone()))
    }

    async fn remove(&self, _: &Key, _: &Revision) -> Result<Outcome<()>, Error> {
        Ok(Outcome::Gone)
    }

    fn layout(&self) -> Layout {
        self.layout
    }
}

fn store(dialect: impl Into<Dialect>, layout: Layout, bytes: &[u8]) -> ServerStore {
    let record = Mutex::new(Record::new(bytes, Expiry::NEVER));
    let cookie = CookieOptions::new().name("a").expect("a token");
    let lifetime = Lifetime::new().without_idle();
    let options = ServerOptions::new()
        .cookie(cookie)
        .lifetime(lifetime)
        .clock(|| UnixTime::from_secs(1_800_000_000));
    let backend = Arc::new(One { record, layout });
    ServerStore::with_options(dialect, backend, options).expect("right options")
}

/// Loads the session of an ID with that many letters, changes it, and loads it again.
fn load_and_save(store: ServerStore, letters: usize) {
    let mut jar = Jar::new();
    jar.set("a", &"A".repeat(letters));
    let sessions = jar.sessions(store.clone());
    let session = at_once(sessions.session()).expect("the load succeeds");
    if let Some(refusal) = session.refusal() {
        assert!(matches!(
            refusal,
            Refusal::NotValid | Refusal::Expired | Refusal::Idle
        ));
        return;
    }
    let before = session.values();
    if before.contains("_session") && before.contains("_silverback") {
        return; // no key is left for the session's own text
    }
    let expected = before.len() + usize::from(!before.contains("fuzz"));
    session.insert("fuzz", 7).expect("a number is a value");
    at_once(sessions.finish()).expect("the session is saved");
    let again = at_once(jar.session(store)).expect("the load succeeds");
    assert_eq!(again.refusal(), None);
    assert_eq!(again.get("fuzz").expect("a number"), Some(7));
    assert_eq!(again.values().len(), expected);
    assert_eq!(again.owner(), session.owner());
    assert_eq!(again.deadline(), session.deadline());
}

fuzz_target!(|row: &[u8]| {
    load_and_save(store(Dialect::scs(), Layout::Scs, row), 43);
    for serializer in [Serializer::Gob, Serializer::Json] {
        let dialect = Dialect::rbcervilla_redisstore().clear_rows(serializer);
        load_and_save(store(dialect, Layout::GorillaClear, row), 103);
    }
});
