//! Tests that need a program or server that is not installed: they print a message and pass, unless
//! `SILVERBACK_REQUIRE` names it, as in CI.

#![allow(dead_code)] // not every test uses both

use std::io::Write;

/// Returns whether the tests that need `program` must run.
pub(crate) fn is_required(program: &str) -> bool {
    let required = std::env::var("SILVERBACK_REQUIRE").unwrap_or_default();
    required.split(',').any(|name| name == program)
}

/// Reports that a test is not run because `program` is missing. Panics if the program is required.
pub(crate) fn not_run(program: &str, why: &str) {
    assert!(!is_required(program), "{program} is required: {why}");
    // Written past the capture of the test harness, so that the message is always shown.
    let _ = writeln!(std::io::stderr(), "not run, {program} is missing: {why}");
}
