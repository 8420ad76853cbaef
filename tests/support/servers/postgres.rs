//! A PostgreSQL server.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::background::{BackgroundProgram, User, as_nobody, own_folder};
use super::skew::Skew;
use super::{folder_with, free_port};

/// Longer than any start takes.
const WATCHDOG: Duration = Duration::from_secs(60);

pub(crate) struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    skew: Option<Skew>,
    tls: bool,
    background: Option<BackgroundProgram>,
}

impl PostgresServer {
    /// Starts a server with an empty database, or returns the reason why not.
    pub(crate) fn start() -> Result<Self, String> {
        PostgresServer::start_with(None, false)
    }

    /// Starts a server that also supports TLS, with its own certificate for the name `localhost`.
    pub(crate) fn start_with_tls() -> Result<Self, String> {
        PostgresServer::start_with(None, true)
    }

    /// Starts a server with a clock that is wrong by this many seconds, such as `-3600`.
    pub(crate) fn start_skewed(skew: &'static str) -> Result<Self, String> {
        PostgresServer::start_with(Some(Skew::by(skew)?), false)
    }

    fn start_with(skew: Option<Skew>, tls: bool) -> Result<Self, String> {
        let mut server = PostgresServer {
            programs: programs()?,
            folder: own_folder("postgres")?,
            port: free_port()?,
            skew,
            tls,
            background: None,
        };
        server.make_data()?;
        if tls {
            server.make_certificate()?;
        }
        server.start_again()?;
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL of the same database through another port, such as that of a pooler or a
    /// proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://silverback@127.0.0.1:{port}/postgres")
    }

    /// Returns the log of the server.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn make_data(&self) -> Result<(), String> {
        let made = as_nobody(self.programs.join("initdb"), &self.folder)
            .args(["--username=silverback", "--auth=trust", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync", "--pgdata=data"])
            .output()
            .map_err(|error| format!("initdb: {error}"))?;
        match made.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        }
    }

    /// Returns the path of its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("data/server.crt")
    }

    fn make_certificate(&self) -> Result<(), String> {
        let made = as_nobody("openssl", &self.folder.join("data"))
            .args([
                "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"]) // not an authority
            .args(["-keyout", "server.key", "-out", "server.crt"])
            .output()
            .map_err(|error| format!("openssl: {error}"))?;
        match made.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        }
    }

    /// Starts the server with the existing data, and waits until it answers.
    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        let watchdog = Instant::now() + WATCHDOG;
        self.run()?;
        while !self.answers() {
            if Instant::now() > watchdog {
                return Err(format!("the server does not answer: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
            // A killed server's processes may still use its memory.
            if self
                .background
                .as_ref()
                .is_some_and(BackgroundProgram::has_ended)
            {
                self.stop();
                self.run()?;
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let arguments = ["-D", "data", "-p", &port]
            .into_iter()
            .chain(["-c", "listen_addresses=127.0.0.1"])
            .chain(["-c", "unix_socket_directories="])
            .chain(["-c", "max_connections=400"])
            .chain(["-c", "log_line_prefix=%d "]) // the database's name
            .chain(["-c", if self.tls { "ssl=on" } else { "ssl=off" }]);
        let environment = self.skew.as_ref().map(Skew::environment);
        let environment = environment.unwrap_or_default();
        let arguments: Vec<&str> = arguments.collect();
        let program = self.programs.join("postgres");
        // `INT` ends the server without waiting for its clients.
        let (folder, user) = (&self.folder, User::NotRoot("INT"));
        self.background = Some(BackgroundProgram::run(
            folder,
            &program,
            &arguments,
            &environment,
            user,
        )?);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(background) = self.background.take() {
            background.stop();
        }
    }

    fn answers(&self) -> bool {
        let ready = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.is_ok_and(|status| status.success())
    }

    fn pid(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok()
    }

    /// Kills the server as a crash would, and keeps its data.
    pub(crate) fn kill(&mut self) {
        let pid = self.pid().expect("the server runs");
        let killed = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
        assert!(killed.expect("kill").success());
        self.stop();
    }
}

/// Returns the folder of the server's programs: Debian does not have them on the path.
fn programs() -> Result<PathBuf, String> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<_> = debian
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    versions.sort();
    versions.reverse();
    folder_with(&["initdb", "postgres", "pg_isready"], versions)
}
