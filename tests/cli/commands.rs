//! The commands for cookies, and the exit codes.

use crate::program::{KEYS, OTHER, command, run, silverback};

fn seal(extra: &[&str], input: &str) -> String {
    let arguments = ["encode", "--keys", KEYS, "--name", "sid"];
    let sealed = silverback(arguments.iter().chain(extra), input).ok();
    sealed.trim_end().to_owned()
}

fn decode(extra: &[&str], cookie: &str) -> crate::program::Run {
    let arguments = ["decode", "--keys", KEYS, "--name", "sid"];
    silverback(arguments.iter().chain(extra).chain(&[cookie]), "")
}

#[test]
fn keygen_prints_a_spec_that_the_other_commands_read() {
    for (arguments, pairs, with_block) in [
        (&["keygen"][..], 1, true),
        (&["keygen", "--pairs", "3"], 3, true),
        (&["keygen", "--pairs", "2", "--sign-only"], 2, false),
    ] {
        let spec = silverback(arguments, "").ok();
        let spec = spec.trim_end();
        assert_eq!(spec.split(',').count(), pairs);
        assert_eq!(spec.split(',').all(|pair| pair.contains(':')), with_block);
        assert_eq!(spec.split([',', ':']).next().unwrap().len(), 128);
        let cookie = silverback(["encode", "--keys", spec, "--name", "sid"], "\"ape\"").ok();
        let opened = silverback(["decode", "--keys", spec, "--name", "sid", "-"], cookie).ok();
        assert_eq!(opened, "\"ape\"\n");
    }
    assert_ne!(
        silverback(["keygen"], "").ok(),
        silverback(["keygen"], "").ok()
    );
    silverback(["keygen", "--pairs", "0"], "").fails(2);
}

#[test]
fn each_serializer_is_decoded_as_json() {
    for (serializer, input, picture) in [
        ("gob", "\"ap\\u00e9\"", "\"apé\""),
        (
            "json",
            "{\"b\": [1, 2.50, 18446744073709551616],\n \"a\": null}\n",
            "{\"b\":[1,2.50,18446744073709551616],\"a\":null}",
        ),
        ("json", "null", "null"),
        ("bincode", " {\"visits\" : 7}", "{\"visits\":7}"),
        ("raw", "any bytes\n", "\"YW55IGJ5dGVzCg==\""),
        ("raw", "", "\"\""),
    ] {
        let cookie = seal(&["--serializer", serializer], input);
        let opened = decode(&["--serializer", serializer], &cookie).ok();
        assert_eq!(opened, format!("{picture}\n"), "{serializer}");
    }
}

#[test]
fn each_cipher_and_hash_function_opens_only_its_own() {
    let frames = [
        &["--hash", "sha256"][..],
        &["--hash", "sha384"],
        &["--hash", "sha512"],
        &["--hash", "sha512_256"],
    ];
    for (sealed, frame) in frames.iter().enumerate() {
        let cookie = seal(frame, "\"ape\"");
        for (opened, frame) in frames.iter().enumerate() {
            let verdict = decode(frame, &cookie);
            if sealed == opened {
                verdict.ok();
            } else {
                verdict.fails(1);
            }
        }
    }
    // Encryption does not authenticate: the wrong cipher gives other bytes.
    let cookie = seal(
        &["--cipher", "cfb", "--serializer", "raw"],
        "seventeen bytes..",
    );
    let right = decode(&["--cipher", "cfb", "--serializer", "raw"], &cookie).ok();
    let wrong = decode(&["--cipher", "ctr", "--serializer", "raw"], &cookie).ok();
    assert_eq!(right, "\"c2V2ZW50ZWVuIGJ5dGVzLi4=\"\n");
    assert_ne!(right, wrong);
}

