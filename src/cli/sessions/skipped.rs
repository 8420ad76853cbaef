//! Reports about records that could not be read.

use silverback::backend;

use super::super::failure::report;

/// Names the records that could not be read, on standard error.
pub(super) fn report_skipped(skipped: &[backend::Error]) {
    for error in skipped {
        report(format_args!("silverback: skipped a record: {error}"));
    }
}
