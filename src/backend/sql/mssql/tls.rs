//! TLS below SQL Server's protocol: TDS 8.0, `encrypt=strict`. (In older versions, TLS runs within
//! packets of the protocol, which only the client crate could do. Its own TLS brings other
//! providers than ring.)

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::socket::Socket;
use crate::backend::Error;

/// Encrypts connections, and verifies the server's certificate by the authorities that the system
/// trusts.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// # Errors
    /// Returns a usage error if the system trusts no authority.
    pub(super) fn new() -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let (trusted, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if trusted == 0 {
            return Err(Error::usage(
                "the system trusts no certificate authority: install the certificates of your \
                 authorities (on Debian: ca-certificates)",
            ));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::usage("TLS cannot be used").with_source(error))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Ok(Tls(Arc::new(config)))
    }

    /// Encrypts a connection to that host.
    pub(super) async fn encrypt(&self, host: &str, stream: TcpStream) -> io::Result<Socket> {
        let host = ServerName::try_from(host.to_owned());
        let host = host.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(self.0.clone());
        Ok(Socket::new(connector.connect(host, stream).await?))
    }
}
