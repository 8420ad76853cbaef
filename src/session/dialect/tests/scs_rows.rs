//! Tests for features of scs alone: its deadlines, hashed tokens and remembered sessions.

use super::*;

/// Returns a row of scs with another deadline, as its `SetDeadline` writes it.
fn with_deadline(row: &[u8], deadline: i64) -> Vec<u8> {
    let Value::Composite(row) = Value::from_slice(row).unwrap() else {
        panic!("a row is a struct");
    };
    let Some(Value::Composite(values)) = row.field("Values") else {
        panic!("a row has values");
    };
    let entries = values.entries().map(|entry| match entry {
        (Value::String(key), Value::Interface(value)) => (key.clone(), value.clone()),
        _ => panic!("the keys are strings"),
    });
    Value::Composite(Composite::deadline_and_values(deadline, entries)).to_vec()
}

/// scs's `HashTokenInStore` (v2.9.0 `data.go`, `hashToken`).
#[test]
fn a_hashed_token_is_the_key_of_its_row() {
    let hashed = format(Dialect::scs().hash_token_in_store(true), "session");
    let token = "eJ1qkSSuPNYyk62zwqROJ0Rfrv2TM6HWV4QqKfCkNSc";
    let key = hashed.key(&Id::new(token)).unwrap();
    // printf of the token, through SHA-256 and base64url without padding.
    assert_eq!(
        key.as_bytes(),
        b"LcXPw8ugqpXFEz_ht1aFYLxDGN3fR7JsIo4vLg_WT_I"
    );
    assert_eq!(hashed.seal_id(&Id::new(token), NOW).unwrap(), token);
    assert_eq!(hashed.public_id(&key).as_str().as_bytes(), key.as_bytes());
    let plain = format(Dialect::scs(), "session");
    let key = plain.key(&Id::new(token)).unwrap();
    assert_eq!(key.as_bytes(), token.as_bytes());
    assert_ne!(plain.public_id(&key).as_str(), token);
}

/// For any lifetime here. A fraction of a second is rounded up.
#[test]
fn the_deadline_that_scs_wrote_stays() {
    let deadline = NOW.as_secs() + 400 * 86_400;
    let row = scs_row(deadline.cast_signed(), &[]);
    for lifetime in [
        Lifetime::new(),
        Lifetime::new().without_absolute(),
        Lifetime::nist_aal3(),
    ] {
        let scs = scs_with(lifetime);
        let key = scs.key(&scs.new_id().unwrap()).unwrap();
        let data = live(read(&*scs, &key, &row, NOW));
        assert_eq!(data.metadata.deadline, Some(UnixTime::from_secs(deadline)));
        assert_eq!(data.metadata.seen, NEVER_SEEN);
        let again = scs.write(&key, &Row::Live(data), WRITE, NOW).unwrap();
        let again = again.unwrap();
        assert_eq!(deadline_in(&again), deadline.cast_signed());
        // The same holds if Go changes the deadline of a row that this library wrote.
        let moved = with_deadline(&again, 77);
        let data = live(read(&*scs, &key, &moved, NOW));
        assert_eq!(data.metadata.deadline, Some(UnixTime::from_secs(77)));
    }
    let half = [
        &[1][..],
        &(62_135_596_800_i64 + 5).to_be_bytes(),
        &500_000_000_u32.to_be_bytes(),
        &(-1_i16).to_be_bytes(),
    ];
    let half = Time::from_bytes(&half.concat()).unwrap();
    assert_eq!(
        super::super::scs::unix_time(half),
        Some(UnixTime::from_secs(6))
    );
}

/// A later deadline overflows in Go, and the next commit of redisstore loses the row.
#[test]
fn no_deadline_of_scs_exceeds_gos_range() {
    let scs = scs_with(Lifetime::new().without_absolute());
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    for deadline in [None, Some(UnixTime::from_secs(u64::MAX))] {
        let mut data = data();
        data.metadata.deadline = deadline;
        let row = scs.write(&key, &Row::Live(data), WRITE, NOW).unwrap();
        let row = row.unwrap();
        assert_eq!(deadline_in(&row), 9_214_646_400);
        let nanoseconds = i128::from(deadline_in(&row)) * 1_000_000_000;
        assert!(i64::try_from(nanoseconds).is_ok());
        assert_eq!(live(read(&*scs, &key, &row, NOW)).metadata.deadline, None);
    }
}

#[test]
fn a_session_of_scs_began_a_lifetime_before_its_deadline() {
    let scs = scs_with(Lifetime::new().absolute(Duration::from_secs(1_000)));
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let now = NOW.as_secs();
    for (deadline, created) in [(now + 400, now - 600), (now + 5_000, now)] {
        let row = scs_row(deadline.cast_signed(), &[]);
        let metadata = live(read(&*scs, &key, &row, NOW)).metadata;
        assert_eq!(metadata.created, UnixTime::from_secs(created));
    }
}

