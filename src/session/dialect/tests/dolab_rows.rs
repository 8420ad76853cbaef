//! Rows of dolab/session: Go's JSON.

use super::*;

fn dolab() -> Box<dyn RowFormat> {
    let codec = codec(&KeyPair::generate().unwrap());
    format(Dialect::dolab(codec), "__Host-id")
}

fn key() -> Key {
    Key::new("0123456789abcdef0123456789abcdef").unwrap()
}

/// Reads a row and writes it again. Returns its text, with the metadata left out.
fn rewritten(row: &str, change: impl FnOnce(&mut Values)) -> String {
    let format = dolab();
    let mut data = live(read(&*format, &key(), row.as_bytes(), NOW));
    change(&mut data.values);
    let bytes = format.write(&key(), &Row::Live(data), WRITE, NOW).unwrap();
    let text = String::from_utf8(bytes.unwrap()).unwrap();
    let (before, rest) = text.split_once("\"_session\":\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let before = before.strip_suffix(',').unwrap_or(before);
    match before.ends_with('{') {
        true => format!("{before}{}", after.strip_prefix(',').unwrap_or(after)),
        false => format!("{before}{after}"),
    }
}

#[test]
fn a_row_that_did_not_change_has_gos_text() {
    for row in [
        r#"{"Data":{}}"#,
        r#"{"Data":{"a":1e400,"b":12345678901234567890123,"c":[1.0,-0,{"d":1E+2}],"e":0.10}}"#,
        r#"{"Data":{"Z":"\u003c\u003e\u0026\u2028","a":{"z":1,"y":[]},"b":null,"é":"\ufffd"}}"#,
        r#"{"Data":{"\u0000\u001f\b\f\n\r\t\"\\\u007f":1}}"#,
    ] {
        let row = row.replace("\\u007f", "\u{7f}"); // Go writes it as it is
        assert_eq!(rewritten(&row, |_| {}), row);
    }
}

#[test]
fn a_row_is_written_as_go_writes_it() {
    let row = "{\"x\":1, \"Data\" : {\"b\" : \"<&>\u{2028}\" , \"a\" : [ 1 , \" 2 \" ]}} ";
    let written = rewritten(row, |values| {
        values.insert("<new>", "a < b & c > d\u{2029}").unwrap();
        values.insert("A", 7).unwrap();
    });
    assert_eq!(
        written,
        concat!(
            r#"{"Data":{"\u003cnew\u003e":"a \u003c b \u0026 c \u003e d\u2029","A":7,"#,
            r#""a":[1," 2 "],"b":"\u003c\u0026\u003e\u2028"}}"#
        )
    );
}

/// The answers are those of Go's `encoding/json`.
#[test]
fn the_values_of_a_row_are_those_that_go_reads() {
    for (row, values) in [
        (r#"{"Data":{"a":1}}"#, r#"{"Data":{"a":1}}"#),
        (r#"{"dATA":{"a":1}}"#, r#"{"Data":{"a":1}}"#),
        (r#"{"D\u0061ta":{"a":1}}"#, r#"{"Data":{"a":1}}"#),
        (
            r#"{"Data":{"a":1,"b":2},"data":{"b":3}}"#,
            r#"{"Data":{"a":1,"b":3}}"#,
        ),
        (r#"{"Data":{"a":1},"DATA":null}"#, r#"{"Data":{}}"#),
        (
            r#"{"Data":{"a":1},"DATA":null,"data":{"b":2}}"#,
            r#"{"Data":{"b":2}}"#,
        ),
        (r#"{"Data":{"a":1,"a":2}}"#, r#"{"Data":{"a":2}}"#),
        (r#"{"Data":null}"#, r#"{"Data":{}}"#),
        (r#"{}"#, r#"{"Data":{}}"#),
        (r#"{"Other":[{"Data":1}]}"#, r#"{"Data":{}}"#),
    ] {
        assert_eq!(rewritten(row, |_| {}), values, "{row}");
    }
    for row in [
        "",
        "null",
        "7",
        "[]",
        r#"{"Data":[]}"#,
        r#"{"Data":7}"#,
        r#"{"Data":{}"#,
        r#"{"Data":{}} x"#,
        r#"{"Data":{"a":1},"data":[]}"#,
        r#"{"Data":{"a":01}}"#,
        "{\"Data\":{\"a\":\"\u{0}\"}}",
    ] {
        let read = read(&*dolab(), &key(), row.as_bytes(), NOW);
        assert!(read.is_none(), "{row}");
    }
}

#[test]
fn a_value_of_go_under_the_key_of_the_metadata_stays() {
    let row = r#"{"Data":{"_session":"of go"}}"#;
    let format = dolab();
    let data = live(read(&*format, &key(), row.as_bytes(), NOW));
    assert_eq!(
        data.values.get::<String>("_session").unwrap().unwrap(),
        "of go"
    );
    let bytes = format.write(&key(), &Row::Live(data), WRITE, NOW).unwrap();
    let text = String::from_utf8(bytes.unwrap()).unwrap();
    assert!(
        text.starts_with(r#"{"Data":{"_session":"of go","_silverback":""#),
        "{text}"
    );
}

#[test]
fn an_id_has_32_digits() {
    let format = dolab();
    let id = format.new_id().unwrap();
    assert_eq!(id.as_bytes().len(), 32);
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    assert!(id.as_bytes().iter().all(is_digit));
    let cookie = format.seal_id(&id, NOW).unwrap();
    let opened = format.open_id(&cookie, NOW).unwrap().ok().unwrap();
    assert_eq!(opened.id.as_bytes(), id.as_bytes());
    // A sealed text in another form is no ID, whoever sealed it.
    for other in ["user:7", "0123", &"A".repeat(52), &"A".repeat(32)] {
        let cookie = format.seal_id(&Id::new(other), NOW).unwrap();
        assert!(format.open_id(&cookie, NOW).unwrap().is_err(), "{other}");
    }
}
