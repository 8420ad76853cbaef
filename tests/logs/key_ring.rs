//! A key ring logs that keys are refused, and no key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use silverback::codec::{Error, KeyPairs, KeyRing, KeyRingOptions, KeySource, generate_random_key};

use super::capture;
use super::scratch::Scratch;

/// Keys that are in the file at some time, and their text.
struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Returns a new pair, as text.
    fn pair(&mut self) -> String {
        let keys = [64, 32].map(|length| generate_random_key(length).unwrap().to_vec());
        self.0.extend(keys.clone());
        let hex = |key: &Vec<u8>| {
            key.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        format!("{}:{}", hex(&keys[0]), hex(&keys[1]))
    }

    /// Checks that a text and the log contain no key, nor the beginning of one.
    fn are_not_in(&self, text: &str) {
        for key in &self.0 {
            let part = &key[..6];
            assert_eq!(capture::lines_with(part), Vec::<String>::new());
            assert_eq!(capture::lines_in_with(text, part), Vec::<String>::new());
        }
    }
}

#[test]
fn errors_events_status_and_log_contain_no_key() {
    capture::start();
    let mut secrets = Secrets(Vec::new());
    let folder = Scratch::new("SILVERBACK_LOGS");
    let path = folder.path().join("keys");
    let [old, new] = [(); 2].map(|()| secrets.pair());
    std::fs::write(&path, &old).unwrap();
    let shown = Arc::new(Mutex::new(String::new()));
    let events = shown.clone();
    let options = KeyRingOptions::new()
        .settle_time(Duration::from_millis(1))
        .on_event(move |event| {
            events
                .lock()
                .unwrap()
                .push_str(&format!("{event:?}\n{event:#?}\n"))
        });
    let ring = KeyRing::with_options(KeySource::file(&path), options).unwrap();
    let texts = [
        format!("{new},{old}"),
        format!("{new},{new}"),
        format!("{old}zz"),
        old[..150].to_owned(),
        new[..50].to_owned(),
        format!("{new}:{old}"),
        format!("b64=!{new}"),
    ];
    let mut refusals = Vec::new();
    for (count, text) in texts.iter().enumerate() {
        std::fs::write(&path, text).unwrap();
        let reloaded: Result<bool, Error> = ring.reload();
        assert_eq!(reloaded.is_ok(), count == 0, "{count}");
        let mut shown = shown.lock().unwrap();
        shown.push_str(&format!(
            "{reloaded:?}{reloaded:#?}{:?}{ring:?}",
            ring.status()
        ));
        if let Err(error) = reloaded {
            refusals.push(error.to_string());
        }
    }
    secrets.are_not_in(&shown.lock().unwrap());
    assert_eq!(refusals.len(), texts.len() - 1);
    secrets.are_not_in(&refusals.join("\n"));
    refusals.dedup();
    let logged = capture::lines_with(b"the new keys are refused");
    assert_eq!(
        logged.len(),
        refusals.len(),
        "equal refusals in a row are logged once"
    );

    let command = KeySource::command(["sh", "-c", "echo \"$0\"; exit 1", &new]);
    let refused = KeyRing::with_options(command, KeyRingOptions::new()).unwrap_err();
    secrets.are_not_in(&format!("{refused:?} {refused}"));
    assert!(new.parse::<KeyPairs>().is_ok());
}