#[test]
fn refusals_exit_with_1_and_name_their_kind() {
    let cookie = seal(&["--at", "1000"], "\"ape\"");
    let at = |at: &str, extra: &[&str]| decode(&[&["--at", at], extra].concat(), &cookie);
    at("1000", &[]).ok();
    assert!(at("2593001", &[]).fails(1).ends_with(": expired\n"));
    at("2593001", &["--max-age", "0"]).ok();
    assert!(
        at("1011", &["--max-age", "10"])
            .fails(1)
            .ends_with(": expired\n")
    );
    at("1010", &["--max-age", "10"]).ok();
    assert!(
        at("1009", &["--min-age", "10"])
            .fails(1)
            .ends_with(": too new\n")
    );
    at("1010", &["--min-age", "10"]).ok();
    at("940", &[]).ok();
    assert!(at("939", &[]).fails(1).ends_with(": too new\n"));
    assert!(
        at("1000", &["--max-length", "20"])
            .fails(1)
            .contains("too long")
    );
    assert!(
        at("1000", &["--serializer", "json"])
            .fails(1)
            .ends_with(": not valid\n")
    );
    let renamed = [
        "decode", "--keys", KEYS, "--name", "other", "--at", "1000", &cookie,
    ];
    assert!(silverback(renamed, "").fails(1).ends_with(": not valid\n"));
    let other = [
        "decode", "--keys", OTHER, "--name", "sid", "--at", "1000", &cookie,
    ];
    assert!(silverback(other, "").fails(1).ends_with(": not valid\n"));
    assert!(decode(&[], "").fails(1).ends_with(": not valid\n"));
    assert!(
        decode(&[], "-no-option")
            .fails(1)
            .ends_with(": not valid\n")
    );
}

#[cfg(unix)]
#[test]
fn a_cookie_that_is_not_text_is_not_valid() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let not_text = OsStr::from_bytes(b"\xff\xfe");
    let arguments = ["decode", "--keys", KEYS, "--name", "sid"].map(OsStr::new);
    silverback(arguments.iter().chain(&[not_text]), "").fails(1);
    let lines = silverback(
        ["decode", "--keys", KEYS, "--name", "sid", "-"],
        b"\xff\xfe\n",
    );
    assert_eq!((lines.status, &*lines.stdout), (1, "!not valid\n"));
}

#[test]
fn each_cookie_of_many_gets_one_line() {
    let (old, good) = (
        seal(&["--at", "1000"], "\"old\""),
        seal(&["--at", "9000"], "\"good\""),
    );
    let future = seal(&["--at", "99000"], "\"future\"");
    let long = "A".repeat(5000);
    let input = format!("{good}\n{old}\nnonsense\n\n{future}\n{long}\n{good}");
    let arguments = [
        "decode",
        "--keys",
        KEYS,
        "--name",
        "sid",
        "--at",
        "9000",
        "--max-age",
        "60",
    ];
    let answered = silverback(arguments.iter().chain(&["-"]), &input);
    assert_eq!(answered.status, 1);
    assert_eq!(
        answered.stdout,
        "\"good\"\n!expired\n!not valid\n!not valid\n!too new\n!too long\n\"good\"\n"
    );
    assert_eq!(answered.stderr, "");
    // Without a COOKIE the same lines are read.
    assert_eq!(silverback(arguments, &input).stdout, answered.stdout);
    let all_good = silverback(arguments, format!("{good}\n{good}\n"));
    assert_eq!(all_good.ok(), "\"good\"\n\"good\"\n");
}

#[test]
fn a_cookie_of_one_mebibyte_is_too_long() {
    let cookie = "A".repeat(1 << 20);
    let answered = silverback(["decode", "--keys", KEYS, "--name", "sid", "-"], &cookie);
    assert_eq!((answered.status, &*answered.stdout), (1, "!too long\n"));
    let arguments = [
        "decode",
        "--keys",
        KEYS,
        "--name",
        "sid",
        "--max-length",
        "0",
        "-",
    ];
    let answered = silverback(arguments, &cookie);
    assert_eq!((answered.status, &*answered.stdout), (1, "!not valid\n"));
}

#[test]
fn a_payload_that_is_too_long_to_seal_is_refused_with_both_lengths() {
    let arguments = [
        "encode",
        "--keys",
        KEYS,
        "--name",
        "sid",
        "--serializer",
        "raw",
    ];
    let refused = silverback(arguments, "x".repeat(3000)).fails(1);
    assert!(
        refused.contains("too long") && refused.contains("4096"),
        "{refused}"
    );
    let lifted = silverback(
        arguments.iter().chain(&["--max-length", "0"]),
        "x".repeat(3000),
    )
    .ok();
    assert!(
        lifted.len() > 4096 && refused.contains(&(lifted.len() - 1).to_string()),
        "{refused}"
    );
    let short = silverback(
        arguments.iter().chain(&["--max-length", "80"]),
        "x".repeat(30),
    );
    assert!(short.fails(1).contains("the limit is 80"));
}

