//! etcd: a cluster of one or more members.

use std::path::PathBuf;
use std::process::Command;

use super::background::{BackgroundProgram, User, own_folder};
use super::{folder_with, free_port};

pub(crate) struct EtcdServer {
    program: PathBuf,
    members: Vec<Member>,
    settings: Vec<String>,
    scheme: &'static str,
}

struct Member {
    folder: PathBuf,
    port: u16,
    peer_port: u16,
    background: Option<BackgroundProgram>,
}

impl EtcdServer {
    /// Starts a server with one member, or returns the reason why not.
    pub(crate) fn start() -> Result<Self, String> {
        EtcdServer::start_cluster(1)
    }

    /// Starts a cluster of that many members.
    pub(crate) fn start_cluster(members: usize) -> Result<Self, String> {
        EtcdServer::start_with(members, "http", &[])
    }

    /// Starts a server with one member and these settings.
    pub(crate) fn start_with_settings(settings: &[&str]) -> Result<Self, String> {
        EtcdServer::start_with(1, "http", settings)
    }

    /// Starts a server with one member, whose clients use TLS, with these settings.
    pub(crate) fn start_with_tls(settings: &[&str]) -> Result<Self, String> {
        EtcdServer::start_with(1, "https", settings)
    }

    fn start_with(members: usize, scheme: &'static str, settings: &[&str]) -> Result<Self, String> {
        for _ in 0..5 {
            let mut server = EtcdServer::new(members, scheme, settings)?;
            match server.start_all() {
                Ok(()) => return Ok(server),
                // Another program has just taken the port that was free.
                Err(why) if why.contains("address already in use") => {}
                Err(why) => return Err(why),
            }
        }
        Err("no port is free for etcd".to_owned())
    }

    fn new(members: usize, scheme: &'static str, settings: &[&str]) -> Result<Self, String> {
        let program = folder_with(&["etcd"], Vec::new())?.join("etcd");
        let member = |_| {
            Ok(Member {
                folder: own_folder("etcd")?,
                port: free_port()?,
                peer_port: free_port()?,
                background: None,
            })
        };
        Ok(EtcdServer {
            program,
            members: (0..members).map(member).collect::<Result<_, String>>()?,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            scheme,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.members[0].port
    }

    /// Returns the URL of the cluster, for the backend.
    pub(crate) fn url(&self) -> String {
        let ports = self.members.iter().map(|member| member.port);
        let members: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        let scheme = if self.scheme == "https" {
            "etcds"
        } else {
            "etcd"
        };
        format!("{scheme}://{}", members.join(","))
    }

    /// Returns the URL of the first member, for a client.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint_of(0)
    }

    pub(crate) fn endpoint_of(&self, member: usize) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.members[member].port)
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    fn start_all(&mut self) -> Result<(), String> {
        for member in 0..self.members.len() {
            self.run(member)?;
        }
        self.wait_until_healthy()
    }

    /// Starts a member with its existing data, without waiting for it.
    pub(crate) fn run(&mut self, member: usize) -> Result<(), String> {
        let peer_url = |member: &Member| format!("http://127.0.0.1:{}", member.peer_port);
        let cluster = self.members.iter().enumerate();
        let cluster: Vec<String> = cluster
            .map(|(number, member)| format!("member{number}={}", peer_url(member)))
            .collect();
        let this = &self.members[member];
        let client = self.endpoint_of(member);
        let arguments = [
            format!("--name=member{member}"),
            format!("--data-dir={}/data", this.folder.display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={}", peer_url(this)),
            format!("--initial-advertise-peer-urls={}", peer_url(this)),
            format!("--initial-cluster={}", cluster.join(",")),
            "--initial-cluster-state=new".to_owned(),
            "--logger=zap".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let arguments = arguments.iter().chain(&self.settings);
        let arguments: Vec<&str> = arguments.map(String::as_str).collect();
        // The folder is removed afterwards, so the server need not end in order.
        let user = User::NotRoot("KILL");
        let run = BackgroundProgram::run(&this.folder, &self.program, &arguments, &[], user)?;
        self.members[member].background = Some(run);
        Ok(())
    }

    /// Waits until each member that runs reports that the cluster works.
    pub(crate) fn wait_until_healthy(&self) -> Result<(), String> {
        for (number, member) in self.members.iter().enumerate() {
            let Some(background) = &member.background else {
                continue;
            };
            background.wait_until(|| self.is_healthy(number))?;
        }
        Ok(())
    }

    fn is_healthy(&self, member: usize) -> bool {
        if self.scheme == "https" {
            // The test's client does not trust the certificate: a connection is enough.
            let port = self.members[member].port;
            return std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        }
        let health = self.page(member, "health");
        health.is_some_and(|health| health.contains("\"true\""))
    }

    /// Returns a page that the member serves over HTTP.
    fn page(&self, member: usize, name: &str) -> Option<String> {
        let url = format!("{}/{name}", self.endpoint_of(member));
        let mut response = ureq::get(url).call().ok()?;
        response.body_mut().read_to_string().ok()
    }

    /// Returns the number of requests of that method that the first member has answered.
    pub(crate) fn requests(&self, method: &str) -> usize {
        let metrics = self.page(0, "metrics").expect("the server's metrics");
        let wanted = format!("grpc_method=\"{method}\"");
        let lines = metrics.lines().filter(|line| {
            line.starts_with("grpc_server_handled_total{") && line.contains(&wanted)
        });
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        counts.sum::<f64>() as usize
    }

    /// Kills a member as a crash would, and keeps its data.
    pub(crate) fn kill(&mut self, member: usize) {
        let member = &mut self.members[member];
        let pid = std::fs::read_to_string(member.folder.join("pid")).expect("the program runs");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("kill").success());
        if let Some(background) = member.background.take() {
            background.stop();
        }
    }

    /// Starts a killed member again, and waits until the cluster works.
    pub(crate) fn start_again(&mut self, member: usize) -> Result<(), String> {
        self.run(member)?;
        self.wait_until_healthy()
    }
}
