//! Memcached: real servers, one and several; and tests of Memcached beyond the laws.

mod faults;
mod items;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::connect;
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::servers::memcached::MemcachedServer;
use super::{Tried, missing_server};

type Started = OnceLock<Result<MemcachedServer, String>>;

fn started(server: &'static Started) -> Result<&'static MemcachedServer, String> {
    let server = server.get_or_init(|| MemcachedServer::start(&["-m", "256"]));
    server.as_ref().map_err(String::clone)
}

/// Returns the server of all trials that do not stop or change it.
fn server() -> Result<&'static MemcachedServer, String> {
    static SERVER: Started = OnceLock::new();
    started(&SERVER)
}

/// Returns the URL of the first server, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_MEMCACHED") {
        Ok(url) => Ok(url),
        Err(_) => server().map(MemcachedServer::url),
    }
}

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("memcached", "memcached", || {
            Box::pin(async { at(&url()?).await })
        }),
        Candidate::new("memcached_two_servers", "memcached", || {
            static SECOND: Started = OnceLock::new();
            Box::pin(async {
                let second = started(&SECOND)?.port();
                at(&format!("{},127.0.0.1:{second}", server()?.url())).await
            })
        }),
    ]
}

async fn at(url: &str) -> Made {
    connect(url).await.map_err(|error| format!("{error:?}"))
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!("memcached::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("memcached", why),
            }));
        };
    }
    trial!(faults::every_fault_ends_in_time_and_the_backend_recovers);
    trial!(faults::an_abandoned_operation_holds_no_connection);
    trial!(faults::after_a_restart_records_are_missing_and_owners_have_new_generations);
    trial!(faults::a_full_server_loses_whole_records);
    trial!(items::a_record_that_is_too_large_leaves_the_present_one);
    trial!(items::data_of_other_programs_is_left_alone);
    trial!(items::an_operation_takes_the_documented_number_of_requests);
    trial!(items::prefixes_share_only_the_server);
    trials
}
