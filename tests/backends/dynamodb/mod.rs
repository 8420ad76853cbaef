//! DynamoDB: DynamoDB Local as the reference, with the system clock and with wrong clocks, and
//! moto; and tests of DynamoDB beyond the laws.

mod faults;
mod recording_proxy;
mod requests;
mod tables;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use libtest_mimic::{Completion, Trial};
use silverback::backend::{DynamoDb, DynamoDbOptions, Error, GoDynamoDb, GoItems};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::encoded::Encoded;
use super::missing_server;
use super::servers::dynamodb::{DynamoDbServer, client};

type Started = OnceLock<Result<DynamoDbServer, String>>;

/// Returns the server that all trials share.
fn server() -> Result<&'static DynamoDbServer, String> {
    static SERVER: Started = OnceLock::new();
    let server = SERVER.get_or_init(DynamoDbServer::start);
    server.as_ref().map_err(String::clone)
}

/// Returns its endpoint, unless the environment names another.
fn endpoint() -> Result<String, String> {
    match std::env::var("BACKEND_URL_DYNAMODB") {
        Ok(endpoint) => Ok(endpoint),
        Err(_) => server().map(DynamoDbServer::endpoint),
    }
}

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("dynamodb", "dynamodb", || {
            Box::pin(async { native(&endpoint()?).await })
        }),
        Candidate::new("dynamodb_an_hour_ahead", "dynamodb", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "3600"))
        })
        .with_wrong_clock(),
        Candidate::new("dynamodb_an_hour_behind", "dynamodb", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "-3600"))
        })
        .with_wrong_clock(),
        Candidate::new("dynamodb_moto", "moto", || {
            static MOTO: Started = OnceLock::new();
            let moto = MOTO.get_or_init(DynamoDbServer::start_moto);
            Box::pin(async { native(&moto.as_ref().map_err(String::clone)?.endpoint()).await })
        }),
        Candidate::new("dynamostore", "dynamodb", || {
            Box::pin(of_go("dynamostore", GoItems::dynamostore()))
        }),
        Candidate::new("dynastore", "dynamodb", || {
            Box::pin(of_go("dynastore", GoItems::dynastore()))
        }),
    ]
}

/// Opens a table, and creates it if it is missing.
async fn open(client: &Client, table: &str, options: DynamoDbOptions) -> Result<DynamoDb, Error> {
    let backend = DynamoDb::from_client(client, table, options)?;
    backend.migrate().await?;
    Ok(backend)
}

/// Opens a table of a Go package, and creates it if it is missing.
async fn open_go(
    client: &Client,
    table: &str,
    items: GoItems,
    options: DynamoDbOptions,
) -> Result<GoDynamoDb, Error> {
    let backend = GoDynamoDb::from_client(client, table, items, options)?;
    backend.migrate().await?;
    Ok(backend)
}

async fn native(endpoint: &str) -> Made {
    // A busy machine makes moto slow. No law is about the time that a server takes.
    let options = DynamoDbOptions::new()
        .prefix("a prefix/")
        .timeout(Duration::from_secs(60));
    let opened = open(&client(endpoint), "native", options).await;
    Ok(Arc::new(opened.expect("a table in a running server")))
}

async fn skewed(server: &'static Started, skew: &'static str) -> Made {
    let server = server.get_or_init(|| DynamoDbServer::start_skewed(skew));
    native(&server.as_ref().map_err(String::clone)?.endpoint()).await
}

async fn of_go(table: &str, items: GoItems) -> Made {
    let client = client(&server()?.endpoint());
    let opened = open_go(&client, table, items, DynamoDbOptions::new()).await;
    let backend = opened.expect("a table in a running server");
    Ok(Encoded::of(Arc::new(backend)))
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!("dynamodb::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("dynamodb", why),
            }));
        };
    }
    trial!(requests::an_operation_is_one_request_and_an_owned_load_two);
    trial!(requests::a_login_is_listed_before_the_index_contains_it);
    trial!(requests::a_move_is_one_transaction);
    trial!(requests::a_purge_reads_owners_again_for_each_page);
    trial!(requests::only_requests_without_capacity_are_repeated);
    trial!(requests::a_write_that_may_be_applied_is_unknown);
    trial!(requests::no_item_exceeds_the_limit_of_dynamodb);
    trial!(tables::a_table_is_created_once_and_not_changed);
    trial!(tables::a_table_with_another_key_is_refused);
    trial!(tables::prefixes_share_only_the_table);
    trial!(tables::dynamodb_removes_an_item_long_after_it_has_expired);
    trial!(tables::items_without_an_expiry_do_not_expire);
    trial!(faults::every_fault_ends_in_time_and_the_backend_recovers);
    trials
}
