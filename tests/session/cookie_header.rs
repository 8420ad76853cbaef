//! Cookie fields: the vectors of abarth/http-state that concern a server, and the rules of Go's
//! net/http.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use silverback::codec::{Codec, Error, Opened, Serializer, UnixTime};
use silverback::session::{CookieOptions, CookieStore, Lifetime, Sessions, Stores};

use super::site::RUNTIME;

/// A codec that opens no cookie, and records each cookie that it should open.
#[derive(Clone, Default)]
struct RecordingCodec(Arc<Mutex<Vec<String>>>);

impl Codec for RecordingCodec {
    fn seal_into(&self, _: &str, _: &[u8], _: UnixTime, _: &mut String) -> Result<(), Error> {
        Err(Error::usage("this codec seals nothing"))
    }

    fn open_into(
        &self,
        _: &str,
        cookie: &str,
        _: UnixTime,
        _: &mut Vec<u8>,
    ) -> Result<Opened, Error> {
        self.0.lock().unwrap().push(cookie.to_owned());
        Err(Error::not_valid())
    }

    fn serializer(&self) -> Serializer {
        Serializer::Gob
    }
}

/// Returns the values that the codec gets for a session name in these Cookie fields.
fn values(name: &str, fields: &[&[u8]]) -> Vec<String> {
    let asked = RecordingCodec::default();
    let options = CookieOptions::new().name(name).unwrap();
    let store = CookieStore::with_options(asked.clone(), options, Lifetime::new()).unwrap();
    let sessions = Sessions::of_request(&Stores::from(store), fields.iter().copied(), None, "/");
    RUNTIME.block_on(sessions.session()).unwrap();
    std::mem::take(&mut *asked.0.lock().unwrap())
}

#[derive(Deserialize)]
struct Vector {
    test: String,
    sent: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

#[test]
fn cookie_fields_are_read_as_the_vectors_say() {
    let text = include_str!("../vectors/http_state_parser.json");
    let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 56);
    // Law 10 differs from the vectors here: bytes outside ASCII, quotes, and names that are not
    // tokens.
    let refused = [
        "CHARSET0003",
        "CHROMIUM0003",
        "CHROMIUM0007",
        "CHROMIUM0011",
        "MOZILLA0012",
        "NAME0019",
        "VALUE0005",
    ];
    let (read, not_read) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for Vector { test, sent } in &vectors {
        let pairs: Vec<String> = sent
            .iter()
            .map(|pair| format!("{}={}", pair.name, pair.value))
            .collect();
        let field = pairs.join("; ");
        let mut differs = false;
        for pair in sent {
            if CookieOptions::new().name(&*pair.name).is_err() {
                // No session has such a name.
                differs = true;
                continue;
            }
            let mut expected: Vec<&str> = Vec::new();
            for same in sent.iter().filter(|other| other.name == pair.name) {
                if !expected.contains(&&*same.value) {
                    expected.push(&same.value);
                }
            }
            let found = values(&pair.name, &[field.as_bytes()]);
            differs |= found != expected;
            read.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(differs, refused.contains(&&**test), "{test}: {field}");
        not_read.fetch_add(usize::from(differs), Ordering::Relaxed);
    }
    assert!(read.into_inner() > 30);
    assert_eq!(not_read.into_inner(), refused.len());
}

#[test]
fn cookie_fields_are_read_as_go_reads_them() {
    let none: &[&str] = &[];
    let cases: &[(&[u8], &[&str])] = &[
        (b"", none),
        (b";;; ; ", none),
        (b"sid=v", &["v"]),
        (b" \t sid=v \t ", &["v"]),
        (b"sid =v; \tsid\t=w", &["v", "w"]),
        // Only whitespace around the pair is removed.
        (b"sid= v", &[" v"]),
        (b"sid", &[""]),
        (b"sid=", &[""]),
        (b"sid=a=b==", &["a=b=="]),
        (b"sid=\"v\"", &["v"]),
        (b"sid=\"\"", &[""]),
        (b"sid=\"\"v\"\"", none),
        (b"sid=\"", none),
        (b"sid=\"v", none),
        (b"sid=a\"b", none),
        (b"sid=a\\b", none),
        (b"sid=a b,c", &["a b,c"]),
        (b"sid=a\x7fb", none),
        (b"sid=a\x1fb", none),
        (b"sid=\xc3\xa4", none),
        (b"sid=\xc3\xa4; sid=v", &["v"]),
        // Names are compared byte by byte.
        (b"SID=v; s%69d=v; \"sid\"=v; sid2=v; xsid=v", none),
        (b"\x0bsid=v; \xc2\xa0sid=v", none),
        (b"sid=v; sid=v; sid=w", &["v", "w"]),
        (b"$Version=1; sid=v; $Path=/", &["v"]),
        (b"a=b, sid=v", none),
    ];
    for (field, expected) in cases {
        let text = String::from_utf8_lossy(field);
        assert_eq!(values("sid", &[field]), *expected, "{text:?}");
    }
    assert_eq!(values("sid", &[b"sid=v", b"a=b", b"sid=w"]), ["v", "w"]);
}

#[test]
fn the_limits_apply_to_all_fields_together() {
    let large = format!("a={}", "x".repeat(512 * 1024 - 2 - 5));
    let fields: [&[u8]; 3] = [large.as_bytes(), large.as_bytes(), b"sid=valu=e"];
    assert_eq!(values("sid", &fields), ["valu=e"], "1 MiB in all");
    let fields: [&[u8]; 3] = [large.as_bytes(), large.as_bytes(), b"sid=value=e"];
    assert_eq!(values("sid", &fields).len(), 0);
    let many = "a; ".repeat(4_095);
    assert_eq!(values("sid", &[many.as_bytes(), b"sid=v"]), ["v"]);
    assert_eq!(values("sid", &[many.as_bytes(), b"a", b"sid=v"]).len(), 0);
    assert_eq!(values("sid", &[many.as_bytes(), b"sid=v", b"a"]).len(), 0);
}
