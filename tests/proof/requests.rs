//! Requests of a browser: their actions on a session, and their outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use silverback::backend::Backend;
use silverback::codec::{CodecOptions, Codecs, KeyPair, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{Error, Lifetime, ServerOptions, ServerStore, Session};

/// The cookie of all sessions in these tests.
pub(crate) const COOKIE: &str = "__Host-id";

/// The action of a request on its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    End,
    Renew,
    Login,
    Save,
    Touch,
    /// A save of a session with a cookie that an older key has sealed.
    Reissue,
}

pub(crate) const ACTIONS: [Action; 6] = [
    Action::End,
    Action::Renew,
    Action::Login,
    Action::Save,
    Action::Touch,
    Action::Reissue,
];

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::End => "end",
            Action::Renew => "renew",
            Action::Login => "login",
            Action::Save => "save",
            Action::Touch => "touch",
            Action::Reissue => "reissue",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        ACTIONS.into_iter().find(|action| action.name() == name)
    }

    /// Runs the action, which writes `mark` if it writes values, and returns the outcome.
    pub(crate) async fn make(self, session: &Session, mark: &str) -> Outcome {
        let done = match self {
            Action::End => session.end(),
            Action::Renew => session.insert(mark, 1).and_then(|()| session.renew()),
            Action::Login => session.login(mark),
            Action::Save | Action::Reissue => session.insert(mark, 1),
            Action::Touch => Ok(()),
        };
        Outcome::of(match done {
            Ok(()) => session.save().await,
            Err(error) => Err(error),
        })
    }
}

/// The outcome of a request.
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

/// The keys of all stores of a trial: later stores have a newer key.
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

    /// Advances the clock by more than a tenth of the idle limit, so that the next use of each
    /// session is saved, and by less than the idle limit of anonymous sessions.
    pub(crate) fn pass_until_use_is_saved(&self) {
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

    /// Returns a store with its own options.
    pub(crate) fn store_of(&self, backend: Arc<dyn Backend>, with: ServerOptions) -> ServerStore {
        self.build(backend, &[&self.old, &self.new], with)
    }

    /// Returns a store that seals with the old key, and opens with both.
    pub(crate) fn store(&self, backend: Arc<dyn Backend>) -> ServerStore {
        self.store_with(backend, &[&self.old, &self.new])
    }

    /// Returns a store that seals with the new key.
    pub(crate) fn later_store(&self, backend: Arc<dyn Backend>) -> ServerStore {
        self.store_with(backend, &[&self.new, &self.old])
    }

    pub(crate) fn store_for(&self, action: Action, backend: Arc<dyn Backend>) -> ServerStore {
        match action {
            Action::Reissue => self.later_store(backend),
            _ => self.store(backend),
        }
    }
}

/// The outcome and the cookie of a response.
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

/// Returns a jar with that cookie.
pub(crate) fn jar_of(cookie: &str) -> Jar {
    let mut jar = Jar::new();
    jar.set(COOKIE, cookie);
    jar
}
