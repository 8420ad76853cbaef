//! Runs a command, and returns what it prints.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::super::Error;
use super::super::key_file::read_text;

/// How often the end of a program is checked after it has closed its output.
const CHECK: Duration = Duration::from_millis(5);

/// Returns the standard output of a program, if it succeeds within the time limit. No error
/// contains an argument, an output or the name of the program.
///
/// `reading` is shared with the thread that reads the output. A descendant of a program that was
/// killed can hold its output open: until that thread has ended, no other program is started.
pub(super) fn output_of(
    command: &[OsString],
    timeout: Duration,
    reading: &Arc<()>,
) -> Result<Zeroizing<String>, Error> {
    if Arc::strong_count(reading) > 1 {
        return Err(Error::usage(
            "the command for the keys was stopped, and a program that it started still holds its \
             output open: end that program",
        ));
    }
    let deadline = Instant::now().checked_add(timeout);
    let left = || deadline.map_or(timeout, |end| end.saturating_duration_since(Instant::now()));
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Error::usage("the command for the keys is empty: give it a program"))?;
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| {
        Error::usage("the command for the keys cannot be started").with_source(error)
    })?;
    let ended = read_until_end(&mut child, &left, reading.clone());
    if ended.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended
}

fn read_until_end(
    child: &mut Child,
    left: &dyn Fn() -> Duration,
    reading: Arc<()>,
) -> Result<Zeroizing<String>, Error> {
    let output = child.stdout.take();
    let output = output.ok_or_else(|| Error::internal("the command has no output"))?;
    // A descendant of the program can hold the output open, so another thread reads it.
    let (send, receive) = mpsc::channel();
    let thread = thread::Builder::new().name("silverback-keys-command".to_owned());
    let reader = thread.spawn(move || {
        let text = read_text(output);
        drop(reading); // before the text is received, so that the next command may start
        send.send(text)
    });
    reader.map_err(|error| {
        Error::internal("the thread that reads the keys cannot be started").with_source(error)
    })?;
    let text = receive.recv_timeout(left()).map_err(|_| too_slow())?;
    let text = text.map_err(|why| {
        Error::usage(format!(
            "the output of the command for the keys cannot be read: {why}"
        ))
    })?;
    wait_for_success(child, left)?;
    Ok(text)
}

fn wait_for_success(child: &mut Child, left: &dyn Fn() -> Duration) -> Result<(), Error> {
    loop {
        let status = child.try_wait().map_err(|error| {
            Error::internal("the command for the keys cannot be waited for").with_source(error)
        })?;
        match status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                return Err(Error::usage(format!(
                    "the command for the keys failed: {status}"
                )));
            }
            None if left().is_zero() => return Err(too_slow()),
            None => thread::sleep(CHECK),
        }
    }
}

fn too_slow() -> Error {
    Error::usage(
        "the command for the keys exceeds its time limit: make it faster, or raise \
         KeyRingOptions::command_timeout",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A program is killed, and another one that it started holds its output open.
    #[test]
    fn no_second_command_runs_while_the_output_of_the_first_is_open() {
        let command = |script: &str| ["sh", "-c", script].map(OsString::from);
        let reading = Arc::default();
        let short = Duration::from_millis(200);
        let holds_on = command("sleep 3 & sleep 3");
        let error = output_of(&holds_on, short, &reading).unwrap_err();
        assert!(error.to_string().contains("time limit"), "{error}");
        let error = output_of(&command("echo a"), short, &reading).unwrap_err();
        assert!(error.to_string().contains("output open"), "{error}");
        let start = Instant::now();
        while Arc::strong_count(&reading) > 1 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the output is open"
            );
            thread::sleep(CHECK);
        }
        let long = Duration::from_secs(60);
        assert_eq!(
            &**output_of(&command("echo a"), long, &reading).unwrap(),
            "a\n"
        );
    }
}
