//! `silverback why`: for each kind of broken cookie, the answer that an operator needs, and no key.

use crate::program::{KEYS, OTHER, Run, silverback};

/// Seals a session as the service does: the name `sid`, gob, SHA-256 and AES-CTR.
fn sealed(extra: &[&str]) -> String {
    sealed_with(KEYS, "sid", extra, r#"{"user": "ape", "visits": 7}"#)
}

fn sealed_with(keys: &str, name: &str, extra: &[&str], payload: &str) -> String {
    let arguments = ["encode", "--keys", keys, "--name", name];
    let cookie = silverback(arguments.iter().chain(extra), payload).ok();
    cookie.trim_end().to_owned()
}

fn why_with(keys: &str, extra: &[&str], cookie: &str) -> Run {
    let arguments = ["why", "--keys", keys, "--name", "sid"];
    let arguments = arguments.iter().chain(extra).copied();
    silverback(arguments.chain([cookie]), "")
}

/// Returns the answer for a cookie that is refused. No answer contains a key.
#[track_caller]
fn refused_with(keys: &str, extra: &[&str], cookie: &str) -> String {
    let run = why_with(keys, extra, cookie);
    assert_eq!((run.status, &*run.stderr), (1, ""), "{}", run.stdout);
    for key in keys.split([',', ':', '=']).filter(|key| key.len() > 8) {
        assert!(!run.stdout.contains(key), "{}", run.stdout);
    }
    run.stdout
}

#[track_caller]
fn refused(cookie: &str) -> String {
    refused_with(KEYS, &[], cookie)
}

/// Checks that the answer has these lines, and no other reason.
#[track_caller]
fn assert_reasons(answer: &str, reasons: &[&str]) {
    let found: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .collect();
    assert_eq!(found.len(), reasons.len(), "{answer}");
    for (found, reason) in found.iter().zip(reasons) {
        assert!(found.contains(reason), "{reason}: {answer}");
    }
}

#[test]
fn a_good_cookie_opens() {
    let run = why_with(KEYS, &[], &sealed(&[]));
    assert_eq!((run.status, &*run.stdout), (0, "the cookie opens\n"));
    let rotated = format!("{OTHER},{KEYS}");
    assert_eq!(why_with(&rotated, &[], &sealed(&[])).status, 0);
}

#[test]
fn another_key_is_named() {
    let answer = refused_with(OTHER, &[], &sealed(&[]));
    assert_reasons(&answer, &["no given key sealed it"]);
    assert!(answer.contains("MAC: 32 bytes"), "{answer}");
}

#[test]
fn another_name_is_found_if_it_is_given() {
    let cookie = sealed_with(KEYS, "id", &[], "\"ape\"");
    assert_reasons(&refused(&cookie), &["no given key sealed it"]);
    let answer = refused_with(KEYS, &["--other-name", "x", "--other-name", "id"], &cookie);
    assert_reasons(&answer, &["another name: --name id"]);
    let answer = refused(&format!("id={cookie}"));
    assert_reasons(&answer, &["its name in front", "another name: --name id"]);
}

#[test]
fn another_hash_function_is_found() {
    for hash in ["sha384", "sha512", "sha512_256"] {
        let answer = refused(&sealed(&["--hash", hash]));
        assert_reasons(&answer, &[&format!("--hash {hash}")]);
        let cookie = sealed(&["--hash", hash]);
        assert_eq!(why_with(KEYS, &["--hash", hash], &cookie).status, 0);
    }
}

#[test]
fn another_cipher_is_found() {
    let answer = refused(&sealed(&["--cipher", "cfb"]));
    assert_reasons(&answer, &["another mode: --cipher cfb"]);
}

#[test]
fn another_format_is_found() {
    for format in ["json", "bincode"] {
        let answer = refused(&sealed(&["--serializer", format]));
        assert_reasons(&answer, &[&format!("--serializer {format}")]);
        assert!(
            answer.contains("it holds a session with 2 values"),
            "{answer}"
        );
    }
}

#[test]
fn several_differences_are_found_together() {
    let cookie = sealed(&["--hash", "sha512"]);
    let broken = format!("{}\n{}", &cookie[..40], &cookie[40..]);
    assert_reasons(
        &refused(&broken),
        &["line breaks are within", "--hash sha512"],
    );
    let settings = [
        "--hash",
        "sha512",
        "--cipher",
        "cfb",
        "--serializer",
        "json",
    ];
    let answer = refused(&sealed(&settings));
    assert_reasons(
        &answer,
        &["--hash sha512", "--cipher cfb", "--serializer json"],
    );
}

#[test]
fn another_block_key_is_named() {
    let (hash, block) = KEYS.split_once(':').unwrap();
    let other = format!("{hash}:{}", OTHER_BLOCK);
    assert_ne!(block, OTHER_BLOCK);
    let answer = refused_with(&other, &[], &sealed(&[]));
    assert_reasons(&answer, &["encrypted with another block key"]);
    assert!(answer.contains("opened by key 1"), "{answer}");
}

const OTHER_BLOCK: &str = "ffeeddccbbaa99887766554433221100";

#[test]
fn a_pair_with_a_block_key_too_many_is_named() {
    let (hash, _) = KEYS.split_once(':').unwrap();
    let cookie = sealed_with(hash, "sid", &[], "{}");
    assert_reasons(
        &refused(&cookie),
        &["only signed, but the key pair has a block key"],
    );
    let answer = refused_with(hash, &[], &sealed(&[]));
    assert_reasons(&answer, &["the payload cannot be read"]);
}

#[test]
fn another_reading_of_a_key_is_found() {
    let hex = "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f";
    for (in_go, reading) in [("text=", "read as text"), ("b64=", "read as base64")] {
        let cookie = sealed_with(&format!("{in_go}{hex}"), "sid", &[], "\"ape\"");
        let answer = refused_with(hex, &[], &cookie);
        assert_reasons(&answer, &[reading]);
        assert!(
            answer.contains("(text=)") || answer.contains("(b64=)"),
            "{answer}"
        );
    }
}

#[test]
fn an_old_cookie_is_expired() {
    let cookie = sealed(&["--at", "1700000000"]);
    let answer = refused(&cookie);
    assert_reasons(&answer, &["expired"]);
    assert!(answer.contains("--max-age"), "{answer}");
    assert!(answer.contains("sealed 2023-11-14T22:13:20Z"), "{answer}");
    let answer = refused(&sealed(&["--at", "1700000000", "--hash", "sha512"]));
    assert_reasons(&answer, &["--hash sha512"]);
    assert!(answer.contains("2023-11-14T22:13:20Z"), "{answer}");
}

#[test]
fn a_cookie_from_the_future_names_the_clocks() {
    let answer = refused_with(
        KEYS,
        &["--at", "1700000000"],
        &sealed(&["--at", "1700003600"]),
    );
    assert_reasons(&answer, &["compare the clocks"]);
    assert!(answer.contains("dated 1h in the future"), "{answer}");
}

#[test]
fn a_long_cookie_names_the_limit() {
    let long = format!("\"{}\"", "x".repeat(4_000));
    let cookie = sealed_with(KEYS, "sid", &["--max-length", "0"], &long);
    let answer = refused(&cookie);
    assert_reasons(&answer, &["--max-length"]);
    assert_eq!(why_with(KEYS, &["--max-length", "0"], &cookie).status, 0);
}

#[test]
fn what_is_around_the_value_is_named() {
    let cookie = sealed(&[]);
    let percent = cookie.replace('=', "%3D");
    assert_ne!(percent, cookie, "the cookie has padding");
    let field = format!("Set-Cookie: sid={cookie}; Path=/; HttpOnly");
    for (text, reasons) in [
        (percent, &["percent-encoded"][..]),
        (format!("\"{cookie}\""), &["in quotes"]),
        (format!(" {cookie}\r\n"), &["white space"]),
        (field, &["the whole Set-Cookie field", "its name in front"]),
        (
            format!("Cookie: a=b; sid={cookie}"),
            &["the whole Cookie field", "its name in front"],
        ),
        (
            format!("{}\n  {}", &cookie[..40], &cookie[40..]),
            &["line breaks are within"],
        ),
        (
            format!("'sid={cookie}'"),
            &["in quotes", "its name in front"],
        ),
    ] {
        assert_reasons(&refused(&text), reasons);
        assert!(refused(&text).contains("opened by key 1"), "{text}");
    }
}

#[test]
fn another_base64_is_named() {
    // A text with both of the characters that differ, and with padding.
    let mut cookies = (0..1_000).map(|number| {
        sealed_with(
            KEYS,
            "sid",
            &["--at", &(1_790_000_000 + number).to_string()],
            "\"ape\"",
        )
    });
    let cookie = cookies.find(|cookie| cookie.contains(['-', '_']) && cookie.ends_with('='));
    let cookie = cookie.unwrap();
    let at = ["--at", "1790000000", "--max-age", "0"];
    let standard = cookie.replace('-', "+").replace('_', "/");
    assert_reasons(&refused_with(KEYS, &at, &standard), &["standard base64"]);
    let bare = cookie.trim_end_matches('=');
    assert_reasons(&refused_with(KEYS, &at, bare), &["the = at the end"]);
}

#[test]
fn a_damaged_cookie_is_described() {
    let cookie = sealed(&[]);
    let half = cookie.len() / 2 / 4 * 4;
    for (text, reason) in [
        (String::new(), "the value is empty"),
        (cookie[..half].to_owned(), "cut"),
        (cookie[..cookie.len() - 8].to_owned(), "cut"),
        (cookie[..cookie.len() - 7].to_owned(), "cut"),
        (cookie[8..].to_owned(), "its beginning is missing"),
        (cookie.to_lowercase(), "no capital letters"),
        (cookie.to_uppercase(), "no small letters"),
        (cookie.replacen('M', "*", 1), "the character '*'"),
        (cookie.replacen("MT", "Mß", 1), "the character 'ß'"),
    ] {
        assert_reasons(&refused(&text), &[reason]);
    }
    let mut changed = cookie.into_bytes();
    let place = changed.len() / 2;
    changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
    // The changed character may be in the payload, or make it unreadable.
    let answer = refused(&String::from_utf8(changed).unwrap());
    assert_reasons(&answer, &["changed"]);
}

/// The texts were made by these programs, or have the form that their documentation gives.
#[test]
fn the_cookie_of_another_program_is_recognized() {
    let csrf = "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"";
    let csrf = sealed_with(OTHER, "_gorilla_csrf", &["--serializer", "json"], csrf);
    for (text, what) in [
        (&*csrf, "gorilla/csrf"),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcGUifQ.c2lnbmF0dXJl",
            "JSON Web Token",
        ),
        (
            "eyJ1c2VyIjoiYXBlIn0.ZxQ3bA.Vh1m2o3p4q5r6s7t8u9v0w1x2y3",
            "Flask",
        ),
        (
            "BAh7B0kiD3Nlc3Npb25faWQ=--0123456789abcdef0123456789abcdef01234567",
            "Rails",
        ),
        ("dGVzdA==--aXYgaXYgaXYgaXYg--dGFnIHRhZyB0YWcg", "Rails"),
        (
            "ape:1tABCD:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            "Django",
        ),
        ("s:abc.c2lnbmF0dXJl", "Express"),
        (
            "eJ1qkSSuPNYyk62zwqROJ0Rfrv2TM6HWV4QqKfCkNSc",
            "alexedwards/scs",
        ),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST",
            "the bare ID",
        ),
        ("AAECAwQFBgcICQoLDA0ODw", "the random ID"),
        ("0123456789abcdef0123456789abcdef", "the random ID"),
        ("0123456789abcdef0123456789abcdef01234567", "the random ID"),
        ("123e4567-e89b-12d3-a456-426614174000", "the random ID"),
    ] {
        assert_reasons(&refused(text), &[what]);
    }
}

