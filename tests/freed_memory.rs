//! Keys leave no copy in freed memory: an allocator searches every freed block for bytes of the
//! test's keys, raw or as text.
#![allow(unsafe_code)] // this test implements an allocator

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;

use silverback::codec::{
    BlockKey, Cipher, Codec, CodecOptions, Codecs, HashFunction, HashKey, KeyPair, KeyPairs,
    KeyRing, KeyRingOptions, KeySource, SecureCookie, key_file_with_checksum,
};

/// The byte of which every key of this test consists. An AES key schedule begins with it.
const KEY: u8 = 0xC7;

/// The states that HMAC-SHA-256 computes from a key of 64 such bytes.
static STATES: OnceLock<[[u8; 32]; 2]> = OnceLock::new();

fn states() -> [[u8; 32]; 2] {
    // SHA-256's initial state: FIPS 180-4, section 5.3.3.
    let initial = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    [0x36, 0x5c].map(|pad| {
        let mut state = initial;
        sha2::block_api::compress256(&mut state, &[[KEY ^ pad; 64]]);
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_mut(4).zip(state) {
            bytes.copy_from_slice(&u32::to_ne_bytes(word));
        }
        bytes
    })
}

thread_local! {
    static LOOKING: Cell<bool> = const { Cell::new(false) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

struct SearchingAllocator;

// SAFETY: every call is passed on unchanged to the system's allocator. A block is read only while
// it is still allocated, and whole blocks requested here are initialised by `alloc_zeroed`.
unsafe impl GlobalAlloc for SearchingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let looking = LOOKING.try_with(Cell::get).unwrap_or(false);
        if looking {
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            let holds_key = bytes
                .windows(12)
                .any(|bytes| bytes.iter().all(|byte| *byte == KEY));
            let holds_text = [&b"C7C7C7C7C7C7"[..], b"c7c7c7c7c7c7", b"x8fHx8fHx8fH"]
                .iter()
                .any(|text| bytes.windows(text.len()).any(|bytes| bytes == *text));
            let holds_state = STATES.get().is_some_and(|states| {
                bytes
                    .windows(32)
                    .any(|bytes| states.iter().any(|s| s == bytes))
            });
            if holds_key || holds_text || holds_state {
                let _ = FOUND.try_with(|found| found.set(found.get() + 1));
            }
        }
        unsafe { System.dealloc(block, layout) }
    }
    // `realloc` is not passed on: by default it allocates, copies and frees, which is when a
    // growing buffer leaves its old bytes behind.
}

#[global_allocator]
static ALLOCATOR: SearchingAllocator = SearchingAllocator;

/// Returns the number of blocks that were freed with a key in them while `work` ran.
fn left_behind(work: impl FnOnce()) -> usize {
    STATES.get_or_init(states);
    FOUND.set(0);
    LOOKING.set(true);
    work();
    LOOKING.set(false);
    FOUND.get()
}

fn pair() -> KeyPair {
    KeyPair::new(HashKey::new(&[KEY; 64]).unwrap(), BlockKey::from([KEY; 32]))
}

#[test]
fn the_allocator_finds_a_remaining_key() {
    assert_eq!(left_behind(|| drop(vec![KEY; 40])), 1);
    assert_eq!(left_behind(|| drop("c7".repeat(32))), 1);
    let mut growing = vec![KEY; 40];
    assert_eq!(left_behind(|| growing.reserve(4000)), 1);
    assert_eq!(left_behind(|| drop(vec![KEY; 8])), 0);
    assert_eq!(left_behind(|| drop(states()[1].to_vec())), 1);
}

#[test]
fn keys_are_wiped_in_all_types() {
    assert_eq!(left_behind(|| drop(pair())), 0, "a pair");
    assert_eq!(
        left_behind(|| drop(vec![pair().clone(), pair()])),
        0,
        "a list of pairs"
    );
    assert_eq!(
        left_behind(|| drop(HashKey::legacy(&[KEY; 20]))),
        0,
        "a legacy key"
    );
    for (length, name) in [(16, "AES-128"), (24, "AES-192"), (32, "AES-256")] {
        let block = || BlockKey::new(&[KEY; 32][..length]).unwrap();
        assert_eq!(left_behind(|| drop(block())), 0, "{name}");
    }
}

