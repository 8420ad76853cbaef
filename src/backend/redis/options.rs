//! [`RedisOptions`].

use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::sentinel::SentinelClientBuilder;
use redis::{Client, ConnectionInfo, RedisResult};

/// The settings of a [`Redis`](super::Redis) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::RedisOptions;
///
/// let options = RedisOptions::new().prefix("shop:").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct RedisOptions {
    pub(super) prefix: String,
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) connections: usize,
    #[cfg_attr(feature = "config", serde(rename = "wait_for_replicas"))]
    pub(super) replicas: usize,
    pub(super) require_durability: bool,
    #[cfg(feature = "tls")]
    #[cfg_attr(feature = "config", serde(skip))]
    certificates: Certificates,
}

/// Certificates and a key, as PEM.
#[cfg(feature = "tls")]
#[derive(Clone, Default)]
struct Certificates {
    authority: Option<Vec<u8>>,
    /// The client's certificate and its key.
    client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Shows nothing: there is a private key.
#[cfg(feature = "tls")]
impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates(..)")
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        RedisOptions {
            prefix: "silverback:".to_owned(),
            timeout: Duration::from_secs(5),
            connections: 1,
            replicas: 0,
            require_durability: false,
            #[cfg(feature = "tls")]
            certificates: Certificates::default(),
        }
    }
}

impl RedisOptions {
    /// Returns the defaults: the prefix `silverback:`, a timeout of 5 seconds, one connection to
    /// each server. A write waits for no replica. A server that may lose records is used, with a
    /// warning in the log.
    pub fn new() -> Self {
        RedisOptions::default()
    }

    /// Sets the beginning of all keys, so that several stores can share a server. Default:
    /// `silverback:`.
    ///
    /// A prefix that contains `{` must contain a whole hash tag of a cluster, such as `{shop}:`. It
    /// places all keys on one node.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        RedisOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Limits the time of an operation, with all its commands and with the wait for a connection.
    /// After it, the operation is [unavailable](crate::backend::Error::is_unavailable), or its
    /// outcome is unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        RedisOptions { timeout, ..self }
    }

    /// Sets the number of connections to a server; 0 counts as 1. A cluster has one to each node.
    /// One connection carries any number of concurrent commands, and is the fastest for a server on
    /// one core. More connections help if large records delay small ones. Default: 1.
    pub fn connections(self, connections: usize) -> Self {
        RedisOptions {
            connections,
            ..self
        }
    }

    /// Waits until this many replicas have received each write (the command `WAIT`), so that a
    /// failover to one of them does not lose it. If fewer have within the timeout, the outcome of
    /// the write is [unknown](crate::backend::Error::is_outcome_unknown). A write then takes a
    /// second round trip. Not possible in a cluster. Default: 0.
    pub fn wait_for_replicas(self, replicas: usize) -> Self {
        RedisOptions { replicas, ..self }
    }

    /// Sets whether a server that may lose records is refused: one that evicts keys if its memory
    /// is full, or that does not write an append-only file. Otherwise such a server is used, with a
    /// warning in the log. Default: false.
    pub fn require_durability(self, require: bool) -> Self {
        RedisOptions {
            require_durability: require,
            ..self
        }
    }

    /// Sets the certificate of the authority that signed the server's certificate, as PEM, for
    /// connections with TLS (`rediss://`). By default the system must trust the server's
    /// certificate.
    ///
    /// ```no_run
    /// use silverback::backend::RedisOptions;
    ///
    /// let options = RedisOptions::new()
    ///     .ca_certificate(std::fs::read("ca.pem")?)
    ///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client-key.pem")?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Needs the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.authority = Some(pem.into());
        self
    }

    /// Sets the certificate of this client and its private key, as PEM, for a server that demands
    /// one (`tls-auth-clients yes`, which is Redis' default).
    ///
    /// Needs the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.certificates.client = Some((certificate.into(), key.into()));
        self
    }
}

#[cfg(feature = "tls")]
impl RedisOptions {
    fn tls(&self) -> redis::TlsCertificates {
        let Certificates { authority, client } = &self.certificates;
        redis::TlsCertificates {
            client_tls: client
                .clone()
                .map(|(client_cert, client_key)| redis::ClientTlsConfig {
                    client_cert,
                    client_key,
                }),
            root_cert: authority.clone(),
        }
    }

    pub(super) fn client_at(&self, server: ConnectionInfo) -> RedisResult<Client> {
        match server.addr() {
            redis::ConnectionAddr::TcpTls { .. } => Client::build_with_tls(server, self.tls()),
            _ => Client::open(server),
        }
    }

    pub(super) fn in_cluster(&self, builder: ClusterClientBuilder) -> ClusterClientBuilder {
        builder.certs(self.tls())
    }

    pub(super) fn behind_sentinels(&self, builder: SentinelClientBuilder) -> SentinelClientBuilder {
        builder
            .set_client_to_redis_certificates(self.tls())
            .set_client_to_sentinel_certificates(self.tls())
    }
}

#[cfg(not(feature = "tls"))]
impl RedisOptions {
    pub(super) fn client_at(&self, server: ConnectionInfo) -> RedisResult<Client> {
        Client::open(server)
    }

    pub(super) fn in_cluster(&self, builder: ClusterClientBuilder) -> ClusterClientBuilder {
        builder
    }

    pub(super) fn behind_sentinels(&self, builder: SentinelClientBuilder) -> SentinelClientBuilder {
        builder
    }
}
