//! The formats of rows: what is written is read, what is tampered with is not, and what Go
//! wrote is read.

use std::collections::BTreeMap;

use super::super::lifetime::Lifetime;
use super::super::metadata::{Login, Metadata};
use super::super::{CookieOptions, Values};
use super::*;
use crate::codec::{Codecs, KeyPair};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const WRITE: WriteId = [7; 16];

fn setup(cookie: &str) -> Setup {
    let cookie = CookieOptions::new().name(cookie).unwrap();
    let mut setup = Setup::new(cookie, Lifetime::new(), Terms::Gob).unwrap();
    setup.clock = Arc::new(|| NOW);
    setup
}

fn codec(pair: &KeyPair) -> Arc<dyn Codec> {
    Arc::new(Codecs::from_pairs([pair.clone()]).unwrap())
}

fn format(dialect: Dialect, pair: &KeyPair, store: &str, cookie: &str) -> Box<dyn RowFormat> {
    let layout = Layout::Native; // only pgstore's has a say
    let format = dialect.format(codec(pair), None, store, &setup(cookie), layout);
    format.unwrap().0
}

fn content() -> Content {
    let mut values = Values::new();
    values.insert("visits", 7).unwrap();
    values.insert("name", "Koko").unwrap();
    let mut metadata = Metadata::new(&Lifetime::new(), NOW);
    metadata.login = Some(Login {
        owner: "ape".to_owned(),
        at: NOW,
        epoch: None,
    });
    Content { values, metadata }
}

const ALL: [Dialect; 4] = [
    Dialect::Native,
    Dialect::Gorilla,
    Dialect::Dynastore,
    Dialect::Scs,
];

#[test]
fn a_row_that_is_written_is_read() {
    let pair = KeyPair::generate().unwrap();
    for dialect in ALL {
        let format = format(dialect, &pair, "", "__Host-id");
        let key = format.key(&format.new_id().unwrap()).unwrap();
        let row = Row::Live(content());
        let bytes = format.write(&key, &row, WRITE, NOW).unwrap().unwrap();
        let read = format.read(&key, &bytes, NOW).unwrap();
        assert_eq!(read.write, WRITE);
        let Row::Live(read) = read.row else {
            panic!("it lives");
        };
        assert_eq!(read.metadata, content().metadata, "{dialect:?}");
        assert_eq!(read.values.get("visits").unwrap(), Some(7));
        let name: Option<String> = read.values.get("name").unwrap();
        assert_eq!(name.as_deref(), Some("Koko"));
        assert_eq!(read.values.len(), 2);
    }
}

#[test]
fn an_id_goes_through_the_cookie() {
    let pair = KeyPair::generate().unwrap();
    for dialect in ALL {
        let format = format(dialect, &pair, "", "__Host-id");
        let id = format.new_id().unwrap();
        let cookie = format.seal_id(&id, NOW).unwrap();
        let opened = format.open_id(&cookie, NOW).unwrap().ok().unwrap();
        assert_eq!(opened.id.as_bytes(), id.as_bytes());
        assert_eq!((opened.sealed_at, opened.is_stale), (NOW, false));
        assert_ne!(format.new_id().unwrap().as_bytes(), id.as_bytes());
        let tampered = [&cookie[..cookie.len() - 2], "!!"].concat();
        for not_valid in ["", "x", tampered.as_str()] {
            let opened = format.open_id(not_valid, NOW).unwrap();
            assert_eq!(opened.err(), Some(Refusal::NotValid), "{dialect:?}");
        }
    }
}

#[test]
fn a_tombstone_tells_where_it_went() {
    let pair = KeyPair::generate().unwrap();
    let format = format(Dialect::Native, &pair, "", "__Host-id");
    let key = format.key(&format.new_id().unwrap()).unwrap();
    let other = format.key(&format.new_id().unwrap()).unwrap();
    for moved_to in [None, Some(other)] {
        let row = Row::Tombstone {
            moved_to: moved_to.clone(),
        };
        let bytes = format.write(&key, &row, WRITE, NOW).unwrap().unwrap();
        let read = format.read(&key, &bytes, NOW).unwrap();
        let Row::Tombstone { moved_to: read } = read.row else {
            panic!("it is dead");
        };
        assert_eq!(read, moved_to);
    }
}

#[test]
fn a_native_row_opens_in_its_place_only() {
    let pair = KeyPair::generate().unwrap();
    let native = |store, cookie| format(Dialect::Native, &pair, store, cookie);
    let own = native("shop", "__Host-id");
    let key = own.key(&own.new_id().unwrap()).unwrap();
    let row = Row::Live(content());
    let bytes = own.write(&key, &row, WRITE, NOW).unwrap().unwrap();
    assert!(own.read(&key, &bytes, NOW).is_some());
    let elsewhere = own.key(&own.new_id().unwrap()).unwrap();
    assert!(own.read(&elsewhere, &bytes, NOW).is_none());
    for other in [native("", "__Host-id"), native("shop", "__Host-shop")] {
        assert!(other.read(&key, &bytes, NOW).is_none());
    }
    // The names are apart, however they are spelt.
    let run_together = native("shop\0__Host", "__Host-id");
    assert!(run_together.read(&key, &bytes, NOW).is_none());
    let mut places = 0..bytes.len();
    assert!(places.all(|place| {
        let mut tampered = bytes.clone();
        tampered[place] ^= 1;
        own.read(&key, &tampered, NOW).is_none()
    }));
}

