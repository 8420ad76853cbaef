//! The text of a key file: how it is read, and the checksum in its first line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Error;

/// The longest text of keys that is read, in bytes. No chain is this long: a longer file is the
/// wrong one, or a device without end.
const LONGEST_KEY_FILE: u64 = 64 * 1024;

/// The beginning of the first line of a file with a checksum.
const CHECKSUM: &str = "# silverback keys, sha256 ";

/// The rest of that line.
const ADVICE: &str = ": to edit this file by hand, remove this line";

/// Reads the text of a key file, which is a SPEC, into memory that is wiped on drop.
///
/// [`KeyPairs::from_file`](super::KeyPairs::from_file) also parses it.
///
/// # Errors
/// Returns a usage error if the file cannot be read, is not text, is over 64 KiB, or differs
/// from its [checksum](key_file_with_checksum). The error does not contain the path, which may
/// be a key by mistake.
pub fn read_key_file(path: impl AsRef<Path>) -> Result<Zeroizing<String>, Error> {
    let refused = |why: &str| Error::usage(format!("the key file cannot be read: {why}"));
    let file = File::open(path).map_err(|error| refused(&error.to_string()))?;
    let text = read_text(file).map_err(|why| refused(&why))?;
    check_checksum(&text).map_err(Error::usage)?;
    Ok(text)
}

/// Reads at most 64 KiB of text. An error is the reason.
pub(super) fn read_text(from: impl Read) -> Result<Zeroizing<String>, String> {
    // The buffer must not grow: growing would leave keys in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY_FILE as usize + 2));
    from.take(LONGEST_KEY_FILE + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > LONGEST_KEY_FILE {
        return Err("it is too large: a key file has at most 64 KiB".to_owned());
    }
    Ok(text)
}

/// Returns the text of a key file with a first line that has the checksum of all other lines.
///
/// `silverback keys` writes this line. A reader refuses the file if the line and the rest
/// differ: a part of a file, cut at any byte, is never taken for a shorter chain. Readers of a
/// SPEC skip the line, since it begins with `#`. `text` must have no such line yet.
///
/// ```
/// use silverback::codec::{KeyPairs, key_file_with_checksum, read_key_file};
///
/// let spec = format!("{}\n{}\n", "a1".repeat(32), "b2".repeat(32));
/// let text = key_file_with_checksum(&spec);
/// assert_eq!(text.parse::<KeyPairs>()?.len(), 2);
///
/// let path = std::env::temp_dir().join(format!("silverback-doc-{}", std::process::id()));
/// let cut = &text[..text.len() - 65]; // without the last line
/// assert_eq!(cut.parse::<KeyPairs>()?.len(), 1);
/// std::fs::write(&path, cut)?;
/// assert!(read_key_file(&path).is_err());
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn key_file_with_checksum(text: &str) -> Zeroizing<String> {
    let line = [CHECKSUM, &checksum(text), ADVICE, "\n"].concat();
    let mut file = Zeroizing::new(String::with_capacity(line.len() + text.len()));
    file.push_str(&line);
    file.push_str(text);
    file
}

/// Returns whether the text has a line with a checksum.
pub(super) fn has_checksum(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(CHECKSUM))
}

/// Refuses a text that differs from its checksum. A text without a checksum passes.
pub(super) fn check_checksum(text: &str) -> Result<(), &'static str> {
    if !has_checksum(text) {
        return Ok(());
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let expected = first.strip_prefix(CHECKSUM);
    let expected = expected.and_then(|line| line.strip_suffix(ADVICE));
    // A second checksum comes from another version of the file.
    match expected == Some(&*checksum(rest)) && !has_checksum(rest) {
        true => Ok(()),
        false => Err(
            "the key file differs from the checksum in its first line: it is incomplete, or was \
             edited by hand. Write it again with `silverback keys`, or remove that line",
        ),
    }
}

/// Returns half of the SHA-256, in hex. It only finds accidents: a person who can change the
/// file can also change the line. Line ends after the last line do not count: secret managers add
/// and remove them.
fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.trim_end_matches(['\r', '\n']));
    let half = digest.get(..16).unwrap_or_default();
    base16ct::lower::encode_string(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Zeroizing<String> {
        let keys = ["a1".repeat(32), "b2".repeat(32), "c3".repeat(32)];
        key_file_with_checksum(&format!("# a note\n{}\n", keys.join("\n")))
    }

    #[test]
    fn a_file_cut_at_any_byte_has_no_keys_or_another_checksum() {
        let file = file();
        assert_eq!(check_checksum(&file), Ok(()));
        // All but the last line end.
        for length in 0..file.len() - 1 {
            let cut = &file[..length];
            let has_keys = cut.parse::<crate::codec::KeyPairs>().is_ok();
            assert!(!has_keys || check_checksum(cut).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn line_ends_after_the_last_line_do_not_count() {
        let file = file();
        for end in ["", "\n", "\n\n", "\r\n"] {
            let text = format!("{}{end}", file.trim_end());
            assert_eq!(check_checksum(&text), Ok(()), "{end:?}");
        }
        assert!(check_checksum(&format!("{}a\n", file.trim_end())).is_err());
    }

    #[test]
    fn lines_that_are_added_moved_or_mixed_are_refused() {
        let (file, added) = (file(), "d4".repeat(32));
        let (first, rest) = file.split_once('\n').unwrap();
        for wrong in [
            format!("{}{added}\n", *file),
            format!("{added}\n{}", *file),
            format!("{rest}{first}\n"),
            format!("{first}\n{}{rest}", *key_file_with_checksum("")),
            file.replace("a1", "a2"),
        ] {
            assert!(check_checksum(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(check_checksum(rest), Ok(()), "a file without the line");
    }
}
