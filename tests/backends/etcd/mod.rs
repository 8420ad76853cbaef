//! etcd: real servers, alone and in clusters of three; and tests of etcd beyond the laws.

mod access;
mod cluster;
mod crash;
mod faults;
mod go_faults;
mod go_leases;
mod go_rows;
mod leases;
mod owners;
mod requests;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::{Etcd, EtcdOptions, GoEtcd, GoKeys, connect};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::encoded::Encoded;
use super::servers::etcd::EtcdServer;
use super::{Tried, missing_server};

type Started = OnceLock<Result<EtcdServer, String>>;

/// Returns the server of all trials that do not stop or change it.
fn server() -> Result<&'static EtcdServer, String> {
    static SERVER: Started = OnceLock::new();
    let server = SERVER.get_or_init(EtcdServer::start);
    server.as_ref().map_err(String::clone)
}

/// Returns a server for the trials that count requests or leases. They run one after another.
async fn counting_server() -> Result<tokio::sync::MutexGuard<'static, EtcdServer>, String> {
    static SERVER: OnceLock<Result<tokio::sync::Mutex<EtcdServer>, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| EtcdServer::start().map(tokio::sync::Mutex::new));
    Ok(server.as_ref().map_err(String::clone)?.lock().await)
}

/// Returns its URL, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_ETCD") {
        Ok(url) => Ok(url),
        Err(_) => server().map(EtcdServer::url),
    }
}

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("etcd", "etcd", || Box::pin(direct())),
        Candidate::new("etcd_cluster", "etcd", || Box::pin(of_cluster())),
        Candidate::new("scs_etcdstore", "etcd", || {
            Box::pin(async { of_go(&url()?).await })
        }),
        Candidate::new("scs_etcdstore_cluster", "etcd", || {
            Box::pin(async { of_go(&cluster()?.url()).await })
        }),
    ]
}

async fn direct() -> Made {
    connect(&url()?).await.map_err(|error| format!("{error:?}"))
}

fn cluster() -> Result<&'static EtcdServer, String> {
    static SERVER: Started = OnceLock::new();
    let server = SERVER.get_or_init(|| EtcdServer::start_cluster(3));
    server.as_ref().map_err(String::clone)
}

async fn of_cluster() -> Made {
    let options = EtcdOptions::new().prefix("a prefix/");
    let backend = Etcd::connect_with(&cluster()?.url(), options).await;
    Ok(Arc::new(backend.expect("a cluster that works")))
}

async fn of_go(url: &str) -> Made {
    let backend = GoEtcd::connect(url, GoKeys::scs_etcdstore()).await;
    Ok(Encoded::of(Arc::new(
        backend.expect("a backend in a running server"),
    )))
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($group:ident::$name:ident) => {
            trial!("etcd", $group::$name);
        };
        ($kind:literal, $group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!($kind, "::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("etcd", why),
            }));
        };
    }
    trial!(requests::each_operation_is_few_requests);
    trial!(requests::a_conflict_needs_no_further_request_for_the_same_owner);
    trial!(requests::a_record_that_does_not_fit_is_not_sent);
    trial!(requests::a_server_can_have_a_larger_limit);
    trial!(requests::damaged_records_are_named_and_skipped);
    trial!(owners::only_the_kept_login_can_write);
    trial!(owners::an_expired_owner_ends_the_writes_to_its_records);
    trial!(owners::a_change_removes_all_former_marks);
    trial!(leases::thousands_of_writes_need_few_leases);
    trial!(leases::all_keys_of_a_record_and_its_owner_have_its_lease);
    trial!(leases::a_lease_that_is_gone_is_replaced);
    trial!(leases::etcd_removes_expired_records_with_their_owners);
    trial!(leases::records_that_never_expire_have_no_lease);
    trial!(leases::nothing_remains_of_removed_records);
    trial!(access::a_user_needs_a_password_and_only_the_prefix);
    trial!(access::prefixes_share_nothing);
    trial!(access::an_expired_token_is_renewed);
    trial!(access::a_connection_can_use_tls);
    trial!(faults::every_fault_ends_in_time_and_the_backend_recovers);
    trial!(faults::a_request_that_was_not_sent_was_not_applied);
    trial!(faults::another_member_answers_if_one_does_not);
    trial!(faults::a_restarted_server_is_used_again);
    trial!(
        "scs_etcdstore",
        go_rows::a_row_is_what_go_writes_and_a_go_program_lists_nothing_else
    );
    trial!("scs_etcdstore", go_rows::each_operation_is_few_requests);
    trial!("scs_etcdstore", go_rows::a_row_of_go_expires_with_its_lease);
    trial!(
        "scs_etcdstore",
        go_rows::a_write_of_go_ends_the_exact_expiry
    );
    trial!("scs_etcdstore", go_rows::rows_of_both_programs_are_listed);
    trial!("scs_etcdstore", go_rows::other_keys_are_left_alone);
    trial!("scs_etcdstore", go_rows::a_user_needs_both_prefixes);
    trial!(
        "scs_etcdstore",
        go_rows::a_record_that_does_not_fit_is_not_sent
    );
    trial!("scs_etcdstore", go_leases::no_lease_is_left);
    trial!(
        "scs_etcdstore",
        go_leases::a_lease_is_kept_while_the_expiry_stays
    );
    trial!("scs_etcdstore", go_leases::a_lease_ends_with_its_row);
    trial!(
        "scs_etcdstore",
        go_leases::a_lease_of_go_that_another_key_has_is_not_revoked
    );
    trial!("scs_etcdstore", go_leases::a_lease_that_is_gone_is_replaced);
    trial!(
        "scs_etcdstore",
        go_leases::a_restart_prolongs_leases_and_no_sessions
    );
    trial!(
        "scs_etcdstore",
        go_leases::a_session_is_never_missing_while_its_lease_is_replaced
    );
    trial!(
        "scs_etcdstore",
        go_faults::every_fault_ends_in_time_and_the_backend_recovers
    );
    trial!("scs_etcdstore", go_faults::a_dead_server_is_unavailable);
    trial!(
        "scs_etcdstore",
        go_faults::a_lost_reply_is_an_unknown_outcome
    );
    trial!(crash::a_killed_server_loses_no_acknowledged_write);
    trial!(cluster::a_killed_leader_loses_no_acknowledged_write);
    trials
}
