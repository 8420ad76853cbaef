//! A program in the background, in its own folder, that ends with the test process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The user and group number of the user `nobody`.
#[cfg(unix)]
const NOBODY: u32 = 65_534;

/// Runs the program until standard input sends a signal name or closes, which it does at the end of
/// the test process. Then stops the program, and removes its folder unless the word says to keep
/// it.
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

/// The user that runs a server, and the signal that ends it.
#[derive(Clone, Copy)]
pub(super) enum User {
    /// The current user; `TERM` ends the server.
    Ours,
    /// The user `nobody`, if the current user is root, which Postgres, PgBouncer and MariaDB refuse;
    /// the signal ends the server.
    NotRoot(&'static str),
}

pub(super) struct BackgroundProgram {
    shell: Child,
    folder: PathBuf,
}

impl BackgroundProgram {
    /// Runs `program` in `folder`, which belongs to it. Its output is in the file `log` there.
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
        // A previous program in this folder may have left it.
        let _ = std::fs::remove_file(folder.join("pid"));
        let (mut shell, signal) = match user {
            User::NotRoot(signal) => (as_nobody("sh", folder), signal),
            User::Ours => (Command::new("sh"), "TERM"),
        };
        // Ctrl-C ends this process; the shell then stops the program and removes the folder.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
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
        Ok(BackgroundProgram {
            shell: child,
            folder,
        })
    }

    /// Waits until the program answers. Fails if it ends before, or does not answer within a minute,
    /// which is longer than any start takes. The error has the program's output.
    pub(super) fn wait_until(&self, answers: impl Fn() -> bool) -> Result<(), String> {
        let watchdog = Instant::now() + Duration::from_secs(60);
        while !answers() {
            if Instant::now() > watchdog || self.has_ended() {
                let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
                let log = String::from_utf8_lossy(&log);
                return Err(format!("the server does not answer: {log}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Returns whether the program has ended.
    pub(super) fn has_ended(&self) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.folder.join("pid")) else {
            return false; // it has not started yet
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // The fields follow the program's name, which may contain any character.
        let state = stat
            .ok()
            .and_then(|stat| stat.rsplit_once(") ").map(|parts| parts.1.to_owned()));
        !pid.is_empty() && state.is_none_or(|state| state.starts_with('Z'))
    }

    /// Stops the program, and keeps its folder.
    pub(super) fn stop(mut self) {
        self.end("keep");
    }

    fn end(&mut self, word: &str) {
        if let Some(mut stdin) = self.shell.stdin.take() {
            let _ = writeln!(stdin, "{word}");
        }
        let _ = self.shell.wait();
    }
}

impl Drop for BackgroundProgram {
    fn drop(&mut self) {
        self.end("remove");
    }
}

/// Returns a program that runs in a folder of its own user.
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

/// Creates a fresh folder of that user.
pub(super) fn own_folder(name: &str) -> Result<PathBuf, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let unique = format!("silverback-{name}-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(unique);
    // A killed process with the same number may have left this folder.
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