#[test]
fn wrong_use_exits_with_2_and_never_echoes_a_key() {
    let secret = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";
    let cases: [(&[&str], &str); 21] = [
        (&["decode", "--name", "sid", "x"], "no keys are given"),
        (&["decode", "--keys", secret, "x"], "--name"),
        (
            &["decode", "--name", "sid", "--keys", "", "x"],
            "there is no key pair",
        ),
        (
            &["decode", "--name", "sid", "--keys", ",", "x"],
            "key pair 1",
        ),
        (
            &["decode", "--name", "sid", "--keys", &secret[1..], "x"],
            "odd number of hex digits",
        ),
        (
            &["decode", "--name", "sid", "--keys", "5ec2e75ec2e7zz", "x"],
            "not hex",
        ),
        (
            &["decode", "--name", "sid", "--keys", "b64=5ec2e7!", "x"],
            "not base64",
        ),
        (
            &["decode", "--name", "sid", "--keys", &secret[..62], "x"],
            "31 bytes",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys",
                &format!("{secret}:{}", &secret[..34]),
                "x",
            ],
            "17 bytes",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys",
                &format!("{secret}:"),
                "x",
            ],
            "0 bytes",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys",
                &format!("{OTHER},{secret},{secret}"),
                "x",
            ],
            "2 and 3 share a hash key",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys",
                secret,
                "--keys-file",
                "/x",
                "x",
            ],
            "cannot be used with",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys-file",
                "/no/such/file",
                "x",
            ],
            "the key file cannot be read",
        ),
        (
            &["decode", "--name", "sid", "--keys-file", secret, "x"],
            "the key file cannot be read",
        ),
        (
            &["decode", "--name", "sid", "--keys", secret, "--verbos"],
            "there is no such option",
        ),
        (
            &[
                "decode", "--name", "sid", "--name", "b", "--keys", secret, "x",
            ],
            "given twice",
        ),
        (
            &[
                "decode", "--name", "sid", "--keys", secret, "--hash", "md5", "x",
            ],
            "sha512_256",
        ),
        (
            &[
                "decode", "--name", "sid", "--keys", secret, "--at", secret, "x",
            ],
            "--at",
        ),
        (
            &[
                "decode",
                "--name",
                "sid",
                "--keys",
                secret,
                "--max-age",
                "-1",
                "x",
            ],
            "--max-age",
        ),
        (
            &["decode", "--name", "sid", secret, secret],
            "unexpected argument",
        ),
        (&[secret], "no such command"),
    ];
    for (arguments, says) in cases {
        let error = silverback(arguments, "").fails(2);
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert!(!error.contains("5ec2e7"), "{arguments:?}: {error}");
    }
    let nothing = silverback::<&str>([], "");
    assert_eq!(nothing.status, 2);
    assert!(nothing.stderr.contains("Usage:"));
}

#[test]
fn input_that_cannot_be_encoded_is_wrong_use() {
    let encode = |extra: &[&str], input: &[u8]| {
        let arguments = ["encode", "--keys", KEYS, "--name", "sid"];
        silverback(arguments.iter().chain(extra), input).fails(2)
    };
    for input in [&b"null"[..], b"", b"{", b"1 2", b"\xff"] {
        encode(&[], input);
    }
    for input in [&b""[..], b"{", b"\"a\" b", b"\xff"] {
        encode(&["--serializer", "json"], input);
        encode(&["--serializer", "bincode"], input);
    }
    encode(&["--hash", "sha1"], b"\"a\"");
    encode(&["--at", "9223372036854775808"], b"\"a\"");
    for name in ["a;b", "", "a b", "a=b", "é"] {
        let arguments = ["encode", "--keys", KEYS, "--name", name];
        assert!(silverback(arguments, "\"a\"").fails(2).contains("token"));
    }
}

