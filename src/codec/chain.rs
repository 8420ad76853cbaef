//! [`Codecs`]: the chain. The first key seals, every key opens; that is how keys
//! rotate without logging anybody out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{Frame, with_frame};
use super::{Codec, CodecOptions, Error, KeyPair, Opened, SecureCookie, Serializer, UnixTime};

/// A chain of codecs, newest key first. It is a [`Codec`] itself.
///
/// Only the primary (the first) seals; it never falls back. Opening tries each
/// key's MAC in turn, and once one holds, that key's verdict is final.
///
/// A clone is another handle on the same chain and its counters.
///
/// # Rotating a key
///
/// 1. Append the new pair at the end, everywhere: all machines can open what it seals.
/// 2. Move it to the front, everywhere: it seals from now on.
/// 3. Drop the old pair once no cookie of it can be alive: after `max_age`, or
///    when [`openings`](Codecs::openings) no longer grows for it.
///
/// A leaked key is not rotated, but dropped at once.
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
pub struct Codecs(Arc<Chain>);

struct Chain {
    primary: Member,
    /// The older keys, each with how often it opened a cookie. The primary has no
    /// counter: threads that open fresh cookies share nothing they write to.
    others: Vec<(Member, AtomicU64)>,
}

/// What a chain is made of: a [`SecureCookie`] or a codec of your own.
///
/// The chain decodes the outer base64 once for all its `SecureCookie`s. Of another
/// codec it knows only what the trait says.
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
    /// A codec of your own, or another chain.
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
    /// A chain of `members`, newest first; serializers, ciphers and hash
    /// functions may differ.
    ///
    /// # Errors
    /// Usage, for no members at all, or two that share a hash key: one key, one
    /// meaning. HMAC pads a short key with zeros and hashes a long one, so `k` and
    /// `k` with a zero byte are one key, as are a key over a block and its hash. So
    /// a new block key or hash function wants a new hash key with it.
    pub fn new<M: Into<Member>>(members: impl IntoIterator<Item = M>) -> Result<Self, Error> {
        let members: Vec<Member> = members.into_iter().map(Into::into).collect();
        refuse_shared_hash_keys(&members)?;
        let mut members = members.into_iter();
        let primary = members
            .next()
            .ok_or_else(|| Error::usage("a chain of codecs needs at least one key"))?;
        let others = members.map(|member| (member, AtomicU64::new(0))).collect();
        Ok(Codecs(Arc::new(Chain { primary, others })))
    }

    /// A chain of key pairs, newest first, with gorilla's defaults.
    ///
    /// # Errors
    /// As [`new`](Codecs::new).
    #[doc(alias = "CodecsFromPairs")]
    pub fn from_pairs(pairs: impl IntoIterator<Item = KeyPair>) -> Result<Self, Error> {
        Codecs::from_pairs_with(pairs, &CodecOptions::new())
    }

    /// A chain of key pairs, newest first, all with the same settings.
    ///
    /// # Errors
    /// As [`new`](Codecs::new) and [`SecureCookie::with_options`].
    pub fn from_pairs_with(
        pairs: impl IntoIterator<Item = KeyPair>,
        options: &CodecOptions,
    ) -> Result<Self, Error> {
        let codecs = pairs
            .into_iter()
            .map(|keys| SecureCookie::with_options(keys, options));
        Codecs::new(codecs.collect::<Result<Vec<_>, _>>()?)
    }

    /// How often each key but the primary has opened a cookie since the chain was
    /// built, newest first: the first figure is that of key 2. An old key whose figure no
    /// longer grows can be dropped.
    ///
    /// The primary, key 1, is not counted. For an operator's eyes, never a client's.
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

    /// Asks each member in turn, until one's MAC holds.
    fn ask_each(&self, attempt: &Attempt<'_>, out: &mut Vec<u8>) -> Result<Opened, Error> {
        let start = out.len();
        let mut refusals = Refusals::default();
        for (index, member) in self.members().enumerate() {
            match attempt.by(member, out) {
                Ok(opened) => {
                    self.count(index);
                    return Ok(opened.in_chain(index));
                }
                Err(refusal) => {
                    let is_final = refusal.is_final();
                    refusals.push(refusal);
                    // A codec of the user's own may have left something behind.
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
        if let Some((_, openings)) = index
            .checked_sub(1)
            .and_then(|older| self.0.others.get(older))
        {
            openings.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the members said that did not open a cookie. As long as all say no more
/// than *not valid* it is only counted, so that opening by an older key allocates
/// nothing.
#[derive(Default)]
struct Refusals {
    not_valid: usize,
    after_those: Vec<Error>,
}

impl Refusals {
    fn push(&mut self, refusal: Error) {
        if self.after_those.is_empty() && refusal.says_only_not_valid() {
            self.not_valid += 1;
        } else {
            self.after_those.push(refusal);
        }
    }

    fn into_vec(self) -> Vec<Error> {
        let not_valid = std::iter::repeat_with(Error::not_valid).take(self.not_valid);
        not_valid.chain(self.after_those).collect()
    }
}

/// What every member of a chain is asked about one cookie.
struct Attempt<'a> {
    name: &'a str,
    cookie: &'a str,
    now: UnixTime,
    /// The frame, decoded once; none if the cookie is no frame.
    frame: Option<Frame<'a>>,
}

impl Attempt<'_> {
    fn by(&self, member: &Member, out: &mut Vec<u8>) -> Result<Opened, Error> {
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
    /// Seals with the primary. A chain never falls back when sealing.
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

    /// Opens with the first key whose MAC holds. The error of a refusal holds
    /// each key's ([`Error::per_key`]).
    #[doc(alias = "DecodeMulti")]
    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        let mut ask = |frame: Option<Frame<'_>>| {
            self.ask_each(
                &Attempt {
                    name,
                    cookie,
                    now,
                    frame,
                },
                out,
            )
        };
        // A cookie too long for all is not worth decoding.
        let any_reads_frame = self
            .members()
            .filter_map(Member::secure_cookie)
            .any(|codec| codec.check_length(cookie).is_ok());
        if any_reads_frame {
            with_frame(name, cookie, ask)
        } else {
            ask(None)
        }
    }

    fn serializer(&self) -> Serializer {
        self.0.primary.codec().serializer()
    }

    fn secure_cookies(&self) -> Vec<&SecureCookie> {
        self.members()
            .flat_map(|member| member.codec().secure_cookies())
            .collect()
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members()).finish()
    }
}

/// Looks into members that are made of `SecureCookie`s, too.
fn refuse_shared_hash_keys(members: &[Member]) -> Result<(), Error> {
    let mut seen: Vec<(usize, &SecureCookie)> = Vec::new();
    for (older, member) in members.iter().enumerate() {
        for codec in member.codec().secure_cookies() {
            let twin = seen
                .iter()
                .find(|(newer, other)| *newer != older && other.shares_hash_key_with(codec));
            if let Some((newer, _)) = twin {
                return Err(Error::usage(format!(
                    "key pairs {} and {} share a hash key: one key, one meaning",
                    newer + 1,
                    older + 1
                )));
            }
            seen.push((older, codec));
        }
    }
    Ok(())
}

/// gorilla's `EncodeMulti`: seals `value` with the chain's primary, now.
///
/// # Errors
/// As [`Codec::encode`].
#[doc(alias = "EncodeMulti")]
pub fn encode_multi<T: Serialize + ?Sized>(
    name: &str,
    value: &T,
    codecs: &Codecs,
) -> Result<String, Error> {
    codecs.encode(name, value)
}

/// gorilla's `DecodeMulti`: opens `cookie` with whichever key of the chain sealed it, now.
///
/// # Errors
/// As [`Codec::decode`].
#[doc(alias = "DecodeMulti")]
pub fn decode_multi<T: DeserializeOwned>(
    name: &str,
    cookie: &str,
    codecs: &Codecs,
) -> Result<T, Error> {
    codecs.decode(name, cookie)
}
