//! The text of an error and its cause. An error names its cause in its own text, once, on one line.
//! Such an error has no `source()`: a report that prints the chain would repeat the cause.

use std::error::Error;
use std::fmt;

/// Writes `message` and then the text of each cause: `the database does not answer: error
/// communicating with database: Connection refused (os error 111)`. Skips a cause that the text
/// already contains, and writes only the first line of each cause.
pub(crate) fn write(
    f: &mut fmt::Formatter<'_>,
    message: &str,
    cause: Option<&(dyn Error + Send + Sync + 'static)>,
) -> fmt::Result {
    let mut text = message.to_owned();
    let mut next = cause.map(|cause| cause as &(dyn Error + 'static));
    while let Some(cause) = next {
        let reason = cause.to_string();
        let reason = reason.lines().next().unwrap_or_default().trim_end();
        if !text.contains(reason) {
            text.push_str(": ");
            text.push_str(reason);
        }
        next = cause.source();
    }
    f.write_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|link| link as _)
        }
    }

    struct Report<'a>(&'a str, Option<&'a Link>);

    impl fmt::Display for Report<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, self.0, self.1.map(|link| link as _))
        }
    }

    #[test]
    fn each_cause_is_named_once_and_in_one_line() {
        let refused = || Some(Box::new(Link("refused (os error 111)", None)));
        let chain = Link("cannot connect: refused (os error 111)", refused());
        let report = Report("no answer", Some(&chain)).to_string();
        assert_eq!(report, "no answer: cannot connect: refused (os error 111)");
        let chain = Link("cannot connect\nin two lines", refused());
        let report = Report("no answer", Some(&chain)).to_string();
        assert_eq!(report, "no answer: cannot connect: refused (os error 111)");
        let report = Report("no answer: cannot connect", Some(&chain)).to_string();
        assert_eq!(report, "no answer: cannot connect: refused (os error 111)");
        assert_eq!(Report("no answer", None).to_string(), "no answer");
    }
}
