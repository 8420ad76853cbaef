//! The Go program: builds it, starts it, and ends it.

use std::error::Error;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The process, which ends with its standard input.
pub(crate) struct GoProgram {
    process: Child,
    address: SocketAddr,
}

impl GoProgram {
    /// Builds the program in `source`, and starts it. The executable file is in `folder`.
    pub(crate) fn start(
        source: &Path,
        folder: &Path,
        arguments: &[String],
        database: Option<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let program = folder.join("shop");
        build(source, &program)?;
        let mut process = Command::new(program)
            .args(arguments)
            // Other users of this machine can read arguments, and a URL may have a password.
            .envs(database.map(|url| ("DATABASE_URL", url)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut port)?;
        }
        let Ok(port) = port.trim().parse::<u16>() else {
            process.wait()?;
            return Err("the Go program did not start: see its message above".into());
        };
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(GoProgram { process, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for GoProgram {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The first build downloads the Go modules.
fn build(source: &Path, program: &Path) -> Result<(), Box<dyn Error>> {
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(program)
        .arg(".")
        .current_dir(source)
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the Go program was not built: see the message above".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("Go is not installed: this example needs Go 1.24 or later".into())
        }
        Err(error) => Err(format!("go build: {error}").into()),
    }
}
