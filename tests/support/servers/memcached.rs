//! A Memcached server.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::background::{BackgroundProgram, User, own_folder};
use super::{folder_with, free_port};

pub(crate) struct MemcachedServer {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    background: Option<BackgroundProgram>,
}

impl MemcachedServer {
    /// Starts a server with these settings, or returns the reason why not.
    pub(crate) fn start(settings: &[&str]) -> Result<Self, String> {
        let mut server = MemcachedServer {
            program: folder_with(&["memcached"], vec!["/usr/bin".into()])?.join("memcached"),
            folder: own_folder("memcached")?,
            port: free_port()?,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            background: None,
        };
        server.start_again()?;
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL of the same server through another port, such as that of a proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("memcached://127.0.0.1:{port}")
    }

    /// Stops the server, which loses its items, and starts it again.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        if let Some(background) = self.background.take() {
            background.stop();
        }
        self.start_again()
    }

    fn start_again(&mut self) -> Result<(), String> {
        let port = self.port.to_string();
        let own = ["-p", &port, "-U", "0", "-l", "127.0.0.1"];
        let settings = self.settings.iter().map(String::as_str);
        let arguments: Vec<&str> = own.into_iter().chain(settings).collect();
        let user = User::NotRoot("KILL");
        let run = BackgroundProgram::run(&self.folder, &self.program, &arguments, &[], user)?;
        run.wait_until(|| {
            let answer = self.command("version");
            answer.is_ok_and(|answer| answer.starts_with("VERSION"))
        })?;
        self.background = Some(run);
        Ok(())
    }

    /// Sends a command, and returns the first line of the answer.
    pub(crate) fn command(&self, command: &str) -> Result<String, String> {
        let ask = || -> std::io::Result<String> {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            connection.set_read_timeout(Some(Duration::from_secs(10)))?;
            connection.write_all(format!("{command}\r\n").as_bytes())?;
            let mut line = String::new();
            BufReader::new(connection).read_line(&mut line)?;
            Ok(line)
        };
        ask().map_err(|error| format!("{command}: {error}"))
    }

    /// Returns a number of the server's statistics.
    pub(crate) fn statistic(&self, name: &str) -> Result<u64, String> {
        let ask = || -> std::io::Result<Option<u64>> {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            connection.write_all(b"stats\r\n")?;
            for line in BufReader::new(connection).lines() {
                let line = line?;
                let mut words = line.split(' ').skip(1);
                if words.next() == Some(name) {
                    return Ok(words.next().and_then(|number| number.parse().ok()));
                }
                if line == "END" {
                    break;
                }
            }
            Ok(None)
        };
        let found = ask().map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("there is no statistic {name}"))
    }
}
