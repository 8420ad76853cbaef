//! Derives a chain of codecs for another purpose from the keys of a chain. Neither chain
//! opens the other's cookies.

use std::time::Duration;

use zeroize::Zeroizing;

use super::hmac_sha256::HmacSha256;
use super::{BlockKey, Codec, CodecOptions, Codecs, Error, HashKey, KeyPair, SecureCookie};

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

/// Returns a chain with keys derived from those of `codec`, in the same order, or `None` if
/// `codec` has no [`secure_cookies`](Codec::secure_cookies).
pub(crate) fn derive_chain(codec: &dyn Codec, purpose: &str) -> Result<Option<Codecs>, Error> {
    let members = codec.secure_cookies();
    if members.is_empty() {
        return Ok(None);
    }
    let derived = members.into_iter().map(|member| member.derive(purpose));
    Codecs::new(derived.collect::<Result<Vec<_>, _>>()?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::{Opened, Serializer, UnixTime};
    use super::*;

    fn chain(keys: &[u8]) -> Codecs {
        let pairs = keys.iter().map(|key| {
            let hash = HashKey::new(&[*key; 32]).unwrap();
            KeyPair::new(hash, BlockKey::from([*key; 16]))
        });
        Codecs::from_pairs(pairs).unwrap()
    }

    fn derived(keys: &[u8], purpose: &str) -> Codecs {
        derive_chain(&chain(keys), purpose).unwrap().unwrap()
    }

    #[test]
    fn each_purpose_and_each_key_gives_another_codec() {
        let sealed = derived(&[1], "a").encode("sid", "text").unwrap();
        let again = derived(&[1], "a").decode::<String>("sid", &sealed);
        assert_eq!(again.unwrap(), "text");
        for other in [derived(&[1], "b"), derived(&[2], "a"), chain(&[1])] {
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
        let derived = derive_chain(&chain, "a").unwrap().unwrap();
        for member in derived.secure_cookies() {
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
        assert!(derive_chain(&CustomCodec, "a").unwrap().is_none());
    }
}