/// The value that `RememberMe` stores decides whether a session is remembered. It is written only
/// if that changes.
#[test]
fn scs_remembers_by_a_value() {
    let scs = scs_with(Lifetime::new());
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let remembered = |value: Option<Interface>| {
        let values: Vec<_> = value.into_iter().map(|v| ("__rememberMe", v)).collect();
        let row = scs_row(NOW.as_secs().cast_signed() + 60, &values);
        live(read(&*scs, &key, &row, NOW))
    };
    assert!(!remembered(None).metadata.remembered);
    assert!(!remembered(Some(false.into())).metadata.remembered);
    assert!(!remembered(Some("true".into())).metadata.remembered);
    assert!(remembered(Some(true.into())).metadata.remembered);
    let written = |data: SessionData| {
        let row = scs.write(&key, &Row::Live(data), WRITE, NOW).unwrap();
        let data = live(read(&*scs, &key, &row.unwrap(), NOW));
        data.values.get::<bool>("__rememberMe").unwrap()
    };
    assert_eq!(written(remembered(None)), None);
    assert_eq!(written(remembered(Some(false.into()))), Some(false));
    assert_eq!(written(remembered(Some(true.into()))), Some(true));
    for (before, after) in [(None, true), (Some(false), true), (Some(true), false)] {
        let mut data = remembered(before.map(Interface::from));
        data.metadata.remembered = after;
        assert_eq!(written(data), Some(after));
    }
}

#[test]
fn a_session_without_a_free_key_is_read_and_not_written() {
    let scs = scs_with(Lifetime::new());
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let values = [("_session", 1_i64.into()), ("_silverback", 2_i64.into())];
    let row = scs_row(NOW.as_secs().cast_signed() + 60, &values);
    let data = live(read(&*scs, &key, &row, NOW));
    assert_eq!(data.values.len(), 2);
    let error = scs.write(&key, &Row::Live(data), WRITE, NOW);
    assert!(error.unwrap_err().is_usage());
}

fn scs_in_json() -> Box<dyn RowFormat> {
    format_with(Dialect::scs().json_rows(), "session", Lifetime::new())
}

/// The row that Go's `encoding/json` writes, with fields in another case and order, and with a zone.
#[test]
fn a_row_in_json_keeps_what_go_wrote() {
    let scs = scs_in_json();
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    let values = r#"{"_flash":null,"big":123456789012345678901,"huge":1e400,"one":1.0}"#;
    for row in [
        format!(r#"{{"Deadline":"2027-01-15T08:00:00.5Z","Values":{values}}}"#),
        format!(r#"{{"values":{values},"more":1,"deadline":"2027-01-15T09:00:00.5+01:00"}}"#),
        format!(r#"{{"Values":{{}},"Deadline":"2027-01-15T08:00:00.5Z","VALUES":{values}}}"#),
    ] {
        let data = live(read(&*scs, &key, row.as_bytes(), NOW));
        let deadline = UnixTime::from_secs(1_800_000_001);
        assert_eq!(data.metadata.deadline, Some(deadline), "{row}");
        let again = scs.write(&key, &Row::Live(data), WRITE, NOW).unwrap();
        let again = String::from_utf8(again.unwrap()).unwrap();
        let begin = r#"{"Deadline":"2027-01-15T08:00:01Z","Values":{"#;
        assert!(again.starts_with(begin), "{again}");
        for text in values.trim_matches(['{', '}']).split(',') {
            assert!(again.contains(text), "{text} is not in {again}");
        }
    }
}

#[test]
fn a_row_in_json_may_have_no_values() {
    let scs = scs_in_json();
    let key = scs.key(&scs.new_id().unwrap()).unwrap();
    for values in [r#""#, r#","Values":null"#, r#","Values":{}"#] {
        let row = format!(r#"{{"Deadline":"2027-01-15T08:00:00Z"{values}}}"#);
        assert!(
            live(read(&*scs, &key, row.as_bytes(), NOW))
                .values
                .is_empty()
        );
    }
    let gob = scs_row(NOW.as_secs().cast_signed() + 60, &[]);
    let refused = [
        &gob[..],
        br#"{"Values":{}}"#,
        br#"{"Deadline":7,"Values":{}}"#,
        br#"{"Deadline":"2027-01-15T08:00:00Z","Values":[]}"#,
        br#"{"Deadline":"2027-01-15T08:00:00Z","Values":{}} "x""#,
        b"null",
        b"",
    ];
    for row in refused {
        assert!(read(&*scs, &key, row, NOW).is_none(), "{row:?}");
    }
}
