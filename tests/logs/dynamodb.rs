use std::sync::{Arc, OnceLock};

use silverback::backend::{DynamoDb, DynamoDbOptions, GoDynamoDb, GoItems};

use super::capture;
use super::operations::Secrets;
use super::required::not_run;
use super::servers::dynamodb::{DynamoDbServer, client};

/// The only target under which AWS's SDK logs whole requests and responses. It does so only at
/// TRACE, as the documentation of `DynamoDb` says.
const WHOLE_REQUESTS: &str = "TRACE ";
const OF_THE_SDK: &str = "aws_smithy_runtime::client::orchestrator";

#[tokio::test]
async fn only_the_sdk_at_trace_logs_secrets_of_dynamodb() {
    capture::start();
    static SERVER: OnceLock<Result<DynamoDbServer, String>> = OnceLock::new();
    let server = match SERVER.get_or_init(DynamoDbServer::start) {
        Ok(server) => server,
        Err(why) => return not_run("dynamodb", why),
    };
    let client = client(&server.endpoint());
    let ours = DynamoDb::from_client(&client, "logs", DynamoDbOptions::new()).unwrap();
    ours.migrate().await.unwrap();
    let (items, options) = (GoItems::dynamostore(), DynamoDbOptions::new());
    let go = GoDynamoDb::from_client(&client, "logs-of-go", items, options).unwrap();
    go.migrate().await.unwrap();
    let backends: [Arc<dyn silverback::backend::Backend>; 2] = [Arc::new(ours), Arc::new(go)];
    let mut lines = 0;
    for backend in backends {
        let secrets = Secrets::new();
        secrets.try_all(&*backend).await.unwrap();
        for (what, line) in secrets.logged() {
            let is_the_sdks = line.contains(WHOLE_REQUESTS) && line.contains(OF_THE_SDK);
            assert!(is_the_sdks, "{what} is logged: {line}");
            lines += 1;
        }
    }
    assert!(
        lines > 0,
        "the SDK no longer logs them: update the documentation"
    );
}
