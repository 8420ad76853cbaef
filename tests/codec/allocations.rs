//! Sealing and opening allocate once, and the `_into` forms do not allocate.

use std::sync::atomic::{AtomicU8, Ordering};

use silverback::codec::{
    Codec, CodecOptions, Codecs, Error, KeyPairs, KeyRing, KeyRingOptions, KeySource, SecureCookie,
    Serializer,
};

use crate::support::{NOW, codec, encrypting, signing};

fn allocations(work: impl FnMut()) -> u64 {
    let mut work = work;
    work(); // Lazy statics are built before the count.
    allocation_counter::measure(work).count_total
}

#[test]
fn sealing_and_opening_allocate_once_and_the_into_forms_never() {
    for size in [0, 32, 256, 2048] {
        for keys in [signing(1), encrypting(1)] {
            for options in [
                CodecOptions::new(),
                CodecOptions::new().buffered_randomness(),
            ] {
                let codec = codec(keys.clone(), options);
                assert_allocations(&codec, &codec, &vec![7; size]);
            }
        }
    }
}

#[test]
fn a_chain_allocates_no_more_for_any_of_its_keys() {
    let pairs = || (1..=5).map(encrypting);
    let codecs = Codecs::from_pairs(pairs()).unwrap();
    for right in pairs() {
        let sealer = SecureCookie::new(right).unwrap();
        assert_allocations(&sealer, &codecs, &[7; 256]);
    }
}

/// A ring that was reloaded, and one whose reload was refused, cost what a chain costs.
#[test]
fn a_ring_allocates_no_more_than_a_chain() {
    let reads = AtomicU8::new(0);
    let source = KeySource::function(move || match reads.fetch_add(1, Ordering::SeqCst) {
        0 => KeyPairs::generate(1),
        1 => {
            let keys: Vec<String> = (1..=5)
                .map(|byte| format!("{byte:02x}").repeat(32))
                .collect();
            keys.join(",").parse()
        }
        _ => Err(Error::usage("no more keys")),
    });
    let ring = KeyRing::with_options(source, KeyRingOptions::new()).unwrap();
    assert!(ring.reload().unwrap());
    for right in (1..=5).map(signing) {
        let sealer = SecureCookie::new(right).unwrap();
        assert_allocations(&sealer, &ring, &[7; 256]);
    }
    assert!(ring.reload().is_err());
    assert_allocations(&ring, &ring, &[7; 256]);
    assert_eq!(allocations(|| drop(ring.secure_cookies())), 0);
}

#[track_caller]
fn assert_allocations(sealer: &dyn Codec, opener: &dyn Codec, payload: &[u8]) {
    let cookie = sealer.seal_at("sid", payload, NOW).unwrap();
    let sealed = allocations(|| drop(sealer.seal_at("sid", payload, NOW).unwrap()));
    assert!(sealed <= 1, "sealing {} bytes: {sealed}", payload.len());
    let opened = allocations(|| drop(opener.open_at("sid", &cookie, NOW).unwrap()));
    assert!(opened <= 1, "opening {} bytes: {opened}", payload.len());

    let (mut text, mut bytes) = (
        String::with_capacity(4096),
        Vec::with_capacity(cookie.len()),
    );
    let into = allocations(|| {
        text.clear();
        bytes.clear();
        sealer.seal_into("sid", payload, NOW, &mut text).unwrap();
        opener.open_into("sid", &cookie, NOW, &mut bytes).unwrap();
    });
    assert_eq!(into, 0, "the into forms, {} bytes", payload.len());
}

#[test]
fn a_refusal_by_one_key_allocates_nothing() {
    let codec = SecureCookie::new(encrypting(1)).unwrap();
    let mut bytes = Vec::with_capacity(4096);
    let forged = codec.seal_at("other", &[7; 256], NOW).unwrap();
    for refused in [&*forged, "no cookie", "", &"x".repeat(5000)] {
        let count = allocations(|| {
            assert!(codec.open_into("sid", refused, NOW, &mut bytes).is_err());
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn typed_values_add_only_the_serializers_allocations() {
    let codec = codec(signing(1), CodecOptions::new().serializer(Serializer::Json));
    let encoded = allocations(|| drop(codec.encode_at("sid", &[1, 2, 3], NOW).unwrap()));
    assert!(encoded <= 2, "{encoded}");
}

/// The error of a chain contains each key's error, the only allocation of `open_into`.
#[test]
fn a_refusal_by_a_chain_allocates_once() {
    let codecs = Codecs::from_pairs((1..=5).map(encrypting)).unwrap();
    let forged = codecs.seal_at("other", &[7; 256], NOW).unwrap();
    let mut bytes = Vec::with_capacity(4096);
    for refused in [&*forged, "no cookie", ""] {
        let count = allocations(|| {
            assert!(codecs.open_into("sid", refused, NOW, &mut bytes).is_err());
        });
        assert_eq!(count, 1);
    }
}
