//! A MariaDB server.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use super::background::{BackgroundProgram, User, as_nobody, own_folder};
use super::skew::Skew;
use super::{folder_with, free_port};

/// The statements that a server runs at each start.
const AT_START: &str = "
CREATE DATABASE IF NOT EXISTS silverback;
CREATE USER IF NOT EXISTS silverback@'%';
GRANT ALL ON *.* TO silverback@'%' WITH GRANT OPTION;
";

pub(crate) struct MariaDbServer {
    installer: PathBuf,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    skew: Option<Skew>,
    /// The time zone of the server's system.
    zone: &'static str,
    background: Option<BackgroundProgram>,
}

impl MariaDbServer {
    /// Starts a server with an empty database and its default settings, or returns the reason why
    /// not.
    pub(crate) fn start() -> Result<Self, String> {
        MariaDbServer::start_with(None, "UTC", &[])
    }

    /// Starts a server with these settings, whose system is in this time zone.
    pub(crate) fn start_in(zone: &'static str, settings: &[&str]) -> Result<Self, String> {
        MariaDbServer::start_with(None, zone, settings)
    }

    /// Starts a server with a clock that is wrong by this many seconds, such as `-3600`.
    pub(crate) fn start_skewed(skew: &'static str) -> Result<Self, String> {
        MariaDbServer::start_with(Some(Skew::by(skew)?), "UTC", &[])
    }

    fn start_with(
        skew: Option<Skew>,
        zone: &'static str,
        settings: &[&str],
    ) -> Result<Self, String> {
        let mut server = MariaDbServer {
            installer: program("mariadb-install-db", "/usr/bin")?,
            program: program("mariadbd", "/usr/sbin")?,
            folder: own_folder("mariadb")?,
            port: free_port()?,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            skew,
            zone,
            background: None,
        };
        server.make_data()?;
        server.start_again()?;
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL of the same database through another port, such as that of a proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("mysql://silverback@127.0.0.1:{port}/silverback")
    }

    /// Returns the URL of another database of the server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        format!("mysql://silverback@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the server's log of its statements, if the setting `general-log` turns it on.
    pub(crate) fn statements(&self) -> String {
        self.file("statements")
    }

    fn file(&self, name: &str) -> String {
        let contents = std::fs::read(self.folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&contents).into_owned()
    }

    fn make_data(&self) -> Result<(), String> {
        let data = format!("--datadir={}/data", self.folder.display());
        let made = as_nobody(&self.installer, &self.folder)
            .args(["--no-defaults", &data, "--skip-test-db"])
            .args([
                "--auth-root-authentication-method=normal",
                "--skip-name-resolve",
            ])
            .arg("--innodb-log-file-size=16M")
            .output()
            .map_err(|error| format!("mariadb-install-db: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let file = self.folder.join("at-start.sql");
        // In one line each, as the server reads them.
        std::fs::write(file, AT_START.trim_start()).map_err(|error| error.to_string())
    }

    /// Starts the server with the existing data, and waits until it answers.
    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        let run = self.run()?;
        run.wait_until(|| self.answers())?;
        self.background = Some(run);
        Ok(())
    }

    fn run(&self) -> Result<BackgroundProgram, String> {
        let folder = self.folder.display();
        let own = [
            "--no-defaults".to_owned(),
            format!("--datadir={folder}/data"),
            // A server that starts deletes the files of others in a common folder.
            format!("--tmpdir={folder}"),
            format!("--socket={folder}/socket"),
            format!("--pid-file={folder}/server.pid"),
            format!("--init-file={folder}/at-start.sql"),
            format!("--general-log-file={folder}/statements"),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--max-connections=400".to_owned(),
            "--innodb-log-file-size=16M".to_owned(),
        ];
        let arguments = own.iter().chain(&self.settings).map(String::as_str);
        let arguments: Vec<&str> = arguments.collect();
        let mut environment = self.skew.as_ref().map_or(Vec::new(), Skew::environment);
        environment.push(("TZ", self.zone));
        // The folder is removed afterwards, so the server need not write its pages.
        let user = User::NotRoot("KILL");
        let (folder, program) = (&self.folder, &self.program);
        BackgroundProgram::run(folder, program, &arguments, &environment, user)
    }

    /// Returns whether the server greets a client.
    fn answers(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return false;
        };
        let mut greeting = [0; 5];
        connection.read_exact(&mut greeting).is_ok() && greeting[4] != 0xFF // an error
    }

    /// Kills the server as a crash would, and keeps its data.
    pub(crate) fn kill(&mut self) {
        let pid = self.file("server.pid");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("kill").success());
        if let Some(background) = self.background.take() {
            background.stop();
        }
    }
}

/// Returns the path of a program, in the folder where Debian has it or on the path.
fn program(name: &str, folder: &str) -> Result<PathBuf, String> {
    Ok(folder_with(&[name], vec![folder.into()])?.join(name))
}
