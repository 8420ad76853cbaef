//! [`CookieStore`]: the whole session lives in the cookie, and no server keeps
//! anything.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::codec::{Codec, Opened, UnixTime};

use super::content::Content;
use super::data_model::DataModel;
use super::login::{Begun, Login};
use super::metadata::Metadata;
use super::room::longest_payload;
use super::store::{Backing, Clock, Kept, Loaded, Record, Save, Saved, Setup};
use super::{CookieOptions, Epoch, Epochs, Error, Lifetime, Refusal, Values};

/// Keeps each session in its cookie, sealed by a codec: gorilla's `CookieStore`, byte
/// for byte, so that a Go program with the same keys and cookie name shares the
/// sessions.
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::CookieStore;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
/// let store = CookieStore::new(codecs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it cannot do
///
/// Nothing here remembers what was given to whom. So
/// - **logging out removes the cookie from that browser only**; a copy of it made
///   before keeps working until it has been idle for too long or is past its absolute
///   limit. With [`epochs`](CookieStore::epochs) all sessions of an owner can be ended;
/// - **of two requests at once, the one that answers last wins**: what the other wrote
///   is lost, and a slow answer can bring back what a fast one changed, a logout too;
/// - a client that sends an old cookie again is back in the old session.
///
/// Put nothing in such a session that must not be replayed or lost: no balances, no
/// one-time tokens. Without a block key, clients can read their sessions, too.
///
/// Never use one cookie name and key for this and for a gorilla store that keeps its
/// sessions in a server: the text of a row would be a valid cookie.
///
/// # Dates
///
/// A session's cookie keeps the date it began with (a [login](super::Session::login)
/// begins anew), whoever seals it again: so the codec's `max_age` bounds the whole
/// session, also for a Go program that reads it. What a Go program writes is dated
/// then; it counts as use.
///
/// A lifetime [without an absolute limit](Lifetime::without_absolute) has no such bound: its
/// cookies are dated anew with each save, as gorilla's are. Beside a Go program with gorilla's
/// default `MaxAge` of 30 days, so that sessions and cookies last as long on both sides:
///
/// ```
/// # use std::time::Duration;
/// # use silverback::codec::{Codecs, KeyPairs};
/// # use silverback::session::{CookieOptions, CookieStore, Lifetime};
/// let month = Duration::from_secs(86_400 * 30); // the codec's default max_age, too
/// let cookie = CookieOptions::new().name("session-name")?.persistent(true);
/// let lifetime = Lifetime::new().idle(month).without_absolute();
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // those of the Go program
/// let store = CookieStore::with_options(codecs, cookie, lifetime)?.shared_with_go();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A cookie sealed by an older key, or not used for a tenth of the idle limit, is sealed
/// anew when the session is saved; the latter also without being written to.
#[derive(Clone)]
#[doc(alias = "NewCookieStore")]
pub struct CookieStore {
    codec: Arc<dyn Codec>,
    setup: Setup,
    epochs: Option<Arc<dyn Epochs>>,
}

impl CookieStore {
    /// A store with the default cookie and lifetime: `__Host-id`, 30 minutes idle and
    /// 12 hours in all.
    ///
    /// # Errors
    /// As [`with_options`](CookieStore::with_options).
    pub fn new(codec: impl Codec + 'static) -> Result<Self, Error> {
        CookieStore::with_options(codec, CookieOptions::new(), Lifetime::new())
    }

    /// A store with a cookie and a lifetime of your own.
    ///
    /// # Errors
    /// Usage, for options that do not go together; for a codec whose `max_age` is shorter
    /// than the absolute limit or that has a `min_age` (as far as it names its
    /// [`secure_cookies`](Codec::secure_cookies); a codec of your own that has none must see
    /// to it), or whose serializer cannot hold a session: gob and JSON can, and formats of
    /// your own that say what they hold.
    pub fn with_options(
        codec: impl Codec + 'static,
        cookie: CookieOptions,
        lifetime: Lifetime,
    ) -> Result<Self, Error> {
        let serializer = codec.serializer();
        let mut setup = Setup::new(cookie, lifetime, DataModel::of(&serializer))?;
        setup.check_codec(&codec)?;
        Values::check(&codec, setup.cookie.name(), setup.now())?;
        Ok(CookieStore {
            codec: Arc::new(codec),
            setup,
            epochs: None,
        })
    }

