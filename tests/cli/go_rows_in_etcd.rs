//! Rows that a port of scs's etcdstore wrote to etcd: each is put back with its lease, and read to
//! the values that a Go handler reads.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etcd_client::{Client, DeleteOptions, PutOptions};
use serde_json::Value;
use silverback::backend::Backend;
use silverback::compat::scs_etcdstore;

use crate::go_rows::{Vectors, scs_dialect, text};
use crate::required::not_run;
use crate::servers::etcd::EtcdServer;

/// Puts the row into the server with a lease as long as it had left when it was written.
async fn put(server: &EtcdServer, row: &Value) {
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    let all = DeleteOptions::new().with_all_keys();
    client.delete("", Some(all)).await.unwrap();
    let state = &row["state"];
    if state.is_null() {
        return;
    }
    let seconds = state["lease_ttl_s"].as_i64().unwrap();
    let lease = client.lease_grant(seconds, None).await.unwrap().id();
    let value = STANDARD.decode(text(&state["value_b64"])).unwrap();
    let with_lease = PutOptions::new().with_lease(lease);
    let key = text(&state["key"]);
    client.put(key, value, Some(with_lease)).await.unwrap();
}

#[tokio::test]
async fn rows_of_scs_in_etcd_are_read() {
    let server = match EtcdServer::start() {
        Ok(server) => server,
        Err(why) => return not_run("etcd", &why),
    };
    let read = async |row: &Value| -> Arc<dyn Backend> {
        put(&server, row).await;
        scs_etcdstore(&server.url()).await.unwrap().backend()
    };
    let live = Vectors::of("scs-etcdstore").read(read, scs_dialect).await;
    assert_eq!(live, 19);
}
