//! The formats of rows: a written row is read again, a row that was tampered with is refused, and
//! rows that Go wrote are read.

mod clear_rows;
mod dolab_rows;
mod native_rows;
mod scs_rows;

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::login::Login;
use super::super::metadata::{Metadata, NEVER_SEEN};
use super::super::protocol::{Row, Successor, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{CookieOptions, Refusal, Values};
use super::*;
use crate::backend::{Key, OwnerName};
use crate::codec::{CodecOptions, Codecs, KeyPair, Serializer, UnixTime};
use crate::gob::{Composite, GoString, Interface, Time, Value};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const WRITE: WriteId = [7; 16];

fn codec(pair: &KeyPair) -> Codecs {
    Codecs::from_pairs([pair.clone()]).unwrap()
}

fn native(pair: &KeyPair) -> NativeDialect {
    Dialect::native(codec(pair))
}

fn gorilla(pair: &KeyPair) -> GorillaDialect {
    Dialect::gorilla(codec(pair))
}

/// Returns each dialect.
fn all(pair: &KeyPair) -> [Dialect; 10] {
    let redistore = || Dialect::redistore(codec(pair));
    [
        native(pair).into(),
        gorilla(pair).into(),
        Dialect::dynastore(codec(pair)).into(),
        Dialect::scs().into(),
        Dialect::scs().hash_token_in_store(true).into(),
        Dialect::scs().json_rows().into(),
        redistore().into(),
        redistore().clear_rows(Serializer::Json).into(),
        Dialect::rbcervilla_redisstore().into(),
        Dialect::dolab(codec(pair)).into(),
    ]
}

/// Returns the format of that dialect under the cookie's name.
fn format(dialect: impl Into<Dialect>, cookie: &str) -> Box<dyn RowFormat> {
    format_with(dialect, cookie, Lifetime::new())
}

fn format_with(
    dialect: impl Into<Dialect>,
    cookie: &str,
    lifetime: Lifetime,
) -> Box<dyn RowFormat> {
    let dialect = dialect.into();
    let rules = dialect.rules();
    let cookie = CookieOptions::new().name(cookie).unwrap();
    let lifetime = rules.adapt(lifetime);
    let setup = Setup::new(cookie, lifetime, rules.model(), dialect.is_shared());
    let mut setup = setup.unwrap();
    setup.clock = Arc::new(|| NOW);
    let layout = Layout::Native; // only pgstore's makes a difference
    rules.format(&setup, layout).unwrap()
}

/// Returns the format of scs, with that lifetime.
fn scs_with(lifetime: Lifetime) -> Box<dyn RowFormat> {
    format_with(Dialect::scs(), "session", lifetime)
}

/// Returns a row as a Go program writes it.
fn scs_row(deadline: i64, values: &[(&str, Interface)]) -> Vec<u8> {
    let entries = values
        .iter()
        .map(|(key, value)| (GoString::from(*key), value.clone()));
    let row = Composite::deadline_and_values(deadline, entries);
    Value::Composite(row).to_vec()
}

fn live(read: Option<ReadRow>) -> SessionData {
    match read.unwrap().row {
        Row::Live(data) => data,
        Row::Tombstone { .. } => panic!("it lives"),
    }
}

/// Returns the deadline in a row of scs, in seconds, as Go reads it.
fn deadline_in(row: &[u8]) -> i64 {
    let Value::Composite(row) = Value::from_slice(row).unwrap() else {
        panic!("a row is a struct");
    };
    let deadline = Time::of(row.field("Deadline").unwrap()).unwrap();
    deadline.unix_seconds().unwrap()
}

/// A row that was read.
struct ReadRow {
    row: Row<SessionData>,
    write: WriteId,
}

/// Reads a row. Returns `None` if it is refused.
fn read(format: &dyn RowFormat, key: &Key, bytes: &[u8], now: UnixTime) -> Option<ReadRow> {
    let (row, write) = format.read(key, bytes, now).unwrap().ok()?;
    Some(ReadRow { row, write })
}

fn data() -> SessionData {
    let mut values = Values::new();
    values.insert("visits", 7).unwrap();
    values.insert("name", "Koko").unwrap();
    let mut metadata = Metadata::new(&Lifetime::new(), NOW);
    metadata.login = Some(Login {
        owner: OwnerName::new("ape").unwrap(),
        at: NOW,
        begun: None,
    });
    SessionData { values, metadata }
}

#[test]
fn a_row_that_is_written_is_read() {
    let pair = KeyPair::generate().unwrap();
    for dialect in all(&pair) {
        let format = format(dialect.clone(), "__Host-id");
        let key = format.key(&format.new_id().unwrap()).unwrap();
        let row = Row::Live(data());
        let bytes = format.write(&key, &row, WRITE, NOW).unwrap().unwrap();
        let read = read(&*format, &key, &bytes, NOW).unwrap();
        assert_eq!(read.write, WRITE);
        let Row::Live(read) = read.row else {
            panic!("it lives");
        };
        assert_eq!(read.metadata, data().metadata, "{dialect:?}");
        assert_eq!(read.values.get("visits").unwrap(), Some(7));
        let name: Option<String> = read.values.get("name").unwrap();
        assert_eq!(name.as_deref(), Some("Koko"));
        assert_eq!(read.values.len(), 2);
    }
}

#[test]
fn an_id_survives_the_cookie() {
    let pair = KeyPair::generate().unwrap();
    for dialect in all(&pair) {
        let format = format(dialect.clone(), "__Host-id");
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
fn rows_of_go_programs_are_read() {
    let rows = include_str!("../../../tests/vectors/go_values.jsonl");
    let scs = format(Dialect::scs(), "session");
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let mut rows_read = 0;
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
        let row = read(&*scs, &key, &bytes, UnixTime::from_secs(0)).unwrap();
        let Row::Live(data) = &row.row else {
            panic!("scs has no tombstones");
        };
        let expected = case["Want"]["Values"].as_object().unwrap();
        let mut keys: Vec<&str> = data.values.keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, expected.keys().collect::<Vec<_>>());
        // A row that is written again is the same.
        let again = scs.write(&key, &row.row, WRITE, NOW).unwrap().unwrap();
        let again = read(&*scs, &key, &again, NOW).unwrap();
        let Row::Live(again) = again.row else {
            panic!("scs has no tombstones");
        };
        assert_eq!(
            crate::gob::Value::Composite(again.values.to_gob()).to_vec(),
            crate::gob::Value::Composite(data.values.to_gob()).to_vec()
        );
        rows_read += 1;
    }
    assert!(rows_read >= 8, "{rows_read} rows");
}

#[test]
fn base32_matches_the_rfc() {
    // RFC 4648, section 10.
    let pair = KeyPair::generate().unwrap();
    let gorilla = format(gorilla(&pair), "session");
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
        assert_eq!(super::gorilla_id::base32(bytes.as_bytes()), text);
    }
}