    /// Writes sessions so that a Go program which has gorilla/sessions' `CookieStore` with
    /// the same keys and name can read each of them: structs as Go's, and no type that the
    /// program does not know. Without it, a Go program still reads sessions of basic types.
    ///
    /// It knows the basic types, slices of them, `[]interface {}`, what is in the session
    /// already, and what [`known_types`](CookieStore::known_types) names. A session whose
    /// values are of other types is refused when they are inserted.
    ///
    /// ```
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::CookieStore;
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let store = CookieStore::new(codecs)?.shared_with_go();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shared_with_go(self) -> Self {
        self.known_types(std::iter::empty::<&str>())
    }

    /// [`shared_with_go`](CookieStore::shared_with_go) with a program that registers these
    /// types itself (`gob.Register`), by the names that Go gives them: `time.Time`,
    /// `map[string]interface {}`, `main.User` or `example.com/shop.User` for a struct. The
    /// fields of a struct must be of the types that Go's has.
    ///
    /// ```
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::CookieStore;
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let store = CookieStore::new(codecs)?.known_types(["time.Time", "main.User"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.setup.model = DataModel::gorilla(&self.codec.serializer(), &names);
        self
    }

    /// Asks `epochs` about each session that somebody is logged in to, so that all
    /// sessions of an owner can be ended at once. Each such request then waits for an
    /// answer, and gets 503 if there is none.
    ///
    /// Sessions that somebody logged in to before are refused: they have no epoch. So are
    /// those with one where a store has no `epochs` to ask.
    #[must_use]
    pub fn epochs(mut self, epochs: impl Epochs) -> Self {
        self.epochs = Some(Arc::new(epochs));
        self
    }

    /// Ends all sessions of an owner: after a password was changed, or an account closed.
    ///
    /// # Errors
    /// Usage, without [`epochs`](CookieStore::epochs); unavailable, if they do not answer.
    pub async fn revoke(&self, owner: &str) -> Result<(), Error> {
        Backing::revoke(self, owner).await
    }

    /// Takes the time from `clock` instead of the system: for tests of what happens when
    /// time passes.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.setup.clock = Arc::new(clock) as Clock;
        self
    }

    fn epochs_to_ask(&self) -> Result<&dyn Epochs, Error> {
        let none = || Error::usage("the store has no epochs, which revocation needs");
        self.epochs.as_deref().ok_or_else(none)
    }

