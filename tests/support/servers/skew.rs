//! A server with a wrong clock.

/// The difference between a server's clock and the system clock.
pub(super) struct Skew {
    /// The library that changes the time.
    preload: String,
    /// The offset in the syntax of faketime.
    by: String,
}

impl Skew {
    /// Returns the skew for an offset such as `+1h`.
    pub(super) fn by(skew: &str) -> Result<Self, String> {
        Ok(Skew {
            preload: faketime().ok_or("faketime is not installed")?,
            by: skew.to_owned(),
        })
    }

    /// Returns the variables for the server's environment. Durations are not changed.
    pub(super) fn environment(&self) -> Vec<(&str, &str)> {
        vec![
            ("LD_PRELOAD", &self.preload),
            ("FAKETIME", &self.by),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            // Without this a Java machine would wait for ever.
            ("FAKETIME_FORCE_MONOTONIC_FIX", "0"),
        ]
    }
}

/// Returns Debian's library for this machine's architecture.
fn faketime() -> Option<String> {
    let machines = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = machines.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let library = libraries.find(|library| library.exists())?;
    library.to_str().map(str::to_owned)
}