#[test]
fn weak_keys_need_an_option() {
    let weak = ["--keys", "00ff", "--name", "sid"];
    assert!(
        silverback(["encode"].iter().chain(&weak), "\"a\"")
            .fails(2)
            .contains("2 bytes")
    );
    let cookie = silverback(["encode", "--allow-weak-keys"].iter().chain(&weak), "\"a\"").ok();
    silverback(["decode", "--allow-weak-keys"].iter().chain(&weak), cookie).ok();
}

#[test]
fn keys_come_from_a_file_or_the_environment() {
    let cookie = seal(&[], "\"ape\"");
    let file = std::env::temp_dir().join(format!("silverback-keys-{}", std::process::id()));
    let from_file = |spec: &[u8]| {
        std::fs::write(&file, spec).unwrap();
        let path = file.to_str().unwrap();
        silverback(
            ["decode", "--keys-file", path, "--name", "sid", &cookie],
            "",
        )
    };
    from_file(KEYS.as_bytes()).ok();
    from_file(format!("{OTHER} ,\n  {KEYS}\n").as_bytes()).ok();
    from_file(format!("# a comment, with a comma\n\n{OTHER}\r\n\t{KEYS}").as_bytes()).ok();
    from_file(b"").fails(2);
    from_file(b"# nothing\n").fails(2);
    from_file(b"\xff\xfe").fails(2);
    from_file(&vec![b'0'; 1 << 20]).fails(2);
    std::fs::remove_file(&file).unwrap();

    let from_environment = |spec: &str| {
        let mut decode = command(["decode", "--name", "sid", &cookie]);
        decode.env("SILVERBACK_KEYS", spec);
        run(decode, "")
    };
    from_environment(KEYS).ok();
    assert!(!from_environment("5ec2e7").fails(2).contains("5ec2e7"));
    // The option takes precedence over the environment.
    let mut decode = command(["decode", "--keys", KEYS, "--name", "sid", &cookie]);
    decode.env("SILVERBACK_KEYS", OTHER);
    run(decode, "").ok();
}

#[test]
fn verbose_prints_the_key_the_age_and_staleness() {
    let cookie = seal(&["--at", "1000"], "\"ape\"");
    let rotated = format!("{OTHER},{KEYS}");
    let answered = silverback(
        [
            "decode",
            "--keys",
            &rotated,
            "--name",
            "sid",
            "--at",
            "1090",
            "--verbose",
            &cookie,
        ],
        "",
    );
    assert_eq!(answered.stderr, "key: 2, age: 1m 30s, stale: yes\n");
    assert_eq!(answered.ok(), "\"ape\"\n");
    assert!(
        decode(&["--at", "1000", "--verbose"], &cookie)
            .stderr
            .contains("key: 1, age: 0s, stale: no")
    );
}

