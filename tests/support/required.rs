//! What a test does where a program or server it needs is not there: it says so and passes,
//! unless `SILVERBACK_REQUIRE` names it, as CI's does.

#![allow(dead_code)] // not every test asks both

use std::io::Write;

/// Whether the tests that need `program` must run.
pub(crate) fn is_required(program: &str) -> bool {
    let required = std::env::var("SILVERBACK_REQUIRE").unwrap_or_default();
    required.split(',').any(|name| name == program)
}

/// Says that a test is not run for want of `program`; panics if that is required.
pub(crate) fn not_run(program: &str, why: &str) {
    assert!(!is_required(program), "{program} is required: {why}");
    // Past the capture of the test harness: a test that does not run says so.
    let _ = writeln!(std::io::stderr(), "not run, there is no {program}: {why}");
}
