//! Values of sessions with the methods of dolab/session's `Value`.

use serde_json::Value as Json;
use silverback::compat::{DolabValue, DolabValueError};
use silverback::session::testing::Jar;

use super::RUNTIME;
use super::dolab::{ID, old_jar, put, server, store};

/// The vectors are the answers of Go's getters.
#[test]
fn a_value_answers_as_gos_getters_do() {
    /// Compares one answer with Go's: an error, or the value that Go prints.
    fn check<T: PartialEq + std::fmt::Debug + std::str::FromStr>(
        getter: &str,
        row: &Json,
        answer: Result<T, DolabValueError>,
    ) {
        let of_go = &row["go"][getter];
        let text = of_go["value"].as_str().unwrap();
        let value = answer.ok();
        assert_eq!(value.is_none(), of_go["error"] == true, "{getter}: {row}");
        let Some(value) = value else { return };
        // Rust and Go print floats differently, and parse them alike.
        let parsed: Option<T> = text.parse().ok();
        let same = parsed.as_ref() == Some(&value);
        assert!(same, "{getter}: {value:?} is not {text}: {row}");
        let is_negative = |text: &str| text.starts_with('-');
        assert_eq!(
            is_negative(&format!("{value:?}")),
            is_negative(text),
            "{row}"
        );
    }

    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/stores/dolab-getters.jsonl"
    );
    let lines = std::fs::read_to_string(path).unwrap();
    let rows = lines.lines().skip(1);
    let rows: Vec<Json> = rows
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 52);
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        for row in &rows {
            let raw = row["raw"].as_str().unwrap();
            put(&server, ID, &format!(r#"{{"Data":{{"k":{raw}}}}}"#)).await;
            let session = old_jar(ID).session(store.clone()).await.unwrap();
            let value = DolabValue::of(&session);
            assert_eq!(value.get("k").unwrap(), raw);
            assert_eq!(value.string("k"), row["go"]["String"].as_str().unwrap());
            check("Bool", row, value.bool("k"));
            check("Int", row, value.int("k"));
            check("Int8", row, value.int8("k"));
            check("Int16", row, value.int16("k"));
            check("Int32", row, value.int32("k"));
            check("Int64", row, value.int64("k"));
            check("Uint", row, value.uint("k"));
            check("Uint8", row, value.uint8("k"));
            check("Uint16", row, value.uint16("k"));
            check("Uint32", row, value.uint32("k"));
            check("Uint64", row, value.uint64("k"));
            check("Float32", row, value.float32("k"));
            check("Float64", row, value.float64("k"));
        }
    });
}

#[test]
fn the_values_of_a_session_change_by_gos_methods() {
    RUNTIME.block_on(async {
        let server = server();
        let session = Jar::new().session(store(&server)).await.unwrap();
        let value = DolabValue::of(&session);
        assert!(!value.has("n"));
        assert_eq!(value.string("n"), "");
        assert!(matches!(value.get("n"), Err(DolabValueError::NotFound)));
        assert!(matches!(value.int("n"), Err(DolabValueError::NotFound)));
        assert!(matches!(value.bool("n"), Err(DolabValueError::NotFound)));
        value.add("n", 300).unwrap();
        let twice = value.add("n", 1);
        assert!(matches!(twice, Err(DolabValueError::DuplicateKey)));
        assert_eq!(session.get::<u64>("n").unwrap(), Some(300));
        assert_eq!(
            (value.int("n").unwrap(), value.string("n")),
            (300, "300".into())
        );
        assert!(matches!(value.int8("n"), Err(DolabValueError::WrongType)));
        value.set("n", vec!["<a>"]).unwrap();
        assert_eq!(value.string("n"), r#"["\u003ca\u003e"]"#);
        let list: Option<Vec<String>> = value.unmarshal("n").unwrap();
        assert_eq!(list.unwrap(), ["<a>"]);
        let wrong = value.unmarshal::<u64>("n");
        assert!(matches!(wrong, Err(DolabValueError::WrongType)));
        value.set("none", None::<u64>).unwrap();
        assert_eq!(value.unmarshal::<u64>("none").unwrap(), None);
        assert_eq!(value.int("none").unwrap(), 0);
        let refused = value.set("_session", 1);
        assert!(matches!(refused, Err(DolabValueError::Session(_))));
        value.del("n").unwrap();
        value.del("n").unwrap();
        assert_eq!(session.keys(), ["none"]);
        value.clean().unwrap();
        assert_eq!(session.keys(), [""; 0]);
    });
}
