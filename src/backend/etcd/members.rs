//! [`Members`]: the connection to one member of the cluster, and to another one after a failure.
//!
//! All requests share one connection, which carries any number of them at once. The client of etcd
//! could spread the requests over all members. It would then also send them to a member that is
//! down, and it never gives up a connection whose member vanished without a reset. Therefore each
//! client here has one member, and a client that failed is dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use tokio::time::timeout;

use super::super::Error;
use super::errors::Failure;
use super::options::EtcdOptions;

pub(super) struct Members {
    endpoints: Vec<String>,
    options: ConnectOptions,
    /// The longest time for opening a connection. It leaves time for another member.
    connect_timeout: Duration,
    state: Mutex<State>,
    /// The queue for opening a connection, so that concurrent requests open only one.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The number of connections that were given up. It also selects the member.
    given_up: usize,
    client: Option<Client>,
}

/// An open connection.
pub(super) struct Connection {
    pub(super) client: Client,
    number: usize,
}

impl Members {
    pub(super) fn new(endpoints: Vec<String>, options: &EtcdOptions) -> Result<Self, Error> {
        let shares = u32::try_from(endpoints.len() + 1).unwrap_or(u32::MAX);
        let connect_timeout = options.timeout / shares;
        Ok(Members {
            options: connect_options(&endpoints, options)?.with_connect_timeout(connect_timeout),
            endpoints,
            connect_timeout,
            state: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.endpoints.len()
    }

    pub(super) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns the open connection, or opens one to the present member. If that fails, the next
    /// call tries the next member.
    pub(super) async fn connection(&self) -> Result<Connection, Failure> {
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let _guard = self.opening.lock().await;
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let number = self.state().given_up;
        let endpoints = self.endpoints.iter().skip(number % self.endpoints.len());
        let endpoint: Vec<&String> = endpoints.take(1).collect();
        // Without a user, this sends nothing: the first request opens the connection.
        let opened = Client::connect(endpoint, Some(self.options.clone()));
        let failure = match timeout(self.connect_timeout, opened).await {
            Ok(Ok(client)) => {
                self.state().client = Some(client.clone());
                return Ok(Connection { client, number });
            }
            Ok(Err(error)) => Failure::of_connecting(&error),
            Err(_) => Failure::no_connection(),
        };
        self.give_up(number);
        Err(failure)
    }

    /// Stops using a connection. Requests that still use it continue. The next connection is to the
    /// next member.
    pub(super) fn leave(&self, connection: &Connection) {
        self.give_up(connection.number);
    }

    fn give_up(&self, number: usize) {
        let mut state = self.state();
        // Another request may have given it up before.
        if state.given_up == number {
            *state = State {
                given_up: number.wrapping_add(1),
                client: None,
            };
        }
    }

    fn open_connection(&self) -> Option<Connection> {
        let state = self.state();
        Some(Connection {
            client: state.client.clone()?,
            number: state.given_up,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect_options(endpoints: &[String], options: &EtcdOptions) -> Result<ConnectOptions, Error> {
    // A member without a leader refuses a request at once, instead of letting it wait.
    let connect = ConnectOptions::new().with_require_leader(true);
    let connect = match &options.user {
        // A request with an expired token is refused before anything is done, and is sent again.
        Some(user) => connect
            .with_user(&*user.name, &*user.password)
            .with_auto_token_refresh(true),
        None => connect,
    };
    with_tls(connect, endpoints, options)
}

#[cfg(feature = "tls")]
fn with_tls(
    connect: ConnectOptions,
    endpoints: &[String],
    options: &EtcdOptions,
) -> Result<ConnectOptions, Error> {
    use etcd_client::{Certificate, Identity, TlsOptions};

    let (authority, client) = (&options.ca_certificate, &options.client_certificate);
    let is_encrypted = endpoints.iter().any(|url| url.starts_with("https:"));
    if !is_encrypted {
        return match authority.is_some() || client.is_some() {
            false => Ok(connect),
            true => Err(Error::usage(
                "the options have a certificate, but the URL demands no TLS: write etcds://",
            )),
        };
    }
    let tls = match authority {
        Some(pem) => TlsOptions::new().ca_certificate(Certificate::from_pem(pem)),
        None => TlsOptions::new().with_native_roots(),
    };
    Ok(connect.with_tls(match client {
        Some((pem, key)) => tls.identity(Identity::from_pem(pem, key)),
        None => tls,
    }))
}

#[cfg(not(feature = "tls"))]
fn with_tls(
    connect: ConnectOptions,
    _: &[String],
    _: &EtcdOptions,
) -> Result<ConnectOptions, Error> {
    Ok(connect)
}