    /// The session in a cookie, if it is one and still lives. Not asked yet is whether it
    /// was revoked.
    fn open(&self, cookie: &str) -> Result<Loaded, Error> {
        let now = self.setup.now();
        let mut payload = Vec::with_capacity(cookie.len());
        let opened = self
            .codec
            .open_into(self.setup.cookie.name(), cookie, now, &mut payload);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return Loaded::of_codec(error),
        };
        Ok(match self.read(&opened, payload, now) {
            Ok(record) => Loaded::Live(Box::new(record)),
            // Past its limits, or no session at all.
            Err(Refusal::NotValid) => Loaded::Refused(Refusal::NotValid),
            Err(over) => Loaded::Dead(over),
        })
    }

    fn read(&self, opened: &Opened, payload: Vec<u8>, now: UnixTime) -> Result<Record, Refusal> {
        let lifetime = &self.setup.lifetime;
        let sealed_at = opened.issued_at();
        let read = Values::deserialize(opened.serializer(), payload, Metadata::parse);
        let (values, metadata) = read.ok_or(Refusal::NotValid)?;
        let metadata = Metadata::loaded(metadata, sealed_at, lifetime);
        metadata.check(lifetime, now)?;
        let values = values.loaded_as(&self.setup.model);
        Ok(Record {
            content: Content { values, metadata },
            sealed_at,
            kept: None,
        })
    }

    fn serialize(&self, Content { values, metadata }: &Content) -> Result<Vec<u8>, Error> {
        values.serialize(&self.codec.serializer(), &metadata.to_text())
    }

    fn seal(&self, content: &Content, at: UnixTime) -> Result<String, Error> {
        let payload = self.serialize(content)?;
        let name = self.setup.cookie.name();
        let sealed = self.codec.seal_at(name, &payload, at);
        sealed.map_err(Error::of_codec)
    }

    /// Whether the owner's sessions of that epoch were revoked.
    async fn is_revoked(&self, login: &Login) -> Result<bool, Error> {
        match &self.epochs {
            None => Ok(login.begun.is_some()),
            Some(epochs) => {
                let current = epochs.current(&login.owner).await?;
                Ok(current.is_none() || current.as_ref() != login.epoch())
            }
        }
    }

    /// The epoch that a session to be saved is of.
    async fn epoch(&self, save: &Save) -> Result<Option<Epoch>, Error> {
        let Metadata {
            deadline, login, ..
        } = &save.content.metadata;
        let Some(login) = login else {
            return Ok(None);
        };
        let owner = &login.owner;
        if save.revokes_others {
            let epochs = self.epochs_to_ask()?;
            return epochs.revoke(owner, *deadline).await.map(Some);
        }
        match (&self.epochs, login.epoch()) {
            (Some(epochs), None) => epochs.begin(owner, *deadline).await.map(Some),
            (Some(epochs), Some(epoch)) if save.lasts_longer => {
                // If the owner was revoked meanwhile, the session stays of its own epoch.
                epochs.begin(owner, *deadline).await?;
                Ok(Some(epoch.clone()))
            }
            (_, epoch) => Ok(epoch.cloned()),
        }
    }
}

/// The longest that a login can have begun with.
fn longest() -> Begun {
    Begun::in_cookie(Epoch::longest())
}

#[async_trait]
impl Backing for CookieStore {
    fn setup(&self) -> &Setup {
        &self.setup
    }

    async fn load(&self, cookie: &str) -> Result<Loaded, Error> {
        let loaded = self.open(cookie)?;
        let Loaded::Live(record) = &loaded else {
            return Ok(loaded);
        };
        if let Some(login) = &record.content.metadata.login
            && self.is_revoked(login).await?
        {
            return Ok(Loaded::Dead(Refusal::Revoked));
        }
        Ok(loaded)
    }

    async fn save(&self, save: Save, _: CancellationToken) -> Result<Saved, Error> {
        if save.revokes_others {
            // What cannot be sealed revokes nobody.
            let content = save.content.clone().begun(Some(&longest()));
            self.seal(&content, save.sealed_at)?;
        }
        let begun = self.epoch(&save).await?.map(Begun::in_cookie);
        let content = save.content.begun(begun.as_ref());
        Ok(Saved {
            cookie: Some(self.seal(&content, save.sealed_at)?),
            begun,
            kept: None,
            merged: None,
        })
    }

    fn room_left(&self, content: &Content) -> Result<Option<usize>, Error> {
        let login = content.metadata.login.as_ref();
        let has_no_epoch = login.is_some_and(|login| login.begun.is_none());
        let payload = match self.epochs.is_some() && has_no_epoch {
            true => self.serialize(&content.clone().begun(Some(&longest())))?,
            false => self.serialize(content)?,
        };
        let name = self.setup.cookie.name();
        let longest = longest_payload(&self.codec, name, self.setup.now())?;
        Ok(longest.map(|longest| longest.saturating_sub(payload.len())))
    }

    /// Nothing is kept anywhere.
    async fn end(&self, _: &Kept) -> Result<bool, Error> {
        Ok(true)
    }

    async fn revoke(&self, owner: &str) -> Result<(), Error> {
        let until = self.setup.lifetime.longest_deadline(self.setup.now());
        self.epochs_to_ask()?.revoke(owner, until).await.map(drop)
    }
}

/// The cookie's name; nothing of keys.
impl fmt::Debug for CookieStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieStore")
            .field("name", &self.setup.cookie.name())
            .field("lifetime", &self.setup.lifetime)
            .finish_non_exhaustive()
    }
}
