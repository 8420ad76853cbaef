//! [`Codecs`]: a chain of codecs, for key rotation. The first key seals, and every key opens,
//! so that a rotation logs no user out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{Frame, with_frame};
use super::{
    Codec, CodecOptions, Error, KeyPair, KeyPairs, Opened, SecureCookie, SecureCookies, Serializer,
    UnixTime,
};

/// A chain of codecs, newest key first, which is itself a [`Codec`].
///
/// Only the primary (the first member) seals: if it fails, no other key is used. Opening
/// verifies the MAC with each key in turn. The first key that verifies it decides the result.
///
/// A clone is another handle on the same chain and its counters.
///
/// # Rotate a key
///
/// 1. Append the new pair on every machine, so that each can open the cookies it seals.
/// 2. Move the new pair to the front on every machine. It seals from now on.
/// 3. Remove the old pair when all its cookies have expired: after `max_age`, or when its
///    figure in [`openings`](Codecs::openings) no longer grows.
///
/// If a key has leaked, do not rotate it: remove it at once.
///
/// ```
/// use silverback::codec::{Codec, Codecs, KeyPair};
///
/// let (old, new) = (KeyPair::generate()?, KeyPair::generate()?);
/// let cookie = Codecs::from_pairs([old.clone()])?.encode("sid", "ape")?;
///
/// let codecs = Codecs::from_pairs([new, old])?;
/// assert_eq!(codecs.decode::<String>("sid", &cookie)?, "ape");
/// assert_eq!(codecs.openings(), [1], "once by the old key");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias = "rotate")]
pub struct Codecs(Arc<Chain>);

struct Chain {
    primary: Member,
    /// The older keys, each with its count of opened cookies. The primary has no counter:
    /// threads that open fresh cookies then write to no shared memory.
    /// A counter outlives the chain if a [`KeyRing`](super::KeyRing) replaces the chain.
    others: Vec<(Member, Arc<AtomicU64>)>,
    /// The members, or `None` if one of them is a custom codec, whose keys may change.
    secure_cookies: Option<SecureCookies>,
}

/// A member of a chain: a [`SecureCookie`], or a codec of your own.
///
/// The chain decodes the outer base64 once for all its `SecureCookie`s. It uses other codecs
/// only through the trait [`Codec`].
///
/// ```
/// use silverback::codec::{Codecs, KeyPair, Member, SecureCookie};
///
/// let chain = Codecs::new([
///     Member::from(SecureCookie::new(KeyPair::generate()?)?),
///     Member::custom(Codecs::from_pairs([KeyPair::generate()?])?),
/// ])?;
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub struct Member(MemberKind);

enum MemberKind {
    SecureCookie(SecureCookie),
    Custom(Box<dyn Codec>),
}

impl Member {
    /// Creates a member from a codec of your own, or from another chain.
    pub fn custom(codec: impl Codec + 'static) -> Self {
        Member(MemberKind::Custom(Box::new(codec)))
    }

    fn codec(&self) -> &dyn Codec {
        match &self.0 {
            MemberKind::SecureCookie(codec) => codec,
            MemberKind::Custom(codec) => codec.as_ref(),
        }
    }

    fn secure_cookie(&self) -> Option<&SecureCookie> {
        match &self.0 {
            MemberKind::SecureCookie(codec) => Some(codec),
            MemberKind::Custom(_) => None,
        }
    }
}

impl From<SecureCookie> for Member {
    fn from(codec: SecureCookie) -> Self {
        Member(MemberKind::SecureCookie(codec))
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            MemberKind::SecureCookie(codec) => codec.fmt(f),
            MemberKind::Custom(_) => f.write_str("custom codec"),
        }
    }
}

impl Codecs {
    /// Creates a chain of `members`, newest first. Their serializers, ciphers and hash
    /// functions may differ.
    ///
    /// # Errors
    /// Returns a usage error if there are no members, or if two members share a hash key. A new
    /// block key or hash function therefore needs a new hash key. HMAC pads a short key with
    /// zeros and hashes a long one: `k` and `k` followed by a zero byte are the same key, and
    /// so are a key longer than a block and its hash.
    pub fn new<M: Into<Member>>(members: impl IntoIterator<Item = M>) -> Result<Self, Error> {
        let members = members.into_iter().map(Into::into).collect();
        Codecs::with_counters(members, |_| Arc::default())
    }

