//! Invariants for random payloads, names, keys and mutations.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use proptest::prelude::*;
use silverback::codec::{
    BlockKey, Cipher, Codec, CodecOptions, HashFunction, HashKey, KeyPair, SecureCookie,
};

use crate::support::{at, codec};

fn any_codec() -> impl Strategy<Value = SecureCookie> {
    let hash_key = proptest::collection::vec(any::<u8>(), 32..200);
    let block_key = prop_oneof![
        Just(None),
        any::<[u8; 16]>().prop_map(|key| Some(BlockKey::from(key))),
        any::<[u8; 24]>().prop_map(|key| Some(BlockKey::from(key))),
        any::<[u8; 32]>().prop_map(|key| Some(BlockKey::from(key))),
    ];
    let hash = prop_oneof![
        Just(HashFunction::Sha256),
        Just(HashFunction::Sha384),
        Just(HashFunction::Sha512),
        Just(HashFunction::Sha512_256),
    ];
    let cipher = prop_oneof![Just(Cipher::AesCtr), Just(Cipher::AesCfb)];
    (hash_key, block_key, hash, cipher).prop_map(|(hash_key, block_key, hash, cipher)| {
        let hash_key = HashKey::new(&hash_key).unwrap();
        let keys = match block_key {
            Some(block_key) => KeyPair::new(hash_key, block_key),
            None => KeyPair::sign_only(hash_key),
        };
        codec(keys, CodecOptions::new().hash(hash).cipher(cipher))
    })
}

fn any_name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}"
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

/// A change to a text: its place, its kind, and a character.
type Mutation = (prop::sample::Index, u8, char);

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let character = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => Just('\n'),
        1 => Just('\r'),
        1 => Just('\0'),
        1 => any::<char>(),
        2 => Just('='),
    ];
    (any::<prop::sample::Index>(), any::<u8>(), character)
}

fn mutate(text: &str, (place, kind, character): Mutation) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = place.index(characters.len());
    match kind % 6 {
        0 => characters[at] = character,
        1 => characters.insert(at, character),
        2 => drop(characters.remove(at)),
        3 => characters.truncate(at),
        4 => characters.push(character),
        _ => characters.rotate_left(at),
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_sealed_payload_is_opened_again(
        codec in any_codec(),
        name in any_name(),
        payload in any_payload(),
        date in 0..i64::MAX as u64,
        age in 0..=30 * 24 * 60 * 60_u64,
    ) {
        let cookie = codec.seal_at(&name, &payload, at(date)).unwrap();
        let opened = codec.open_at(&name, &cookie, at(date + age)).unwrap();
        prop_assert_eq!(opened.age().as_secs(), age);
        prop_assert_eq!(opened.issued_at(), at(date));
        prop_assert_eq!(opened.into_value(), payload);
    }

    #[test]
    fn only_one_text_of_a_cookie_is_accepted(
        codec in any_codec(),
        name in any_name(),
        payload in any_payload(),
        mutations in proptest::collection::vec(any_mutation(), 1..4),
    ) {
        let cookie = codec.seal_at(&name, &payload, at(1000)).unwrap();
        let mutated = mutations.into_iter().fold(cookie.clone(), |text, mutation| {
            if text.is_empty() { text } else { mutate(&text, mutation) }
        });
        let opened = codec.open_at(&name, &mutated, at(1000));
        prop_assert_eq!(opened.is_ok(), mutated == cookie);
    }

    #[test]
    fn any_change_under_the_base64_is_refused(
        codec in any_codec(),
        payload in any_payload(),
        place: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let cookie = codec.seal_at("sid", &payload, at(1000)).unwrap();
        let mut inner = URL_SAFE.decode(&cookie).unwrap();
        let place = place.index(inner.len());
        inner[place] ^= flip;
        let refused = codec.open_at("sid", &URL_SAFE.encode(inner), at(1000)).unwrap_err();
        prop_assert!(refused.is_not_valid());
    }

    #[test]
    fn another_name_or_key_refuses(
        one in any_codec(),
        other in any_codec(),
        name in any_name(),
        other_name in any_name(),
        payload in any_payload(),
    ) {
        let cookie = one.seal_at(&name, &payload, at(1000)).unwrap();
        prop_assert!(other.open_at(&name, &cookie, at(1000)).unwrap_err().is_not_valid());
        prop_assume!(other_name != name);
        prop_assert!(one.open_at(&other_name, &cookie, at(1000)).unwrap_err().is_not_valid());
    }
}
