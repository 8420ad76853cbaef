//! [`DerivedCodec`]: a codec for another purpose, with keys derived from the keys of a codec.
//! Neither opens the other's cookies.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use zeroize::Zeroizing;

use super::hmac_sha256::HmacSha256;
use super::secure_cookie::WeakSecureCookie;
use super::{
    BlockKey, Codec, CodecOptions, Codecs, Error, HashKey, KeyPair, Opened, SecureCookie,
    SecureCookies, Serializer, UnixTime,
};

impl SecureCookie {
    /// Returns an encrypting codec under keys derived for `purpose`, without limits of age and
    /// length.
    ///
    /// Each new key is the HMAC-SHA-256 of the purpose under the hash key: the expansion of
    /// HKDF (RFC 5869, section 2.3). HKDF's extraction is not needed, since the hash key is
    /// random already.
    fn derive(&self, purpose: &str) -> Result<SecureCookie, Error> {
        let options = CodecOptions::new()
            .max_age(Duration::ZERO)
            .max_length(0)
            .serializer(self.serializer());
        SecureCookie::with_options(self.derive_keys(purpose)?, &options)
    }

    fn derive_keys(&self, purpose: &str) -> Result<KeyPair, Error> {
        let key = HmacSha256::new(self.hash_key());
        // No cookie's MAC covers such a text: the name of a cookie has no spaces.
        let part = |part: &str| {
            let text = format!("silverback derived {part} key\0{purpose}");
            Zeroizing::new(key.mac(text.as_bytes()))
        };
        let hash = HashKey::new(&*part("hash"))?;
        Ok(KeyPair::new(hash, BlockKey::new(&*part("block"))?))
    }
}

/// A codec whose keys are derived from those of another codec, in the same order.
///
/// If the other codec has other keys now, as a [`KeyRing`](super::KeyRing) has after a reload,
/// the next use derives new ones. Otherwise nothing is derived again.
pub(crate) struct DerivedCodec {
    source: Arc<dyn Codec>,
    purpose: String,
    latest: RwLock<Derived>,
}

/// A derived chain, and the codecs from which it was derived.
struct Derived {
    chain: Codecs,
    from: Vec<WeakSecureCookie>,
}

impl Derived {
    fn new(from: &SecureCookies, purpose: &str) -> Result<Self, Error> {
        let derived = from.iter().map(|member| member.derive(purpose));
        Ok(Derived {
            chain: Codecs::new(derived.collect::<Result<Vec<_>, _>>()?)?,
            from: from.iter().map(SecureCookie::downgrade).collect(),
        })
    }

    fn is_from(&self, codecs: &SecureCookies) -> bool {
        let mut pairs = self.from.iter().zip(codecs);
        self.from.len() == codecs.len() && pairs.all(|(from, codec)| from.is_of(codec))
    }
}

impl DerivedCodec {
    /// Creates the codec for a purpose, or `None` if `source` has no
    /// [`secure_cookies`](Codec::secure_cookies).
    pub(crate) fn new(source: Arc<dyn Codec>, purpose: String) -> Result<Option<Self>, Error> {
        let codecs = source.secure_cookies();
        if codecs.is_empty() {
            return Ok(None);
        }
        let latest = RwLock::new(Derived::new(&codecs, &purpose)?);
        Ok(Some(DerivedCodec {
            source,
            purpose,
            latest,
        }))
    }

    /// Returns the chain for the source's keys of this moment.
    fn chain(&self) -> Result<Codecs, Error> {
        let codecs = self.source.secure_cookies();
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        if latest.is_from(&codecs) {
            return Ok(latest.chain.clone());
        }
        drop(latest);
        let derived = Derived::new(&codecs, &self.purpose)?;
        let chain = derived.chain.clone();
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        let replaced = std::mem::replace(&mut *latest, derived);
        drop(latest);
        drop(replaced); // wipes the keys outside of the lock
        Ok(chain)
    }
}

