//! Rows in the clear: the texts of numbers in JSON, the limit of a row, and rows that Go wrote.

use super::*;

fn redistore(serializer: Serializer) -> Box<dyn RowFormat> {
    let dialect = Dialect::redistore(codec(&KeyPair::generate().unwrap()));
    format(dialect.clear_rows(serializer), "session")
}

fn rbcervilla() -> Box<dyn RowFormat> {
    format(Dialect::rbcervilla_redisstore(), "session")
}

/// Reads a row, changes it, and returns the text of the row that is then written, up to the entry with
/// the metadata.
fn rewritten(row: &str, change: impl FnOnce(&mut Values)) -> String {
    let json = redistore(Serializer::Json);
    let key = json.key(&json.new_id().unwrap()).unwrap();
    let mut data = live(read(&*json, &key, row.as_bytes(), NOW));
    change(&mut data.values);
    let bytes = json.write(&key, &Row::Live(data), WRITE, NOW).unwrap();
    let text = String::from_utf8(bytes.unwrap()).unwrap();
    let (values, _) = text.split_once("\"_session\"").unwrap();
    values.to_owned()
}

#[test]
fn unchanged_values_keep_their_json() {
    let numbers = r#"{"a":1e400,"b":12345678901234567890123,"c":[1.0,-0,{"d":1E+2}],"e":0.10,"#;
    assert_eq!(rewritten(numbers_row(numbers).as_str(), |_| {}), numbers);
    let texts = r#"{"a":"\u00e9\u003c","\u003cb\u003e":{"z":1,"y":[]},"c":null,"#;
    let kept = r#"{"a":"\u00e9\u003c","<b>":{"z":1,"y":[]},"c":null,"#;
    assert_eq!(rewritten(numbers_row(texts).as_str(), |_| {}), kept);
}

/// Returns a whole row that begins so.
fn numbers_row(beginning: &str) -> String {
    format!("{}}}", beginning.trim_end_matches(','))
}