/// A Go program may decode the digits of a key, or use them as the key: these are two keys.
#[test]
fn a_hint_names_another_reading_of_the_keys() {
    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f";
    let hash = DIGITS.repeat(2);
    let as_text = format!("text={hash}:text={DIGITS}");
    let as_base64 = format!("b64={hash}:{DIGITS}");
    let wrongly_read = format!("{OTHER},{hash}:{DIGITS}");
    let sealed = |keys: &str| {
        let seal = ["encode", "--keys", keys, "--name", "sid"];
        let cookie = silverback(seal, "{\"a\": 1}").ok();
        cookie.trim_end().to_owned()
    };
    let with = |command: &[&str], keys: &str, cookie: &str, input: &str| {
        let keys = ["--keys", keys, "--name", "sid"];
        silverback(command.iter().chain(&keys).chain(&[cookie]), input)
    };
    let text = "key pair 2 with its hash key read as text (text=) and its block key read as \
                text (text=) opens it";
    let cookie = sealed(&as_text);
    assert_eq!(with(&["decode"], &as_text, &cookie, "").ok(), "{\"a\":1}\n");
    for command in [&["decode"][..], &["reseal"], &["edit", "--set", "a=2"]] {
        let refused = with(command, &wrongly_read, &cookie, "").fails(1);
        assert!(
            refused.contains(text) && !refused.contains(DIGITS),
            "{refused}"
        );
        // If no reading of the keys opens the cookie, there is no hint.
        let refused = with(command, KEYS, &cookie, "").fails(1);
        assert_eq!(refused, "silverback: the cookie was refused: not valid\n");
    }
    let refused = with(&["decode"], &wrongly_read, &sealed(&as_base64), "").fails(1);
    let base64 = "key pair 2 with its hash key read as base64 (b64=) opens it";
    assert!(refused.contains(base64), "{refused}");

    // Only the block key is wrong: the MAC is correct, and the decrypted bytes are not gob.
    let half = format!("{hash}:{DIGITS}");
    let refused = with(
        &["decode"],
        &half,
        &sealed(&format!("{hash}:text={DIGITS}")),
        "",
    );
    let block = "key pair 1 with its block key read as text (text=) opens it";
    assert!(refused.fails(1).contains(block));

    // Of many cookies, the hint is for the first that is not valid. That may be an expired one.
    let old = silverback(
        [
            "encode", "--keys", &as_text, "--name", "sid", "--at", "1000",
        ],
        "{}",
    );
    let refused = with(&["decode"], &wrongly_read, "-", &format!("x\n{cookie}\n"));
    assert_eq!((refused.status, &*refused.stderr), (1, ""), "of the first");
    let refused = with(&["decode"], &wrongly_read, "-", &old.ok());
    assert_eq!((refused.status, &*refused.stdout), (1, "!not valid\n"));
    let hint = format!("silverback: the first cookie that is not valid: {text}\n");
    assert_eq!(refused.stderr, hint);
}

/// In the SPEC, in errors and in `--verbose`, key 1 is the newest. (`tests/browser` checks the
/// numbers in the demo.)
#[test]
fn keys_are_numbered_in_the_same_way_everywhere() {
    let specs = [OTHER, KEYS];
    for (number, spec) in (1..).zip(specs) {
        let sealed = ["encode", "--keys", spec, "--name", "sid"];
        let cookie = silverback(sealed, "\"ape\"").ok();
        let chain = specs.join(",");
        let decode = ["decode", "--keys", &chain, "--name", "sid", "--verbose"];
        let opened = silverback(decode.into_iter().chain([cookie.trim_end()]), "");
        assert!(
            opened.stderr.starts_with(&format!("key: {number}, ")),
            "{}",
            opened.stderr
        );
        // An error names a wrong pair in the same place by the same number.
        let broken = specs
            .map(|of| if of == spec { "00:00" } else { of })
            .join(",");
        let refused = silverback(["decode", "--keys", &broken, "--name", "sid"], "").fails(2);
        assert!(
            refused.contains(&format!("key pair {number}:")),
            "{refused}"
        );
    }
    let twice = [OTHER, KEYS, OTHER].join(",");
    let refused = silverback(["decode", "--keys", &twice, "--name", "sid"], "").fails(2);
    assert!(refused.contains("key pairs 1 and 3 share"), "{refused}");
}

#[test]
fn inspect_needs_no_key() {
    let cookie = seal(&["--at", "1700000000"], "\"ape\"");
    let shown = silverback(["inspect", "--at", "1700003600", &cookie], "").ok();
    assert!(
        shown.contains("date: 2023-11-14T22:13:20Z (1700000000)"),
        "{shown}"
    );
    assert!(shown.contains("age: 1h\n"), "{shown}");
    assert!(shown.contains("payload: 23 bytes, encrypted"), "{shown}");
    assert!(shown.contains("mac: 32 bytes"), "{shown}");
    let looks_like = |serializer: &str, input: &str, as_what: &str| {
        let arguments = [
            "encode",
            "--keys",
            OTHER,
            "--name",
            "sid",
            "--serializer",
            serializer,
        ];
        let cookie = silverback(arguments, input).ok();
        let shown = silverback(["inspect", cookie.trim_end()], "").ok();
        assert!(shown.contains(as_what), "{shown}");
    };
    looks_like("gob", "\"ape\"", "a gob string");
    looks_like("json", "{}", "JSON");
    looks_like("raw", "hello", "text");
    looks_like("raw", "", "empty");
    let far = silverback(
        ["inspect", &seal(&["--at", "9007199254740993"], "\"a\"")],
        "",
    )
    .ok();
    assert!(
        far.contains("after the year 9999") && far.contains("in the future"),
        "{far}"
    );
    for no_cookie in ["", "x", "eHx4", "eHx4fHg="] {
        silverback(["inspect", no_cookie], "").fails(1);
    }
}

