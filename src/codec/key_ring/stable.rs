//! Reads a file that another program may be writing at this time.

use std::time::Duration;

use zeroize::Zeroizing;

use super::super::Error;

/// The most reads of a file whose text differs each time.
const MOST_READS: usize = 10;

/// Waits for a time. Returns false if the read is to be given up.
pub(super) type Pause<'p> = dyn FnMut(Duration) -> bool + 'p;

/// Returns the text that two reads in a row have, with the settle time in between, or a text that
/// proves that it is complete, or `None` if the pause was ended. Two failures in a row are a failure.
///
/// A program that writes the file in place, and pauses for less than the settle time, changes the
/// text between any two reads. So no part of the new text is returned.
pub(super) fn stable_text(
    read: &mut dyn FnMut() -> Result<Zeroizing<String>, Error>,
    is_complete: &dyn Fn(&str) -> bool,
    settle_time: Duration,
    pause: &mut Pause<'_>,
) -> Result<Option<Zeroizing<String>>, Error> {
    let mut last = read();
    for _ in 1..MOST_READS {
        if settle_time.is_zero() || last.as_ref().is_ok_and(|text| is_complete(text)) {
            return last.map(Some);
        }
        if !pause(settle_time) {
            return Ok(None);
        }
        let next = read();
        match (&last, &next) {
            (Ok(text), Ok(again)) if **text == **again => return next.map(Some),
            (Err(_), Err(_)) => return next.map(Some),
            _ => last = next,
        }
    }
    Err(Error::usage(
        "the key file differs at each read: write it once, or replace it by a rename",
    ))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SETTLE: Duration = Duration::from_secs(1);

    /// Reads texts in turn, the last one again and again, and returns the result.
    fn stable(texts: &[Option<&str>]) -> Option<String> {
        let reads = Cell::new(0);
        let mut read = || {
            let text = texts.get(reads.get()).or(texts.last()).copied().flatten();
            reads.set(reads.get() + 1);
            text.map(|text| Zeroizing::new(text.to_owned()))
                .ok_or_else(|| Error::usage("no file"))
        };
        let text = stable_text(&mut read, &|_| false, SETTLE, &mut |_| true);
        text.ok().flatten().map(|text| text.to_string())
    }

    #[test]
    fn no_part_of_a_file_that_is_written_is_returned() {
        let file = "aa,bb";
        for from in 0..=file.len() {
            let growing: Vec<_> = (from..=file.len()).map(|end| Some(&file[..end])).collect();
            assert_eq!(stable(&growing).as_deref(), Some(file));
        }
        assert_eq!(
            stable(&[Some("aa"), Some(""), Some(file)]).as_deref(),
            Some(file)
        );
        assert_eq!(
            stable(&[None, Some("aa"), None, Some(file)]).as_deref(),
            Some(file)
        );
    }

    #[test]
    fn a_file_that_always_differs_or_cannot_be_read_is_refused() {
        let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let texts: Vec<_> = texts.iter().map(|text| Some(&**text)).collect();
        assert_eq!(stable(&texts), None);
        assert_eq!(stable(&[Some("aa"), None, None, Some("aa")]), None);
    }

    #[test]
    fn a_complete_text_and_a_settle_time_of_zero_need_one_read() {
        for (is_complete, settle) in [(true, SETTLE), (false, Duration::ZERO)] {
            let mut reads = 0;
            let mut read = || {
                reads += 1;
                Ok(Zeroizing::new("aa".to_owned()))
            };
            let text = stable_text(&mut read, &|_| is_complete, settle, &mut |_| false);
            assert_eq!(text.unwrap().unwrap().as_str(), "aa");
            assert_eq!(reads, 1);
        }
    }

    #[test]
    fn an_ended_pause_ends_the_read() {
        let mut read = || Ok(Zeroizing::new("aa".to_owned()));
        let text = stable_text(&mut read, &|_| false, SETTLE, &mut |_| false);
        assert!(text.unwrap().is_none());
    }
}