#[test]
fn a_changed_value_gets_a_new_text_and_others_keep_theirs() {
    let row = r#"{"a":1.0,"b":2.0,"c":3.0,"d":4.0}"#;
    let changed = rewritten(row, |values| {
        values.insert("b", 5).unwrap();
        assert!(values.remove("c"));
        // A value that is removed and comes back is a new one.
        assert!(values.remove("d"));
        values.insert("d", 4.0).unwrap();
    });
    assert_eq!(changed, r#"{"a":1.0,"b":5,"d":4.0,"#);
    let cleared = rewritten(row, Values::clear);
    assert_eq!(cleared, "{");
}

#[test]
fn numbers_are_read_as_rust_numbers_where_they_fit() {
    let json = redistore(Serializer::Json);
    let key = json.key(&json.new_id().unwrap()).unwrap();
    let row = br#"{"big":9007199254740993,"huge":18446744073709551615,"long":1.5e3,"odd":1e400}"#;
    let values = live(read(&*json, &key, row, NOW)).values;
    assert_eq!(values.get("big").unwrap(), Some(9_007_199_254_740_993_i64));
    assert_eq!(values.get("huge").unwrap(), Some(u64::MAX));
    assert_eq!(values.get("long").unwrap(), Some(1500.0));
    assert!(values.get::<f64>("odd").unwrap_err().is_wrong_type());
    assert!(values.contains("odd"));
}

#[test]
fn rows_that_are_no_object_are_refused() {
    let json = redistore(Serializer::Json);
    let key = json.key(&json.new_id().unwrap()).unwrap();
    for row in [
        "",
        "null",
        "[]",
        "7",
        "\"x\"",
        "{",
        "{}x",
        "{\"a\":01}",
        "{\"a\"}",
        "{1:2}",
    ] {
        assert!(read(&*json, &key, row.as_bytes(), NOW).is_none(), "{row}");
    }
    for row in [r#"{"a":1,"a":2}"#, r#" { "a" : 2 } "#] {
        let values = live(read(&*json, &key, row.as_bytes(), NOW)).values;
        assert_eq!(values.get("a").unwrap(), Some(2), "{row}");
    }
    let gob = redistore(Serializer::Gob);
    for row in [&b""[..], b"{}", b"\x03\x04\x00\x01"] {
        assert!(read(&*gob, &key, row, NOW).is_none(), "{row:?}");
    }
}

/// The deepest JSON that is read is bounded; a deeper value is kept as it is.
#[test]
fn a_deep_value_stays_in_its_row() {
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    let beginning = format!(r#"{{"deep":{deep},"#);
    assert_eq!(rewritten(&numbers_row(&beginning), |_| {}), beginning);
}

#[test]
fn a_row_of_a_go_program_was_last_used_at_a_time_that_only_its_expiry_tells() {
    for (format, row) in [
        (redistore(Serializer::Json), b"{\"a\":1}".to_vec()),
        (
            rbcervilla(),
            Value::map_of_interfaces([("a", 1_i64.into())]).to_vec(),
        ),
    ] {
        let key = format.key(&format.new_id().unwrap()).unwrap();
        let data = live(read(&*format, &key, &row, NOW));
        assert_eq!(data.metadata.seen, NEVER_SEEN);
        assert_eq!(data.values.get("a").unwrap(), Some(1));
        // A row of ours tells it itself.
        let mut own = super::data();
        own.metadata.seen = NOW;
        let row = format.write(&key, &Row::Live(own), WRITE, NOW).unwrap();
        let data = live(read(&*format, &key, &row.unwrap(), NOW));
        assert_eq!(data.metadata.seen, NOW);
    }
}

#[test]
fn only_the_formats_of_go_packages_are_allowed_in_the_clear() {
    let refused = |dialect: GorillaDialect| {
        let cookie = CookieOptions::new();
        let rules = Dialect::from(dialect);
        let rules = rules.rules();
        let setup = Setup::new(cookie, Lifetime::new(), rules.model(), true).unwrap();
        rules.format(&setup, Layout::GorillaClear).err()
    };
    for serializer in [Serializer::Gob, Serializer::Json] {
        assert!(refused(Dialect::rbcervilla_redisstore().clear_rows(serializer)).is_none());
    }
    let raw = Dialect::rbcervilla_redisstore().clear_rows(Serializer::Raw);
    assert!(refused(raw).unwrap().is_usage());
}

#[test]
fn only_redistore_limits_the_size_of_a_row() {
    let limit = |dialect: GorillaDialect| Rules::max_row_size(&dialect);
    let redistore = || Dialect::redistore(codec(&KeyPair::generate().unwrap()));
    assert_eq!(limit(redistore()), Some(4096));
    assert_eq!(limit(redistore().clear_rows(Serializer::Json)), Some(4096));
    assert_eq!(limit(redistore().max_row_size(0)), None);
    assert_eq!(limit(Dialect::rbcervilla_redisstore()), None);
}

#[test]
fn an_id_of_rbcervillas_form_alone_is_accepted() {
    let rbcervilla = rbcervilla();
    let id = rbcervilla.new_id().unwrap();
    let cookie = rbcervilla.seal_id(&id, NOW).unwrap();
    assert_eq!(cookie.len(), 103);
    assert!(rbcervilla.open_id(&cookie, NOW).unwrap().is_ok());
    let gorillas = redistore(Serializer::Gob).new_id().unwrap();
    let gorillas = String::from_utf8(gorillas.as_bytes().to_vec()).unwrap();
    let lower = cookie.to_lowercase();
    for other in [
        "",
        "../etc",
        &gorillas,
        &lower,
        &cookie[1..],
        &format!("{cookie}A"),
    ] {
        assert!(rbcervilla.open_id(other, NOW).unwrap().is_err(), "{other}");
    }
}
