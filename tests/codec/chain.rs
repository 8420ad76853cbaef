//! Chains: rotation, staleness, counters, mixed members, and refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use silverback::codec::{
    Cipher, Codec, CodecOptions, Codecs, Error, HashFunction, HashKey, KeyPair, Member, Opened,
    SecureCookie, SecureCookies, Serializer, UnixTime, decode_multi, encode_multi,
};

use crate::support::{NOW, at, codec, encrypting, secs, signing};

/// A codec that returns a given result, and counts the cookies that it is given.
#[derive(Clone)]
struct Scripted {
    answer: fn() -> Result<(), Error>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    fn to(answer: fn() -> Result<(), Error>) -> Self {
        Scripted {
            answer,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Codec for Scripted {
    fn seal_into(&self, _: &str, _: &[u8], _: UnixTime, out: &mut String) -> Result<(), Error> {
        (self.answer)()?;
        out.push_str("scripted");
        Ok(())
    }

    fn open_into(
        &self,
        _: &str,
        _: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        (self.answer)()?;
        out.extend_from_slice(b"scripted");
        Ok(Opened::new(now, now).with_serializer(Serializer::Raw))
    }
}

#[test]
fn the_first_key_seals_and_every_key_opens() {
    let pairs = [encrypting(1), signing(2), encrypting(3)];
    let codecs = Codecs::from_pairs(pairs.clone()).unwrap();
    for (key, pair) in (1..).zip(pairs) {
        let alone = SecureCookie::new(pair).unwrap();
        let cookie = alone.seal_at("sid", b"ape", at(1000)).unwrap();
        let opened = codecs.open_at("sid", &cookie, at(1010)).unwrap();
        assert_eq!(opened.value(), b"ape");
        assert_eq!((opened.key(), opened.is_stale()), (key, key > 1));
        assert_eq!((opened.issued_at(), opened.age()), (at(1000), secs(10)));
        let sealed = codecs.seal_at("sid", b"ape", NOW).unwrap();
        assert_eq!(alone.open_at("sid", &sealed, NOW).is_ok(), key == 1);
    }
}

#[test]
fn openings_by_older_keys_are_counted() {
    let codecs = Codecs::from_pairs([signing(1), signing(2), signing(3)]).unwrap();
    let by = |byte: u8| {
        SecureCookie::new(signing(byte))
            .unwrap()
            .seal_at("sid", b"ape", NOW)
            .unwrap()
    };
    assert_eq!(codecs.openings(), [0, 0]);
    for byte in [1, 2, 1, 3, 3, 9] {
        let _ = codecs.clone().open_at("sid", &by(byte), NOW);
    }
    assert_eq!(codecs.openings(), [1, 2]);
    // A refused cookie is not counted.
    assert!(codecs.open_at("sid", &by(2), at(1)).is_err());
    assert_eq!(codecs.openings(), [1, 2]);
}

#[test]
fn members_may_mix_serializers_ciphers_and_hash_functions() {
    let members = || {
        [
            codec(
                encrypting(1),
                CodecOptions::new().serializer(Serializer::Json),
            ),
            codec(encrypting(2), CodecOptions::new().cipher(Cipher::AesCfb)),
            codec(signing(3), CodecOptions::new().hash(HashFunction::Sha512)),
            codec(
                signing(4),
                CodecOptions::new().serializer(Serializer::Bincode),
            ),
        ]
    };
    let codecs = Codecs::new(members()).unwrap();
    for (key, member) in (1..).zip(members()) {
        let cookie = member.encode_at("sid", "ape", NOW).unwrap();
        let opened = codecs.decode_at::<String>("sid", &cookie, NOW).unwrap();
        assert_eq!((opened.key(), &**opened.value()), (key, "ape"));
    }
    assert_eq!(
        codecs
            .open("sid", &codecs.encode("sid", "ape").unwrap())
            .unwrap()
            .value(),
        b"\"ape\""
    );
}

#[test]
fn custom_codecs_and_chains_are_members_too() {
    let inner = Codecs::from_pairs([signing(1), signing(2)]).unwrap();
    let by_second = SecureCookie::new(signing(2))
        .unwrap()
        .seal_at("sid", b"ape", NOW)
        .unwrap();
    let codecs = Codecs::new([
        Member::custom(inner),
        Member::custom(Scripted::to(|| Ok(()))),
    ])
    .unwrap();
    let opened = codecs.open_at("sid", &by_second, NOW).unwrap();
    assert_eq!(opened.key(), 1);
    assert!(
        opened.is_stale(),
        "not sealed by the primary of the primary"
    );
    let opened = codecs.decode_at::<Vec<u8>>("sid", "anything", NOW).unwrap();
    assert_eq!(
        (opened.key(), &**opened.value()),
        (2, &b"scripted"[..]),
        "in its own serializer"
    );
}

#[test]
fn the_typed_forms_work_behind_pointers() {
    let boxed: Box<dyn Codec> = Box::new(SecureCookie::new(signing(1)).unwrap());
    let shared: Arc<dyn Codec> = Arc::new(Codecs::from_pairs([signing(1)]).unwrap());
    let cookie = boxed.encode("sid", "ape").unwrap();
    assert_eq!(shared.decode::<String>("sid", &cookie).unwrap(), "ape");
    let lent: &dyn Codec = &*shared;
    assert_eq!(
        Codec::decode::<String>(&lent, "sid", &cookie).unwrap(),
        "ape"
    );
}

#[test]
fn encode_multi_and_decode_multi_are_gorillas() {
    let codecs = Codecs::from_pairs([signing(1), signing(2)]).unwrap();
    let cookie = encode_multi("sid", "ape", &codecs).unwrap();
    assert_eq!(
        decode_multi::<String>("sid", &cookie, &codecs).unwrap(),
        "ape"
    );
}

#[test]
fn a_chain_needs_a_key() {
    assert!(Codecs::from_pairs([]).unwrap_err().is_usage());
    assert!(
        Codecs::new(Vec::<SecureCookie>::new())
            .unwrap_err()
            .is_usage()
    );
}

#[test]
fn two_members_may_not_share_a_hash_key() {
    use sha1::Sha1;
    use sha2::{Digest, Sha256, Sha384, Sha512, Sha512_256};

    let short = vec![7; 40];
    let long = vec![7; 150];
    let same: [(Vec<u8>, Vec<u8>); 8] = [
        (short.clone(), short.clone()),
        (short.clone(), [&short[..], &[0]].concat()),
        (short.clone(), [&short[..], &[0; 24]].concat()),
        (long.clone(), Sha256::digest(&long).to_vec()),
        (long.clone(), Sha384::digest(&long).to_vec()),
        (long.clone(), Sha512::digest(&long).to_vec()),
        (long.clone(), Sha512_256::digest(&long).to_vec()),
        // A SHA-1 hash has 20 bytes: with twelve zeros it is not a weak key.
        (long.clone(), [&Sha1::digest(&long)[..], &[0; 12]].concat()),
    ];
    for (one, other) in same {
        let pair = |key: &[u8]| KeyPair::sign_only(HashKey::new(key).unwrap());
        for hash in [HashFunction::Sha256, HashFunction::Sha512] {
            let options = CodecOptions::new().hash(hash);
            let refused = Codecs::from_pairs_with([signing(1), pair(&one), pair(&other)], &options);
            let refused = refused.unwrap_err();
            assert!(refused.is_usage());
            assert_eq!(
                refused.to_string(),
                "key pairs 2 and 3 share a hash key: give each pair a hash key of its own"
            );
        }
        // Two members with different settings still share the key.
        let members = [
            codec(pair(&one), CodecOptions::new()),
            codec(pair(&other), CodecOptions::new().hash(HashFunction::Sha512)),
        ];
        assert!(Codecs::new(members).unwrap_err().is_usage());
    }
    let different = [&short[..], &[0; 25]].concat(); // 65 bytes: hashed by SHA-256, padded by SHA-512
    let pair = |key: &[u8]| KeyPair::sign_only(HashKey::new(key).unwrap());
    assert!(
        Codecs::from_pairs([pair(&short), pair(&different)])
            .unwrap_err()
            .is_usage()
    );
    assert!(Codecs::from_pairs([pair(&[7; 40]), pair(&[7; 41])]).is_ok());
}

#[test]
fn only_the_primary_seals_even_if_it_fails() {
    let failing = Scripted::to(|| Err(Error::internal("the key service is away")));
    let healthy = SecureCookie::new(signing(1)).unwrap();
    let codecs = Codecs::new([Member::custom(failing), healthy.into()]).unwrap();
    assert!(codecs.seal("sid", b"ape").unwrap_err().is_internal());
    // The same holds for a value that is too long for the primary.
    let short = codec(signing(1), CodecOptions::new().max_length(100));
    let long = codec(signing(2), CodecOptions::new());
    let codecs = Codecs::new([short, long]).unwrap();
    assert!(codecs.seal("sid", &[7; 200]).unwrap_err().is_too_long());
}

#[test]
fn no_other_key_is_tried_after_a_correct_mac() {
    let later = Scripted::to(|| Ok(()));
    let first = || {
        codec(
            signing(1),
            CodecOptions::new().max_age(secs(10)).min_age(secs(1)),
        )
    };
    let codecs = Codecs::new([first().into(), Member::custom(later.clone())]).unwrap();
    let cookie = first().seal_at("sid", b"ape", at(1000)).unwrap();
    let expired = codecs.open_at("sid", &cookie, at(2000)).unwrap_err();
    let too_new = codecs.open_at("sid", &cookie, at(1000)).unwrap_err();
    assert!(expired.is_expired() && too_new.is_too_new());
    assert_eq!(later.asked(), 0);
    assert_eq!(expired.per_key().len(), 1);
    // A payload that does not deserialize is final, too.
    let no_gob = codecs
        .decode_at::<String>("sid", &cookie, at(1005))
        .unwrap_err();
    assert!(no_gob.is_not_valid() && later.asked() == 0);
    // A cookie that the first key did not seal is tried with the next.
    assert!(codecs.open_at("sid", "no cookie", NOW).is_ok());
    assert_eq!(later.asked(), 1);
    // The chain also stops if a custom codec reports a correct MAC.
    let authentic = Scripted::to(|| Err(Error::not_valid_though_authentic()));
    let codecs = Codecs::new([Member::custom(authentic), Member::custom(later.clone())]).unwrap();
    assert!(
        codecs
            .open_at("sid", "no cookie", NOW)
            .unwrap_err()
            .is_not_valid()
    );
    assert_eq!(later.asked(), 1);
}

#[test]
fn an_outage_is_not_a_refusal() {
    let away = || {
        Member::custom(Scripted::to(|| {
            Err(Error::internal("the key service is away"))
        }))
    };
    let key = || Member::from(SecureCookie::new(signing(1)).unwrap());
    for members in [[away(), key()], [key(), away()]] {
        let codecs = Codecs::new(members).unwrap();
        let error = codecs.open_at("sid", "no cookie", NOW).unwrap_err();
        assert!(error.is_internal() && !error.is_decode());
        // The other key still opens its cookies.
        let cookie = SecureCookie::new(signing(1))
            .unwrap()
            .seal_at("sid", b"ape", NOW)
            .unwrap();
        assert_eq!(codecs.open_at("sid", &cookie, NOW).unwrap().value(), b"ape");
    }
}

#[test]
fn the_error_of_a_chain_contains_each_keys_error() {
    let short = codec(signing(1), CodecOptions::new().max_length(8));
    let codecs = Codecs::new([short, SecureCookie::new(signing(2)).unwrap()]).unwrap();
    let error = codecs.open_at("sid", "no cookie at all", NOW).unwrap_err();
    assert!(error.is_not_valid());
    assert!(error.per_key()[0].is_too_long() && error.per_key()[1].is_not_valid());
    let codecs = Codecs::from_pairs([signing(1), signing(2)]).unwrap();
    let error = codecs.open_at("sid", &"x".repeat(5000), NOW).unwrap_err();
    assert!(error.is_too_long() && error.per_key().len() == 2);
    assert!(error.to_string().contains("5000") && error.to_string().contains("4096"));
}

#[test]
fn each_member_applies_its_own_limits() {
    let strict = codec(
        signing(1),
        CodecOptions::new().max_age(secs(10)).max_length(100),
    );
    let lenient = codec(
        signing(2),
        CodecOptions::new().max_age(secs(0)).max_length(0),
    );
    let old = lenient.seal_at("sid", &[7; 5000], at(1)).unwrap();
    let codecs = Codecs::new([strict, lenient]).unwrap();
    assert_eq!(codecs.open_at("sid", &old, NOW).unwrap().key(), 2);
}

#[test]
fn a_shared_hash_key_inside_a_custom_codec_is_refused() {
    struct Wrapper(SecureCookie);

    impl Codec for Wrapper {
        fn seal_into(
            &self,
            name: &str,
            payload: &[u8],
            now: UnixTime,
            out: &mut String,
        ) -> Result<(), Error> {
            self.0.seal_into(name, payload, now, out)
        }

        fn open_into(
            &self,
            name: &str,
            cookie: &str,
            now: UnixTime,
            out: &mut Vec<u8>,
        ) -> Result<Opened, Error> {
            self.0.open_into(name, cookie, now, out)
        }

        fn secure_cookies(&self) -> SecureCookies {
            SecureCookies::from(&self.0)
        }
    }

    let plain = || Member::from(SecureCookie::new(signing(1)).unwrap());
    let boxed: Box<dyn Codec> = Box::new(SecureCookie::new(encrypting(1)).unwrap());
    let hidden = [
        Member::custom(SecureCookie::new(encrypting(1)).unwrap()),
        Member::custom(Codecs::from_pairs([signing(2), encrypting(1)]).unwrap()),
        Member::custom(Wrapper(SecureCookie::new(encrypting(1)).unwrap())),
        Member::custom(boxed),
    ];
    for member in hidden {
        assert!(Codecs::new([plain(), member]).unwrap_err().is_usage());
    }
}

#[test]
fn bytes_that_a_failing_member_appended_are_removed() {
    struct Litters;

    impl Codec for Litters {
        fn seal_into(&self, _: &str, _: &[u8], _: UnixTime, _: &mut String) -> Result<(), Error> {
            Ok(())
        }

        fn open_into(
            &self,
            _: &str,
            _: &str,
            _: UnixTime,
            out: &mut Vec<u8>,
        ) -> Result<Opened, Error> {
            out.extend_from_slice(b"litter");
            Err(Error::not_valid())
        }
    }

    let key = || SecureCookie::new(signing(1)).unwrap();
    let cookie = key().seal_at("sid", b"ape", NOW).unwrap();
    let codecs = Codecs::new([Member::custom(Litters), key().into()]).unwrap();
    let mut out = b"before ".to_vec();
    codecs.open_into("sid", &cookie, NOW, &mut out).unwrap();
    assert_eq!(out, b"before ape");
    assert!(codecs.open_into("sid", "x", NOW, &mut out).is_err());
    assert_eq!(out, b"before ape");
}

#[test]
fn a_stale_cookie_is_sealed_again_with_the_primarys_serializer() {
    let old = codec(signing(2), CodecOptions::new().serializer(Serializer::Gob));
    let cookie = old.encode_at("sid", "ape", at(1000)).unwrap();
    let new = codec(signing(1), CodecOptions::new().serializer(Serializer::Json));
    let codecs = Codecs::new([new, old]).unwrap();
    let opened = codecs
        .decode_at::<String>("sid", &cookie, at(1010))
        .unwrap();
    assert!(matches!(opened.serializer(), Serializer::Gob));
    assert!(matches!(codecs.serializer(), Serializer::Json));
    let renewed = codecs
        .encode_at("sid", opened.value(), opened.issued_at())
        .unwrap();
    let opened = codecs
        .decode_at::<String>("sid", &renewed, at(1010))
        .unwrap();
    assert_eq!(
        (opened.key(), &**opened.value(), opened.issued_at()),
        (1, "ape", at(1000))
    );
}

#[test]
fn the_source_of_a_chains_error_is_that_of_the_deciding_key() {
    use std::error::Error as _;

    let first = Scripted::to(|| Err(Error::not_valid().with_source("of the first")));
    let second = Scripted::to(|| Err(Error::expired()));
    let codecs = Codecs::new([Member::custom(first.clone()), Member::custom(second)]).unwrap();
    let error = codecs.open("sid", "x").unwrap_err();
    assert!(error.is_expired() && error.source().is_none());
    let third = Scripted::to(|| Err(Error::usage("set up wrongly").with_source("of the third")));
    let codecs = Codecs::new([Member::custom(first), Member::custom(third)]).unwrap();
    let error = codecs.open("sid", "x").unwrap_err();
    assert!(error.is_usage() && error.source().is_none());
    assert_eq!(error.to_string(), "set up wrongly: of the third");
    let fourth =
        Scripted::to(|| Err(Error::not_valid_though_authentic().with_source("of the fourth")));
    let codecs = Codecs::new([Member::custom(fourth)]).unwrap();
    let error = codecs.open("sid", "x").unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "of the fourth");
    assert_eq!(error.to_string(), "not valid");
}
