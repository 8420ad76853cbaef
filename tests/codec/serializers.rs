//! Typed values through each serializer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use silverback::codec::{CustomSerializer, Serializer, erased_serde};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Visitor {
    name: String,
    visits: u32,
    tags: Vec<String>,
}

fn visitor() -> Visitor {
    Visitor {
        name: "ape".into(),
        visits: 7,
        tags: vec!["a".into(), "b".into()],
    }
}

#[test]
fn structs_are_read_back() {
    for serializer in [Serializer::Json, Serializer::Bincode, Serializer::Gob] {
        let bytes = serializer.serialize(&visitor()).unwrap();
        assert_eq!(
            serializer.deserialize::<Visitor>(&bytes).unwrap(),
            visitor()
        );
    }
}

#[test]
fn all_bytes_must_be_used() {
    for serializer in [Serializer::Json, Serializer::Bincode, Serializer::Gob] {
        let mut bytes = serializer.serialize("ape").unwrap();
        bytes.push(b'x');
        assert!(
            serializer
                .deserialize::<String>(&bytes)
                .unwrap_err()
                .is_not_valid(),
            "{serializer:?}"
        );
        bytes.truncate(bytes.len() - 2);
        assert!(
            serializer
                .deserialize::<String>(&bytes)
                .unwrap_err()
                .is_not_valid(),
            "{serializer:?}"
        );
    }
}

#[test]
fn raw_keeps_the_bytes_of_any_text_or_bytes() {
    let raw = Serializer::Raw;
    assert_eq!(raw.serialize("ape").unwrap(), b"ape");
    assert_eq!(raw.serialize(&b"ape"[..]).unwrap(), b"ape");
    assert_eq!(raw.serialize(b"ape").unwrap(), b"ape");
    assert_eq!(raw.serialize(&vec![1_u8, 2]).unwrap(), [1, 2]);
    assert_eq!(raw.serialize(&Wrapped(vec![1, 2])).unwrap(), [1, 2]);
    assert_eq!(raw.deserialize::<String>(b"ape").unwrap(), "ape");
    assert_eq!(raw.deserialize::<Vec<u8>>(b"\xff\0").unwrap(), [255, 0]);
    assert_eq!(raw.deserialize::<[u8; 2]>(b"\xff\0").unwrap(), [255, 0]);
    assert_eq!(raw.deserialize::<Wrapped>(b"\xff\0").unwrap().0, [255, 0]);
    assert!(raw.deserialize::<[u8; 2]>(b"abc").is_err());
    assert!(
        raw.deserialize::<String>(b"\xff")
            .unwrap_err()
            .is_not_valid()
    );
    assert!(raw.deserialize::<u64>(b"12").unwrap_err().is_not_valid());
    assert!(raw.serialize(&7_u8).unwrap_err().is_usage());
    assert!(raw.serialize(&[1_u16]).unwrap_err().is_usage());
    assert!(raw.serialize(&visitor()).unwrap_err().is_usage());
    assert!(raw.serialize(&Some("ape")).unwrap_err().is_usage());
}

#[derive(Serialize, Deserialize)]
struct Wrapped(Vec<u8>);

#[test]
fn gob_is_what_go_writes() {
    let gob = Serializer::Gob;
    assert_eq!(gob.serialize("ape").unwrap(), b"\x06\x0c\0\x03ape");
    assert_eq!(
        gob.deserialize::<String>(b"\x06\x0c\0\x03ape").unwrap(),
        "ape"
    );
    assert_eq!(gob.serialize(&7).unwrap(), b"\x03\x04\0\x0e");
    assert!(gob.serialize(&()).unwrap_err().is_usage());
    assert!(
        gob.deserialize::<u64>(b"\x06\x0c\0\x03ape")
            .unwrap_err()
            .is_not_valid()
    );
    assert!(
        gob.deserialize::<String>(b"\x06\x0c\0\x03ap\xff")
            .unwrap_err()
            .is_not_valid()
    );
}

#[test]
fn text_and_bytes_are_read_back_in_every_written_form() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Id(String);

    for serializer in [Serializer::Gob, Serializer::Raw] {
        let id = serializer.serialize(&Id("ape".into())).unwrap();
        assert_eq!(serializer.deserialize::<Id>(&id).unwrap(), Id("ape".into()));
        let letter = serializer.serialize(&'é').unwrap();
        assert_eq!(serializer.deserialize::<char>(&letter).unwrap(), 'é');
        assert_eq!(
            serializer.deserialize::<serde_json::Value>(&id).unwrap(),
            "ape"
        );
    }
    // Go's strings need not be UTF-8.
    let bytes: Vec<u8> = Serializer::Gob
        .deserialize(b"\x06\x0c\0\x03ap\xff")
        .unwrap();
    assert_eq!(bytes, b"ap\xff");
}

/// The error text of a type's own implementation may quote the value, and have several lines.
#[test]
fn the_error_text_of_a_type_is_not_passed_on() {
    use std::error::Error as _;

    struct Talks;

    impl Serialize for Talks {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("hunter2\nhunter2"))
        }
    }

    impl<'de> Deserialize<'de> for Talks {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("missing field `hunter2\nhunter2`"))
        }
    }

    for serializer in [
        Serializer::Json,
        Serializer::Bincode,
        Serializer::Raw,
        Serializer::Gob,
    ] {
        let written = serializer.serialize(&Talks).unwrap_err();
        let bytes = serializer.serialize("ape").unwrap();
        let read = serializer.deserialize::<Talks>(&bytes).err().unwrap();
        for error in [written, read] {
            let source = error.source().map(ToString::to_string);
            let text = format!("{error}: {source:?}");
            assert!(!text.contains("hunter2") && text.contains(": "), "{text}");
        }
    }
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    let refused = Serializer::Json.serialize(&map).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the value cannot be serialized: json: key must be a string"
    );
}