#[test]
fn reseal_seals_with_the_newest_key_and_keeps_the_date() {
    let rotated = format!("{OTHER},{KEYS}");
    let reseal = |extra: &[&str], cookie: &str| {
        let arguments = ["reseal", "--keys", &rotated, "--name", "sid"];
        silverback(arguments.iter().chain(extra), cookie)
    };
    let old = seal(&["--at", "1000"], "\"ape\"");
    let new = reseal(&["--at", "1500"], &old).ok();
    let decode = [
        "decode",
        "--keys",
        OTHER,
        "--name",
        "sid",
        "--verbose",
        "--at",
        "1600",
        "-",
    ];
    let opened = silverback(decode, &new);
    assert_eq!(opened.stderr, "key: 1, age: 10m, stale: no\n");
    assert_eq!(opened.ok(), "\"ape\"\n");
    assert_eq!(
        reseal(&["--at", "1500", "--max-age", "10"], &old).stdout,
        "!expired\n"
    );
    assert!(
        reseal(&["--at", "1500", "--max-age", "10", &old], "")
            .fails(1)
            .contains("expired")
    );
}

#[test]
fn reseal_opens_sha1_too() {
    // id 18 of gorilla_valid.json: SHA-1, AES-256, name `a|b`, date 1.
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/gorilla_valid.json"
    );
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = vectors.as_array().unwrap().iter();
    let mut resealed = 0;
    for case in cases.filter(|case| case["hash"] == "sha1" && case["serializer"] == "gob_string") {
        let block = case["block_key"].as_str().unwrap();
        let keys = format!("{}:{block}", case["hash_key"].as_str().unwrap());
        let (name, at) = (
            case["name"].as_str().unwrap(),
            case["timestamp"].to_string(),
        );
        let common = [
            "--allow-weak-keys",
            "--keys",
            &keys,
            "--name",
            name,
            "--at",
            &at,
        ];
        let cookie = case["cookie"].as_str().unwrap();
        for hash in [&["--hash", "sha256"][..], &["--hash", "sha1"], &[]] {
            let new = silverback(["reseal"].iter().chain(&common).chain(hash), cookie).ok();
            let opened = silverback(["decode"].iter().chain(&common), new).ok();
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&opened).unwrap(),
                case["payload"]
            );
        }
        resealed += 1;
    }
    assert!(resealed >= 7, "{resealed}");
}

#[test]
fn every_command_has_help() {
    for name in [
        "keygen", "encode", "decode", "inspect", "why", "reseal", "edit",
    ] {
        let help = silverback([name, "--help"], "").ok();
        assert!(help.contains("Usage: silverback"), "{help}");
    }
    assert!(silverback(["--help"], "").ok().contains("SILVERBACK_KEYS"));
    assert!(
        silverback(["--version"], "")
            .ok()
            .starts_with("silverback ")
    );
}

#[cfg(unix)]
#[test]
fn keys_in_the_environment_must_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let mut decode = command(["decode", "--name", "sid", "x"]);
    decode.env("SILVERBACK_KEYS", OsStr::from_bytes(b"5ec2e7\xff"));
    let error = run(decode, "").fails(2);
    assert!(
        error.contains("not UTF-8") && !error.contains("5ec2e7"),
        "{error}"
    );
}

