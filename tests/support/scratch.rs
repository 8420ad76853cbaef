//! A folder that is removed at the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates an unused folder, below the one that the environment's `variable` names, or below
    /// the target folder.
    pub(crate) fn new(variable: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let below = std::env::var_os(variable);
        let below = below.map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = below.join(format!("scratch-{}-{count}", std::process::id()));
        // A killed process with the same number may have left this folder.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        Scratch(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
