//! [`EtcdOptions`].

use std::fmt;
use std::time::Duration;

use super::super::timeout::check_timeout;
use super::super::{Error, Record};

/// The largest number of bytes that a [prefix](EtcdOptions::prefix) may have.
const LONGEST_PREFIX: usize = 128;

/// etcd's own limit for a request, unless `--max-request-bytes` sets another.
const DEFAULT_REQUEST: usize = 1_572_864;

/// The settings of an [`Etcd`](super::Etcd) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::EtcdOptions;
///
/// let options = EtcdOptions::new().prefix("shop/").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct EtcdOptions {
    pub(super) prefix: String,
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    #[cfg_attr(feature = "config", serde(skip))]
    pub(super) user: Option<User>,
    pub(super) max_request_bytes: usize,
    #[cfg(feature = "tls")]
    #[cfg_attr(feature = "config", serde(skip))]
    pub(super) ca_certificate: Option<Vec<u8>>,
    /// The client's certificate and its key.
    #[cfg(feature = "tls")]
    #[cfg_attr(feature = "config", serde(skip))]
    pub(super) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
}

/// A user of etcd, who has a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl Default for EtcdOptions {
    fn default() -> Self {
        EtcdOptions {
            prefix: "silverback/".to_owned(),
            timeout: Duration::from_secs(5),
            user: None,
            max_request_bytes: DEFAULT_REQUEST,
            #[cfg(feature = "tls")]
            ca_certificate: None,
            #[cfg(feature = "tls")]
            client_certificate: None,
        }
    }
}

impl EtcdOptions {
    /// Returns the defaults: the prefix `silverback/`, a timeout of 5 seconds, no user.
    pub fn new() -> Self {
        EtcdOptions::default()
    }

    /// Sets the beginning of each key: at most 128 bytes. The default is `silverback/`. No other
    /// program may write keys with that prefix. For [`GoEtcd`](super::GoEtcd), it begins only the keys
    /// that the Go program does not use.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        EtcdOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Limits the time of an operation, with all its requests to etcd. After it, the operation is
    /// [unavailable](crate::backend::Error::is_unavailable), or its outcome is unknown. Default: 5
    /// seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        EtcdOptions { timeout, ..self }
    }

    /// Sets the user and the password. etcd's user needs a role with the permission `readwrite` for
    /// the [prefix](EtcdOptions::prefix).
    pub fn user(self, name: impl Into<String>, password: impl Into<String>) -> Self {
        let (name, password) = (name.into(), password.into());
        EtcdOptions {
            user: Some(User { name, password }),
            ..self
        }
    }

    /// Sets the largest request that the server takes, as its option `--max-request-bytes`. A
    /// record that does not fit is [too large](crate::backend::Error::is_too_large), and is not
    /// sent. Default: 1,572,864 bytes, as in etcd.
    pub fn max_request_bytes(self, max_request_bytes: usize) -> Self {
        EtcdOptions {
            max_request_bytes,
            ..self
        }
    }

    /// Sets the certificate of the authority that signed the server's certificate, as PEM, for
    /// connections with TLS (`etcds://`). By default the system must trust the server's certificate.
    ///
    /// ```no_run
    /// use silverback::backend::EtcdOptions;
    ///
    /// let options = EtcdOptions::new()
    ///     .ca_certificate(std::fs::read("ca.pem")?)
    ///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client-key.pem")?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Needs the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn ca_certificate(self, pem: impl Into<Vec<u8>>) -> Self {
        EtcdOptions {
            ca_certificate: Some(pem.into()),
            ..self
        }
    }

    /// Sets the certificate of this client and its private key, as PEM, for a server that demands
    /// one (`--client-cert-auth`).
    ///
    /// Needs the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn client_certificate(
        self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        EtcdOptions {
            client_certificate: Some((certificate.into(), key.into())),
            ..self
        }
    }

    /// Refuses a record that does not fit into a request of which `rest` bytes, at least, are not the
    /// record's own.
    pub(super) fn check_size(&self, record: &Record, rest: usize) -> Result<(), Error> {
        let (size, limit) = (record.value().len(), self.max_request_bytes);
        let limit = limit.saturating_sub(rest);
        match size <= limit {
            true => Ok(()),
            false => Err(Error::too_large(size, limit)),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_timeout(self.timeout)?;
        match self.prefix.len() <= LONGEST_PREFIX {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the prefix of the keys has {} bytes; at most {LONGEST_PREFIX} are possible",
                self.prefix.len()
            ))),
        }
    }
}

/// Shows the prefix and the timeout, and neither the user nor a key.
impl fmt::Debug for EtcdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdOptions")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