    /// Creates a chain, with a counter of openings for each member except the primary.
    fn with_counters(
        members: Vec<Member>,
        counter_of: impl Fn(&Member) -> Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        refuse_shared_hash_keys(&members)?;
        let secure_cookies = members.iter().map(|member| member.secure_cookie().cloned());
        let secure_cookies = secure_cookies.collect();
        let mut members = members.into_iter();
        let primary = members
            .next()
            .ok_or_else(|| Error::usage("the chain has no codec: give it one or more"))?;
        let others = members.map(|member| {
            let counter = counter_of(&member);
            (member, counter)
        });
        Ok(Codecs(Arc::new(Chain {
            primary,
            others: others.collect(),
            secure_cookies,
        })))
    }

    /// Creates a chain that replaces this one. A member of both keeps its counter, unless it is
    /// or was the primary, which has none.
    pub(super) fn replaced_by(&self, members: Vec<SecureCookie>) -> Result<Self, Error> {
        let members = members.into_iter().map(Member::from).collect();
        Codecs::with_counters(members, |member| {
            let is_same = |other: &Member| match (member.secure_cookie(), other.secure_cookie()) {
                (Some(codec), Some(other)) => codec.is_clone_of(other),
                _ => false,
            };
            let counted = self.0.others.iter().find(|(other, _)| is_same(other));
            counted.map_or_else(Arc::default, |(_, counter)| counter.clone())
        })
    }

    /// Creates a chain of key pairs, newest first, with gorilla's defaults.
    ///
    /// # Errors
    /// Returns the errors of [`new`](Codecs::new).
    #[doc(alias = "CodecsFromPairs")]
    pub fn from_pairs(pairs: impl IntoIterator<Item = KeyPair>) -> Result<Self, Error> {
        Codecs::from_pairs_with(pairs, &CodecOptions::new())
    }

