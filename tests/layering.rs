//! The dependencies between the modules of the crate. `gob` uses no other module, `codec` uses
//! `gob`, `session` uses both and `backend`, `jar` uses `codec` and `session`, `web` uses these
//! three, and the program uses only the public API. `compat` combines the other modules.

#[path = "support/imports.rs"]
mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use imports::{Crate, circles};

/// Each module, and the modules that it may use.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("backend", &[]),
    ("gob", &[]),
    ("codec", &["gob"]),
    ("session", &["codec", "gob", "backend"]),
    ("jar", &["codec", "session"]),
    ("web", &["codec", "jar", "session"]),
    ("compat", &["codec", "session", "backend"]),
];

/// The entries of `src` that are not library modules. `guide` is documentation only. `calendar.rs`
/// formats times, `cause.rs` writes an error with its cause, `cookie_header.rs` parses the Cookie
/// fields of a request, `duration_text.rs` reads a duration, and `fault.rs` has the parts of an error;
/// they use no module, and each module may use them.
const NO_MODULES: [&str; 9] = [
    "calendar.rs",
    "cause.rs",
    "cookie_header.rs",
    "fault.rs",
    "cli",
    "duration_text.rs",
    "guide",
    "lib.rs",
    "main.rs",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_under(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns the lines of a file that are not comments.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_module_has_an_entry() {
    for entry in fs::read_dir(source()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known =
            ALLOWED.iter().any(|(module, _)| *module == name) || NO_MODULES.contains(&&*name);
        assert!(known, "src/{name} has no entry: add it to this test");
    }
}

#[test]
fn modules_use_only_allowed_modules() {
    let mut checked = 0;
    for (module, may_use) in ALLOWED {
        for file in files_under(&source().join(module)) {
            let code = code_of(&file);
            for (other, _) in ALLOWED {
                let named = code.contains(&format!("crate::{other}"));
                let allowed = other == module || may_use.contains(&other);
                assert!(!named || allowed, "{} uses {other}", file.display());
            }
            // A `super::` path must not bypass the check either.
            assert!(!code.contains("silverback::"), "{}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} files were checked");
}

/// If two files import each other, neither can be read, tested or moved without the other. Put the
/// item that both need into the file that it belongs to, or into a file of its own.
#[test]
fn no_files_of_a_module_import_each_other_in_a_circle() {
    let files = Crate::read(&source());
    let mut imports_seen = 0;
    for entry in fs::read_dir(source()).unwrap() {
        let module = entry.unwrap().file_name().into_string().unwrap();
        let imports = files.imports_in(&module);
        imports_seen += imports.values().map(Vec::len).sum::<usize>();
        let circles = circles(&imports);
        assert!(circles.is_empty(), "circles of imports: {circles:#?}");
    }
    assert!(imports_seen > 300, "only {imports_seen} imports were seen");
}

#[test]
fn the_codec_uses_no_network_and_no_runtime() {
    for file in files_under(&source().join("codec")) {
        let code = code_of(&file);
        for foreign in ["tokio", "std::net", "http::", "println!", "dbg!"] {
            assert!(!code.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}

#[test]
fn sessions_and_jars_use_no_web_framework() {
    let folders = ["session", "jar"].map(|module| files_under(&source().join(module)));
    for file in folders.into_iter().flatten() {
        let code = code_of(&file);
        for foreign in ["http::", "tower", "axum", "actix_web", "std::net::Tcp"] {
            let code = code.replace("feature = \"tower\"", "");
            assert!(!code.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}

#[test]
fn no_file_has_more_than_500_code_lines() {
    for file in files_under(&source()) {
        let lines = code_of(&file).lines().count();
        assert!(lines <= 500, "{} has {lines} lines of code", file.display());
    }
}
