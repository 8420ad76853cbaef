//! Any bytes as gob: reading never panics. A value that is read is written as bytes that give the
//! same value and the same serde value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::gob::{Value, from_value};

fuzz_target!(|input: &[u8]| {
    let Ok(value) = Value::from_slice(input) else {
        return;
    };
    let written = value.to_vec();
    let again = Value::from_slice(&written).expect("the written value can be read");
    assert_eq!(
        again.to_vec(),
        written,
        "writing is a function of the value"
    );
    assert_eq!(picture(&value), picture(&again));
});

fn picture(value: &Value) -> Option<serde_json::Value> {
    from_value(value).ok()
}
