//! Tests against gorilla and scs themselves: gorilla opens thousands of random cookies of
//! Silverback and the reverse, and Go compares as many of its own sessions after they were read and
//! changed here. Go's own guard against requests of other origins decides on the same requests as
//! ours.
//!
//! The tests need `go`. Without it they print a message and pass, unless `SILVERBACK_REQUIRE` names
//! `go`, as in CI. The seed is printed; set `SILVERBACK_SEED` to repeat the same cases, and
//! `SILVERBACK_CASES` for more cases.

#[cfg(all(
    feature = "session",
    feature = "files",
    any(
        feature = "aws",
        feature = "etcd",
        feature = "memcached",
        feature = "mysql",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite"
    )
))]
mod alternating;
#[cfg(all(feature = "session", feature = "files"))]
mod any;
mod cases;
#[cfg(all(feature = "axum", feature = "actix"))]
mod cross_origin;
#[cfg(all(feature = "session", feature = "files", feature = "postgres"))]
mod database;
#[cfg(all(
    feature = "session",
    feature = "files",
    feature = "legacy",
    feature = "memcached",
    feature = "redis"
))]
mod dolab;
#[cfg(all(
    feature = "session",
    feature = "files",
    feature = "legacy",
    feature = "memcached",
    feature = "redis"
))]
#[path = "../support/dolab_cookie.rs"]
mod dolab_cookie;
#[cfg(all(feature = "session", feature = "files", feature = "etcd"))]
mod etcd;
mod gorilla;
#[cfg(all(feature = "session", feature = "files"))]
#[path = "../support/in_layout.rs"]
mod in_layout;
#[cfg(feature = "cookie")]
mod jars;
#[cfg(all(feature = "session", feature = "files", feature = "memcached"))]
mod memcached;
#[cfg(all(feature = "session", feature = "files", feature = "mysql"))]
mod mysql;
#[cfg(all(feature = "axum", feature = "actix"))]
mod random_requests;
#[cfg(all(feature = "session", feature = "files", feature = "redis"))]
mod redis;
#[path = "../support/required.rs"]
mod required;
#[cfg(all(feature = "session", feature = "files", feature = "redis"))]
mod scs_manager;
#[cfg(all(
    feature = "session",
    feature = "files",
    any(
        feature = "aws",
        feature = "etcd",
        feature = "memcached",
        feature = "mysql",
        feature = "postgres",
        feature = "redis"
    )
))]
#[path = "../support/servers/mod.rs"]
mod servers;
mod sessions;
#[cfg(all(feature = "session", feature = "files", feature = "sqlite"))]
mod sqlite;
#[cfg(all(feature = "session", feature = "files", feature = "postgres"))]
mod stock;
#[cfg(all(feature = "session", feature = "files"))]
mod store;
#[cfg(all(feature = "session", feature = "files", feature = "aws"))]
mod tables;
#[cfg(all(feature = "session", feature = "files"))]
mod types;

use cases::{Case, Cases};
use gorilla::Gorilla;
use silverback::codec::{Codec, Codecs, KeyPairs};

/// The number of cookies in each direction.
const CASES: u64 = 4000;

#[test]
fn gorilla_opens_cookies_of_silverback() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    for case in Cases::from_environment(CASES) {
        let cookie = case.codec().seal(&case.name, &case.serialized()).unwrap();
        let opened = gorilla.open(&case, &cookie);
        assert_eq!(
            case.compared(&opened),
            case.compared(&case.payload),
            "{case:?}"
        );
    }
}

#[test]
fn silverback_opens_cookies_of_gorilla() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    for case in Cases::from_environment(CASES) {
        let cookie = gorilla.seal(&case);
        let opened = case.codec().open(&case.name, &cookie).unwrap();
        assert!(opened.age().as_secs() < 60);
        let payload = case.deserialized(opened.value());
        assert_eq!(
            case.compared(&payload),
            case.compared(&case.payload),
            "{case:?}"
        );
    }
}

#[test]
fn gorilla_refuses_cookies_of_another_key_or_name() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    for case in Cases::from_environment(200) {
        let cookie = case.codec().seal(&case.name, &case.serialized()).unwrap();
        let renamed = Case {
            name: format!("{}x", case.name),
            ..case.clone()
        };
        gorilla.refuses(&renamed, &cookie);
        let mut other_key = case.clone();
        other_key.hash_key[0] ^= 1;
        gorilla.refuses(&other_key, &cookie);
    }
}

/// The only cookie of Silverback that gorilla does not open (codec law 1).
#[test]
fn gorilla_refuses_an_empty_plaintext_under_encryption() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let case = Case {
        name: "sid".into(),
        hash_key: vec![7; 32],
        block_key: vec![7; 32],
        hash: "sha256",
        serializer: "raw",
        payload: Vec::new(),
    };
    let cookie = case.codec().seal("sid", b"").unwrap();
    gorilla.refuses(&case, &cookie);
}

/// One text under three readings is three keys, in Silverback and in Go: `[]byte(text)`,
/// `hex.DecodeString` and `base64.StdEncoding`. If the SPEC's reading differs from the Go
/// program's, there is a hint.
#[test]
fn keys_are_read_as_go_programs_read_them() {
    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let prefixes = ["", "text=", "b64="];
    for (in_go, case) in prefixes.into_iter().zip(Cases::from_environment(3)) {
        let spec = |prefix: &str| format!("{prefix}{DIGITS}");
        let key = match in_go {
            "" => base16ct::lower::decode_vec(DIGITS).unwrap(),
            "text=" => DIGITS.as_bytes().to_vec(),
            _ => base64::Engine::decode(&base64::prelude::BASE64_STANDARD, DIGITS).unwrap(),
        };
        let case = Case {
            hash_key: key,
            block_key: Vec::new(),
            hash: "sha256",
            ..case
        };
        let cookie = gorilla.seal(&case);
        let opens = |pairs: KeyPairs| {
            let codecs = Codecs::from_pairs(pairs).unwrap();
            codecs.open(&case.name, &cookie).is_ok()
        };
        for prefix in prefixes {
            let is_same = prefix == in_go;
            assert_eq!(opens(spec(prefix).parse().unwrap()), is_same, "{prefix}");
            let others = KeyPairs::other_readings(&spec(prefix));
            let hints = others.iter().filter(|other| opens(other.keys().clone()));
            assert_eq!(hints.count(), usize::from(!is_same), "{prefix}");
        }
    }
}
