//! The URL of a Redis server, of sentinels, or of a cluster.

use percent_encoding::percent_decode_str;
use redis::cluster::ClusterClientBuilder;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, TlsMode,
};

use super::super::Error;
use super::super::url::host_and_port;
use super::RedisOptions;
use super::client::{Client, Servers};
use super::cluster::Cluster;
use super::primary::{Primary, PrimaryAddress};

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// The parts of a URL.
#[derive(Default)]
pub(super) struct Address {
    kind: Kind,
    is_encrypted: bool,
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<(String, u16)>,
    /// The parts of the path.
    path: Vec<String>,
    pub(super) prefix: Option<String>,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Single,
    Sentinel,
    Cluster,
}

fn malformed() -> Error {
    Error::usage(
        "the URL of Redis is malformed: write redis://HOST:PORT/DATABASE, \
         redis+sentinel://HOST,HOST/SERVICE or redis+cluster://HOST,HOST",
    )
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_| malformed())?.into_owned())
}

impl Address {
    pub(super) fn read(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let (server, kind) = match scheme.split_once('+') {
            None => (scheme, Kind::Single),
            Some((server, "sentinel")) => (server, Kind::Sentinel),
            Some((server, "cluster")) => (server, Kind::Cluster),
            Some(_) => return Err(malformed()),
        };
        let is_encrypted = match server {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(malformed()),
        };
        if is_encrypted && !cfg!(feature = "tls") {
            return Err(Error::usage(
                "Redis with TLS needs another build: enable silverback's feature `tls`",
            ));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut address = Address {
            kind,
            is_encrypted,
            ..Address::default()
        };
        address.read_authority(authority)?;
        let parts = path.split('/').filter(|part| !part.is_empty());
        address.path = parts.map(decoded).collect::<Result<_, _>>()?;
        address.read_query(query)?;
        // A fragment turns the check of certificates off in other programs.
        match url.contains('#') {
            true => Err(malformed()),
            false => Ok(address),
        }
    }

    fn read_authority(&mut self, authority: &str) -> Result<(), Error> {
        let hosts = match authority.rsplit_once('@') {
            None => authority,
            Some((login, hosts)) => {
                let (user, password) = login.split_once(':').ok_or_else(malformed)?;
                let not_empty = |text: String| Some(text).filter(|text| !text.is_empty());
                self.user = not_empty(decoded(user)?);
                self.password = not_empty(decoded(password)?);
                hosts
            }
        };
        for host in hosts.split(',') {
            let port = match self.kind {
                Kind::Sentinel => SENTINEL_PORT,
                Kind::Single | Kind::Cluster => PORT,
            };
            self.hosts
                .push(host_and_port(host, port).ok_or_else(malformed)?);
        }
        match self.hosts.len() {
            1 => Ok(()),
            _ if self.kind != Kind::Single => Ok(()),
            _ => Err(malformed()),
        }
    }

    fn read_query(&mut self, query: &str) -> Result<(), Error> {
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = Some(decoded(value)?);
            match (name, self.kind) {
                ("prefix", _) => self.prefix = value,
                ("sentinel_user", Kind::Sentinel) => self.sentinel_user = value,
                ("sentinel_password", Kind::Sentinel) => self.sentinel_password = value,
                _ => {
                    return Err(Error::usage(
                        "the URL of Redis has an unknown option: use prefix, and with sentinels \
                         sentinel_user and sentinel_password",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Returns a client of the servers, which has no open connection yet.
    pub(super) fn client(&self, options: &RedisOptions) -> Result<Client, Error> {
        Client::new(self.servers(options)?, options)
    }

    fn servers(&self, options: &RedisOptions) -> Result<Servers, Error> {
        let connections = options.connections.max(1);
        match self.kind {
            Kind::Single => {
                let redis = self.redis(self.database(0)?);
                let address = self.nodes().into_iter().next().ok_or_else(malformed)?;
                let client = options.client_at(with_settings(address, &redis)?);
                let address = PrimaryAddress::Fixed(Box::new(client.map_err(refused)?));
                Ok(Servers::Primary(Box::new(Primary::new(
                    address,
                    connections,
                ))))
            }
            Kind::Sentinel => {
                let address = self.behind_sentinels(options)?;
                Ok(Servers::Primary(Box::new(Primary::new(
                    address,
                    connections,
                ))))
            }
            Kind::Cluster if !self.path.is_empty() => Err(Error::usage(
                "a Redis cluster has no databases: write no path in its URL",
            )),
            Kind::Cluster => {
                let redis = self.redis(0);
                let nodes = self.nodes().into_iter();
                let nodes = nodes.map(|address| with_settings(address, &redis));
                let nodes: Vec<ConnectionInfo> = nodes.collect::<Result<_, _>>()?;
                let cluster = ClusterClientBuilder::new(nodes)
                    .retries(0) // a write could be applied twice
                    .connection_timeout(options.timeout)
                    .response_timeout(options.timeout)
                    .tcp_settings(tcp_settings());
                let cluster = match self.is_encrypted {
                    true => options.in_cluster(cluster),
                    false => cluster,
                };
                let client = cluster.build().map_err(refused)?;
                Ok(Servers::Cluster(Box::new(Cluster::new(client))))
            }
        }
    }

    fn behind_sentinels(&self, options: &RedisOptions) -> Result<PrimaryAddress, Error> {
        let service = self.path.first().ok_or_else(|| {
            Error::usage(
                "the URL of sentinels names no service: write redis+sentinel://HOST,HOST/SERVICE",
            )
        })?;
        let sentinels = self.nodes();
        let mut builder =
            SentinelClientBuilder::new(sentinels, service, SentinelServerType::Master)
                .map_err(refused)?
                .set_client_to_redis_protocol(ProtocolVersion::RESP3)
                .set_client_to_redis_db(self.database(1)?)
                .set_client_to_redis_tcp_settings(tcp_settings());
        if self.is_encrypted {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            builder = options.behind_sentinels(builder);
        }
        if let Some(user) = &self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.sentinel_user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        let client = builder.build().map_err(refused)?;
        Ok(PrimaryAddress::BehindSentinels(Box::new(
            tokio::sync::Mutex::new(client),
        )))
    }

    /// Returns the number of the database, which is in that part of the path.
    fn database(&self, part: usize) -> Result<i64, Error> {
        if self.path.len() > part + 1 {
            return Err(malformed());
        }
        match self.path.get(part) {
            None => Ok(0),
            Some(number) => number
                .parse::<u16>()
                .map(i64::from)
                .map_err(|_| malformed()),
        }
    }

    /// Returns the login at the servers.
    fn redis(&self, database: i64) -> RedisConnectionInfo {
        // Only with RESP3 does the client library tell that the server has closed a connection.
        let login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(database);
        let login = match &self.user {
            Some(user) => login.set_username(user),
            None => login,
        };
        match &self.password {
            Some(password) => login.set_password(password),
            None => login,
        }
    }

    fn nodes(&self) -> Vec<ConnectionAddr> {
        let node = |(host, port): &(String, u16)| {
            let (host, port) = (host.clone(), *port);
            match self.is_encrypted {
                false => ConnectionAddr::Tcp(host, port),
                true => ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                },
            }
        };
        self.hosts.iter().map(node).collect()
    }
}

fn with_settings(
    address: ConnectionAddr,
    redis: &RedisConnectionInfo,
) -> Result<ConnectionInfo, Error> {
    let node = address.into_connection_info().map_err(refused)?;
    let node = node.set_redis_settings(redis.clone());
    Ok(node.set_tcp_settings(tcp_settings()))
}

/// Commands are small and go out at once.
fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Returns the error of an address that the client library does not take.
fn refused(error: RedisError) -> Error {
    Error::usage("the URL of Redis cannot be used").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_a_login_and_a_prefix() {
        let url = "redis+sentinel://shop:p%40ss@one,[::1]:7/web/3?prefix=a%3A&sentinel_user=s";
        let address = Address::read(url).ok().unwrap();
        let hosts = [("one", SENTINEL_PORT), ("::1", 7)];
        assert_eq!(address.kind, Kind::Sentinel);
        assert_eq!(
            address.hosts,
            hosts.map(|(host, port)| (host.to_owned(), port))
        );
        assert_eq!(address.user.as_deref(), Some("shop"));
        assert_eq!(address.password.as_deref(), Some("p@ss"));
        assert_eq!(address.path, ["web", "3"]);
        assert_eq!(address.prefix.as_deref(), Some("a:"));
        assert_eq!(address.sentinel_user.as_deref(), Some("s"));
        let address = Address::read("valkey://:secret@one").ok().unwrap();
        assert_eq!(
            (address.user, address.password.as_deref()),
            (None, Some("secret"))
        );
        assert_eq!(address.hosts, [("one".to_owned(), PORT)]);
    }

    #[test]
    fn a_malformed_url_is_refused_and_not_quoted() {
        for url in [
            "redis:secret",
            "redis://",
            "redis://one,secret",
            "redis+cluster://one,,secret",
            "redis+other://secret",
            "http://secret",
            "redis://secret@one",
            "redis://one:secret",
            "redis://one:0",
            "redis://one:65536",
            "redis://[secret]",
            "redis://one/secret/1",
            "redis://one/secret",
            "redis://one/65536",
            "redis://one?secret=1",
            "redis://one?sentinel_user=secret",
            "redis://one/#secret",
            "redis+cluster://one/1",
            "redis+sentinel://one",
            "redis+sentinel://one/web/secret",
        ] {
            let made = Address::read(url).and_then(|url| url.client(&RedisOptions::new()));
            let refused = made.err().unwrap_or_else(|| panic!("{url}"));
            assert!(refused.is_usage(), "{url}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
