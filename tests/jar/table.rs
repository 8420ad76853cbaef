//! One table of cookies, through each way to hold them, over real HTTP.

use std::time::Duration;

use silverback::codec::{Codec, Codecs};

use super::servers::{KEYS, WAYS, Way, codecs, sealed};

const NOW: Duration = Duration::ZERO;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const VALID: &str = "valid ape";
const REFUSED: &str = "refused: not valid";
const AMBIGUOUS: &str = "refused: two different valid cookies of one name";

/// A row: its name, the Cookie fields of the request, and what each way says.
type Row = (&'static str, Vec<String>, [&'static str; 4]);

fn in_all(name: &'static str, cookies: Vec<String>, says: &'static str) -> Row {
    (name, cookies, [says; 4])
}

/// Returns a text that is sealed with the current key.
fn current(name: &str, value: &str) -> String {
    sealed(&KEYS.current, name, value, NOW)
}

/// Returns a sealed text that ends with `=`, or that does not.
fn padded(is_padded: bool) -> String {
    let values = ["ape", "apes", "silver", "silverback"].iter();
    let mut texts = values.map(|value| current("sid", value));
    texts.find(|text| text.ends_with('=') == is_padded).unwrap()
}

fn tampered() -> String {
    let text = current("sid", "ape");
    let (start, rest) = text.split_at(text.len() / 2);
    let other = if rest.starts_with('A') { "B" } else { "A" };
    format!("{start}{other}{}", &rest[1..])
}

fn rows_in_which_all_agree() -> Vec<Row> {
    let sid = |text: String| vec![format!("sid={text}")];
    let number = codecs().encode("sid", &7_u32).unwrap();
    vec![
        in_all("no cookie", vec![], "absent"),
        in_all("another cookie", vec!["a=b".to_owned()], "absent"),
        in_all("valid", sid(current("sid", "ape")), VALID),
        in_all(
            "among others",
            vec![format!("a=b; sid={}; c=d", current("sid", "ape"))],
            VALID,
        ),
        in_all("an empty text", sid(current("sid", "")), "valid "),
        in_all(
            "a text beyond ASCII",
            sid(current("sid", "\u{1f98d};\r\n")),
            "valid \u{1f98d};\r\n",
        ),
        in_all("tampered", sid(tampered()), REFUSED),
        in_all("cut", sid(current("sid", "ape")[..40].to_owned()), REFUSED),
        in_all(
            "moved to another name",
            sid(current("other", "ape")),
            REFUSED,
        ),
        in_all(
            "another case",
            vec![format!("SID={}", current("sid", "ape"))],
            "absent",
        ),
        in_all(
            "too old",
            sid(sealed(&KEYS.current, "sid", "ape", DAY * 31)),
            "refused: expired",
        ),
        in_all(
            "old enough",
            sid(sealed(&KEYS.current, "sid", "ape", DAY * 29)),
            VALID,
        ),
        in_all(
            "from an old key",
            sid(sealed(&KEYS.old, "sid", "ape", NOW)),
            "stale ape",
        ),
        in_all(
            "too old, from an old key",
            sid(sealed(&KEYS.old, "sid", "ape", DAY * 31)),
            "refused: expired",
        ),
        in_all(
            "from another key",
            sid(sealed(&KEYS.strange, "sid", "ape", NOW)),
            REFUSED,
        ),
        in_all("not sealed", sid("ape".to_owned()), REFUSED),
        in_all("empty", sid(String::new()), REFUSED),
        in_all("not a text", sid(number), REFUSED),
        in_all(
            "quoted",
            sid(format!("\"{}\"", current("sid", "ape"))),
            VALID,
        ),
        in_all(
            "over 4096 bytes",
            sid("a".repeat(4097)),
            "refused: too long: the cookie has 4097 bytes; the limit is 4096",
        ),
        in_all(
            "the same twice",
            vec![format!("sid={0}; sid={0}", current("sid", "ape"))],
            VALID,
        ),
    ]
}

/// Rows in which the ways differ, because the frameworks parse the Cookie fields themselves.
fn rows_that_differ() -> Vec<Row> {
    let [valid, other, forged] = ["ape", "owl"]
        .map(|value| format!("sid={}", current("sid", value)))
        .into_iter()
        .chain(["sid=forged".to_owned()])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let encoded = padded(true).replace('=', "%3D");
    let nine: Vec<String> = (0..9).map(|_| valid.clone()).collect();
    vec![
        (
            "twins in one field",
            vec![format!("{valid}; {other}")],
            ["valid owl", AMBIGUOUS, VALID, AMBIGUOUS],
        ),
        (
            "twins in two fields",
            vec![valid.clone(), other.clone()],
            ["valid owl", AMBIGUOUS, VALID, AMBIGUOUS],
        ),
        (
            "a forged one after the valid one",
            vec![format!("{valid}; {forged}")],
            [REFUSED, VALID, VALID, VALID],
        ),
        (
            "a forged one before the valid one",
            vec![format!("{forged}; {valid}")],
            [VALID, VALID, REFUSED, VALID],
        ),
        (
            "nine of the name",
            vec![nine.join("; ")],
            [
                VALID,
                "refused: too many cookies",
                VALID,
                "refused: too many cookies",
            ],
        ),
        (
            "a percent-encoded value",
            vec![format!("sid={encoded}")],
            ["decoded", REFUSED, "decoded", REFUSED],
        ),
        (
            "a percent-encoded name",
            vec![valid.replacen("sid", "s%69d", 1)],
            [VALID, "absent", VALID, "absent"],
        ),
        (
            "half quoted",
            vec![valid.replacen('=', "=\"", 1)],
            [REFUSED, "absent", REFUSED, "absent"],
        ),
        (
            "spaces around the name",
            vec![valid.replacen('=', " =", 1)],
            [VALID; 4],
        ),
        (
            "spaces before the value",
            vec![valid.replacen('=', "= ", 1)],
            [VALID, REFUSED, VALID, REFUSED],
        ),
        (
            "without an equals sign",
            vec!["sid".to_owned()],
            ["absent", REFUSED, "absent", REFUSED],
        ),
    ]
}

