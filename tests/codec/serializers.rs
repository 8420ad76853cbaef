//! Typed values through each serializer.

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
fn structs_come_back() {
    for serializer in [Serializer::Json, Serializer::Bincode] {
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
fn raw_is_any_form_of_bytes_as_they_are() {
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
fn gob_is_a_string_so_far() {
    let gob = Serializer::Gob;
    assert_eq!(gob.serialize("ape").unwrap(), b"\x06\x0c\0\x03ape");
    assert_eq!(
        gob.deserialize::<String>(b"\x06\x0c\0\x03ape").unwrap(),
        "ape"
    );
    assert!(gob.serialize(&7).unwrap_err().is_usage());
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
fn bincode_has_a_size_limit() {
    let bincode = Serializer::Bincode;
    assert!(bincode.serialize(&"x".repeat(1 << 20)).is_err());
    // A length of 2^40 in front of nothing.
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
fn a_custom_serializer_may_be_forgetful() {
    type BoxError = Box<dyn std::error::Error + Send + Sync>;
    type Read<'a> = &'a mut dyn FnMut(
        &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<(), erased_serde::Error>;

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
