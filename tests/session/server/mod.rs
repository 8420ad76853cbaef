//! Sessions in a server: every law, through real HTTP for axum and actix-web, and through the store
//! alone. The numbers are those of the design's list.

mod anonymous;
mod dialects;
#[cfg(all(feature = "json", feature = "legacy"))]
mod dolab;
#[cfg(all(
    feature = "json",
    feature = "legacy",
    any(feature = "redis", feature = "memcached")
))]
mod dolab_values;
mod ended;
mod events;
mod faults;
mod hot_session;
mod in_flight;
mod interleavings;
mod laws;
mod limits;
mod live;
mod merging;
mod owners;
mod pages;
mod pushed;
mod renewals;
mod revocations;
mod rows;
mod session_merge;
mod several_saves;
pub(super) mod test_backend;

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Key, Memory, Stored};
use silverback::codec::{Codecs, KeyPair, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{
    Dialect, Error, NativeDialect, ServerOptions, ServerStore, Session, Sessions,
};

use super::site::RUNTIME;
use super::support::{Clock, codecs};
use test_backend::TestBackend;

const IDLE: u64 = 30 * 60;
const ABSOLUTE: u64 = 12 * 60 * 60;
const COOKIE: &str = "__Host-id";

/// A test backend, the keys of its stores, and their clock.
#[derive(Clone)]
struct Server {
    backend: TestBackend,
    pair: KeyPair,
    clock: Clock,
}

impl Server {
    fn new() -> Self {
        Server::over(Arc::new(Memory::new()))
    }

    fn over(backend: Arc<dyn Backend>) -> Self {
        Server {
            backend: TestBackend::new(backend),
            pair: KeyPair::generate().unwrap(),
            clock: Clock::starting_now(),
        }
    }

    fn codecs(&self) -> Codecs {
        codecs([self.pair.clone()])
    }

    fn store(&self) -> ServerStore {
        self.store_with(ServerOptions::new())
    }

    fn store_with(&self, options: ServerOptions) -> ServerStore {
        self.store_of(native(self.codecs()), options)
    }

    fn store_of(&self, dialect: impl Into<Dialect>, options: ServerOptions) -> ServerStore {
        self.try_store_of(dialect, options).unwrap()
    }

    fn try_store_of(
        &self,
        dialect: impl Into<Dialect>,
        options: ServerOptions,
    ) -> Result<ServerStore, Error> {
        let clock = self.clock.clone();
        let options = options.clock(move || clock.now());
        ServerStore::with_options(dialect, Arc::new(self.backend.clone()), options)
    }

    /// Returns the row of the session in a jar.
    async fn row(&self, jar: &Jar, store: &ServerStore) -> (Key, Stored) {
        let id = jar.session(store.clone()).await.unwrap().id().unwrap();
        let key = Key::new(id.as_str()).unwrap();
        let stored = self.backend.load(&key).await.unwrap().unwrap();
        (key, stored)
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

/// Returns the native dialect in which sessions with and without a login last equally long: most
/// laws are tested with sessions without a login.
fn native(codecs: Codecs) -> NativeDialect {
    Dialect::native(codecs).anonymous_idle(Duration::from_secs(ABSOLUTE))
}

/// A request that has loaded its session and is not finished.
struct Request {
    sessions: Sessions,
    session: Session,
}

impl Request {
    async fn of(jar: &Jar, store: &ServerStore) -> Self {
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        Request { sessions, session }
    }

    /// Returns the Set-Cookie fields of its response.
    async fn finish(&self) -> Result<Vec<String>, Error> {
        let fields = self.sessions.finish().await?.unwrap();
        Ok(fields.set_cookies().to_vec())
    }

    /// Finishes the request, and stores its cookies in the jar.
    async fn finish_into(&self, jar: &mut Jar) {
        for set_cookie in self.finish().await.unwrap() {
            jar.receive(&set_cookie);
        }
    }
}

/// Runs a whole request with the cookies of the jar, in which `handle` gets the session.
async fn visit<R>(jar: &mut Jar, store: &ServerStore, handle: impl FnOnce(&Session) -> R) -> R {
    let request = Request::of(jar, store).await;
    let answer = handle(&request.session);
    request.finish_into(jar).await;
    answer
}

/// Returns a jar with a session that `fill` has written.
async fn jar_with(store: &ServerStore, fill: impl FnOnce(&Session) -> Result<(), Error>) -> Jar {
    Jar::with(store.clone(), fill).await.unwrap()
}

/// Increments a counter.
fn count(session: &Session, key: &str) -> Result<u64, Error> {
    session.update(key, |count: &mut u64| *count += 1)
}

/// Returns the values of these keys in the jar's session, or `None` if the jar opens no session.
async fn read<const N: usize>(
    jar: &Jar,
    store: &ServerStore,
    keys: [&str; N],
) -> Option<[Option<u64>; N]> {
    let session = jar.session(store.clone()).await.unwrap();
    (!session.is_new()).then(|| keys.map(|key| session.get(key).unwrap()))
}