/// A program may send a cookie, wait for the answer, and send the next.
#[test]
fn each_line_is_answered_before_the_next_is_read() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;

    let cookie = seal(&[], "\"ape\"");
    let mut child = command(["decode", "--keys", KEYS, "--name", "sid", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answers = BufReader::new(answers).lines();
    for _ in 0..2 {
        writeln!(questions, "{cookie}").unwrap();
        assert_eq!(answers.next().unwrap().unwrap(), "\"ape\"");
    }
    drop(questions);
    assert!(child.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_not_a_panic() {
    use std::fs::OpenOptions;

    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let cookie = seal(&[], "\"ape\"");
    let run = |arguments: &[&str], stdout: bool| {
        let mut decode = command(
            ["decode", "--keys", KEYS, "--name", "sid"]
                .iter()
                .chain(arguments),
        );
        let decode = if stdout {
            decode.stdout(full())
        } else {
            decode.stderr(full())
        };
        decode.status().unwrap().code()
    };
    assert_eq!(run(&["nonsense"], false), Some(1));
    assert_eq!(run(&["--verbose", &cookie], false), Some(0));
    assert_eq!(run(&[&cookie], true), Some(2));
}

#[test]
fn gob_can_hold_every_json_value() {
    for (document, picture) in [
        (
            "{\"b\": [1, 2.5, null, {\"c\": true}], \"a\": \"x\"}",
            "{\"a\":\"x\",\"b\":[1,2.5,null,{\"c\":true}]}",
        ),
        ("9223372036854775807", "9223372036854775807"),
        // It does not fit an int, and becomes a uint64.
        ("9223372036854775808", "9223372036854775808"),
        // A float64 is printed with Go's digits.
        ("9223372036854775808.0", "9223372036854776000"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("[]", "[]"),
        ("{}", "{}"),
        // `-0` in an exponent is not an integer.
        ("[1e-05, 2E-0, 1e-0]", "[0.00001,2,1]"),
        ("true", "true"),
        ("[-0, -0.0, \"-0\"]", "[0,-0,\"-0\"]"),
    ] {
        let cookie = seal(&[], document);
        assert_eq!(decode(&[], &cookie).ok(), format!("{picture}\n"));
    }
}

#[test]
fn edit_changes_its_keys_and_nothing_else() {
    let edit = |extra: &[&str], cookie: &str| {
        let arguments = ["edit", "--keys", KEYS, "--name", "sid", "--at", "1500"];
        silverback(arguments.iter().chain(extra).chain(&[cookie]), "")
    };
    for serializer in ["gob", "json", "bincode"] {
        let with = ["--serializer", serializer];
        let cookie = seal(
            &[&with[..], &["--at", "1000"]].concat(),
            "{\"a\":1,\"b\":\"x\",\"c\":[true]}",
        );
        let changes = [
            "--set",
            "a=2",
            "--set",
            "d={\"e\":\"=\"}",
            "--unset",
            "b",
            "--unset",
            "z",
        ];
        let edited = edit(&[&with[..], &changes].concat(), &cookie).ok();
        let opened = decode(
            &[&with[..], &["--at", "1500", "--verbose"]].concat(),
            edited.trim_end(),
        );
        assert!(
            opened.stderr.contains("age: 8m 20s"),
            "the date stays: {}",
            opened.stderr
        );
        let picture: serde_json::Value = serde_json::from_str(&opened.ok()).unwrap();
        assert_eq!(
            picture,
            serde_json::json!({"a": 2, "c": [true], "d": {"e": "="}})
        );
    }
    // Other keys keep their order and their digits.
    let exact = "{\"z\":1.10,\"big\":12345678901234567890123,\"b\":1,\"e\":1e2}";
    let cookie = seal(&["--serializer", "json", "--at", "1000"], exact);
    let edited = edit(&["--serializer", "json", "--set", "b=2"], &cookie).ok();
    let opened = decode(&["--serializer", "json", "--at", "1500"], edited.trim_end()).ok();
    assert_eq!(opened.trim_end(), exact.replace("\"b\":1", "\"b\":2"));
    let string = seal(&["--at", "1500"], "\"no map\"");
    let refused = edit(&["--set", "a=1"], &string).fails(2);
    assert!(refused.contains("does not contain a map"), "{refused}");
    let map = seal(&["--at", "1500"], "{}");
    assert!(edit(&["--set", "a"], &map).fails(2).contains("KEY=JSON"));
    assert!(edit(&["--set", "a={"], &map).fails(2).contains("not JSON"));
    assert!(
        edit(&["--hash", "sha1", "--set", "a=1"], &map)
            .fails(2)
            .contains("reseal")
    );
    assert!(
        edit(&["--set", "a=1"], "nonsense")
            .fails(1)
            .contains("not valid")
    );
}
