//! Redis servers: one, a cluster of three, and one with a replica behind a sentinel.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::background::{BackgroundProgram, User, own_folder};
use super::skew::Skew;
use super::{folder_with, free_port};

/// Longer than any start takes.
const WATCHDOG: Duration = Duration::from_secs(60);

pub(crate) struct RedisServer {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    skew: Option<Skew>,
    background: Option<BackgroundProgram>,
}

impl RedisServer {
    /// Starts a server with these settings, or returns the reason why not.
    pub(crate) fn start(settings: &[&str]) -> Result<Self, String> {
        RedisServer::start_with(None, settings)
    }

    /// Starts a server with a clock that is wrong by this many seconds, such as `-3600`.
    pub(crate) fn start_skewed(skew: &'static str) -> Result<Self, String> {
        RedisServer::start_with(Some(Skew::by(skew)?), &[])
    }

    fn start_with(skew: Option<Skew>, settings: &[&str]) -> Result<Self, String> {
        let mut server = RedisServer {
            program: folder_with(&["redis-server"], vec!["/usr/bin".into()])?.join("redis-server"),
            folder: own_folder("redis")?,
            port: free_port()?,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            skew,
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
        format!("redis://127.0.0.1:{port}")
    }

    /// Starts the server with the existing data, and waits until it answers.
    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        let folder = self.folder.display().to_string();
        let port = self.port.to_string();
        let own = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder,
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let settings = self.settings.iter().map(String::as_str);
        let arguments: Vec<&str> = own.into_iter().chain(settings).collect();
        let environment = self.skew.as_ref().map_or(Vec::new(), Skew::environment);
        let run = BackgroundProgram::run(
            &self.folder,
            &self.program,
            &arguments,
            &environment,
            User::NotRoot("KILL"),
        )?;
        run.wait_until(|| {
            self.command("PING")
                .is_ok_and(|answer| answer.contains("PONG"))
        })?;
        self.background = Some(run);
        Ok(())
    }

    /// Kills the server as a crash would, and keeps its data.
    pub(crate) fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).expect("the server runs");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("kill").success());
        if let Some(background) = self.background.take() {
            background.stop();
        }
    }

    /// Sends a command, and returns the first line or the text of the answer.
    pub(crate) fn command(&self, command: &str) -> Result<String, String> {
        command_at(self.port, command)
    }

    /// Waits until the answer to a command contains a text.
    pub(crate) fn wait_for(&self, command: &str, text: &str) -> Result<(), String> {
        let run = self.background.as_ref().ok_or("the server does not run")?;
        let is_answered = || {
            self.command(command)
                .is_ok_and(|answer| answer.contains(text))
        };
        let waited = run.wait_until(is_answered);
        waited.map_err(|why| {
            format!(
                "{command} is answered with {:?}: {why}",
                self.command(command)
            )
        })
    }
}

/// A cluster of three primaries.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) fn start() -> Result<Self, String> {
        let settings = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--cluster-require-full-coverage",
            "no",
        ];
        let nodes = (0..3).map(|_| RedisServer::start_node(&settings));
        let nodes: Vec<RedisServer> = nodes.collect::<Result<_, _>>()?;
        for (node, (first, last)) in nodes
            .iter()
            .zip([(0, 5460), (5461, 10_922), (10_923, 16_383)])
        {
            node.command(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))?;
            let (port, cluster_port) = (nodes[0].port, &nodes[0].settings[1]);
            node.command(&format!("CLUSTER MEET 127.0.0.1 {port} {cluster_port}"))?;
        }
        let cluster = RedisCluster { nodes };
        for node in &cluster.nodes {
            node.wait_for("CLUSTER INFO", "cluster_slots_ok:16384")?;
            node.wait_for("CLUSTER INFO", "cluster_state:ok")?;
        }
        Ok(cluster)
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

impl RedisServer {
    /// Starts a node of a cluster, which has a second port for the other nodes.
    fn start_node(settings: &[&str]) -> Result<Self, String> {
        let port = free_port()?.to_string();
        let settings = [&["--cluster-port", &port], settings].concat();
        RedisServer::start(&settings)
    }
}

/// A primary and a replica behind a sentinel.
pub(crate) struct RedisSentinel {
    pub(crate) primary: RedisServer,
    pub(crate) replica: RedisServer,
    background: BackgroundProgram,
    port: u16,
}

impl RedisSentinel {
    pub(crate) fn start() -> Result<Self, String> {
        let primary = RedisServer::start(&[])?;
        let port = primary.port.to_string();
        let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port])?;
        replica.wait_for("INFO replication", "master_link_status:up")?;
        let folder = own_folder("sentinel")?;
        let own_port = free_port()?;
        let file = folder.join("sentinel.conf");
        let configuration = format!(
            "port {own_port}\nbind 127.0.0.1\nsentinel monitor sessions 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds sessions 500\n\
             sentinel failover-timeout sessions 2000\n"
        );
        std::fs::write(&file, configuration).map_err(|error| error.to_string())?;
        #[cfg(unix)]
        let _ = std::os::unix::fs::chown(&file, Some(65_534), Some(65_534));
        let path = file.display().to_string();
        let background = BackgroundProgram::run(
            &folder,
            &primary.program,
            &[&path, "--sentinel"],
            &[],
            User::NotRoot("KILL"),
        )?;
        let sentinel = RedisSentinel {
            primary,
            replica,
            background,
            port: own_port,
        };
        sentinel.wait_until_it_knows_the_replica()?;
        Ok(sentinel)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/sessions", self.port)
    }

    /// Makes the sentinel turn the replica into the primary.
    pub(crate) fn fail_over(&self) -> Result<(), String> {
        let watchdog = Instant::now() + WATCHDOG;
        loop {
            // The sentinel refuses as long as it has not heard from the replica.
            match self.command("SENTINEL FAILOVER sessions")? {
                answer if answer.starts_with("+OK") => return Ok(()),
                answer if Instant::now() > watchdog => return Err(answer),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn wait_until_it_knows_the_replica(&self) -> Result<(), String> {
        self.background.wait_until(|| {
            let info = self.command("INFO sentinel");
            info.is_ok_and(|info| info.contains("slaves=1"))
        })
    }

    fn command(&self, command: &str) -> Result<String, String> {
        command_at(self.port, command)
    }
}

fn command_at(port: u16, command: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        connection.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = BufReader::new(connection);
        let mut line = String::new();
        answer.read_line(&mut line)?;
        if let Some(length) = line.strip_prefix('$') {
            let mut text = vec![0; length.trim().parse().unwrap_or(0)];
            answer.read_exact(&mut text)?;
            line = String::from_utf8_lossy(&text).into_owned();
        }
        Ok(line)
    };
    ask().map_err(|error| format!("{command}: {error}"))
}