impl Codec for DerivedCodec {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), Error> {
        self.chain()?.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        sealed: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.chain()?.open_into(name, sealed, now, out)
    }

    fn serializer(&self) -> Serializer {
        let chain = self.chain();
        chain.map(|chain| chain.serializer()).unwrap_or_default()
    }

    fn secure_cookies(&self) -> SecureCookies {
        let chain = self.chain();
        chain
            .map(|chain| chain.secure_cookies())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{KeyRing, KeyRingOptions, KeySource};
    use super::*;

    fn chain(keys: &[u8]) -> Codecs {
        let pairs = keys.iter().map(|key| {
            let hash = HashKey::new(&[*key; 32]).unwrap();
            KeyPair::new(hash, BlockKey::from([*key; 16]))
        });
        Codecs::from_pairs(pairs).unwrap()
    }

    fn derive_from(source: impl Codec + 'static, purpose: &str) -> Option<DerivedCodec> {
        DerivedCodec::new(Arc::new(source), purpose.to_owned()).unwrap()
    }

    fn derived(keys: &[u8], purpose: &str) -> DerivedCodec {
        derive_from(chain(keys), purpose).unwrap()
    }

    #[test]
    fn each_purpose_and_each_key_gives_another_codec() {
        let sealed = derived(&[1], "a").encode("sid", "text").unwrap();
        let again = derived(&[1], "a").decode::<String>("sid", &sealed);
        assert_eq!(again.unwrap(), "text");
        let others: [Box<dyn Codec>; 3] = [
            Box::new(derived(&[1], "b")),
            Box::new(derived(&[2], "a")),
            Box::new(chain(&[1])),
        ];
        for other in others {
            let opened = other.decode::<String>("sid", &sealed);
            assert!(opened.unwrap_err().is_not_valid());
        }
    }

    #[test]
    fn the_two_keys_of_a_derived_pair_differ() {
        let chain = chain(&[1]);
        let members = chain.secure_cookies();
        let keys = members[0].derive_keys("a").unwrap();
        let block = keys.block().unwrap();
        assert_ne!(keys.hash().expose(), block.expose());
    }

    #[test]
    fn each_member_keeps_its_serializer() {
        let member = || {
            let options = CodecOptions::new().serializer(Serializer::Raw);
            SecureCookie::with_options(KeyPair::generate().unwrap(), &options).unwrap()
        };
        let chain = Codecs::new([member(), member()]).unwrap();
        let derived = derive_from(chain, "a").unwrap();
        for member in &derived.secure_cookies() {
            assert!(matches!(member.serializer(), Serializer::Raw));
        }
    }

    #[test]
    fn an_older_key_still_opens_and_the_newest_seals() {
        let sealed = derived(&[1], "a").encode("sid", "text").unwrap();
        let chain = derived(&[2, 1], "a");
        assert!(chain.open("sid", &sealed).unwrap().is_stale());
        let sealed = chain.encode("sid", "text").unwrap();
        assert!(derived(&[1], "a").open("sid", &sealed).is_err());
    }

    #[test]
    fn a_derived_codec_limits_neither_length_nor_age() {
        let codec = derived(&[1], "a");
        let long = "x".repeat(100_000);
        let sealed = codec
            .encode_at("sid", &long, UnixTime::from_secs(0))
            .unwrap();
        assert_eq!(codec.decode::<String>("sid", &sealed).unwrap(), long);
    }

    #[test]
    fn the_keys_follow_a_ring_and_are_derived_once_for_each_reload() {
        let keys = Arc::new(Mutex::new(vec![1_u8]));
        let of_source = keys.clone();
        let source = KeySource::function(move || {
            let pair = |key: &u8| [32, 16].map(|length| format!("{key:02x}").repeat(length));
            let pairs = of_source.lock().unwrap();
            let pairs: Vec<String> = pairs.iter().map(|key| pair(key).join(":")).collect();
            pairs.join(",").parse()
        });
        let ring = KeyRing::with_options(source, KeyRingOptions::new()).unwrap();
        let codec = derive_from(ring.clone(), "a").unwrap();
        let of_old = codec.encode("sid", "text").unwrap();
        let reload = |now: &[u8]| {
            *keys.lock().unwrap() = now.to_vec();
            ring.reload().unwrap();
            let [first, again] = [(); 2].map(|()| codec.secure_cookies());
            assert_eq!(first.len(), now.len());
            let mut both = first.iter().zip(&again);
            assert!(
                both.all(|(first, again)| first.is_clone_of(again)),
                "derived once"
            );
        };
        reload(&[1]);
        reload(&[2, 1]);
        assert!(codec.open("sid", &of_old).unwrap().is_stale());
        let of_new = codec.encode("sid", "text").unwrap();
        let only_new = derived(&[2], "a");
        assert!(
            only_new.open("sid", &of_new).is_ok(),
            "sealed by the new key at once"
        );
        reload(&[2]);
        assert!(codec.open("sid", &of_old).unwrap_err().is_not_valid());
        assert!(codec.open("sid", &of_new).is_ok());
    }

    #[test]
    fn a_codec_without_secure_cookies_derives_no_codec() {
        struct CustomCodec;
        impl Codec for CustomCodec {
            fn seal_into(
                &self,
                _: &str,
                _: &[u8],
                _: UnixTime,
                _: &mut String,
            ) -> Result<(), Error> {
                Err(Error::internal("not here"))
            }
            fn open_into(
                &self,
                _: &str,
                _: &str,
                _: UnixTime,
                _: &mut Vec<u8>,
            ) -> Result<Opened, Error> {
                Err(Error::not_valid())
            }
        }
        assert!(derive_from(CustomCodec, "a").is_none());
    }
}
