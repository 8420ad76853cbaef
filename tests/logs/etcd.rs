use std::sync::OnceLock;

use etcd_client::{Client, Permission, PermissionType, Txn, TxnOp};
use silverback::backend::{Backend, Etcd, EtcdOptions, Expiry, GoEtcd, GoKeys, Key, Record, Scan};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::required::not_run;
use super::servers::etcd::EtcdServer;

const PASSWORD: &str = "pass word of the user of etcd";

fn server() -> Option<&'static EtcdServer> {
    static SERVER: OnceLock<Result<EtcdServer, String>> = OnceLock::new();
    match SERVER.get_or_init(EtcdServer::start) {
        Ok(server) => Some(server),
        Err(why) => {
            not_run("etcd", why);
            None
        }
    }
}

/// Fails with the line if a line of the log contains the text.
fn is_not_logged(text: &str) {
    let lines = capture::lines_with(text.as_bytes());
    assert!(lines.is_empty(), "{text} is logged: {}", lines[0]);
}

#[tokio::test]
async fn no_secret_of_etcd_is_logged() {
    capture::start();
    let Some(server) = server() else { return };
    let backend = Etcd::connect(&server.url()).await.unwrap();
    let secrets = Secrets::new();
    secrets.try_all(&backend).await.unwrap();
    secrets.are_not_logged();
}

/// The key of a row of scs is the token, which opens the session.
#[tokio::test]
async fn no_secret_of_etcdstore_is_logged() {
    capture::start();
    let Some(server) = server() else { return };
    let token = "token-of-a-row-of-etcdstore";
    let value = "value-of-a-row-of-etcdstore";
    let keys = GoKeys::scs_etcdstore();
    let backend = GoEtcd::connect(&server.url(), keys.clone()).await.unwrap();
    let (key, record) = (Key::new(token).unwrap(), Record::new(value, Expiry::NEVER));
    let created = backend.create(&key, &record).await.unwrap();
    assert!(created.saved().is_some());
    // A damaged expiry, and a row that etcd refuses.
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    let (row, own) = (
        format!("scs:session:{token}"),
        format!("silverback/expiry/scs:session:{token}"),
    );
    let puts = [TxnOp::put(row, value, None), TxnOp::put(own, value, None)];
    client.txn(Txn::new().and_then(puts)).await.unwrap();
    let refused = backend.load(&key).await;
    assert!(refused.is_err());
    capture_errors(refused);
    let page = backend.page(None, 10).await.unwrap();
    assert_eq!(page.skipped.len(), 1);
    for error in page.skipped {
        capture_errors::<()>(Err(error));
    }
    let options = EtcdOptions::new().max_request_bytes(8_000_000);
    let wide = GoEtcd::connect_with(&server.url(), keys, options).await;
    let large = Record::new(value.repeat(100_000), Expiry::NEVER);
    let refused = wide
        .unwrap()
        .create(&Key::new(token).unwrap(), &large)
        .await;
    assert!(refused.is_err());
    capture_errors(refused);
    is_not_logged(token);
    is_not_logged(value);
}

/// This test uses its own server.
#[tokio::test]
async fn no_password_of_etcd_is_logged() {
    capture::start();
    if server().is_none() {
        return;
    }
    let server = EtcdServer::start().unwrap();
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    for (user, role) in [("root", "root"), ("shop", "shop")] {
        let password = if user == "root" { "root" } else { PASSWORD };
        client.user_add(user, password, None).await.unwrap();
        client.role_add(role).await.unwrap();
        client.user_grant_role(user, role).await.unwrap();
    }
    let below = Permission::new(PermissionType::Readwrite, "shop/").with_prefix();
    client.role_grant_permission("shop", below).await.unwrap();
    client.auth_enable().await.unwrap();
    let options = EtcdOptions::new().user("shop", PASSWORD);
    let backend = Etcd::connect_with(&server.url(), options.clone().prefix("shop/")).await;
    let secrets = Secrets::new();
    secrets.try_all(&backend.unwrap()).await.unwrap();
    // etcd refuses all requests.
    let refused = Etcd::connect_with(&server.url(), options).await;
    assert!(refused.is_err());
    capture_errors(refused);
    let wrong = EtcdOptions::new().user("shop", format!("{PASSWORD}!"));
    let refused = Etcd::connect_with(&server.url(), wrong).await;
    assert!(refused.is_err());
    capture_errors(refused);
    secrets.are_not_logged();
    is_not_logged(PASSWORD);
}

/// etcd refuses these records, which are larger than its limit.
#[tokio::test]
async fn no_secret_of_refused_requests_is_logged() {
    capture::start();
    let Some(server) = server() else { return };
    let options = EtcdOptions::new().max_request_bytes(8_000_000);
    let backend = Etcd::connect_with(&server.url(), options).await.unwrap();
    let secrets = Secrets::new();
    let value = secrets.record().value().repeat(40_000);
    let record = silverback::backend::Record::new(value, secrets.record().expiry());
    let refused = backend.create(&secrets.key(), &record).await;
    assert!(refused.is_err());
    capture_errors(refused);
    secrets.are_not_logged();
}