/// A row is no cookie, and a cookie no row, though both come from one chain of keys.
#[test]
fn a_native_row_is_no_cookie() {
    let pair = KeyPair::generate().unwrap();
    let native = format(Dialect::Native, &pair, "", "__Host-id");
    let id = native.new_id().unwrap();
    let key = native.key(&id).unwrap();
    let row = Row::Live(content());
    let bytes = native.write(&key, &row, WRITE, NOW).unwrap().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let name = std::str::from_utf8(key.as_bytes()).unwrap();
    assert!(codec(&pair).open_at(name, text, NOW).is_err());
    let cookie = codec(&pair).seal_at(name, b"payload", NOW).unwrap();
    assert!(native.read(&key, cookie.as_bytes(), NOW).is_none());
}

#[test]
fn the_key_of_a_native_row_is_the_hash_of_its_id() {
    let pair = KeyPair::generate().unwrap();
    let native = format(Dialect::Native, &pair, "", "__Host-id");
    let key = native.key(&Id::new([0; 32])).unwrap();
    // echo -n of 32 zero bytes, through SHA-256.
    assert_eq!(
        key.as_bytes(),
        b"Zmh6rfhivXdsj8GLjp-OIAiXFIVu4jOzkCpZHQ1fKSU"
    );
}

#[test]
fn rows_that_go_programs_wrote_are_read() {
    let rows = include_str!("../../../tests/vectors/go_values.jsonl");
    let scs = format(Dialect::Scs, &KeyPair::generate().unwrap(), "", "session");
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let mut read = 0;
    for line in rows.lines() {
        let case: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        if case["Kind"] != "scs-row" {
            continue;
        }
        let bytes = {
            use base64::Engine;
            let text = case["Cookie"].as_str().unwrap();
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .unwrap()
        };
        let row = scs.read(&key, &bytes, UnixTime::from_secs(0)).unwrap();
        let Row::Live(content) = &row.row else {
            panic!("scs has no tombstones");
        };
        let expected = case["Want"]["Values"].as_object().unwrap();
        let mut keys: Vec<&str> = content.values.keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, expected.keys().collect::<Vec<_>>());
        // Written again, it is the same.
        let again = scs.write(&key, &row.row, WRITE, NOW).unwrap().unwrap();
        let again = scs.read(&key, &again, NOW).unwrap();
        let Row::Live(again) = again.row else {
            panic!("scs has no tombstones");
        };
        assert_eq!(
            crate::gob::Value::Composite(again.values.to_gob()).to_vec(),
            crate::gob::Value::Composite(content.values.to_gob()).to_vec()
        );
        read += 1;
    }
    assert!(read >= 8, "{read} rows");
}

#[test]
fn base32_is_that_of_the_rfc() {
    // RFC 4648, section 10.
    let pair = KeyPair::generate().unwrap();
    let gorilla = format(Dialect::Gorilla, &pair, "", "session");
    let id = gorilla.new_id().unwrap();
    assert_eq!(id.as_bytes().len(), 52);
    for (bytes, text) in [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ] {
        assert_eq!(gorilla::base32(bytes.as_bytes()), text);
    }
}

#[test]
fn a_bare_id_is_what_gorilla_makes_and_nothing_else() {
    let pair = KeyPair::generate().unwrap();
    let format = format(Dialect::Dynastore, &pair, "", "session");
    let id = format.new_id().unwrap();
    let cookie = format.seal_id(&id, NOW).unwrap();
    assert_eq!(cookie.as_bytes(), id.as_bytes());
    let opened = format.open_id(&cookie, NOW).unwrap();
    assert_eq!(opened.ok().unwrap().id.as_bytes(), id.as_bytes());
    let lower = cookie.to_lowercase();
    for other in ["", &cookie[1..], &lower, &format!("{cookie}A"), "../etc"] {
        assert!(format.open_id(other, NOW).unwrap().is_err(), "{other}");
    }
}

#[test]
fn a_dialect_wants_rows_of_its_own() {
    let gorilla = Layout::Gorilla {
        keeps_expiries: true,
    };
    for dialect in ALL {
        let fitting = [Layout::Native, gorilla, Layout::Scs]
            .into_iter()
            .filter(|layout| dialect.check_layout(*layout).is_ok());
        assert_eq!(fitting.count(), 1, "{dialect:?}");
    }
    assert!(Dialect::Native.check_layout(Layout::Native).is_ok());
    for layout in [gorilla, Layout::Pgstore] {
        assert!(Dialect::Gorilla.check_layout(layout).is_ok());
    }
}
