//! Wrong flags, commands and values: the error names what was meant, and quotes nothing.

use crate::program::{KEYS, silverback};

#[test]
fn a_typo_gets_a_suggestion() {
    for (arguments, suggestion) in [
        (&["decod"][..], "decode"),
        (&["encod"], "encode"),
        (&["keygn"], "keygen"),
        (&["inspekt"], "inspect"),
        (&["resael"], "reseal"),
        (&["session", "list"], "sessions"),
        (&["sessions", "lst"], "list"),
        (&["sessions", "revok"], "revoke"),
        (&["sessions", "migrat"], "migrate"),
        (&["decode", "--nam", "sid", "x"], "--name"),
        (&["decode", "--name", "sid", "--key", KEYS, "x"], "--keys"),
        (
            &["decode", "--name", "sid", "--keyfile", "x", "x"],
            "--keys-file",
        ),
        (
            &["decode", "--name", "sid", "--serialiser", "json", "x"],
            "--serializer",
        ),
        (
            &["decode", "--name", "sid", "--chipher", "cfb", "x"],
            "--cipher",
        ),
        (
            &["decode", "--name", "sid", "--max-lenght=0", "x"],
            "--max-length",
        ),
        (&["decode", "--name", "sid", "--typs", "x"], "--types"),
        (
            &["decode", "--name", "sid", "--serializer", "jsno", "x"],
            "json",
        ),
        (&["decode", "--row", "redistor", "x"], "redistore"),
        (&["why", "--nmae", "sid", "x"], "--name"),
        (&["inspect", "--jsn", "x"], "--json"),
        (&["edit", "--name", "sid", "--unste", "x", "x"], "--unset"),
        (&["sessions", "list", "--stor", "x"], "--store"),
        (&["sessions", "list", "--owners", "x"], "--owner"),
        (&["sessions", "list", "--dialect", "redistor"], "redistore"),
        (&["sessions", "revoke", "--befor", "2h"], "--before"),
        (&["sessions", "revoke", "--dry_run", "--all"], "--dry-run"),
        (&["completions", "bsh"], "bash"),
    ] {
        let error = silverback(arguments, "").fails(2);
        let suggested = format!("did you mean {suggestion}?");
        assert!(error.contains(&suggested), "{arguments:?}: {error}");
    }
}

#[test]
fn another_word_for_a_command_gets_its_name() {
    for (word, command) in [
        ("decrypt", "decode"),
        ("open", "decode"),
        ("encrypt", "encode"),
        ("seal", "encode"),
        ("generate", "keygen"),
        ("rotate", "reseal"),
        ("explain", "why"),
    ] {
        let error = silverback([word], "").fails(2);
        assert!(
            error.contains(&format!("did you mean {command}?")),
            "{word}: {error}"
        );
    }
    for (word, command) in [
        ("delete", "end"),
        ("logout", "end"),
        ("ls", "list"),
        ("cat", "show"),
    ] {
        let error = silverback(["sessions", word], "").fails(2);
        assert!(
            error.contains(&format!("did you mean sessions {command}?")),
            "{word}: {error}"
        );
    }
}

#[test]
fn a_cookie_or_a_key_in_place_of_the_name_is_recognized_and_not_quoted() {
    let cookie = silverback(["encode", "--keys", KEYS, "--name", "sid"], "\"ape\"").ok();
    let cookie = cookie.trim();
    let pasted = format!("sid={cookie}; Path=/");
    let hash = KEYS.split(':').next().unwrap();
    for command in [
        &["decode"][..],
        &["why"],
        &["reseal"],
        &["edit"],
        &["encode"],
        &["sessions", "show"],
    ] {
        for (name, what) in [
            (cookie, "this is a cookie"),
            (&*pasted, "this is a cookie"),
            (KEYS, "this is a key"),
            (hash, "this is a key"),
            ("b64=c2VjcmV0", "this is a key"),
            ("text=secret", "this is a key"),
        ] {
            let arguments = [command, &["--name", name]].concat();
            let error = silverback(arguments, "").fails(2);
            assert!(
                error.contains(what) && error.contains("such as sid"),
                "{command:?}: {error}"
            );
            assert!(!error.contains(name) && !error.contains("c2Vjc"), "{error}");
        }
    }
    let error = silverback(["why", "--name", "sid", "--other-name", cookie, "x"], "").fails(2);
    assert!(error.contains("this is a cookie"), "{error}");
}

#[test]
fn a_pasted_cookie_gets_a_hint_only_if_its_value_opens() {
    let fixed = ["--keys", KEYS, "--name", "sid"];
    let cookie = silverback(["encode"].iter().chain(&fixed), "\"ape\"").ok();
    let cookie = cookie.trim();
    for (text, hint) in [
        (
            format!("sid={cookie}"),
            "the value has its name in front of it: give the value alone",
        ),
        (
            format!("Cookie: sid={cookie}"),
            "the whole Cookie field is given",
        ),
        (format!("\"{cookie}\""), "the value is in quotes"),
        (cookie.replace('=', "%3D"), "percent-encoded"),
    ] {
        let refused = silverback(["decode"].iter().chain(&fixed).chain(&[&*text]), "").fails(1);
        let is_changed = text != cookie;
        assert_eq!(refused.contains(hint), is_changed, "{refused}");
        assert!(!refused.contains(cookie), "{refused}");
    }
    let other = silverback(["decode"].iter().chain(&fixed).chain(&["sid=nonsense"]), "").fails(1);
    assert!(!other.contains("in front of it"), "{other}");
}

#[test]
fn the_help_warns_of_keys_on_the_command_line() {
    for command in [
        &["decode"][..],
        &["sessions", "show"],
        &["sessions", "revoke"],
    ] {
        let help = silverback(command.iter().chain(&["--help"]), "").ok();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("users of the machine can see the command line"),
            "{help}"
        );
    }
}
