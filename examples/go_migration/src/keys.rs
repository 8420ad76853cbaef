//! The file with the keys, and the three steps of a rotation. Both programs read the file at each
//! request. Each step is one deploy of a real service: `guide::rotation` has the rules.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use silverback::codec::{KeyPair, KeyPairs};

pub(crate) const FILE: &str = "keys";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Append,
    Promote,
    Drop,
}

impl Step {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "append" => Some(Step::Append),
            "promote" => Some(Step::Promote),
            "drop" => Some(Step::Drop),
            _ => None,
        }
    }

    fn effect(self) -> &'static str {
        match self {
            Step::Append => {
                "Both programs can open cookies of the new pair. The old pair still seals. Next: promote."
            }
            Step::Promote => {
                "The new pair seals. Cookies of the old pair still open. Next, when its cookies have been replaced: drop."
            }
            Step::Drop => "Cookies of the old pair are refused. The rotation is complete.",
        }
    }
}

/// Makes the file with one new pair, unless it exists.
pub(crate) fn make_missing(path: &Path) -> Result<(), Box<dyn Error>> {
    match path.exists() {
        true => Ok(()),
        false => write(path, &[new_pair()?]),
    }
}

/// Takes a step of a rotation, and returns its effect.
pub(crate) fn take(path: &Path, step: Step) -> Result<&'static str, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("there are no keys yet, start the shop first: {error}"))?;
    text.parse::<KeyPairs>()?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut pairs: Vec<String> = lines.map(str::to_owned).collect();
    match (step, pairs.len()) {
        (Step::Append, 1) => pairs.push(new_pair()?),
        (Step::Promote, 2) => pairs.reverse(),
        (Step::Drop, 2) => pairs.truncate(1),
        (Step::Append, _) => return Err("a rotation has begun: promote, then drop".into()),
        (Step::Promote | Step::Drop, _) => return Err("there is no second pair: append".into()),
    }
    write(path, &pairs)?;
    Ok(step.effect())
}

/// Returns a new pair in hex, as `silverback keygen` prints it.
fn new_pair() -> Result<String, Box<dyn Error>> {
    let pair = KeyPair::generate()?;
    let mut spec = hex(pair.hash().expose());
    if let Some(block) = pair.block() {
        write!(spec, ":{}", hex(block.expose()))?;
    }
    Ok(spec)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces the file in one step, so that the programs never read half of it.
fn write(path: &Path, pairs: &[String]) -> Result<(), Box<dyn Error>> {
    let new = path.with_extension("new");
    let mut file = private_file(&new)?;
    writeln!(
        file,
        "# The first pair seals, and every pair opens. Both programs read this file at each request."
    )?;
    for pair in pairs {
        writeln!(file, "{pair}")?;
    }
    Ok(std::fs::rename(&new, path)?)
}

/// Creates a file that only this user can read.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn a_rotation_takes_three_steps_in_order() {
        let folder = std::env::temp_dir().join(format!("silverback-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(FILE);
        assert!(take(&path, Step::Append).is_err(), "there is no file");
        make_missing(&path).unwrap();
        let old = pairs(&path);
        make_missing(&path).unwrap();
        assert_eq!((old.len(), pairs(&path)), (1, old.clone()));

        for early in [Step::Promote, Step::Drop] {
            assert!(take(&path, early).is_err());
        }
        take(&path, Step::Append).unwrap();
        let both = pairs(&path);
        assert_eq!((both.len(), &both[0]), (2, &old[0]));
        assert!(take(&path, Step::Append).is_err());
        take(&path, Step::Promote).unwrap();
        assert_eq!(pairs(&path), [both[1].clone(), both[0].clone()]);
        take(&path, Step::Drop).unwrap();
        assert_eq!(pairs(&path), [both[1].clone()]);

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
