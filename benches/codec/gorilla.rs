//! gorilla/securecookie, which the Go program of `tests/interop` measures.

use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Gorilla(PathBuf);

impl Gorilla {
    /// Builds the Go program. Without Go, prints a message and continues.
    pub(crate) fn find() -> Option<Self> {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop-bench");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop"))
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(Gorilla(program));
        }
        eprintln!("gorilla is left out: `go build` in tests/interop failed");
        None
    }

    /// Returns workload names and nanoseconds per operation.
    pub(crate) fn measure(&self) -> Vec<(String, f64)> {
        let output = Command::new(&self.0).arg("bench").output();
        let lines = output.expect("the program was built").stdout;
        let measured = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some((
                line["name"].as_str()?.to_owned(),
                line["nanoseconds"].as_f64()?,
            ))
        };
        let lines = String::from_utf8(lines).expect("JSON is UTF-8");
        lines
            .lines()
            .map(|line| measured(line).expect("a measurement"))
            .collect()
    }
}
