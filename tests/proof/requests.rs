//! Requests of a browser: what they do to a session, and what they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use silverback::backend::Backend;
use silverback::codec::{CodecOptions, Codecs, KeyPair, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{Error, Lifetime, ServerOptions, ServerStore, Session};

/// The cookie that all of it is about.
pub(crate) const COOKIE: &str = "__Host-id";

/// What a request does to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    End,
    Renew,
    Login,
    Save,
    Touch,
    /// A save of a session whose cookie an older key has sealed.
    Reissue,
}

pub(crate) const WISHES: [Wish; 6] = [
    Wish::End,
    Wish::Renew,
    Wish::Login,
    Wish::Save,
    Wish::Touch,
    Wish::Reissue,
];

impl Wish {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Wish::End => "end",
            Wish::Renew => "renew",
            Wish::Login => "login",
            Wish::Save => "save",
            Wish::Touch => "touch",
            Wish::Reissue => "reissue",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        WISHES.into_iter().find(|wish| wish.name() == name)
    }

    /// Does it, leaves `mark` where values are written, and says what became of it.
    pub(crate) async fn make(self, session: &Session, mark: &str) -> Outcome {
        let done = match self {
            Wish::End => session.end(),
            Wish::Renew => session.insert(mark, 1).and_then(|()| session.renew()),
            Wish::Login => session.login(mark),
            Wish::Save | Wish::Reissue => session.insert(mark, 1),
            Wish::Touch => Ok(()),
        };
        Outcome::of(match done {
            Ok(()) => session.save().await,
            Err(error) => Err(error),
        })
    }
}

/// What a request was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Gone,
    Failed,
    CutOff,
}

impl Outcome {
    fn of(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Outcome::Done,
            Err(error) if error.is_gone() => Outcome::Gone,
            Err(_) => Outcome::Failed,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Gone => "gone",
            Outcome::Failed => "failed",
            Outcome::CutOff => "cut off",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = [Outcome::Done, Outcome::Gone, Outcome::CutOff];
        let mut all = all.into_iter();
        all.find(|outcome| outcome.name() == name)
            .unwrap_or(Outcome::Failed)
    }
}

/// The keys of all stores of a trial: those who came later know a newer one.
#[derive(Clone)]
pub(crate) struct Keys {
    old: KeyPair,
    new: KeyPair,
    clock: Arc<AtomicU64>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Keys {
            old: KeyPair::generate().unwrap(),
            new: KeyPair::generate().unwrap(),
            clock: Arc::new(AtomicU64::new(UnixTime::now().as_secs())),
        }
    }

    /// Lets time pass: more than a tenth of the idle limit, so that the next use of each session is
    /// noted, and less than the idle limit of anonymous sessions.
    pub(crate) fn pass_until_use_is_noted(&self) {
        self.clock.fetch_add(200, Ordering::SeqCst);
    }

    fn store_with(&self, backend: Arc<dyn Backend>, pairs: &[&KeyPair]) -> ServerStore {
        let lifetime = Lifetime::new().without_absolute();
        self.build(backend, pairs, ServerOptions::new().lifetime(lifetime))
    }

    fn build(
        &self,
        backend: Arc<dyn Backend>,
        pairs: &[&KeyPair],
        with: ServerOptions,
    ) -> ServerStore {
        let options = CodecOptions::new().max_age(Duration::ZERO);
        let pairs = pairs.iter().map(|pair| (*pair).clone());
        let codecs = Codecs::from_pairs_with(pairs, &options).unwrap();
        let clock = self.clock.clone();
        let now = move || UnixTime::from_secs(clock.load(Ordering::SeqCst));
        ServerStore::with_options(codecs, backend, with.clock(now)).unwrap()
    }

    /// A store with options of its own.
    pub(crate) fn store_of(&self, backend: Arc<dyn Backend>, with: ServerOptions) -> ServerStore {
        self.build(backend, &[&self.old, &self.new], with)
    }

    /// Sealing by the old key, and opening by both.
    pub(crate) fn store(&self, backend: Arc<dyn Backend>) -> ServerStore {
        self.store_with(backend, &[&self.old, &self.new])
    }

    /// Sealing by the new key.
    pub(crate) fn later_store(&self, backend: Arc<dyn Backend>) -> ServerStore {
        self.store_with(backend, &[&self.new, &self.old])
    }

    pub(crate) fn store_for(&self, wish: Wish, backend: Arc<dyn Backend>) -> ServerStore {
        match wish {
            Wish::Reissue => self.later_store(backend),
            _ => self.store(backend),
        }
    }
}

/// What a response said of the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// The value of the cookie that is set.
    pub(crate) cookie: Option<String>,
    pub(crate) removes: bool,
}

impl Answer {
    pub(crate) fn new<'s>(
        outcome: Outcome,
        set_cookies: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        let mut answer = Answer {
            outcome,
            cookie: None,
            removes: false,
        };
        for set_cookie in set_cookies {
            let mut jar = Jar::new();
            jar.receive(set_cookie);
            match jar.get(COOKIE) {
                Some(value) => answer.cookie = Some(value.to_owned()),
                None => answer.removes = true,
            }
        }
        answer
    }
}

/// A jar with that cookie.
pub(crate) fn jar_of(cookie: &str) -> Jar {
    let mut jar = Jar::new();
    jar.set(COOKIE, cookie);
    jar
}
