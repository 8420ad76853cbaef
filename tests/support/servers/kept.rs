//! A program in the background, in a folder of its own, that ends with the test process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Who that is.
#[cfg(unix)]
const NOBODY: u32 = 65_534;

/// Runs the program until standard input says a word or ends, which it does with the test
/// process, and then stops it, and removes its folder unless it was told to keep that.
const KEEPER: &str = r#"
"$0" "$@" & program=$!
echo $program > pid
read -r word
kill -"$SIGNAL" $program
# A program that is still starting may ignore the signal.
while sleep 1; do kill -"$SIGNAL" $program; done & again=$!
wait $program
kill $again
[ "$word" = keep ] || rm -rf "$PWD"
"#;

/// As whom a server runs, and what ends it.
#[derive(Clone, Copy)]
pub(super) enum User {
    /// As we do; `TERM` ends it.
    Ours,
    /// Where we are root, which Postgres and its kin refuse: nobody. `INT` ends those without
    /// waiting for their clients.
    NotRoot,
}

pub(super) struct Kept {
    shell: Child,
    folder: PathBuf,
}

impl Kept {
    /// Runs `program` in `folder`, which is its own. What it says is in the file `log` there.
    pub(super) fn run(
        folder: &Path,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        user: User,
    ) -> Result<Self, String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        // Of the program that was here before.
        let _ = std::fs::remove_file(folder.join("pid"));
        let (mut shell, signal) = match user {
            User::NotRoot => (as_nobody("sh", folder), "INT"),
            User::Ours => (Command::new("sh"), "TERM"),
        };
        let child = shell
            .env("SIGNAL", signal)
            .current_dir(folder)
            .args(["-c", KEEPER])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let folder = folder.to_owned();
        Ok(Kept {
            shell: child,
            folder,
        })
    }

    /// Whether the program is there no more.
    pub(super) fn has_ended(&self) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.folder.join("pid")) else {
            return false; // it is not there yet
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // After the program's name, which may hold anything.
        let state = stat
            .ok()
            .and_then(|stat| stat.rsplit_once(") ").map(|parts| parts.1.to_owned()));
        !pid.is_empty() && state.is_none_or(|state| state.starts_with('Z'))
    }

    /// Stops it, and leaves its folder.
    pub(super) fn stop(mut self) {
        self.end("keep");
    }

    fn end(&mut self, word: &str) {
        if let Some(mut told) = self.shell.stdin.take() {
            let _ = writeln!(told, "{word}");
        }
        let _ = self.shell.wait();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.end("remove");
    }
}

/// A program in a folder of the user that it runs as.
pub(super) fn as_nobody(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    #[cfg(unix)]
    if is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A fresh folder of that user.
pub(super) fn own_folder(name: &str) -> Result<PathBuf, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unique = format!("silverback-{name}-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(unique);
    // What a process of the same number left when it was killed.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
    #[cfg(unix)]
    if is_root() {
        std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))
            .map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}
