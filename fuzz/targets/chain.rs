//! A chain opens a cookie with the right key and reports which key it was. It refuses a cookie that
//! no key of the chain sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::codec::{Codec, Codecs};
use silverback_fuzz::{NOW, codec};

// The first bytes choose the length of the chain, the sealing key and the codecs; the rest is the
// payload.
fuzz_target!(|input: &[u8]| {
    let Some(([length, sealer, bits, flip], payload)) = input.split_first_chunk() else {
        return;
    };
    let (length, sealer) = (length % 5 + 1, sealer % 6);
    let member = |key: u8| codec(bits.rotate_left(key.into()), key + 1);
    let codecs = Codecs::new((0..length).map(member)).expect("distinct keys");
    let mut cookie = member(sealer).seal_at("sid", payload, NOW).expect("sealed");
    let valid = sealer < length && *flip == 0;
    if *flip != 0 {
        let mut bytes = cookie.into_bytes();
        let place = usize::from(*flip) * 31 % bytes.len();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        cookie = String::from_utf8(bytes).expect("ASCII");
    }

    let opened = codecs.open_at("sid", &cookie, NOW);
    if valid {
        let opened = opened.expect("valid");
        assert_eq!(opened.value(), payload);
        assert_eq!(
            (opened.key(), opened.is_stale()),
            (usize::from(sealer) + 1, sealer > 0)
        );
    } else {
        let refused = opened.expect_err("no key of this chain");
        assert!(refused.is_not_valid());
        assert_eq!(refused.per_key().len(), usize::from(length));
    }
    let counted: u64 = codecs.openings().iter().sum();
    assert_eq!(counted, u64::from(valid && sealer > 0));

    let sealed = codecs.seal_at("sid", payload, NOW).expect("sealed");
    assert!(
        !codecs
            .open_at("sid", &sealed, NOW)
            .expect("opened")
            .is_stale()
    );
});