    /// Creates a chain of the key pairs in an environment variable, with gorilla's defaults.
    ///
    /// ```no_run
    /// let codecs = silverback::codec::Codecs::from_env("SILVERBACK_KEYS")?;
    /// # Ok::<(), silverback::codec::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`KeyPairs::from_env`] and [`new`](Codecs::new).
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        Codecs::from_pairs(KeyPairs::from_env(variable)?)
    }

    /// Creates a chain of key pairs, newest first, all with the same settings.
    ///
    /// # Errors
    /// Returns the errors of [`new`](Codecs::new) and [`SecureCookie::with_options`].
    pub fn from_pairs_with(
        pairs: impl IntoIterator<Item = KeyPair>,
        options: &CodecOptions,
    ) -> Result<Self, Error> {
        let codecs = pairs
            .into_iter()
            .map(|keys| SecureCookie::with_options(keys, options));
        Codecs::new(codecs.collect::<Result<Vec<_>, _>>()?)
    }

    /// Returns how many cookies each key has opened since the chain was built, newest key first.
    ///
    /// The primary, key 1, is not counted: the first figure is that of key 2. When the figure
    /// of an old key no longer grows, that key can be removed. Show the figures to operators,
    /// never to clients.
    #[must_use]
    pub fn openings(&self) -> Vec<u64> {
        let counters = self.0.others.iter().map(|(_, openings)| openings);
        counters
            .map(|openings| openings.load(Ordering::Relaxed))
            .collect()
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.0.primary).chain(self.0.others.iter().map(|(member, _)| member))
    }

    /// Tries to open the cookie with each member in turn, until one verifies its MAC.
    fn try_each(&self, attempt: &OpeningAttempt<'_>, out: &mut Vec<u8>) -> Result<Opened, Error> {
        let start = out.len();
        let mut refusals = Refusals::default();
        for (index, member) in self.members().enumerate() {
            match attempt.open_with(member, out) {
                Ok(opened) => {
                    self.count(index);
                    return Ok(opened.in_chain(index));
                }
                Err(refusal) => {
                    let is_final = refusal.is_final();
                    refusals.push(refusal);
                    // A custom codec may have appended bytes before it failed.
                    out.truncate(start);
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(Error::of_chain(refusals.into_vec()))
    }

    /// Counts an opening by the member at `index`, unless it is the primary.
    fn count(&self, index: usize) {
        let other = index.checked_sub(1);
        if let Some((_, openings)) = other.and_then(|other| self.0.others.get(other)) {
            openings.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The errors of the members that refused a cookie.
///
/// As long as every error is a plain *not valid*, the errors are only counted, so that opening
/// with an older key allocates nothing.
#[derive(Default)]
struct Refusals {
    /// The number of plain *not valid* errors before the first other one.
    not_valid: usize,
    /// The first other error, and all errors after it.
    rest: Vec<Error>,
}

impl Refusals {
    fn push(&mut self, refusal: Error) {
        if self.rest.is_empty() && refusal.is_plain_not_valid() {
            self.not_valid += 1;
        } else {
            self.rest.push(refusal);
        }
    }

    fn into_vec(self) -> Vec<Error> {
        let not_valid = std::iter::repeat_with(Error::not_valid).take(self.not_valid);
        not_valid.chain(self.rest).collect()
    }
}

/// One attempt to open a cookie, which each member of the chain makes in turn.
struct OpeningAttempt<'a> {
    name: &'a str,
    cookie: &'a str,
    now: UnixTime,
    /// The frame, decoded once for all members, or `None` if the cookie is not a frame.
    frame: Option<Frame<'a>>,
}

impl OpeningAttempt<'_> {
    fn open_with(&self, member: &Member, out: &mut Vec<u8>) -> Result<Opened, Error> {
        let codec = match &member.0 {
            MemberKind::SecureCookie(codec) => codec,
            MemberKind::Custom(codec) => {
                return codec.open_into(self.name, self.cookie, self.now, out);
            }
        };
        codec.check_length(self.cookie)?;
        let frame = self.frame.as_ref().ok_or_else(Error::not_valid)?;
        codec.open_frame(frame, self.now, out)
    }
}

impl Codec for Codecs {
    /// Seals with the primary. If the primary fails, no other key is used.
    #[doc(alias = "EncodeMulti")]
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.0.primary.codec().seal_into(name, payload, now, out)
    }

    /// Opens with the first key that verifies the MAC. If the cookie is refused, the error
    /// holds each key's error ([`Error::per_key`]).
    #[doc(alias = "DecodeMulti")]
    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        let mut open = |frame: Option<Frame<'_>>| {
            let attempt = OpeningAttempt {
                name,
                cookie,
                now,
                frame,
            };
            self.try_each(&attempt, out)
        };
        // A cookie that is too long for every member is not decoded.
        let any_reads_frame = self
            .members()
            .filter_map(Member::secure_cookie)
            .any(|codec| codec.check_length(cookie).is_ok());
        if any_reads_frame {
            with_frame(name, cookie, open)
        } else {
            open(None)
        }
    }

    fn serializer(&self) -> Serializer {
        self.0.primary.codec().serializer()
    }

    fn secure_cookies(&self) -> SecureCookies {
        if let Some(codecs) = &self.0.secure_cookies {
            return codecs.clone();
        }
        let lists = self.members().map(|member| member.codec().secure_cookies());
        lists.flat_map(|list| list.to_vec()).collect()
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members()).finish()
    }
}

/// Also compares the `SecureCookie`s inside custom members.
fn refuse_shared_hash_keys(members: &[Member]) -> Result<(), Error> {
    let mut newer_codecs: Vec<(usize, SecureCookie)> = Vec::new();
    for (older, member) in members.iter().enumerate() {
        for codec in &member.codec().secure_cookies() {
            let shared = newer_codecs
                .iter()
                .find(|(newer, other)| *newer != older && other.shares_hash_key_with(codec));
            if let Some((newer, _)) = shared {
                return Err(Error::usage(format!(
                    "key pairs {} and {} share a hash key: give each pair a hash key of its own",
                    newer + 1,
                    older + 1
                )));
            }
            newer_codecs.push((older, codec.clone()));
        }
    }
    Ok(())
}

/// Seals `value` with the chain's primary, now; gorilla's `EncodeMulti`.
///
/// # Errors
/// Returns the errors of [`Codec::encode`].
#[doc(alias = "EncodeMulti")]
pub fn encode_multi<T: Serialize + ?Sized>(
    name: &str,
    value: &T,
    codecs: &Codecs,
) -> Result<String, Error> {
    codecs.encode(name, value)
}

/// Opens `cookie` with the key of the chain that sealed it, now; gorilla's `DecodeMulti`.
///
/// # Errors
/// Returns the errors of [`Codec::decode`].
#[doc(alias = "DecodeMulti")]
pub fn decode_multi<T: DeserializeOwned>(
    name: &str,
    cookie: &str,
    codecs: &Codecs,
) -> Result<T, Error> {
    codecs.decode(name, cookie)
}