#[test]
fn a_length_that_a_value_states_is_not_allocated() {
    struct Claims;

    impl Serialize for Claims {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            serializer.serialize_seq(Some(usize::MAX))?.end()
        }
    }

    assert_eq!(Serializer::Raw.serialize(&Claims).unwrap(), b"");
}

#[test]
fn bincode_has_a_size_limit() {
    let bincode = Serializer::Bincode;
    let long = "x".repeat((1 << 20) - 16);
    let bytes = bincode.serialize(&long).unwrap();
    assert_eq!(bincode.deserialize::<String>(&bytes).unwrap(), long);
    assert!(bincode.serialize(&"x".repeat(1 << 20)).is_err());
    // A length of 2^40, without a value.
    let claims = [&[253, 0, 0, 0, 0, 0, 1, 0, 0][..], b"x"].concat();
    assert!(
        bincode
            .deserialize::<String>(&claims)
            .unwrap_err()
            .is_not_valid()
    );
    assert!(
        bincode
            .deserialize::<Vec<u64>>(&claims)
            .unwrap_err()
            .is_not_valid()
    );
}

#[test]
fn bincode_opens_the_longest_value_that_it_seals() {
    const LIMIT: usize = 1 << 20;
    const LENGTH: usize = 5; // of a length or a number that needs 32 bits

    fn check<T: Serialize + DeserializeOwned + PartialEq>(kind: &str, value: impl Fn(usize) -> T) {
        let bincode = Serializer::Bincode;
        let longest = value(LIMIT - LENGTH);
        let bytes = bincode.serialize(&longest).unwrap();
        assert_eq!(bytes.len(), LIMIT, "{kind}");
        assert!(
            bincode.deserialize::<T>(&bytes).unwrap() == longest,
            "{kind}"
        );
        let refused = bincode.serialize(&value(LIMIT - LENGTH + 1));
        assert!(refused.unwrap_err().is_usage(), "{kind}");
    }

    check("a string", |bytes| "x".repeat(bytes));
    check("a string of longer characters", |bytes| {
        "x".repeat(bytes % 4) + &"\u{1F98D}".repeat(bytes / 4)
    });
    check("a sequence of bytes", |bytes| vec![7_u8; bytes]);
    check("a sequence of booleans", |bytes| vec![true; bytes]);
    check("a sequence of numbers of 64 bits", |bytes| {
        vec![-7_i64; bytes]
    });
    check("a sequence of numbers of 128 bits", |bytes| {
        vec![7_u128; bytes]
    });
    check("a sequence of options", |bytes| vec![None::<u64>; bytes]);
    check("a sequence of empty strings", |bytes| {
        vec![String::new(); bytes]
    });
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Read<'a> =
    &'a mut dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error>;

/// JSON as a format of the caller's own.
#[derive(Debug)]
struct OwnJson;

impl CustomSerializer for OwnJson {
    fn serialize(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, BoxError> {
        Ok(serde_json::to_vec(value)?)
    }

    fn deserialize(&self, bytes: &[u8], read: Read<'_>) -> Result<(), BoxError> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        Ok(read(&mut <dyn erased_serde::Deserializer<'_>>::erase(
            &mut json,
        ))?)
    }
}

#[test]
fn a_type_is_read_in_the_form_of_the_format_text_or_binary() {
    let address = std::net::Ipv4Addr::new(127, 0, 0, 1);
    let own = Serializer::custom(OwnJson);
    for (serializer, written) in [
        (Serializer::Json, &b"\"127.0.0.1\""[..]),
        (own, b"\"127.0.0.1\""),
        (Serializer::Bincode, &[127, 0, 0, 1]),
    ] {
        assert_eq!(serializer.serialize(&address).unwrap(), written);
        assert_eq!(
            serializer
                .deserialize::<std::net::Ipv4Addr>(written)
                .unwrap(),
            address
        );
    }
}

#[test]
fn a_custom_format_reads_each_form_of_a_variant() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum Event {
        Login,
    }

    let own = Serializer::custom(OwnJson);
    for form in [&b"\"Login\""[..], b"{\"Login\":null}"] {
        assert_eq!(own.deserialize::<Event>(form).unwrap(), Event::Login);
    }
    assert!(own.deserialize::<Event>(b"{\"Login\":7}").is_err());
}

#[test]
fn the_error_of_a_custom_format_says_what_was_expected() {
    use std::error::Error as _;

    let refused = Serializer::custom(OwnJson).deserialize::<bool>(b"7");
    let source = refused.unwrap_err().source().unwrap().to_string();
    assert!(source.contains("expected a boolean"), "{source}");
}

#[test]
fn a_custom_serializer_that_reads_no_value_is_an_internal_error() {
    #[derive(Debug)]
    struct Forgetful;

    impl CustomSerializer for Forgetful {
        fn serialize(&self, _: &dyn erased_serde::Serialize) -> Result<Vec<u8>, BoxError> {
            Err("cannot".into())
        }

        fn deserialize(&self, _: &[u8], _: Read<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let forgetful = Serializer::custom(Forgetful);
    assert!(forgetful.serialize("ape").unwrap_err().is_usage());
    assert!(
        forgetful
            .deserialize::<String>(b"ape")
            .unwrap_err()
            .is_internal()
    );
}
