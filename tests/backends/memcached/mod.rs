//! Memcached: real servers, one and several; and tests of Memcached beyond the laws.

mod faults;
mod go;
mod items;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::{GoKeys, GoMemcached, connect};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::encoded::Encoded;
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
        Candidate::new("gorilla_sessions_memcache", "memcached", || {
            Box::pin(of_go(GoKeys::gorilla_sessions_memcache("sealed_")))
        })
        .except(WHOLE_SECONDS),
        Candidate::new(
            "gorilla_sessions_memcache_in_the_clear",
            "memcached",
            || {
                let keys = GoKeys::gorilla_sessions_memcache("clear_");
                Box::pin(of_go(keys.in_the_clear()))
            },
        )
        .except(WHOLE_SECONDS),
        Candidate::new("dolab_memcache", "memcached", || {
            Box::pin(of_go(GoKeys::dolab_memcache()))
        })
        .except(WHOLE_SECONDS),
    ]
}

/// Laws that items of Go do not keep. `go.rs` tests what holds instead.
const WHOLE_SECONDS: &[(&str, &str)] = &[
    (
        "far_expiries_are_right",
        "the server counts whole seconds, and up to 2038 only",
    ),
    (
        "touch_changes_the_expiry_only",
        "the server counts whole seconds",
    ),
];

async fn of_go(keys: GoKeys) -> Made {
    let backend = GoMemcached::connect(&url()?, keys).await;
    let backend = backend.expect("a backend in a running server");
    Ok(Encoded::of(Arc::new(backend)))
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
    trial!(faults::after_a_restart_sessions_of_go_are_missing);
    trial!(faults::a_server_without_numbers_is_refused);
    trial!(faults::every_fault_ends_in_time_and_items_of_go_recover);
    trial!(go::a_row_is_the_item_that_go_writes);
    trial!(go::an_expiry_is_right_to_a_few_seconds);
    trial!(go::a_touch_changes_the_expiry_only);
    trial!(go::a_row_is_not_removed_before_its_expiry);
    trial!(go::an_expiry_in_the_past_removes_the_item);
    trial!(go::a_row_that_is_too_large_leaves_the_present_one);
    trial!(go::an_operation_is_one_request);
    trial!(go::a_prefix_that_go_refuses_is_refused);
    trial!(go::a_key_is_on_the_server_that_go_chooses);
    trial!(items::a_record_that_is_too_large_leaves_the_present_one);
    trial!(items::data_of_other_programs_is_left_alone);
    trial!(items::an_operation_takes_the_documented_number_of_requests);
    trial!(items::prefixes_share_only_the_server);
    trials
}
