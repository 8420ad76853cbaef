//! A server with a wrong clock.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The difference between a server's clock and the system clock.
pub(super) struct Skew {
    /// The library that changes the time.
    preload: String,
    seconds: &'static str,
}

impl Skew {
    /// Returns the skew by this many seconds, such as `-3600`. Needs a C compiler.
    pub(super) fn by(seconds: &'static str) -> Result<Self, String> {
        static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let library = LIBRARY.get_or_init(compile).clone()?;
        Ok(Skew {
            preload: library.display().to_string(),
            seconds,
        })
    }

    /// Returns the variables for the server's environment.
    pub(super) fn environment(&self) -> Vec<(&str, &str)> {
        vec![
            ("LD_PRELOAD", &self.preload),
            ("SKEW_SECONDS", self.seconds),
        ]
    }
}

/// Compiles the library that changes the time, for the servers of this process.
fn compile() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/servers/skew.c");
    let name = format!("silverback-skew-{}.so", std::process::id());
    // Servers that run as another user read it.
    let library = std::env::temp_dir().join(name);
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", source, "-o"])
        .arg(&library)
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    match compiled.status.success() {
        true => Ok(library),
        false => Err(String::from_utf8_lossy(&compiled.stderr).into_owned()),
    }
}
