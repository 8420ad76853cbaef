//! Users, prefixes and TLS.

use etcd_client::{Client, Permission, PermissionType};
use silverback::backend::{
    Backend, Etcd, EtcdOptions, Expiry, Generations, Key, OwnerName, Owners, Scan,
};

use super::super::faults::{key, record};
use super::super::operations::every_operation;
use super::super::servers::certificate::Certificate;
use super::super::servers::etcd::EtcdServer;
use super::Tried;

const PASSWORD: &str = "s3cret word";

/// Turns authentication on. The user `shop` may read and write below `shop/`.
async fn with_users(server: &EtcdServer) -> Result<(), etcd_client::Error> {
    let mut client = Client::connect([server.endpoint()], None).await?;
    for (user, role) in [("root", "root"), ("shop", "shop")] {
        client.user_add(user, PASSWORD, None).await?;
        client.role_add(role).await?;
        client.user_grant_role(user, role).await?;
    }
    let below = Permission::new(PermissionType::Readwrite, "shop/").with_prefix();
    client.role_grant_permission("shop", below).await?;
    client.auth_enable().await?;
    Ok(())
}

/// This test uses its own server.
pub(super) async fn a_user_needs_a_password_and_only_the_prefix(_: &EtcdServer) -> Tried {
    let server = EtcdServer::start()?;
    with_users(&server).await?;
    let options = EtcdOptions::new().user("shop", PASSWORD).prefix("shop/");
    let backend = Etcd::connect_with(&server.url(), options.clone()).await?;
    macro_rules! counted {
        ($name:literal, $operation:expr) => {
            $operation
        };
    }
    every_operation!(backend, counted);
    assert_eq!(backend.purge(10).await?.removed, 0);
    // The URL can have the login and the prefix.
    let at = |login: &str, prefix: &str| {
        server.url().replace("://", &format!("://{login}")) + "/?prefix=" + prefix
    };
    Etcd::connect(&at("shop:s3cret%20word@", "shop/")).await?;
    for (login, prefix, reason) in [
        ("shop:s3cret@", "shop/", "invalid user ID or password"),
        ("nobody:s3cret@", "shop/", "invalid user ID or password"),
        ("", "shop/", "user name is empty"),
        ("shop:s3cret%20word@", "other/", "permission denied"),
    ] {
        let refused = Etcd::connect(&at(login, prefix)).await.unwrap_err();
        let text = format!("{refused} {refused:?} {:?}", refused.cause());
        assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(!format!("{backend:?} {options:?}").contains("s3cret"));
    Ok(())
}

/// etcd forgets its tokens when it restarts. This test uses its own server.
pub(super) async fn an_expired_token_is_renewed(_: &EtcdServer) -> Tried {
    let mut server = EtcdServer::start()?;
    with_users(&server).await?;
    let options = EtcdOptions::new().user("shop", PASSWORD).prefix("shop/");
    let backend = Etcd::connect_with(&server.url(), options).await?;
    let key = key();
    let seen = backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    // A change of the users makes all tokens old.
    let root = etcd_client::ConnectOptions::new().with_user("root", PASSWORD);
    let mut client = Client::connect([server.endpoint()], Some(root)).await?;
    client.user_add("another", PASSWORD, None).await?;
    assert!(backend.load(&key).await?.is_some());
    server.kill(0);
    server.run(0)?;
    let watchdog = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while backend.load(&key).await.is_err() {
        assert!(
            std::time::Instant::now() < watchdog,
            "the server does not answer"
        );
    }
    let removed = backend.remove(&key, &seen).await?;
    assert_eq!(removed, silverback::backend::Outcome::Done(()));
    Ok(())
}

pub(super) async fn prefixes_share_nothing(server: &EtcdServer) -> Tried {
    let unique = silverback::backend::Generation::random()?;
    let mut backends = Vec::new();
    for prefix in [
        format!("{unique}/a/"),
        format!("{unique}/a/b/"),
        String::new(),
    ] {
        let options = EtcdOptions::new().prefix(prefix);
        backends.push(Etcd::connect_with(&server.url(), options).await?);
    }
    let (key, ape) = (
        Key::new(unique.to_string())?,
        OwnerName::new(unique.to_string())?,
    );
    for (number, backend) in backends.iter().enumerate() {
        let text = number.to_string();
        assert_eq!(backend.load(&key).await?, None);
        assert!(
            backend
                .create(&key, &record(&text))
                .await?
                .saved()
                .is_some()
        );
        assert_eq!(backend.generation(&ape).await?, None);
        let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
        assert_eq!(login.number, 1);
        let mine = backend.page(None, 1_000).await?.entries;
        assert_eq!(mine.iter().filter(|entry| entry.key == key).count(), 1);
    }
    for (number, backend) in backends.iter().enumerate() {
        let stored = backend.load(&key).await?.expect("it exists");
        assert_eq!(stored.record, record(&number.to_string()));
    }
    let long = EtcdOptions::new().prefix("x".repeat(129));
    let refused = Etcd::connect_with(&server.url(), long).await.unwrap_err();
    assert!(refused.is_usage(), "{refused}");
    Ok(())
}

#[cfg(feature = "tls")]
pub(super) async fn a_connection_can_use_tls(_: &EtcdServer) -> Tried {
    let certificate = Certificate::make()?;
    let (cert, key_file) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let settings = [
        &*format!("--cert-file={cert}"),
        &format!("--key-file={key_file}"),
    ];
    let server = EtcdServer::start_with_tls(&settings)?;
    // The system does not trust this certificate.
    let refused = Etcd::connect(&server.url()).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let pem = std::fs::read(&cert)?;
    let options = EtcdOptions::new().ca_certificate(&*pem);
    let backend = Etcd::connect_with(&server.url(), options.clone()).await?;
    assert!(
        backend
            .create(&key(), &record("v"))
            .await?
            .saved()
            .is_some()
    );
    let plain = server.url().replace("etcds:", "etcd:");
    let refused = Etcd::connect_with(&plain, options.clone())
        .await
        .unwrap_err();
    assert!(refused.is_usage(), "{refused}");
    assert!(Etcd::connect(&plain).await.is_err());
    // A server that demands a certificate of its clients.
    let trusted = format!("--trusted-ca-file={cert}");
    let settings = [settings[0], settings[1], "--client-cert-auth", &trusted];
    let server = EtcdServer::start_with_tls(&settings)?;
    assert!(
        Etcd::connect_with(&server.url(), options.clone())
            .await
            .is_err()
    );
    let options = options.client_certificate(pem, std::fs::read(&key_file)?);
    let backend = Etcd::connect_with(&server.url(), options).await?;
    assert!(
        backend
            .create(&key(), &record("v"))
            .await?
            .saved()
            .is_some()
    );
    Ok(())
}

#[cfg(not(feature = "tls"))]
pub(super) async fn a_connection_can_use_tls(_: &EtcdServer) -> Tried {
    Ok(())
}