#[test]
fn a_bare_id_has_the_form_of_gorillas_ids() {
    let pair = KeyPair::generate().unwrap();
    let format = format(Dialect::dynastore(codec(&pair)), "session");
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

fn bytes_of(value: &Interface) -> Vec<u8> {
    Value::slice_of_interfaces([value.clone()]).to_vec()
}

/// A text that is not metadata is a value of the Go program and stays unchanged. The metadata gets
/// another key.
#[test]
fn a_value_of_gos_own_under_our_key_stays() {
    let pair = KeyPair::generate().unwrap();
    let own = [
        Interface::from("of the Go program"),
        Interface::from("00 1 7 8 9 -"),
        Interface::from(7_i64),
        Interface::nil(),
        Interface::of("[]string", crate::gob::to_value(&vec!["a"]).unwrap()),
    ];
    for dialect in [gorilla(&pair).into(), Dialect::from(Dialect::scs())] {
        for value in &own {
            let format = format(dialect.clone(), "session");
            let key = format.key(&format.new_id().unwrap()).unwrap();
            let values = [("_session", value.clone()), ("name", "Koko".into())];
            let row = match dialect {
                Dialect::Scs(_) => scs_row(NOW.as_secs().cast_signed() + 60, &values),
                _ => {
                    let values = Value::map_of_interfaces(values).to_vec();
                    codec(&pair)
                        .seal_at("session", &values, NOW)
                        .unwrap()
                        .into()
                }
            };
            let mut data = live(read(&*format, &key, &row, NOW));
            let login = self::data().metadata.login;
            data.metadata.login.clone_from(&login);
            for _ in 0..2 {
                let again = format.write(&key, &Row::Live(data), WRITE, NOW);
                let again = again.unwrap().unwrap();
                data = live(read(&*format, &key, &again, NOW));
                let stored = data.values.interface("_session").unwrap();
                assert_eq!(bytes_of(&stored), bytes_of(value));
                assert_eq!(data.values.len(), 2, "{dialect:?}");
                assert_eq!(data.metadata.login, login);
            }
            // When the Go program removes its value, the metadata gets its first key again.
            data.values.remove("_session");
            let row = format.write(&key, &Row::Live(data), WRITE, NOW);
            let data = live(read(&*format, &key, &row.unwrap().unwrap(), NOW));
            assert_eq!((data.values.len(), data.metadata.login), (1, login));
        }
    }
}

/// A row that is too long is an error, not a refusal: the client did not cause it.
#[test]
fn a_row_that_does_not_open_is_refused_with_the_reason() {
    let pair = KeyPair::generate().unwrap();
    let options = CodecOptions::new().max_length(200);
    let short = Codecs::from_pairs_with([pair.clone()], &options).unwrap();
    let other = format(gorilla(&pair), "session");
    let gorilla = format(Dialect::gorilla(short), "session");
    let key = gorilla.key(&gorilla.new_id().unwrap()).unwrap();
    let mut data = data();
    data.values.insert("long", "x".repeat(200)).unwrap();
    let row = Row::Live(data);
    let bytes = other.write(&key, &row, WRITE, NOW).unwrap().unwrap();
    let error = gorilla.read(&key, &bytes, NOW).err().unwrap();
    assert!(error.is_too_large() && error.status() == 500);
    let text = error.to_string();
    assert!(
        text.contains("max_length") && text.contains("200"),
        "{text}"
    );
    let error = gorilla.write(&key, &row, WRITE, NOW).unwrap_err();
    assert!(error.is_too_large() && error.to_string().contains("row"));
    let later = UnixTime::from_secs(NOW.as_secs() + 31 * 86_400);
    for (bytes, now, refusal) in [
        (&bytes[..], later, Refusal::Expired),
        (&bytes[1..], NOW, Refusal::NotValid),
        (b"\xff", NOW, Refusal::NotValid),
    ] {
        let read = other.read(&key, bytes, now).unwrap();
        assert_eq!(read.err(), Some(refusal));
    }
}

/// IDs are accepted if Go could have sealed them, and never if they are a path or a wildcard for a
/// store.
#[test]
fn an_id_of_gorillas_has_63_plain_characters_at_most() {
    let pair = KeyPair::generate().unwrap();
    let gorilla = format(gorilla(&pair), "session");
    let opened = |id: &str| {
        let id = crate::gob::to_vec(id).unwrap();
        let cookie = codec(&pair).seal_at("session", &id, NOW).unwrap();
        gorilla.open_id(&cookie, NOW).unwrap().is_ok()
    };
    for id in ["A", "a-b_9", &"x".repeat(63)] {
        assert!(opened(id), "{id}");
    }
    for id in [
        "",
        "../etc",
        "a.b",
        "a b",
        "a*",
        "a\0",
        "ä",
        &"x".repeat(64),
    ] {
        assert!(!opened(id), "{id}");
    }
}

/// Metadata under the second key counts, whatever a Go program has under the first key.
#[test]
fn a_forged_text_under_the_first_key_stays_a_value() {
    let scs = scs_with(Lifetime::new());
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let ours = go_metadata::to_text(WRITE, &data().metadata);
    let forged = ours.replace(" ape", " admin");
    let values = [
        ("_session", (&*forged).into()),
        ("_silverback", (&*ours).into()),
    ];
    let row = scs_row(NOW.as_secs().cast_signed() + 60, &values);
    let data = live(read(&*scs, &key, &row, NOW));
    assert_eq!(data.metadata.login.unwrap().owner.as_str(), "ape");
    let stored: Option<String> = data.values.get("_session").unwrap();
    assert_eq!(stored, Some(forged));
}

#[test]
fn a_dialect_accepts_only_its_own_layouts() {
    let pair = KeyPair::generate().unwrap();
    for dialect in all(&pair) {
        let layouts = [
            Layout::Native,
            Layout::Gorilla,
            Layout::GorillaClear,
            Layout::Scs,
            Layout::Dolab,
        ];
        let fitting = layouts
            .into_iter()
            .filter(|layout| dialect.check_layout(*layout).is_ok());
        assert_eq!(fitting.count(), 1, "{dialect:?}");
    }
    let [native, of_gorilla, of_dynastore, ..] = all(&pair);
    assert!(native.check_layout(Layout::Native).is_ok());
    for layout in [Layout::Gorilla, Layout::Pgstore] {
        assert!(of_gorilla.check_layout(layout).is_ok());
    }
    assert!(of_dynastore.check_layout(Layout::Pgstore).is_err());
}
