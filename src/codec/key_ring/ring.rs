//! [`KeyRing`]: the chain, and its replacement.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::super::{
    Codec, Codecs, Error, KeyPair, Opened, SecureCookie, SecureCookies, Serializer, UnixTime,
};
use super::options::KeyRingOptions;
use super::source::KeySource;
use super::stable::Pause;
use super::status::{KeyRingEvent, KeyRingStatus};
use super::succession;
use super::watch::KeyRingWatch;

/// A chain of keys that is replaced while the service runs: a [`Codec`] for stores that rotate
/// keys, or drop a leaked key, without a restart.
///
/// The ring reads its keys from a [`KeySource`]: a file or a mounted secret, the output of a
/// command, or a function. It reads them again at each [`reload`](KeyRing::reload), and at each
/// interval of a [`watch`](KeyRing::watch). A clone is another handle on the same ring.
///
/// ```no_run
/// use std::time::Duration;
/// use silverback::codec::{KeyRing, KeyRingEvent, KeyRingOptions, KeySource};
///
/// let options = KeyRingOptions::new().on_event(|event| match event {
///     KeyRingEvent::Replaced(status) => eprintln!("new keys: {:?}", status.keys),
///     KeyRingEvent::Refused(error) => eprintln!("the keys stay as they are: {error}"),
///     _ => {}
/// });
/// let ring = KeyRing::with_options(KeySource::file("/etc/shop/keys/session-keys"), options)?;
/// let watch = ring.watch(Duration::from_secs(10))?; // as long as this value lives
/// // let store = CookieStore::new(ring.clone())?;
/// # Ok::<(), silverback::codec::Error>(())
/// ```
///
/// # A reload is applied whole or not at all
///
/// The old chain serves until the new one is complete and checked, and stays if the new one is
/// refused. These are refused: a source that cannot be read, an empty or incomplete text, a weak
/// key, two pairs that share a hash key, and a pair that has the hash key of a loaded pair but
/// another block key. The error names the cause. It is returned by `reload`, is in the
/// [`status`](KeyRing::status), and is passed to [`on_event`](KeyRingOptions::on_event). With
/// the feature `session`, it is also logged.
///
/// # Incomplete files
///
/// A part of a SPEC may be a valid, shorter SPEC. The ring loads no part of a file:
///
/// - A file that `silverback keys` has written has the checksum of its content in its first
///   line. A part of it is always refused.
/// - Any other file is loaded only if two reads with the [settle
///   time](KeyRingOptions::settle_time) in between have the same text. So it may be written in
///   place, by a program that pauses for less than the settle time.
/// - A file that is replaced by a rename, as by `silverback keys`, or by Kubernetes in a mounted
///   secret, is always complete. Symbolic links are followed at each read.
///
/// # When a removed key is dead
///
/// After the file of a machine has changed, the ring on that machine uses the new keys within
/// the interval of its watch and the time of one load. A load includes the settle time, if the
/// file has no checksum. The keys of rows in a server, which stores derive from the ring, change
/// with it.
///
/// Each opening and each sealing uses the chain of that moment. If a request has opened a session
/// in a cookie with a pair that was removed before the request ends, the store refuses to save the
/// session: a pair that stays must not seal a forged one. Values that you open and seal yourself
/// have no such check.
///
/// # Cost
///
/// Sealing and opening hold a shared lock, and allocate no more than a [`Codecs`] does. A reload
/// holds the lock alone only while it exchanges a pointer: keys are read, checked and wiped outside
/// of it. Replaced keys are wiped from memory with the last request that uses them. Keys that a
/// store has derived from them are wiped when the store reads or writes the next row.
///
/// # Example: reload on SIGHUP
///
/// ```no_run
/// # #[cfg(unix)]
/// # async fn reload_on_hangup(ring: silverback::codec::KeyRing) -> std::io::Result<()> {
/// use tokio::signal::unix::{SignalKind, signal};
///
/// let mut hangups = signal(SignalKind::hangup())?;
/// while hangups.recv().await.is_some() {
///     let ring = ring.clone();
///     let reloaded = tokio::task::spawn_blocking(move || ring.reload()).await;
///     if let Ok(Err(error)) = reloaded {
///         eprintln!("the keys stay as they are: {error}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "rotate")]
#[doc(alias = "reload")]
pub struct KeyRing(Arc<Shared>);

