//! Writes seeds for the fuzz targets, made of `tests/vectors`, to `corpus/`.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use silverback::codec::Codec;
use silverback_fuzz::Attempt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| -> Result<Vec<Value>, Box<dyn std::error::Error>> {
        let path = fuzz.join("../tests/vectors").join(file);
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    };
    let mut attempts = Vec::new();
    for case in read("gorilla_valid.json")? {
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let at = case["timestamp"].to_string();
        attempts.push(Attempt::write([
            text("hash_key"),
            text("block_key"),
            text("hash"),
            "ctr",
            &at,
            text("name"),
            text("cookie"),
        ]));
    }
    for case in read("gorilla_frame_cfb.json")? {
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let at = case["timestamp"].to_string();
        attempts.push(Attempt::write([
            text("hash_key"),
            text("block_key"),
            "sha256",
            "cfb",
            &at,
            text("name"),
            text("cookie"),
        ]));
    }
    for group in read("gorilla_verdicts.json")? {
        let text = |field: &str| group[field].as_str().unwrap_or_default();
        let at = group["now"].to_string();
        for case in group["cases"].as_array().into_iter().flatten() {
            let value = STANDARD.decode(case["value_b64"].as_str().unwrap_or_default())?;
            attempts.push(Attempt::write([
                text("hash_key"),
                text("block_key"),
                "sha256",
                "ctr",
                &at,
                text("name"),
                &String::from_utf8(value)?,
            ]));
        }
    }
    let targets = [
        "decode",
        "forge",
        "roundtrip",
        "chain",
        "gob_value",
        "session",
        "row",
        "cookie_header",
    ];
    for target in targets {
        fs::create_dir_all(fuzz.join("corpus").join(target))?;
    }
    let mut written = 0;
    for (index, attempt) in attempts.iter().enumerate() {
        let mut write = |target: &str, seed: &[u8]| {
            written += 1;
            fs::write(
                fuzz.join("corpus")
                    .join(target)
                    .join(format!("vector-{index}")),
                seed,
            )
        };
        write("decode", attempt.as_bytes())?;
        let attempt = Attempt::read(attempt.as_bytes()).ok_or("the vector is not an attempt")?;
        let Ok(opened) = attempt
            .codec
            .open_at(&attempt.name, &attempt.cookie, attempt.now)
        else {
            continue;
        };
        // The other targets seal their own cookies from these payloads.
        let head = [index as u8, (index >> 3) as u8, (index >> 1) as u8, 0];
        for target in ["forge", "roundtrip", "chain"] {
            write(target, &[&head[..], opened.value()].concat())?;
        }
    }
    let lines = fs::read_to_string(fuzz.join("../tests/vectors/go_values.jsonl"))?;
    for (index, line) in lines.lines().enumerate() {
        let case: Value = serde_json::from_str(line)?;
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let message = if text("Kind") == "scs-row" {
            STANDARD.decode(text("Cookie"))?
        } else {
            let at = case["At"].to_string();
            let attempt = Attempt::write([
                text("HashKey"),
                text("BlockKey"),
                text("Hash"),
                "ctr",
                &at,
                text("Name"),
                text("Cookie"),
            ]);
            let attempt =
                Attempt::read(attempt.as_bytes()).ok_or("the vector is not an attempt")?;
            attempt
                .codec
                .open_at(&attempt.name, &attempt.cookie, attempt.now)?
                .into_value()
        };
        for target in ["gob_value", "session", "row"] {
            written += 1;
            let folder = fuzz.join("corpus").join(target);
            fs::write(folder.join(format!("vector-{index}")), &message)?;
        }
    }
    for (index, case) in read("http_state_parser.json")?.iter().enumerate() {
        let pair = |pair: &Value| {
            Some(format!(
                "{}={}",
                pair["name"].as_str()?,
                pair["value"].as_str()?
            ))
        };
        let pairs = case["sent"].as_array().into_iter().flatten();
        let pairs: Vec<String> = pairs.filter_map(pair).collect();
        written += 1;
        let folder = fuzz.join("corpus/cookie_header");
        fs::write(folder.join(format!("vector-{index}")), pairs.join("; "))?;
    }
    println!("{written} seeds from {} vectors", attempts.len());
    Ok(())
}