/// A row of a server store is sealed like a cookie, and the cookie holds its ID.
#[test]
fn an_id_and_a_row_are_told_apart() {
    let id = "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST\"";
    let answer = refused(&format!(" {}", sealed_with(KEYS, "sid", &[], id)));
    assert!(
        answer.contains("the ID of a session in a server"),
        "{answer}"
    );
    let answer = refused(&format!(" {}", sealed(&[])));
    assert!(answer.contains("a session with 2 values"), "{answer}");
    assert!(!answer.contains("ape"), "{answer}");
}

#[test]
fn the_cookie_may_come_from_standard_input() {
    let cookie = sealed(&[]);
    let arguments = ["why", "--keys", KEYS, "--name", "sid"];
    for end in ["", "\n", "\r\n"] {
        let run = silverback(arguments, format!("{cookie}{end}"));
        assert_eq!((run.status, &*run.stdout), (0, "the cookie opens\n"));
    }
    let refused = silverback(["why", "--keys", KEYS, "--name", "sid", "--jsno"], "");
    assert!(refused.fails(2).contains("no such option"));
    let run = silverback(arguments, b"\xff\xfe");
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains("the character"), "{}", run.stdout);
}

#[test]
fn several_cookies_of_the_name_are_tried() {
    let (good, old) = (sealed(&[]), sealed(&["--at", "1700000000"]));
    for text in [
        format!("sid={old}; sid={good}"),
        format!("sid={good}; sid={old}"),
    ] {
        assert_reasons(
            &refused(&text),
            &["its name in front", "2 cookies of this name"],
        );
    }
    let answer = refused(&format!("sid={old}; sid=x"));
    assert_reasons(
        &answer,
        &["its name in front", "2 cookies of this name", "expired"],
    );
    assert_reasons(
        &refused("sid="),
        &["its name in front", "the value is empty"],
    );
}

