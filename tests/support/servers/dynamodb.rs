//! Servers with DynamoDB's protocol: DynamoDB Local, which is Amazon's own, and moto.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};

use super::background::{BackgroundProgram, User, own_folder};
use super::skew::Skew;
use super::{folder_with, free_port};

pub(crate) struct DynamoDbServer {
    port: u16,
    _background: BackgroundProgram,
}

/// Returns the folder in which `scripts/test` installs programs that are not system packages.
fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join(name)
}

impl DynamoDbServer {
    /// Starts an empty DynamoDB Local, or returns the reason why not.
    pub(crate) fn start() -> Result<Self, String> {
        DynamoDbServer::start_local(None)
    }

    /// Starts a server with a clock that is wrong by this many seconds, such as `-3600`.
    pub(crate) fn start_skewed(skew: &'static str) -> Result<Self, String> {
        DynamoDbServer::start_local(Some(Skew::by(skew)?))
    }

    fn start_local(skew: Option<Skew>) -> Result<Self, String> {
        let java = folder_with(&["java"], Vec::new())?.join("java");
        let jars = installed("dynamodb-local");
        if !jars.is_dir() {
            return Err("DynamoDB Local is not installed: run scripts/test".to_owned());
        }
        let main = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/support/dynamodb-local/Loopback.java");
        let library = format!("-Djava.library.path={}", jars.display());
        let classes = format!("{}/*", jars.display());
        let port = free_port()?.to_string();
        let arguments = [
            "-Xmx1g",
            // A server that lives for minutes gains nothing from more compilation.
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            &library,
            "-cp",
            &classes,
            &main.display().to_string(),
            "-inMemory",
            "-sharedDb",
            "-disableTelemetry",
            "-port",
            &port,
        ];
        let environment = skew.as_ref().map(Skew::environment).unwrap_or_default();
        DynamoDbServer::run("dynamodb", &java, &arguments, &environment, &port)
    }

    /// Starts an empty moto, or returns the reason why not.
    pub(crate) fn start_moto() -> Result<Self, String> {
        let python = installed("moto/bin/python");
        if !python.exists() {
            return Err("moto is not installed: run scripts/test".to_owned());
        }
        let server =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/one_at_a_time_moto.py");
        let port = free_port()?.to_string();
        let arguments = [&server.display().to_string(), &*port];
        DynamoDbServer::run("moto", &python, &arguments, &[], &port)
    }

    fn run(
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        port: &str,
    ) -> Result<Self, String> {
        let folder = own_folder(name)?;
        let background =
            BackgroundProgram::run(&folder, program, arguments, environment, User::Ours)?;
        let port = port.parse().map_err(|_| "a port is a number")?;
        background.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(DynamoDbServer {
            port,
            _background: background,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn endpoint(&self) -> String {
        endpoint_at(self.port)
    }
}

pub(crate) fn endpoint_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Returns a client for that endpoint, which accepts any credentials.
pub(crate) fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(Credentials::new("test", "test", None, None, "the tests"))
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}
