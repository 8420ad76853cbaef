//! What a test does where a program it needs is not there: it says so and passes, unless
//! `SILVERBACK_REQUIRE` names the program, as CI's does.

use std::io::Write;

/// Says that a test is not run for want of `program`; panics if that is required.
pub(crate) fn not_run(program: &str, why: &str) {
    let required = std::env::var("SILVERBACK_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| name == program);
    assert!(!is_required, "{program} is required: {why}");
    // Past the capture of the test harness: a test that does not run says so.
    let _ = writeln!(std::io::stderr(), "not run, there is no {program}: {why}");
}
