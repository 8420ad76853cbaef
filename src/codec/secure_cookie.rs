//! [`SecureCookie`]: gorilla's codec, with one key pair and its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cipher::{Encryptor, IV};
use super::frame::{self, Frame, FrameLayout, with_frame, with_scratch};
use super::mac::Authenticator;
use super::options::Ages;
use super::randomness::IvSource;
use super::{CodecOptions, Error, HashFunction, HashKey, KeyPair, Opened, Serializer, UnixTime};

/// The bytes that browsers keep of a cookie's name and value together (RFC 6265, section 6.1).
const BROWSER_LIMIT: usize = 4096;

/// Seals and opens cookies with one key pair, byte for byte as gorilla does.
///
/// A `SecureCookie` is immutable and can be shared between threads. A clone shares its keys. Its
/// constructors refuse invalid settings.
///
/// ```
/// use silverback::codec::{Codec, KeyPair, SecureCookie};
///
/// let codec = SecureCookie::new(KeyPair::generate()?)?;
/// let cookie = codec.encode("sid", "silverback")?;
/// assert_eq!(codec.decode::<String>("sid", &cookie)?, "silverback");
/// assert!(codec.decode::<String>("other", &cookie).is_err(), "the name is part of the seal");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
pub struct SecureCookie(Arc<KeysAndSettings>);

/// Stays on the heap, so that moving a codec leaves no copy of its keys behind.
struct KeysAndSettings {
    hash_key: HashKey,
    authenticator: Authenticator,
    encryptor: Option<Encryptor>,
    seals: bool,
    ages: Ages,
    max_length: usize,
    serializer: Serializer,
    iv_source: IvSource,
}

impl SecureCookie {
    /// Creates a codec with gorilla's defaults.
    ///
    /// # Errors
    /// Returns no error today: the default settings are valid.
    #[doc(alias = "New")]
    pub fn new(keys: KeyPair) -> Result<Self, Error> {
        SecureCookie::with_options(keys, &CodecOptions::new())
    }

    /// Returns whether payloads are encrypted, so that no two cookies are the same.
    #[cfg(feature = "session")]
    pub(crate) fn encrypts(&self) -> bool {
        self.0.encryptor.is_some()
    }

    /// Creates a codec with the given settings.
    ///
    /// # Errors
    /// Returns a usage error if an age is not in whole seconds, or the minimum age is over the
    /// maximum.
    pub fn with_options(keys: KeyPair, options: &CodecOptions) -> Result<Self, Error> {
        options.check()?;
        let encryptor = keys
            .block()
            .map(|block| Encryptor::new(options.cipher, block));
        Ok(SecureCookie(Arc::new(KeysAndSettings {
            authenticator: Authenticator::new(options.hash, keys.hash()),
            hash_key: keys.hash().clone(),
            encryptor,
            seals: options.hash != HashFunction::Sha1,
            ages: options.ages,
            max_length: options.max_length,
            serializer: options.serializer.clone(),
            iv_source: options.iv_source,
        })))
    }

