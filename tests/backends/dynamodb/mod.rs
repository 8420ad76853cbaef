//! DynamoDB: DynamoDB Local as the reference, with our clock and with others, and moto; and
//! what is particular to it beyond the laws.

mod faults;
mod front;
mod requests;
mod tables;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::{DynamoDb, DynamoDbOptions, GoDynamoDb, GoItems};
use tokio::runtime::Runtime;

use super::absent;
use super::contestants::{Contestant, Made};
use super::plain::Plain;
use super::servers::dynamodb::{DynamoDbServer, client};

type Started = OnceLock<Result<DynamoDbServer, String>>;

/// The server that all trials share.
fn server() -> Result<&'static DynamoDbServer, String> {
    static SERVER: Started = OnceLock::new();
    let server = SERVER.get_or_init(DynamoDbServer::start);
    server.as_ref().map_err(String::clone)
}

/// Where it answers, unless the environment names another.
fn endpoint() -> Result<String, String> {
    match std::env::var("BACKEND_URL_DYNAMODB") {
        Ok(endpoint) => Ok(endpoint),
        Err(_) => server().map(DynamoDbServer::endpoint),
    }
}

pub(super) fn contestants() -> Vec<Contestant> {
    vec![
        Contestant::new("dynamodb", "dynamodb", || {
            Box::pin(async { native(&endpoint()?).await })
        }),
        Contestant::new("dynamodb_an_hour_ahead", "faketime", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "+1h"))
        }),
        Contestant::new("dynamodb_an_hour_behind", "faketime", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "-1h"))
        }),
        Contestant::new("dynamodb_moto", "moto", || {
            static MOTO: Started = OnceLock::new();
            let moto = MOTO.get_or_init(DynamoDbServer::start_moto);
            Box::pin(async { native(&moto.as_ref().map_err(String::clone)?.endpoint()).await })
        }),
        Contestant::new("dynamostore", "dynamodb", || {
            Box::pin(of_go("dynamostore", GoItems::dynamostore()))
        }),
        Contestant::new("dynastore", "dynamodb", || {
            Box::pin(of_go("dynastore", GoItems::dynastore()))
        }),
    ]
}

async fn native(endpoint: &str) -> Made {
    let options = DynamoDbOptions::new("native").prefix("a prefix/");
    let opened = DynamoDb::open(&client(endpoint), options).await;
    Ok(Arc::new(opened.expect("a table in a server that answers")))
}

async fn skewed(server: &'static Started, skew: &str) -> Made {
    let server = server.get_or_init(|| DynamoDbServer::start_skewed(skew));
    native(&server.as_ref().map_err(String::clone)?.endpoint()).await
}

async fn of_go(table: &str, items: GoItems) -> Made {
    let client = client(&server()?.endpoint());
    let opened = GoDynamoDb::open(&client, DynamoDbOptions::new(table), items).await;
    let backend = opened.expect("a table in a server that answers");
    Ok(Plain::of(Arc::new(backend)))
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
                Err(why) => absent("dynamodb", why),
            }));
        };
    }
    trial!(requests::an_operation_is_one_request_and_an_owned_load_two);
    trial!(requests::a_login_is_listed_before_the_index_knows_it);
    trial!(requests::a_move_is_one_transaction);
    trial!(requests::a_purge_asks_owners_anew_for_each_page);
    trial!(requests::only_what_there_was_no_capacity_for_is_repeated);
    trial!(requests::what_may_have_been_done_is_unknown);
    trial!(requests::no_item_is_larger_than_dynamodb_takes);
    trial!(tables::a_table_is_made_once_and_left_as_it_is);
    trial!(tables::a_table_with_another_key_is_refused);
    trial!(tables::prefixes_share_a_table_and_nothing_else);
    trial!(tables::dynamodb_removes_an_item_long_after_it_has_expired);
    trial!(tables::items_without_an_expiry_do_not_expire);
    trial!(faults::every_fault_ends_in_time_and_is_got_over);
    trials
}
