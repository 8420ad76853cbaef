//! Keys and their text form.

use silverback::codec::{BlockKey, HashKey, KeyPair, KeyPairs, generate_random_key};

#[test]
fn hash_keys_have_32_bytes_unless_they_are_legacy() {
    for length in 0..32 {
        assert!(HashKey::new(&vec![7; length]).unwrap_err().is_usage());
        assert_eq!(HashKey::legacy(&vec![7; length]).expose(), vec![7; length]);
    }
    for length in [32, 33, 64, 128, 129, 1000] {
        assert_eq!(
            HashKey::new(&vec![7; length]).unwrap().expose(),
            vec![7; length]
        );
    }
}

#[test]
fn block_keys_have_16_24_or_32_bytes() {
    for length in 0..70 {
        let key = BlockKey::new(&vec![7; length]);
        match length {
            16 | 24 | 32 => assert_eq!(key.unwrap().expose(), vec![7; length]),
            _ => assert!(
                key.unwrap_err()
                    .to_string()
                    .contains(&format!("has {length} bytes"))
            ),
        }
    }
}

#[test]
fn generated_keys_differ() {
    let pairs = KeyPairs::generate(3).unwrap();
    assert_eq!((pairs.len(), (&pairs).into_iter().count()), (3, 3));
    let mut keys: Vec<&[u8]> = pairs
        .iter()
        .flat_map(|pair| [pair.hash().expose(), pair.block().unwrap().expose()])
        .collect();
    assert!(keys.iter().all(|key| key.len() == 64 || key.len() == 32));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6);
    assert_eq!(generate_random_key(0).unwrap().len(), 0);
    assert_ne!(
        *generate_random_key(32).unwrap(),
        *generate_random_key(32).unwrap()
    );
    assert!(KeyPairs::generate(0).unwrap_err().is_usage());
}

#[test]
fn a_spec_takes_hex_and_both_base64_alphabets() {
    let key = [0xfb; 32];
    let hex = "fb".repeat(32);
    let specs = [
        hex.clone(),
        hex.to_uppercase(),
        format!("b64={}=", "-_v7".repeat(10) + "-_s"),
        format!("b64={}", "-_v7".repeat(10) + "-_s"),
        format!("b64={}=", "+/v7".repeat(10) + "+/s"),
        format!("b64={}", "+/v7".repeat(10) + "+/s"),
        format!(" \t{hex}\r\n"),
    ];
    for spec in specs {
        let pairs: KeyPairs = spec.parse().unwrap();
        let pair: KeyPair = pairs.into_iter().next().unwrap();
        assert_eq!(pair.hash().expose(), key, "{spec}");
        assert!(pair.block().is_none());
    }
    let pairs: KeyPairs = format!("{hex}:{},{}", "00".repeat(24), "01".repeat(32))
        .parse()
        .unwrap();
    let blocks: Vec<_> = pairs
        .iter()
        .map(|pair| pair.block().map(|key| key.expose().len()))
        .collect();
    assert_eq!(blocks, [Some(24), None]);
}

#[test]
fn the_bytes_of_a_text_key_are_those_of_its_text() {
    for text in [
        "0001020304050607080900010203040506",
        "a key=of text with b64= and # in it",
        "text=text=text=text=text=text=text=",
        "é is more than one byte to Go as well",
    ] {
        let pairs: KeyPairs = format!(" text={text}:text=0123456789abcdef\n")
            .parse()
            .unwrap();
        let pair = pairs.iter().next().unwrap();
        assert_eq!(pair.hash().expose(), text.as_bytes());
        assert_eq!(pair.block().unwrap().expose(), b"0123456789abcdef");
    }
    // A comma and a colon end a key.
    let longer = "text=a key that is text, and goes on behind the comma";
    assert!(longer.parse::<KeyPairs>().is_err());
}

#[test]
fn pairs_are_separated_by_commas_or_lines() {
    let [one, two, three] = ["5e", "5f", "60"].map(|digits| digits.repeat(32));
    for spec in [
        format!("{one},{two},{three}"),
        format!("{one}\n{two}\n{three}\n"),
        format!("# newest\r\n  {one} ,\r\n\r\n\t# older\r\n{two},{three}\r\n"),
        format!("{one},\n#{one}\n{two},\n{three}"),
    ] {
        let pairs: KeyPairs = spec.parse().unwrap();
        let first = pairs.iter().map(|pair| pair.hash().expose()[0]);
        assert_eq!(first.collect::<Vec<_>>(), [0x5e, 0x5f, 0x60], "{spec}");
    }
}

#[test]
fn other_readings_exclude_the_written_one() {
    let (hash, block) = ("5e".repeat(32), "5f".repeat(16));
    let shown = |spec: &str| -> Vec<String> {
        let readings = KeyPairs::other_readings(spec);
        readings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        shown(&format!("{hash},text={hash}")),
        [
            "key pair 1 with its hash key read as base64 (b64=)",
            "key pair 1 with its hash key read as text (text=)",
            "key pair 2 with its hash key read as base64 (b64=)",
            "key pair 2 with its hash key read as hex (no prefix)",
        ]
    );
    // Three readings of each key make nine pairs, of which one is the written one. (In base64
    // the digits of the two keys are 48 and 24 bytes.)
    assert_eq!(shown(&format!("{hash}:{block}")).len(), 8);
    // Text that is not a key in another reading has no other readings.
    assert_eq!(
        shown("text=-/-not-base64-nor-hex-not-base64"),
        Vec::<String>::new()
    );
    let readings = KeyPairs::other_readings(&format!("text={hash}"));
    let keys = readings.iter().map(|other| {
        let pair = other.keys().iter().next().unwrap();
        pair.hash().expose().to_vec()
    });
    assert!(keys.clone().any(|key| key == [0x5e; 32]));
}

