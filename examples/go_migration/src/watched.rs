//! A file that is read at each use, so that an edit has an effect while the program runs.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

type Parse<T> = dyn Fn(&str) -> Result<T, Box<dyn Error>> + Send + Sync;

pub(crate) struct Watched<T> {
    path: PathBuf,
    parse: Box<Parse<T>>,
    latest: Mutex<Latest<T>>,
}

struct Latest<T> {
    text: String,
    parsed: T,
}

impl<T: Clone> Watched<T> {
    /// Reads the file, which must be valid.
    pub(crate) fn open(
        path: PathBuf,
        parse: impl Fn(&str) -> Result<T, Box<dyn Error>> + Send + Sync + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let text = std::fs::read_to_string(&path)?;
        let parsed = parse(&text)?;
        Ok(Watched {
            path,
            parse: Box::new(parse),
            latest: Mutex::new(Latest { text, parsed }),
        })
    }

    /// Returns the contents of the file. If they are not valid, prints the reason and returns the
    /// last valid contents.
    pub(crate) fn get(&self) -> T {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.refresh(&mut latest) {
            let path = self.path.display();
            eprintln!("{path} is not valid, and its last contents apply: {error}");
        }
        latest.parsed.clone()
    }

    fn refresh(&self, latest: &mut Latest<T>) -> Result<(), Box<dyn Error>> {
        let text = std::fs::read_to_string(&self.path)?;
        if text != latest.text {
            let parsed = (self.parse)(&text)?;
            *latest = Latest { text, parsed };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_applies_at_once_unless_it_is_not_valid() {
        let path = std::env::temp_dir().join(format!("silverback-watched-{}", std::process::id()));
        let parse = |text: &str| Ok(text.parse::<u8>()?);
        std::fs::write(&path, "many").unwrap();
        assert!(Watched::open(path.clone(), parse).is_err());
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::open(path.clone(), parse).unwrap();
        for (text, expected) in [("1", 1), ("2", 2), ("many", 2), ("3", 3)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(watched.get(), expected, "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(watched.get(), 3, "the file is missing");
    }
}
