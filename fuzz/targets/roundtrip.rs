//! A sealed payload can be opened, as bytes and through each serializer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::codec::{Codec, Serializer, UnixTime};
use silverback_fuzz::{NOW, codec};

// The first bytes choose a codec, its keys and the name; the rest is the payload.
fuzz_target!(|input: &[u8]| {
    let Some(([bits, salt, name, age], payload)) = input.split_first_chunk() else {
        return;
    };
    let codec = codec(*bits, *salt);
    let name = "!#$%&'*+-.^_`|~azAZ09".repeat(3)[..usize::from(name % 62) + 1].to_owned();
    let later = UnixTime::from_secs(NOW.as_secs() + u64::from(*age));

    let cookie = codec.seal_at(&name, payload, NOW).expect("sealed");
    let opened = codec.open_at(&name, &cookie, later).expect("opened");
    assert_eq!(opened.value(), payload);
    assert_eq!(
        (opened.issued_at(), opened.age().as_secs()),
        (NOW, u64::from(*age))
    );

    // A payload is not a message of any serializer; no serializer may panic over it.
    for serializer in [
        Serializer::Gob,
        Serializer::Json,
        Serializer::Bincode,
        Serializer::Raw,
    ] {
        let _ = serializer.deserialize::<Vec<String>>(payload);
        if let Ok(text) = serializer.deserialize::<String>(payload) {
            let again = serializer.serialize(&text).expect("the value was read");
            assert_eq!(
                serializer
                    .deserialize::<String>(&again)
                    .expect("the value was written"),
                text
            );
        }
        if let Ok(text) = std::str::from_utf8(payload) {
            let bytes = serializer.serialize(text).expect("text");
            assert_eq!(
                serializer.deserialize::<String>(&bytes).expect("text"),
                text
            );
        }
    }
});