    /// Returns the age above which a cookie is refused as expired; zero means no limit.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.0.ages.max()
    }

    /// Returns the age below which a cookie is refused as too new; zero means no minimum.
    #[must_use]
    pub fn min_age(&self) -> Duration {
        self.0.ages.min()
    }

    #[cfg(feature = "session")]
    pub(super) fn hash_key(&self) -> &HashKey {
        &self.0.hash_key
    }

    /// Returns whether the two are clones of one codec.
    pub(crate) fn is_clone_of(&self, other: &SecureCookie) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a reference that does not keep the keys in memory.
    #[cfg(feature = "session")]
    pub(super) fn downgrade(&self) -> WeakSecureCookie {
        WeakSecureCookie(Arc::downgrade(&self.0))
    }

    /// Returns whether the two share a hash key, and so accept each other's MACs.
    pub(crate) fn shares_hash_key_with(&self, other: &SecureCookie) -> bool {
        self.0.hash_key.is_same_key_as(&other.0.hash_key)
    }

    /// Returns the serializer of the settings.
    pub(super) fn settings_serializer(&self) -> &Serializer {
        &self.0.serializer
    }

    /// Appends the cookie to `out`. Implements [`Codec::seal_into`](super::Codec::seal_into).
    pub(super) fn seal_cookie(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        if now > UnixTime::LAST_DATE {
            return Err(Error::usage(
                "the date is after the last one that fits Go's int64",
            ));
        }
        let mut digits = itoa::Buffer::new();
        let date = digits.format(now.as_secs());
        let iv = if self.0.encryptor.is_some() { IV } else { 0 };
        let mac = self.0.authenticator.mac_length();
        let sizes = payload.len().checked_add(iv).and_then(|raw| {
            let layout = FrameLayout::new(name.len(), date.len(), raw, mac)?;
            Some((layout, layout.scratch()?))
        });
        let (layout, scratch) =
            sizes.ok_or_else(|| Error::too_long_to_seal(usize::MAX, self.0.max_length))?;
        self.check_sealing(name, &layout)?;
        with_scratch(scratch, |scratch| {
            out.push_str(self.write_cookie(name, date, payload, &layout, scratch)?);
            Ok(())
        })
    }

    /// Appends the payload to `out`. Implements [`Codec::open_into`](super::Codec::open_into).
    pub(super) fn open_cookie(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.check_length(cookie)?;
        with_frame(name, cookie, |frame| {
            let frame = frame.ok_or_else(Error::not_valid)?;
            self.open_frame(&frame, now, out)
        })
    }

    /// Refuses a cookie longer than this codec opens.
    pub(super) fn check_length(&self, cookie: &str) -> Result<(), Error> {
        if self.0.max_length != 0 && cookie.len() > self.0.max_length {
            return Err(Error::too_long_to_open(cookie.len(), self.0.max_length));
        }
        Ok(())
    }

    /// Opens a frame of permitted length, in this order: MAC, date, ages, inner base64,
    /// decryption.
    pub(super) fn open_frame(
        &self,
        frame: &Frame<'_>,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        if !self.0.authenticator.verifies(frame.signed, frame.mac) {
            return Err(Error::not_valid());
        }
        let issued_at = frame.date().ok_or_else(Error::not_valid_though_authentic)?;
        self.0.ages.check(issued_at, now)?;
        self.read_value(frame.value, out)
            .ok_or_else(Error::not_valid_though_authentic)?;
        Ok(Opened::new(issued_at, now).with_serializer(self.0.serializer.clone()))
    }

    /// Decodes `v`, decrypts it if there is a block key, and appends the payload to `out`.
    ///
    /// Leaves `out` unchanged if it fails.
    fn read_value(&self, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        out.resize(start + frame::decoded_capacity(value.len()), 0);
        let length = out
            .get_mut(start..)
            .and_then(|buffer| frame::decode(value, buffer));
        out.truncate(start + length.unwrap_or(0));
        length?;
        let Some(encryptor) = &self.0.encryptor else {
            return Some(());
        };
        let Some((iv, text)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) else {
            out.truncate(start);
            return None;
        };
        encryptor.decrypt(iv, text);
        out.drain(start..start + IV);
        Some(())
    }

    /// Refuses a name that no cookie can have, and more bytes than the codec or a browser takes.
    fn check_sealing(&self, name: &str, layout: &FrameLayout) -> Result<(), Error> {
        if !self.0.seals {
            return Err(Error::usage(
                "a codec with SHA-1 only opens cookies; seal with SHA-256 or a longer hash",
            ));
        }
        check_name(name)?;
        if self.0.max_length == 0 {
            return Ok(());
        }
        if layout.cookie > self.0.max_length {
            return Err(Error::too_long_to_seal(layout.cookie, self.0.max_length));
        }
        let whole = name.len().saturating_add(layout.cookie);
        if whole > BROWSER_LIMIT {
            return Err(Error::too_long_to_seal(whole, BROWSER_LIMIT));
        }
        Ok(())
    }

    /// Writes the frame and the cookie to `scratch`, and returns the cookie.
    fn write_cookie<'s>(
        &self,
        name: &str,
        date: &str,
        payload: &[u8],
        layout: &FrameLayout,
        scratch: &'s mut [u8],
    ) -> Result<&'s str, Error> {
        let impossible = || Error::internal("the frame does not fit its own layout");
        let (frame, cookie) = scratch
            .split_at_mut_checked(layout.frame)
            .ok_or_else(impossible)?;

        let mut buffer = &mut *frame;
        for part in [name, "|", date, "|"] {
            let part_of_frame = buffer.split_off_mut(..part.len()).ok_or_else(impossible)?;
            part_of_frame.copy_from_slice(part.as_bytes());
        }
        // The cookie's bytes are unused until the frame is complete: `v` is prepared in them.
        let value = buffer
            .split_off_mut(..layout.value)
            .ok_or_else(impossible)?;
        let raw = cookie.get_mut(..layout.raw).ok_or_else(impossible)?;
        self.write_value(payload, raw, value)?
            .ok_or_else(impossible)?;

        let (signed, tail) = frame.split_at_mut(layout.signed);
        let (separator, mac) = tail.split_first_mut().ok_or_else(impossible)?;
        *separator = b'|';
        self.0.authenticator.sign(signed, mac);

        let inner = frame.get(name.len() + 1..).ok_or_else(impossible)?;
        frame::encode(inner, cookie).ok_or_else(impossible)?;
        std::str::from_utf8(cookie).map_err(|_| impossible())
    }

    /// Writes `v`, the base64 of the payload. If there is a block key, the payload is first
    /// encrypted in `raw`.
    fn write_value(
        &self,
        payload: &[u8],
        raw: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<()>, Error> {
        let Some(encryptor) = &self.0.encryptor else {
            return Ok(frame::encode(payload, value));
        };
        let Some((iv, text)) = raw.split_first_chunk_mut() else {
            return Ok(None);
        };
        self.0.iv_source.fill(iv)?;
        text.copy_from_slice(payload);
        encryptor.encrypt(iv, text);
        Ok(frame::encode(raw, value))
    }

    /// Returns the codec with a fixed IV, for byte-exact tests.
    #[cfg(test)]
    pub(super) fn with_fixed_iv(mut self, iv: [u8; IV]) -> Self {
        let settings = Arc::get_mut(&mut self.0).expect("the codec has no clone");
        settings.iv_source = IvSource::Fixed(iv);
        self
    }
}

/// A reference to a codec that does not keep its keys in memory.
#[cfg(feature = "session")]
pub(super) struct WeakSecureCookie(std::sync::Weak<KeysAndSettings>);

#[cfg(feature = "session")]
impl WeakSecureCookie {
    /// Returns whether it refers to that codec or a clone of it.
    pub(super) fn is_of(&self, codec: &SecureCookie) -> bool {
        // The address stays taken as long as the reference exists.
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&codec.0))
    }
}

impl fmt::Debug for SecureCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureCookie")
            .field("keys", &"redacted")
            .field("encrypts", &self.0.encryptor.is_some())
            .field("seals", &self.0.seals)
            .field("ages", &self.0.ages)
            .field("max_length", &self.0.max_length)
            .field("serializer", &self.0.serializer)
            .finish()
    }
}

/// Refuses a cookie name that is not a token of RFC 7230, section 3.2.6, as RFC 6265 requires.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(in_token) {
        return Err(Error::usage(
            "the cookie name is not a token of RFC 7230: use letters, digits and !#$%&'*+-.^_`|~",
        ));
    }
    Ok(())
}
