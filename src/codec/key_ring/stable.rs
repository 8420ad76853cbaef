//! Reads a file that another program may be writing at this time.

use std::time::Duration;

use zeroize::Zeroizing;

use super::super::Error;

/// The most reads of a file whose text differs each time.
const MOST_READS: usize = 10;

/// Waits for a time. Returns false if the read is to be given up.
pub(super) type Pause<'p> = dyn FnMut(Duration) -> bool + 'p;

/// Returns the text that two reads in a row have, with the settle time in between, or a text that
/// proves that it is complete. Two failures in a row are a failure.
///
/// A program that writes the file in place, and pauses for less than the settle time, changes the
/// text between any two reads. So no part of the new text is returned.
pub(super) fn stable_text(
    read: &mut dyn FnMut() -> Result<Zeroizing<String>, Error>,
    is_complete: &dyn Fn(&str) -> bool,
    settle_time: Duration,
    pause: &mut Pause<'_>,
) -> Result<Zeroizing<String>, Error> {
    let mut last = read();
    for _ in 1..MOST_READS {
        if settle_time.is_zero() || last.as_ref().is_ok_and(|text| is_complete(text)) {
            return last;
        }
        if !pause(settle_time) {
            return Err(Error::internal("the read of the keys was given up"));
        }
        let next = read();
        match (&last, &next) {
            (Ok(text), Ok(again)) if **text == **again => return next,
            (Err(_), Err(_)) => return next,
            _ => last = next,
        }
    }
    Err(Error::usage(
        "the key file differs at each read: write it once, or replace it by a rename",
    ))
}
