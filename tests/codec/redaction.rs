//! No public type prints the keys or payloads that it contains.

use std::fmt::Debug;

use silverback::codec::legacy::UnauthenticatedDolabReader;
use silverback::codec::{
    BlockKey, Codec, CodecOptions, Codecs, HashKey, KeyPair, KeyPairs, Member, SecureCookie,
};

const HASH: [u8; 32] = *b"zQ8wzQ8wzQ8wzQ8wzQ8wzQ8wzQ8wzQ8w";
const BLOCK: [u8; 32] = *b"Xk5vXk5vXk5vXk5vXk5vXk5vXk5vXk5v";

#[track_caller]
fn hides_keys(shown: &impl Debug) {
    for shown in [format!("{shown:?}"), format!("{shown:#?}")] {
        for key in [HASH, BLOCK] {
            let window = &key[..4];
            let decimal = format!("{window:?}");
            let hex = base16ct::lower::encode_string(window);
            let text = std::str::from_utf8(window).unwrap();
            let spaced = format!("{:#?}", window);
            for form in [
                decimal.trim_matches(['[', ']']),
                &hex,
                &hex.to_uppercase(),
                text,
                &spaced,
            ] {
                assert!(!shown.contains(form), "{form} in {shown}");
            }
        }
    }
}

#[test]
fn debug_shows_no_key() {
    let (hash, block) = (HashKey::new(&HASH).unwrap(), BlockKey::from(BLOCK));
    hides_keys(&hash);
    hides_keys(&block);
    let pair = KeyPair::new(hash, block);
    hides_keys(&pair);
    let spec = format!(
        "{}:{}",
        base16ct::lower::encode_string(&HASH),
        base16ct::lower::encode_string(&BLOCK)
    );
    hides_keys(&spec.parse::<KeyPairs>().unwrap());
    hides_keys(&KeyPairs::from_legacy_spec(&spec).unwrap());
    hides_keys(&KeyPairs::other_readings(&spec));
    hides_keys(&CodecOptions::new());
    hides_keys(&SecureCookie::new(pair.clone()).unwrap());
    hides_keys(&Member::from(SecureCookie::new(pair.clone()).unwrap()));
    let codecs = Codecs::from_pairs([pair.clone()]).unwrap();
    hides_keys(&codecs);
    hides_keys(&Member::custom(codecs.clone()));
    hides_keys(&codecs.open("sid", "x").unwrap_err());
    hides_keys(
        &codecs
            .open("sid", &codecs.seal("sid", b"ape").unwrap())
            .unwrap(),
    );
    hides_keys(&Codecs::from_pairs([pair.clone(), pair]).unwrap_err());
    let secret = std::str::from_utf8(&HASH).unwrap();
    let reader = UnauthenticatedDolabReader::new("sid", secret);
    hides_keys(&reader);
    hides_keys(&reader.read("YXBl").unwrap());
}

#[test]
fn debug_names_the_type_and_says_that_keys_are_redacted() {
    let (hash, block) = (HashKey::new(&HASH).unwrap(), BlockKey::from(BLOCK));
    assert_eq!(format!("{hash:?}"), "HashKey(redacted)");
    assert_eq!(format!("{block:?}"), "BlockKey(redacted)");
    let codec = SecureCookie::new(KeyPair::new(hash, block)).unwrap();
    let shown = format!("{codec:?}");
    assert!(shown.starts_with("SecureCookie { keys: \"redacted\", encrypts: true,"));
    let reader = UnauthenticatedDolabReader::new("sid", "secret");
    assert_eq!(
        format!("{reader:?} {:?}", reader.read("YXBl").unwrap()),
        "UnauthenticatedDolabReader(redacted) Forgeable(redacted)"
    );
    let shown = format!("{:?}", KeyPairs::other_readings(&"5e".repeat(32)));
    assert!(shown.contains("text (text=)"), "{shown}");
}

#[test]
fn debug_shows_the_members_of_a_chain() {
    let pair = KeyPair::sign_only(HashKey::new(&HASH).unwrap());
    let codec = || SecureCookie::new(pair.clone()).unwrap();
    let member = Member::from(codec());
    assert_eq!(format!("{member:?}"), format!("{:?}", codec()));
    let codecs = Codecs::new([member]).unwrap();
    assert_eq!(format!("{codecs:?}"), format!("[{:?}]", codec()));
    assert_eq!(format!("{:?}", Member::custom(codecs)), "custom codec");
}