struct Shared {
    source: KeySource,
    options: KeyRingOptions,
    chain: RwLock<Codecs>,
    /// The pairs of the chain. The lock is held during a reload, so that reloads take turns.
    pairs: Mutex<Vec<KeyPair>>,
    status: Mutex<KeyRingStatus>,
}

impl KeyRing {
    /// Creates a ring with the keys of a file, with the default options.
    ///
    /// # Errors
    /// Returns the errors of [`with_options`](KeyRing::with_options).
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, Error> {
        KeyRing::with_options(KeySource::file(path), KeyRingOptions::new())
    }

    /// Creates a ring, and loads its keys. If a file has no checksum, this takes at least the
    /// [settle time](KeyRingOptions::settle_time).
    ///
    /// # Errors
    /// Returns a usage error if the keys cannot be read or are refused, or if the options of the
    /// codec contradict each other.
    pub fn with_options(source: KeySource, options: KeyRingOptions) -> Result<Self, Error> {
        let pairs = source.read(&options, &[], &mut sleep)?;
        let pairs = pairs.ok_or_else(|| Error::internal("the pause was ended"))?;
        let chain = Codecs::from_pairs_with(pairs.iter().cloned(), &options.codec)?;
        Ok(KeyRing(Arc::new(Shared {
            status: Mutex::new(KeyRingStatus::new(&pairs, UnixTime::now())),
            source,
            options,
            chain: RwLock::new(chain),
            pairs: Mutex::new(pairs),
        })))
    }

    /// Reads the keys again, and replaces the chain if they have changed. Returns whether they
    /// have.
    ///
    /// This blocks for the time of the read and the [settle
    /// time](KeyRingOptions::settle_time), and while another reload is in progress. In
    /// asynchronous code, call it in a task that may block.
    ///
    /// # Errors
    /// Returns a usage error if the keys cannot be read or are refused. The chain stays as it is.
    #[doc(alias = "SIGHUP")]
    pub fn reload(&self) -> Result<bool, Error> {
        let reloaded = self.reload_with(&mut sleep)?;
        Ok(reloaded == Reloaded::Replaced)
    }

    /// Starts a thread that reloads the keys after each interval, until the returned value is
    /// dropped. It compares the content of the source, so that it finds each change of a file,
    /// however the file was replaced. Ten seconds are a good interval.
    ///
    /// Errors are in the [`status`](KeyRing::status), and are passed to
    /// [`on_event`](KeyRingOptions::on_event).
    ///
    /// # Errors
    /// Returns a usage error if the interval is zero, and an internal error if the system starts
    /// no thread.
    pub fn watch(&self, interval: Duration) -> Result<KeyRingWatch, Error> {
        let ring = self.clone();
        KeyRingWatch::start(interval, move |pause| ring.reload_in_watch(pause))
    }

    /// Returns the keys by their fingerprints, and the times of the last reloads. It contains no
    /// key.
    #[must_use]
    pub fn status(&self) -> KeyRingStatus {
        self.status_of_now().clone()
    }

    /// Returns the chain of this moment. It is not replaced by later reloads.
    #[must_use]
    pub fn chain(&self) -> Codecs {
        self.current().clone()
    }

    /// Locks the chain against replacement. The members of the chain run no code of the application,
    /// so that no thread takes this lock twice.
    fn current(&self) -> RwLockReadGuard<'_, Codecs> {
        let chain = self.0.chain.read();
        chain.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many cookies each older key has opened, as [`Codecs::openings`] does.
    ///
    /// A pair that stays in the chain at a reload keeps its figure. The primary is not counted,
    /// so the figure of a pair that was the primary begins at zero.
    #[must_use]
    pub fn openings(&self) -> Vec<u64> {
        self.chain().openings()
    }

    fn status_of_now(&self) -> MutexGuard<'_, KeyRingStatus> {
        let status = self.0.status.lock();
        status.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reload_with(&self, pause: &mut Pause<'_>) -> Result<Reloaded, Error> {
        let reloaded = self.replace(pause);
        self.note(&reloaded);
        reloaded
    }