/// The answer does not blame a key that did not seal the cookie.
#[test]
fn only_the_pair_that_opens_is_described() {
    let (hash, _) = KEYS.split_once(':').unwrap();
    let keys = format!("{OTHER}:{OTHER_BLOCK},{hash}");
    let cookie = sealed_with(hash, "sid", &["--at", "1700000000"], "{}");
    assert_reasons(&refused_with(&keys, &[], &cookie), &["expired"]);
}

#[test]
fn a_text_that_looks_like_nothing_is_no_other_program() {
    for text in ["1.2.3", "deleted", "en-US"] {
        let answer = refused(text);
        assert!(answer.contains("another cookie"), "{answer}");
    }
}

#[test]
fn no_key_is_guessed() {
    let run = silverback(["why", "--name", "sid", &sealed(&[])], "");
    assert!(run.fails(2).contains("no keys are given"));
}

#[test]
fn inspect_takes_pasted_text_too() {
    let cookie = sealed(&[]);
    let shown = silverback(
        ["inspect", &format!("Set-Cookie: sid={cookie}; Path=/")],
        "",
    )
    .ok();
    assert!(
        shown.contains("note: the whole Set-Cookie field is given"),
        "{shown}"
    );
    let (hash, _) = KEYS.split_once(':').unwrap();
    let signed = sealed_with(hash, "sid", &[], r#"{"user": "ape"}"#);
    let shown = silverback(["inspect", &signed], "").ok();
    assert!(shown.contains(", gob\n"), "{shown}");
}
