//! Connections with TLS.

use silverback::backend::{Backend, Created, Redis, RedisOptions};

use super::super::faults::{key, record};
use super::super::servers::certificate::Certificate;
use super::super::servers::free_port;
use super::super::servers::redis::RedisServer;
use super::Tried;

/// Starts a server with TLS, and returns its URL. `demands` tells whether clients need a certificate.
fn start(certificate: &Certificate, demands: &str) -> Result<(RedisServer, String), String> {
    let port = free_port()?;
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let server = RedisServer::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &cert,
        "--tls-auth-clients",
        demands,
    ])?;
    Ok((server, format!("rediss://127.0.0.1:{port}")))
}

async fn writes(url: &str, options: RedisOptions) -> Tried {
    let backend = Redis::connect_with(url, options).await?;
    let created = backend.create(&key(), &record("v")).await?;
    assert!(matches!(created, Created::Saved(_)));
    Ok(())
}

pub(super) async fn a_connection_can_use_tls(_: &RedisServer) -> Tried {
    let certificate = Certificate::make()?;
    let pem = std::fs::read(certificate.path("cert.pem"))?;
    let key = std::fs::read(certificate.path("key.pem"))?;
    let (server, url) = start(&certificate, "no")?;
    // The system does not trust this certificate.
    let refused = Redis::connect(&url).await.unwrap_err();
    assert!(
        refused.is_unavailable() && !refused.is_outcome_unknown(),
        "{refused}"
    );
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let trusting = RedisOptions::new().ca_certificate(&*pem);
    writes(&url, trusting.clone()).await?;
    // Without TLS, a port with TLS gives no answer that could be taken for one.
    let plain = url.replace("rediss:", "redis:");
    assert!(
        Redis::connect_with(&plain, trusting.clone())
            .await
            .unwrap_err()
            .is_unavailable()
    );
    // Redis without TLS does not greet a client with TLS.
    let wrong = server.url().replace("redis:", "rediss:");
    assert!(
        Redis::connect_with(&wrong, trusting.clone())
            .await
            .unwrap_err()
            .is_unavailable()
    );
    // A server that demands a certificate of its clients.
    let (_server, url) = start(&certificate, "yes")?;
    assert!(Redis::connect_with(&url, trusting.clone()).await.is_err());
    writes(&url, trusting.client_certificate(pem, key)).await?;
    let unreadable = RedisOptions::new().ca_certificate("no certificate");
    assert!(Redis::connect_with(&url, unreadable).await.is_err());
    Ok(())
}
