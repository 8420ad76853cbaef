//! Keys that a command prints.
#![cfg(unix)]

use std::ffi::OsString;
use std::time::Duration;

use silverback::codec::{Error, KeyRing, KeyRingOptions, KeySource, key_file_with_checksum};

use super::{fingerprints, spec};
use crate::support::{encrypting, signing};

fn ring_of<A: Into<OsString>>(command: impl IntoIterator<Item = A>) -> Result<KeyRing, Error> {
    let options = KeyRingOptions::new().command_timeout(Duration::from_secs(60));
    KeyRing::with_options(KeySource::command(command), options)
}

#[test]
fn the_output_of_a_command_is_the_chain() {
    let pairs = [encrypting(1), signing(2)];
    let ring = ring_of(["printf", "%s", &spec(&pairs)]).unwrap();
    assert_eq!(ring.status().keys, fingerprints(&pairs));
    assert!(!ring.reload().unwrap());
}

#[test]
fn no_shell_reads_the_arguments() {
    let marks = "# $(exit) `exit` ; exit 1 | $HOME\n";
    let ring = ring_of(["printf", "%s", &format!("{marks}{}", spec(&[signing(1)]))]);
    assert_eq!(ring.unwrap().status().keys, fingerprints(&[signing(1)]));
}

#[test]
fn a_command_that_fails_or_prints_no_keys_is_refused() {
    let printed = spec(&[signing(1)]);
    let cut = key_file_with_checksum(&spec(&[signing(1), signing(2)]));
    let cut = &cut[..cut.len() - 65];
    for (command, why) in [
        (
            vec!["sh", "-c", "printf %s \"$0\"; exit 3", &printed],
            "exit status: 3",
        ),
        (
            vec!["sh", "-c", "printf %s \"$0\"; kill -9 $$", &printed],
            "signal: 9",
        ),
        (vec!["true"], "no key pair"),
        (vec!["yes"], "too large"),
        (vec!["printf", "\\377"], "UTF-8"),
        (vec!["printf", "%s", "1234:zz"], "key pair 1"),
        (vec!["printf", "%s", cut], "checksum"),
        (vec!["/missing/program"], "cannot be started"),
        (vec![], "empty"),
    ] {
        let error = ring_of(&command).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains(why),
            "{error}"
        );
        let has_argument =
            |argument: &&str| argument.len() > 3 && error.to_string().contains(*argument);
        assert!(!command.iter().any(has_argument), "{error}");
    }
}

#[test]
fn a_command_that_does_not_end_is_killed() {
    let folder = super::scratch();
    let mark = folder.path().join("mark");
    let options = || KeyRingOptions::new().command_timeout(Duration::from_millis(300));
    // The first has closed its output.
    for script in [
        "exec >&-; exec sleep 1000",
        "exec sleep 1000",
        "echo $$ >\"$0\"; exec sleep 1000",
    ] {
        let command = ["sh", "-c", script, mark.to_str().unwrap()];
        let ring = KeyRing::with_options(KeySource::command(command), options());
        let error = ring.unwrap_err().to_string();
        assert!(error.contains("time limit"), "{error}");
    }
    if let Ok(process) = std::fs::read_to_string(&mark) {
        let folder = format!("/proc/{}", process.trim());
        assert!(
            !std::path::Path::new(&folder).exists(),
            "the process runs on"
        );
    }
}

#[test]
fn the_variable_of_a_command_must_be_set() {
    let missing = KeySource::command_from_env("SILVERBACK_NO_SUCH_VARIABLE");
    assert!(missing.unwrap_err().is_usage());
    // A variable that is always set, and names no program.
    let source = KeySource::command_from_env("PATH").unwrap();
    let ring = KeyRing::with_options(source, KeyRingOptions::new());
    assert!(ring.unwrap_err().to_string().contains("cannot be started"));
}