/// A codec, and a chain that many codecs were moved into, used and dropped.
#[test]
fn codecs_wipe_their_keys() {
    for cipher in [Cipher::AesCtr, Cipher::AesCfb] {
        for hash in [
            HashFunction::Sha256,
            HashFunction::Sha384,
            HashFunction::Sha512,
        ] {
            let options = CodecOptions::new().cipher(cipher).hash(hash);
            let found = left_behind(|| {
                let codec = SecureCookie::with_options(pair(), &options).unwrap();
                let cookie = codec.seal("sid", b"ape").unwrap();
                codec.open("sid", &cookie).unwrap();
            });
            assert_eq!(found, 0, "{cipher:?} {hash:?}");
        }
    }
    let found = left_behind(|| {
        let others = (1..9).map(|byte| KeyPair::sign_only(HashKey::new(&[byte; 32]).unwrap()));
        let codecs = Codecs::from_pairs(others.chain([pair()])).unwrap();
        let cookie = SecureCookie::new(pair())
            .unwrap()
            .seal("sid", b"ape")
            .unwrap();
        codecs.open("sid", &cookie).unwrap();
    });
    assert_eq!(found, 0, "a chain");
}

#[test]
fn reading_keys_leaves_no_copy() {
    let hex = "c7".repeat(64);
    let base64 = format!("b64={}", "x8fH".repeat(16));
    let standard = format!("b64={}/+//", "x8fH".repeat(16));
    let wrong = [
        format!("{hex}:{}zz", "c7".repeat(15)),
        format!("b64={}!", "x8fH".repeat(16)),
        format!("{hex}:{}", "c7".repeat(17)),
        format!("{hex},{hex}0"),
    ];
    let many: Vec<String> = (0..9_u8)
        .map(|byte| format!("{hex}{byte:02x}:{}", "c7".repeat(32)))
        .collect();
    for spec in [&hex, &base64, &standard, &many.join(",")]
        .into_iter()
        .chain(&wrong)
    {
        assert_eq!(left_behind(|| drop(spec.parse::<KeyPairs>())), 0, "{spec}");
    }
    let as_text = format!("text={hex}:text={}", "c7".repeat(32));
    for spec in [format!("{hex}:{}", "c7".repeat(32)), as_text] {
        let found = left_behind(|| drop(KeyPairs::other_readings(&spec)));
        assert_eq!(found, 0, "the other readings of {spec}");
    }
    let path = std::env::temp_dir().join(format!("silverback-freed-{}", std::process::id()));
    std::fs::write(&path, many.join(",")).unwrap();
    let found = left_behind(|| drop(KeyPairs::from_file(&path).unwrap()));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(found, 0, "a key file");
}

/// A ring whose keys are replaced, refused and dropped, and a file, a command and a fingerprint.
#[test]
fn a_ring_wipes_the_keys_that_it_replaces() {
    let hex = format!("{}:{}", "c7".repeat(64), "c7".repeat(32));
    let other = "01".repeat(32);
    let path = std::env::temp_dir().join(format!("silverback-ring-{}", std::process::id()));
    let write = |spec: &str| std::fs::write(&path, &*key_file_with_checksum(spec)).unwrap();
    write(&hex);
    let ring = KeyRing::with_options(KeySource::file(&path), KeyRingOptions::new()).unwrap();
    let cookie = ring.seal("sid", b"ape").unwrap();
    write(&format!("{other},{hex}"));
    assert_eq!(
        left_behind(|| assert!(ring.reload().unwrap())),
        0,
        "promoted"
    );
    write(&format!("{hex},{hex}"));
    assert_eq!(
        left_behind(|| assert!(ring.reload().is_err())),
        0,
        "refused"
    );
    write(&other);
    assert_eq!(
        left_behind(|| assert!(ring.reload().unwrap())),
        0,
        "removed"
    );
    assert!(ring.open("sid", &cookie).is_err());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        left_behind(|| {
            let _ = pair().fingerprint();
        }),
        0,
        "a fingerprint"
    );
    assert_eq!(
        left_behind(|| drop(key_file_with_checksum(&hex))),
        0,
        "a text"
    );
}
