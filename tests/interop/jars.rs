//! Sealed jars and gorilla: Go opens the cookies of a jar, and a jar opens those of Go.

use cookie::{Cookie, CookieJar};
use serde_json::Value;
use silverback::codec::{CodecOptions, SecureCookie, Serializer};
use silverback::jar::{CookieJarExt, SealedCookies, safe_cookie};

use crate::cases::{Case, Cases};
use crate::gorilla::Gorilla;

/// The number of cookies in each direction, before those without a text or JSON are left out.
const CASES: u64 = 2000;

/// A codec that seals texts, or JSON documents.
fn codec(case: &Case) -> SecureCookie {
    let serializer = match case.serializer {
        "json" => Serializer::Json,
        _ => Serializer::Gob,
    };
    case.codec_with(CodecOptions::new().serializer(serializer))
}

/// Returns the random cases that hold a text or JSON.
fn cases() -> impl Iterator<Item = Case> {
    Cases::from_environment(CASES).filter(|case| case.serializer != "raw")
}

fn text(case: &Case) -> &str {
    std::str::from_utf8(&case.payload).unwrap()
}

/// Adds the case's value to a jar, and returns the text of the cookie.
fn added(case: &Case) -> String {
    let mut jar = CookieJar::new();
    let mut sealed = jar.sealed_mut(codec(case));
    let cookie = safe_cookie(case.name.clone());
    match case.serializer {
        "json" => {
            let value: Value = serde_json::from_slice(&case.payload).unwrap();
            sealed.add_value(cookie, &value).unwrap();
        }
        _ => {
            let mut cookie = cookie.build();
            cookie.set_value(text(case).to_owned());
            sealed.add(cookie).unwrap();
        }
    }
    jar.get(&case.name).unwrap().value().to_owned()
}

#[test]
fn gorilla_opens_cookies_of_a_jar() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let (mut opened, mut encoded) = (0, 0);
    for case in cases() {
        let cookie = added(&case);
        let payload = gorilla.open(&case, &cookie);
        assert_eq!(
            case.compared(&payload),
            case.compared(&case.payload),
            "{case:?}"
        );
        opened += 1;
        // This is how the jars of axum-extra and Rocket send it.
        let sent = Cookie::new(case.name.clone(), cookie.clone());
        let sent = sent.encoded().stripped().to_string();
        if sent.ends_with("%3D") {
            gorilla.refuses(&case, sent.split_once('=').unwrap().1);
            encoded += 1;
        }
    }
    assert!(
        encoded > opened / 3,
        "{encoded} of {opened} cookies end with ="
    );
}

#[test]
fn a_jar_opens_cookies_of_gorilla() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    for case in cases() {
        let cookie = gorilla.seal(&case);
        let field = format!("a=b; {}={cookie}", case.name);
        let cookies = SealedCookies::of_request(codec(&case), [field.as_bytes()]);
        let mut jar = CookieJar::new();
        jar.add_original((case.name.clone(), cookie));
        let sealed = jar.sealed(codec(&case));
        if case.serializer == "json" {
            let expected: Value = serde_json::from_slice(&case.payload).unwrap();
            let opened = sealed.get_value::<Value>(&case.name).unwrap().unwrap();
            assert_eq!(opened.value(), &expected, "{case:?}");
            let opened = cookies.get_value::<Value>(&case.name).unwrap().unwrap();
            assert_eq!(opened.value(), &expected, "{case:?}");
        } else {
            let opened = sealed.get(&case.name).unwrap().unwrap();
            assert_eq!(opened.value(), text(&case), "{case:?}");
            let opened = cookies.get(&case.name).unwrap().unwrap();
            assert_eq!(opened.value(), text(&case), "{case:?}");
        }
    }
}