#[test]
fn an_error_names_the_wrong_pair_and_never_quotes_it() {
    let good = "5e".repeat(32);
    for (spec, says) in [
        (
            String::new(),
            "there is no key pair: make one with `silverback keygen`",
        ),
        (
            "# a comment\n\n".into(),
            "there is no key pair: make one with `silverback keygen`",
        ),
        (
            format!("# 1\n{good}\n,"),
            "key pair 2: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            format!("{good}\n#\n\n5e"),
            "key pair 2: the hash key has 1 bytes; 32 or more are required",
        ),
        (
            "text=".into(),
            "key pair 1: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            "text=short".into(),
            "key pair 1: the hash key has 5 bytes; 32 or more are required",
        ),
        (
            format!("{good}:text=sixteen-letters"),
            "key pair 1: the block key has 15 bytes; 16, 24 or 32 are required",
        ),
        (
            ",".into(),
            "key pair 1: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            format!("{good},"),
            "key pair 2: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            format!(":{good}"),
            "key pair 1: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            format!("{good},{good}a"),
            "key pair 2: the hash key has an odd number of hex digits: correct it, or put text= or b64= before it",
        ),
        (
            format!("{good},5g"),
            "key pair 2: the hash key is not hex: correct it, or put text= or b64= before it",
        ),
        (
            format!("{good}:5e5"),
            "key pair 1: the block key has an odd number of hex digits: correct it, or put text= or b64= before it",
        ),
        (
            format!("{good}:{}", "5e".repeat(17)),
            "key pair 1: the block key has 17 bytes; 16, 24 or 32 are required",
        ),
        (
            format!("{good}:"),
            "key pair 1: the block key has 0 bytes; 16, 24 or 32 are required",
        ),
        (
            format!("{good}:{good}:{good}"),
            "key pair 1: the block key has an odd number of hex digits: correct it, or put text= or b64= before it",
        ),
        (
            "5e5e".into(),
            "key pair 1: the hash key has 2 bytes; 32 or more are required",
        ),
        (
            "b64=5e5e5e=".into(),
            "key pair 1: the hash key is not base64, as its prefix b64= says",
        ),
        (
            "b64=".into(),
            "key pair 1: the hash key is missing: write HASH or HASH:BLOCK",
        ),
        (
            format!("{good} {good}"),
            "key pair 1: the hash key has an odd number of hex digits: correct it, or put text= or b64= before it",
        ),
        (
            "5é5e".into(),
            "key pair 1: the hash key has an odd number of hex digits: correct it, or put text= or b64= before it",
        ),
    ] {
        let error = spec.parse::<KeyPairs>().unwrap_err();
        assert!(error.is_usage());
        assert_eq!(error.to_string(), says, "{spec}");
    }
    let weak = KeyPairs::from_legacy_spec("5e5e").unwrap();
    assert_eq!(weak.into_iter().next().unwrap().hash().expose(), [0x5e; 2]);
    assert!(KeyPairs::from_legacy_spec(&format!("5e5e:{}", "5e".repeat(17))).is_err());
}

#[test]
fn a_key_file_is_text_of_bounded_size() {
    let path = std::env::temp_dir().join(format!("silverback-key-file-{}", std::process::id()));
    let read = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        KeyPairs::from_file(&path)
    };
    assert_eq!(
        read(format!("{}\n", "5e".repeat(32)).as_bytes())
            .unwrap()
            .len(),
        1
    );
    let of_length = |length: usize| [" ".repeat(length - 64), "5e".repeat(32)].concat();
    assert_eq!(read(of_length(65_536).as_bytes()).unwrap().len(), 1);
    let (longer, long) = (of_length(65_537), of_length(200_000));
    for too_long in [&longer, &long] {
        let error = read(too_long.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    }
    for wrong in [&b""[..], b"\xff\xfe", b"nonsense", longer.as_bytes()] {
        let error = read(wrong).unwrap_err();
        assert!(error.is_usage() && !error.to_string().contains("nonsense"));
    }
    std::fs::write(&path, "5e5e").unwrap();
    assert!(KeyPairs::from_file(&path).is_err() && KeyPairs::from_legacy_file(&path).is_ok());
    std::fs::remove_file(&path).unwrap();
    let missing = KeyPairs::from_file(&path).unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("No such file"));
    assert!(
        KeyPairs::from_file(std::env::temp_dir())
            .unwrap_err()
            .is_usage()
    );
}

#[test]
fn keys_from_the_environment_are_set_or_an_error() {
    let missing = KeyPairs::from_env("SILVERBACK_TEST_UNSET").unwrap_err();
    assert!(missing.is_usage());
    assert_eq!(
        missing.to_string(),
        "the variable SILVERBACK_TEST_UNSET is not set: set it to key pairs, as \
         `silverback keygen` prints them"
    );
    // PATH is set, and contains no keys.
    let wrong = KeyPairs::from_env("PATH").unwrap_err();
    assert!(wrong.is_usage());
    let value = std::env::var("PATH").unwrap();
    let text = wrong.to_string();
    assert!(text.starts_with("the variable PATH: key pair 1: ") && !text.contains(&value));
}

#[test]
fn a_key_in_the_place_of_a_path_or_variable_is_not_quoted() {
    let spec = "5e".repeat(32);
    for error in [
        KeyPairs::from_file(&spec),
        KeyPairs::from_legacy_file(&spec),
        KeyPairs::from_env(&spec),
    ] {
        let error = error.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(
            !format!("{error} {error:?} {source:?}").contains("5e5e"),
            "{error}"
        );
    }
}

#[test]
fn a_key_that_does_not_fit_into_memory_is_an_error() {
    assert!(generate_random_key(usize::MAX).unwrap_err().is_usage());
}