    /// Reloads the keys. A panic of the source is an error, so that the watch goes on.
    fn reload_in_watch(&self, pause: &mut Pause<'_>) {
        let reloaded = catch_unwind(AssertUnwindSafe(|| self.replace(pause)));
        let reloaded = reloaded
            .unwrap_or_else(|_| Err(Error::internal("the source of the keys has panicked")));
        // If on_event panics, the status is complete already.
        let _ = catch_unwind(AssertUnwindSafe(|| self.note(&reloaded)));
    }

    fn note(&self, reloaded: &Result<Reloaded, Error>) {
        match reloaded {
            Ok(reloaded) => self.accepted(*reloaded),
            Err(error) => self.refused(error),
        }
    }

    fn replace(&self, pause: &mut Pause<'_>) -> Result<Reloaded, Error> {
        let mut pairs = self.0.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(new) = self.0.source.read(&self.0.options, &pairs, pause)? else {
            return Ok(Reloaded::GivenUp);
        };
        if succession::are_same(&pairs, &new) {
            return Ok(Reloaded::Unchanged);
        }
        succession::check(&pairs, &new)?;
        let chain = self.succeeding_chain(&pairs, &new)?;
        let mut current = self.0.chain.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, chain);
        drop(current);
        drop(old); // wipes the removed keys outside of the lock
        self.status_of_now().replaced_by(&new, UnixTime::now());
        *pairs = new;
        Ok(Reloaded::Replaced)
    }

    /// Returns the chain of the new pairs. A pair that stays keeps its codec, so that no key is
    /// derived again for it, and its count of openings.
    fn succeeding_chain(&self, old: &[KeyPair], new: &[KeyPair]) -> Result<Codecs, Error> {
        let chain = self.chain();
        let codecs = chain.secure_cookies();
        let codec_of = |pair: &KeyPair| {
            let mut loaded = old.iter().zip(&codecs);
            let same = loaded.find(|(old, _)| succession::is_same(old, pair));
            match same {
                Some((_, codec)) => Ok(codec.clone()),
                None => SecureCookie::with_options(pair.clone(), &self.0.options.codec),
            }
        };
        let members: Result<Vec<_>, Error> = new.iter().map(codec_of).collect();
        chain.replaced_by(members?)
    }

    fn accepted(&self, reloaded: Reloaded) {
        if reloaded == Reloaded::GivenUp {
            return;
        }
        let mut status = self.status_of_now();
        status.accepted(UnixTime::now());
        let copy = status.clone();
        drop(status);
        if reloaded == Reloaded::Replaced {
            self.report(&KeyRingEvent::Replaced(&copy));
        }
    }

    fn refused(&self, error: &Error) {
        let is_news = self.status_of_now().refused(error, UnixTime::now());
        if is_news {
            log_refusal(error);
        }
        self.report(&KeyRingEvent::Refused(error));
    }

    fn report(&self, event: &KeyRingEvent<'_>) {
        if let Some(on_event) = &self.0.options.on_event {
            on_event(event);
        }
    }
}

/// The result of a reload that did not fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reloaded {
    Replaced,
    Unchanged,
    /// The watch was dropped.
    GivenUp,
}

/// Logs the first of several equal refusals. The codec alone compiles no `tracing`.
fn log_refusal(error: &Error) {
    #[cfg(feature = "session")]
    tracing::error!(%error, "the new keys are refused; the loaded keys stay in use");
    let _ = error;
}

/// Waits, and returns true: the reload goes on.
fn sleep(time: Duration) -> bool {
    std::thread::sleep(time);
    true
}

impl Codec for KeyRing {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.current().seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.current().open_into(name, cookie, now, out)
    }

    fn serializer(&self) -> Serializer {
        self.current().serializer()
    }

    fn secure_cookies(&self) -> SecureCookies {
        self.current().secure_cookies()
    }
}

/// Shows the fingerprints of the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status_of_now();
        f.debug_tuple("KeyRing").field(&status.keys).finish()
    }
}
