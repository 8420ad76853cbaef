//! [`CodecOptions`]: the settings of a codec or a whole chain, which gorilla sets with
//! `MaxAge`, `HashFunc` and other methods.

use std::time::Duration;

use super::randomness::IvSource;
use super::{Error, Serializer, UnixTime};

/// The hash function of the MAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "HashFunc")]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(rename_all = "snake_case"))]
pub enum HashFunction {
    /// HMAC-SHA-256, gorilla's default: MACs of 32 bytes.
    #[default]
    Sha256,
    /// HMAC-SHA-384: MACs of 48 bytes.
    Sha384,
    /// HMAC-SHA-512: MACs of 64 bytes.
    Sha512,
    /// HMAC-SHA-512/256: MACs of 32 bytes.
    Sha512_256,
    /// HMAC-SHA-1: MACs of 20 bytes. It only opens cookies of an older service: a codec with
    /// this function refuses to seal.
    Sha1,
}

/// The mode in which a block key encrypts.
///
/// Both modes write 16 random bytes (the IV) before the ciphertext, which is as long as the
/// plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(rename_all = "snake_case"))]
pub enum Cipher {
    /// AES in counter mode with a 128-bit big-endian counter (NIST SP 800-38A,
    /// section 6.5), as gorilla does.
    #[default]
    AesCtr,
    /// AES in cipher feedback mode over whole blocks (CFB-128; NIST SP 800-38A,
    /// section 6.3).
    AesCfb,
}

/// The settings of a codec. The defaults are gorilla's.
///
/// The constructor that takes the options checks them: no codec has invalid settings.
///
/// ```
/// use std::time::Duration;
/// use silverback::codec::{CodecOptions, Codecs, HashFunction, KeyPairs};
///
/// let options = CodecOptions::new()
///     .max_age(Duration::from_secs(12 * 60 * 60))
///     .hash(HashFunction::Sha512_256);
/// let codecs = Codecs::from_pairs_with(KeyPairs::generate(2)?, &options)?;
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CodecOptions {
    pub(super) hash: HashFunction,
    pub(super) cipher: Cipher,
    pub(super) serializer: Serializer,
    pub(super) max_length: usize,
    pub(super) ages: Ages,
    pub(super) iv_source: IvSource,
}

/// The permitted ages of a cookie when it is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ages {
    max: Duration,
    min: Duration,
    skew: Duration,
}

impl CodecOptions {
    /// Creates options with gorilla's defaults: SHA-256, AES-CTR, gob, 30 days, 4096 bytes.
    #[must_use]
    pub fn new() -> Self {
        CodecOptions {
            hash: HashFunction::default(),
            cipher: Cipher::default(),
            serializer: Serializer::default(),
            max_length: 4096,
            ages: Ages {
                max: Duration::from_secs(30 * 24 * 60 * 60),
                min: Duration::ZERO,
                skew: Duration::from_secs(60),
            },
            iv_source: IvSource::System,
        }
    }

    /// Sets the age above which a cookie is refused as expired, in whole seconds. Zero means no
    /// limit. Default: 30 days.
    #[must_use]
    #[doc(alias = "MaxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.ages.max = max_age;
        self
    }

    /// Sets the age below which a cookie is refused as too new, in whole seconds. Zero, the
    /// default, means no minimum.
    #[must_use]
    #[doc(alias = "MinAge")]
    pub fn min_age(mut self, min_age: Duration) -> Self {
        self.ages.min = min_age;
        self
    }

    /// Sets how far in the future a cookie may be dated, in whole seconds, since the clock of
    /// another machine may be ahead. Zero permits no date in the future. Default: 60 s.
    /// (gorilla permits any date in the future.)
    #[must_use]
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.ages.skew = clock_skew;
        self
    }

    /// Sets the longest cookie value that is sealed or opened, in bytes. Zero means no limit.
    /// Default: 4096.
    ///
    /// Unless it is zero, sealing also refuses a name and a value that together have more than
    /// 4096 bytes, the most that browsers keep (RFC 6265, section 6.1).
    #[must_use]
    #[doc(alias = "MaxLength")]
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.max_length = max_length;
        self
    }

    /// Sets the hash function of the MAC. Default: SHA-256.
    #[must_use]
    #[doc(alias = "HashFunc")]
    pub fn hash(mut self, hash: HashFunction) -> Self {
        self.hash = hash;
        self
    }

    /// Sets the mode in which a block key encrypts. Default: AES-CTR.
    #[must_use]
    #[doc(alias = "BlockFunc")]
    pub fn cipher(mut self, cipher: Cipher) -> Self {
        self.cipher = cipher;
        self
    }

    /// Sets the format of typed values. Default: gob.
    #[must_use]
    #[doc(alias = "SetSerializer")]
    pub fn serializer(mut self, serializer: Serializer) -> Self {
        self.serializer = serializer;
        self
    }

    /// Draws the IVs of many cookies with one system call, and buffers them in each thread.
    ///
    /// This saves most of a system call for each encrypted cookie. In exchange, up to 512 bytes
    /// of future IVs lie in the memory of each thread.
    ///
    /// Do not use it if your program may run twice with the same memory and process ID: in a
    /// virtual machine that is resumed twice from one snapshot, or after a fork into a PID
    /// namespace that assigns the parent's ID again. IVs would then be used twice, and two
    /// values sealed under one key and IV reveal the XOR of both. An ordinary fork is safe: the
    /// child has another process ID, and discards the buffer.
    #[must_use]
    pub fn buffered_randomness(mut self) -> Self {
        self.iv_source = IvSource::Buffered;
        self
    }

    /// Refuses ages that are not in whole seconds, and a minimum over the maximum.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Ages { max, min, skew } = self.ages;
        for (name, age) in [("max_age", max), ("min_age", min), ("clock_skew", skew)] {
            if age.subsec_nanos() != 0 {
                return Err(Error::usage(format!("{name} must be in whole seconds")));
            }
        }
        if !max.is_zero() && min > max {
            return Err(Error::usage(
                "min_age is longer than max_age, so that no cookie would open: shorten min_age",
            ));
        }
        Ok(())
    }
}

impl Default for CodecOptions {
    fn default() -> Self {
        CodecOptions::new()
    }
}

impl Ages {
    pub(super) fn max(&self) -> Duration {
        self.max
    }

    pub(super) fn min(&self) -> Duration {
        self.min
    }

    /// Refuses a cookie that is too new or expired at `now`.
    ///
    /// An age equal to a limit is permitted, as in gorilla. No sum or difference can overflow.
    pub(super) fn check(&self, issued_at: UnixTime, now: UnixTime) -> Result<(), Error> {
        let (date, now) = (issued_at.as_secs(), now.as_secs());
        let latest_by_age = if self.min.is_zero() {
            Some(u64::MAX)
        } else {
            now.checked_sub(self.min.as_secs())
        };
        let latest_by_skew = now.saturating_add(self.skew.as_secs());
        if latest_by_age.is_none_or(|latest| date > latest) || date > latest_by_skew {
            return Err(Error::too_new());
        }
        if !self.max.is_zero() && date < now.saturating_sub(self.max.as_secs()) {
            return Err(Error::expired());
        }
        Ok(())
    }
}
