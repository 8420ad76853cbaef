//! TLS to the server.

use silverback::backend::{Backend, Key, Postgres};

use super::super::servers::postgres::PostgresServer;
use super::Tried;

/// This test uses its own servers.
pub(super) async fn the_server_must_prove_its_identity(server: &PostgresServer) -> Tried {
    let secured = PostgresServer::start_with_tls()?;
    let other = PostgresServer::start_with_tls()?;
    let url = |authority: &PostgresServer| {
        let authority = authority.certificate().display().to_string();
        // The certificate is that of a name, not of an address.
        let url = secured.url().replace("127.0.0.1", "localhost");
        format!("{url}?sslmode=verify-full&sslrootcert={authority}")
    };
    let connected = Postgres::connect(&url(&secured)).await;
    if !cfg!(feature = "tls") {
        assert!(connected.unwrap_err().is_unavailable());
        return Ok(());
    }
    assert_eq!(connected?.load(&Key::new("a")?).await?, None);
    for (what, url) in [
        ("another server's certificate", url(&other)),
        ("no TLS", format!("{}?sslmode=require", server.url())),
        (
            "another name",
            url(&secured).replace("localhost", "127.0.0.1"),
        ),
    ] {
        let refused = Postgres::connect(&url).await;
        assert!(refused.is_err_and(|error| error.is_unavailable()), "{what}");
    }
    Ok(())
}
