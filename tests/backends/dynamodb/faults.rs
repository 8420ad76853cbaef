//! A connection to the server that fails.

use silverback::backend::{DynamoDb, DynamoDbOptions};

use super::super::Tried;
use super::super::faults::{self, TIMEOUT};
use super::super::servers::dynamodb::{DynamoDbServer, client, endpoint_at};
use super::super::servers::proxy::Proxy;
use super::open;

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &DynamoDbServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = DynamoDbOptions::new().timeout(TIMEOUT);
    let direct = open(&client(&server.endpoint()), "faults", options.clone()).await?;
    let backend = DynamoDb::from_client(&client(&endpoint_at(proxy.port())), "faults", options)?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}
