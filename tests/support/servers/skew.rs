//! A server whose clock is wrong.

/// How a server's clock differs from ours.
pub(super) struct Skew {
    /// The library that tells the time.
    preload: String,
    /// As faketime has it.
    by: String,
}

impl Skew {
    /// Such as `+1h`.
    pub(super) fn by(skew: &str) -> Result<Self, String> {
        Ok(Skew {
            preload: faketime().ok_or("faketime is not here")?,
            by: skew.to_owned(),
        })
    }

    /// What the server's environment is told. How long something takes is as it is.
    pub(super) fn environment(&self) -> Vec<(&str, &str)> {
        vec![
            ("LD_PRELOAD", &self.preload),
            ("FAKETIME", &self.by),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            // A Java machine waits for ever otherwise.
            ("FAKETIME_FORCE_MONOTONIC_FIX", "0"),
        ]
    }
}

/// Debian's library, in the folder of whatever this machine is.
fn faketime() -> Option<String> {
    let machines = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = machines.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let library = libraries.find(|library| library.exists())?;
    library.to_str().map(str::to_owned)
}
