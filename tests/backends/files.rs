//! Files in a folder of their own.

use std::path::Path;

use silverback::backend::Files;
use silverback::backend::conformance::KeySpace;

/// A folder that nobody else uses, below the target directory. It stays, to be looked at.
pub(crate) fn fresh() -> Files {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files");
    let _ = std::fs::remove_dir_all(&folders);
    let unique = format!("{:?}", KeySpace::new().expect("randomness"));
    let unique: String = unique.chars().filter(char::is_ascii_hexdigit).collect();
    Files::open(folders.join(unique)).expect("the folder can be made")
}