#[test]
fn each_way_says_what_the_table_says() {
    let decoded = Codec::decode::<String>(&codecs(), "sid", &padded(true)).unwrap();
    let decoded = format!("valid {decoded}");
    let rows: Vec<Row> = rows_in_which_all_agree()
        .into_iter()
        .chain(rows_that_differ())
        .collect();
    assert_eq!(rows.len(), 32);
    let mut wrong = Vec::new();
    for (name, cookies, expected) in rows {
        for (way, expected) in WAYS.into_iter().zip(expected) {
            let expected = expected.replace("decoded", &decoded);
            let says = way.get("sid", &cookies);
            if says != expected {
                wrong.push(format!("{name}, {way:?}: {says:?}, and not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns the pair of name and value in a Set-Cookie field.
fn pair(set_cookie: &str) -> (&str, &str) {
    let pair = set_cookie.split(';').next().unwrap();
    pair.split_once('=').unwrap()
}

#[test]
fn an_added_cookie_comes_back() {
    for way in WAYS {
        for value in ["", "a", "ap", "ape", "\u{1f98d};\r\n", &"a".repeat(2000)] {
            let response = way.ask("add", "sid", value, &[]);
            assert_eq!(response.status, 200);
            let [set_cookie] = response.set_cookies()[..] else {
                panic!("{way:?}: {:?}", response.set_cookies());
            };
            for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                assert!(
                    set_cookie.contains(&format!("; {attribute}")),
                    "{set_cookie}"
                );
            }
            let (name, text) = pair(set_cookie);
            let sent = format!("{name}={text}");
            assert_eq!(way.get("sid", &[sent]), format!("valid {value}"), "{way:?}");
        }
    }
}

/// Go's net/http and this crate read a cookie's value as it was sent. axum-extra encodes it.
#[test]
fn all_ways_but_axum_extra_set_the_frame_itself() {
    for way in WAYS {
        let mut encoded = 0;
        for value in ["a", "ap", "ape", "apes", "silver", "silverback"] {
            let response = way.ask("add", "sid", value, &[]);
            let (_, text) = pair(response.set_cookies()[0]);
            match text.ends_with("%3D") {
                true => encoded += 1,
                false => assert_eq!(codecs().decode::<String>("sid", text).unwrap(), value),
            }
        }
        assert_eq!(encoded > 0, way == Way::AxumExtra, "{way:?}: {encoded}");
    }
}

#[test]
fn a_cookie_that_no_browser_keeps_is_not_set() {
    let names = [
        "",
        "a b",
        "a=b",
        "a;b",
        "a,b",
        "\u{e4}",
        "a\r\nSet-Cookie: b=c",
        "a\0",
    ];
    let long = "a".repeat(4000);
    let cookies = names.map(|name| (name, "ape", "the cookie name is not a token"));
    for (name, value, reason) in cookies.into_iter().chain([("sid", &*long, "too long")]) {
        for way in WAYS {
            let response = way.ask("add", name, value, &[]);
            assert_eq!(response.status, 500, "{way:?} {name:?}");
            assert!(
                response.body.contains(reason),
                "{way:?} {name:?}: {}",
                response.body
            );
            assert!(response.set_cookies().is_empty(), "{way:?} {name:?}");
        }
    }
}

#[test]
fn a_removed_cookie_is_removed_from_the_client() {
    let cookies = [format!("sid={}", current("sid", "ape"))];
    for way in WAYS {
        let response = way.ask("remove", "sid", "", &cookies);
        let [set_cookie] = response.set_cookies()[..] else {
            panic!("{way:?}: {:?}", response.set_cookies());
        };
        assert!(set_cookie.starts_with("sid=;"), "{set_cookie}");
        for attribute in ["Max-Age=0", "Path=/", "Secure"] {
            assert!(
                set_cookie.contains(&format!("; {attribute}")),
                "{set_cookie}"
            );
        }
        // A jar of the crate `cookie` sends no removal of a cookie that the request does not have.
        let removals = way.ask("remove", "sid", "", &[]).set_cookies().len();
        assert_eq!(removals, usize::from(way != Way::AxumExtra), "{way:?}");
    }
}

#[test]
fn a_key_that_was_added_behind_opens_and_does_not_seal() {
    let only_old = Codecs::from_pairs([KEYS.old.clone()]).unwrap();
    for way in WAYS {
        let response = way.ask("add", "sid", "ape", &[]);
        let text = pair(response.set_cookies()[0]).1.replace("%3D", "=");
        assert!(only_old.decode::<String>("sid", &text).is_err(), "{way:?}");
    }
}

#[test]
fn no_shared_cache_keeps_a_response_with_sealed_cookies() {
    let cookies = [format!("sid={}", current("sid", "ape"))];
    for way in [Way::AxumSealed, Way::ActixSealed] {
        for (action, cache_control) in [
            ("get", "private, no-cache"),
            ("add", "no-store"),
            ("remove", "no-store"),
        ] {
            let response = way.ask(action, "sid", "ape", &cookies);
            assert_eq!(
                response.cache_control(),
                [cache_control],
                "{way:?} {action}"
            );
            assert_eq!(response.all("vary"), ["Cookie"], "{way:?} {action}");
        }
    }
}
