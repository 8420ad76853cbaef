//! `decode --gob` and `decode --row`: values without a cookie, in each form in which people copy them.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use silverback::gob::{Interface, Time, Value};

use crate::go_rows::{Vectors, keys_of, text};
use crate::program::{Run, silverback};

fn json(run: Run) -> Json {
    serde_json::from_str(&run.ok()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// Returns what redis-cli prints on a terminal.
fn escaped(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{escaped}\"")
}

#[test]
fn a_gob_is_read_from_bytes_and_from_each_text() {
    let map = Value::map_of_interfaces([("user", "ape".into()), ("n", Interface::from(7_i64))]);
    let bytes = map.to_vec();
    let expected = json!({"user": "ape", "n": 7});
    let texts = [
        hex(&bytes),
        format!("\\x{}", hex(&bytes)),
        format!("0x{}", hex(&bytes).to_uppercase()),
        format!("X'{}'", hex(&bytes)),
        STANDARD.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
        escaped(&bytes),
    ];
    for text in &texts {
        assert_eq!(
            json(silverback(["decode", "--gob", text], "")),
            expected,
            "{text}"
        );
        let line = format!("{text}\r\n");
        assert_eq!(
            json(silverback(["decode", "--gob", "-"], line)),
            expected,
            "{text}"
        );
    }
    assert_eq!(json(silverback(["decode", "--gob"], &bytes)), expected);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare.gob");
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(
        json(silverback(["decode", "--gob", "--file", path], "")),
        expected
    );
    let wrapped = json(silverback(["decode", "--gob", "--json", &texts[0]], ""));
    assert_eq!(wrapped, json!({ "value": expected }));
    let types = json(silverback(["decode", "--gob", "--types", &texts[0]], ""));
    assert_eq!(types, json!(["int64", "string"]));
}

#[test]
fn what_is_not_a_gob_is_refused_and_not_quoted() {
    for input in ["", "secret", "736563726574", "\"\\xzz\"", "\\x0"] {
        let refused = silverback(["decode", "--gob"], input).fails(1);
        assert!(refused.contains("not a gob value"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    let usage = |arguments: &[&str], expected: &str| {
        let arguments = ["decode"].iter().chain(arguments);
        let error = silverback(arguments, "").fails(2);
        assert!(error.contains(expected), "{error}");
    };
    usage(&["--file", "x", "--name", "sid"], "--gob");
    usage(&["--gob", "--file", "/no/such/file"], "cannot be read");
    usage(&["--gob", "--file", "x", "0304000e"], "cannot be used with");
    usage(
        &["--gob", "--row", "scs", "0304000e"],
        "cannot be used with",
    );
    usage(&["--row", "gorilla", "x"], "--name");
    usage(
        &["--row", "dolab", "--types", "{}"],
        "only gob has Go types",
    );
}

/// Returns the value column of a row, or of the item of a server without columns.
fn value_of(row: &Json) -> Option<Vec<u8>> {
    let state = &row["state"];
    let data = &state["columns"]["data"];
    let texts = [
        &state["value_b64"],
        &state["columns"]["data_b64"],
        &data["b64"],
    ];
    let decoded = texts
        .iter()
        .find_map(|text| STANDARD.decode(text.as_str()?).ok());
    let literal = data["sql"]
        .as_str()
        .and_then(|sql| sql.strip_prefix('\'')?.strip_suffix('\''));
    decoded.or_else(|| {
        if let Some(literal) = literal {
            return Some(literal.as_bytes().to_vec());
        }
        let texts = [data, &data["text"], &state["value"], &state["value_text"]];
        texts
            .iter()
            .find_map(|text| Some(text.as_str()?.as_bytes().to_vec()))
    })
}

/// Reads the rows of a store, and compares their values with those that a Go handler reads.
fn rows_are_read(store: &'static str, package: &str, values: fn(Json) -> Json) -> usize {
    let mut read = 0;
    for row in Vectors::of(store).rows {
        let Some(value) = value_of(&row).filter(|_| !row["want"].is_null()) else {
            continue;
        };
        let serializer = match row["variant"].as_str() {
            Some("json") => "json",
            _ => "gob",
        };
        let keys = keys_of(&row);
        let (name, at) = (
            text(&row["cookie_name"]),
            row["at_ms"].as_u64().unwrap() / 1_000,
        );
        let (at, mut arguments) = (at.to_string(), vec!["decode", "--row", package]);
        if package == "gorilla" || package == "wader-gormstore" {
            arguments.extend([
                "--keys",
                &keys,
                "--name",
                name,
                "--at",
                &at,
                "--serializer",
                serializer,
            ]);
        }
        let dumped = hex(&value);
        for (input, argument) in [(&value[..], "-"), (b"", &*dumped), (b"", &*escaped(&value))] {
            // An empty row is no argument.
            if argument.is_empty() {
                continue;
            }
            let run = silverback(arguments.iter().copied().chain([argument]), input);
            let mut printed = values(json(run));
            // The metadata that this library adds is no value of the handler.
            if let Some(printed) = printed.as_object_mut() {
                printed.remove("_session");
            }
            assert_eq!(printed, row["want"], "{store} {}", row["n"]);
        }
        read += 1;
    }
    read
}

#[test]
fn rows_of_scs_are_read() {
    let values = |row: Json| {
        assert!(
            row["Deadline"]
                .as_str()
                .is_some_and(|date| date.contains('T'))
        );
        row["Values"].clone()
    };
    for (store, package) in [
        ("scs-sqlite3store", "scs"),
        ("scs-mysqlstore", "scs-mysqlstore"),
        ("scs-gormstore-sqlite", "scs-gormstore"),
        ("scs-redisstore", "scs-redisstore"),
        ("scs-etcdstore", "scs"),
    ] {
        let read = rows_are_read(store, package, values);
        assert!(read >= 15, "{store}: {read}");
    }
}

#[test]
fn rows_of_gorilla_are_read() {
    for (store, package, expected) in [
        ("gorilla-wader-gormstore-sqlite", "wader-gormstore", 19),
        ("gorilla-wader-gormstore-mysql", "gorilla", 16),
        ("gorilla-redistore", "redistore", 15),
        ("gorilla-redistore-v2", "redistore", 15),
        ("gorilla-rbcervilla-redisstore", "rbcervilla-redisstore", 15),
    ] {
        let read = rows_are_read(store, package, |row| row);
        assert!(read >= expected, "{store}: {read}");
    }
}

#[test]
fn rows_of_dolab_are_read() {
    let mut read = 0;
    for row in Vectors::of("dolab-redis").rows {
        let Some(value) = value_of(&row).filter(|value| !value.is_empty()) else {
            continue;
        };
        let printed = silverback(["decode", "--row", "dolab"], &value).ok();
        // Numbers keep their digits.
        assert_eq!(printed.trim_end().as_bytes(), value);
        read += 1;
    }
    assert!(read >= 10, "{read}");
}

#[test]
fn types_are_those_that_go_had() {
    let mut compared = 0;
    for row in Vectors::of("scs-redisstore").rows {
        let Some(value) = value_of(&row).filter(|_| row["types"].is_object()) else {
            continue;
        };
        let printed = json(silverback(["decode", "--row", "scs", "--types"], &value));
        let printed: Vec<&str> = printed
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Json::as_str)
            .collect();
        for name in row["types"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(Json::as_str)
        {
            let is_plain = name != "<nil>" && !name.contains("main.");
            let registered = name.replace("[]byte", "[]uint8");
            assert!(
                !is_plain || printed.contains(&&*registered),
                "{name}: {printed:?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

/// Redis prints the bytes that a terminal shows, or the bytes themselves.
#[cfg(feature = "redis")]
#[test]
fn what_redis_cli_prints_is_read() {
    let server = match crate::servers::redis::RedisServer::start(&[]) {
        Ok(server) => server,
        Err(why) => return crate::required::not_run("redis", &why),
    };
    let row = Value::map_of_interfaces([
        (
            "at",
            Interface::from(Time::from_unix(1_700_000_000, 0).unwrap()),
        ),
        ("quoted", "a\"b\\c\n\u{7}".into()),
    ]);
    let port = server.port().to_string();
    let redis_cli = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port]).args(arguments);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    redis_cli(&["-x", "set", "row"], &row.to_vec());
    for form in ["--raw", "--no-raw"] {
        let printed = redis_cli(&[form, "get", "row"], b"");
        let read = json(silverback(["decode", "--row", "redistore"], printed));
        assert_eq!(
            read,
            json!({"at": "2023-11-14T22:13:20Z", "quoted": "a\"b\\c\n\u{7}"})
        );
    }
}
