//! Redis: real servers, with the system clock and with wrong clocks; a cluster; a primary behind a
//! sentinel; and tests of Redis beyond the laws.

mod crash;
mod expiry;
mod failover;
mod faults;
mod keys;
mod round_trips;
#[cfg(feature = "tls")]
mod tls;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::{GoKeys, GoRedis, Redis, RedisOptions, connect};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::encoded::Encoded;
use super::servers::redis::{RedisCluster, RedisSentinel, RedisServer};
use super::{Tried, missing_server};

type Started<S> = OnceLock<Result<S, String>>;

fn started<S>(
    server: &'static Started<S>,
    start: impl FnOnce() -> Result<S, String>,
) -> Result<&'static S, String> {
    server.get_or_init(start).as_ref().map_err(String::clone)
}

/// Returns the server of all trials that do not stop or change it.
fn server() -> Result<&'static RedisServer, String> {
    static SERVER: Started<RedisServer> = OnceLock::new();
    started(&SERVER, || RedisServer::start(&[]))
}

fn cluster() -> Result<&'static RedisCluster, String> {
    static CLUSTER: Started<RedisCluster> = OnceLock::new();
    started(&CLUSTER, RedisCluster::start)
}

fn sentinel() -> Result<&'static RedisSentinel, String> {
    static SENTINEL: Started<RedisSentinel> = OnceLock::new();
    started(&SENTINEL, RedisSentinel::start)
}

/// Returns the URL of the first server, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_REDIS") {
        Ok(url) => Ok(url),
        Err(_) => server().map(RedisServer::url),
    }
}

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("redis", "redis", || Box::pin(async { at(&url()?).await })),
        Candidate::new("redis_cluster", "redis", || {
            Box::pin(async { at(&cluster()?.url()).await })
        }),
        Candidate::new("redis_sentinel", "redis", || {
            Box::pin(async { waiting_for_a_replica(&sentinel()?.url()).await })
        }),
        Candidate::new("redis_an_hour_ahead", "redis", || {
            static SERVER: Started<RedisServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "3600"))
        })
        .with_wrong_clock(),
        Candidate::new("redis_an_hour_behind", "redis", || {
            static SERVER: Started<RedisServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "-3600"))
        })
        .with_wrong_clock(),
        Candidate::new("scs_redisstore", "redis", || {
            Box::pin(async { of_go(&url()?, GoKeys::scs_redisstore()).await })
        }),
        Candidate::new("scs_redisstore_an_hour_ahead", "redis", || {
            static SERVER: Started<RedisServer> = OnceLock::new();
            Box::pin(async {
                let server = started(&SERVER, || RedisServer::start_skewed("3600"))?;
                of_go(&server.url(), GoKeys::scs_redisstore()).await
            })
        })
        .with_wrong_clock(),
        Candidate::new("scs_redisstore_cluster", "redis", || {
            Box::pin(async { of_go(&cluster()?.url(), GoKeys::scs_redisstore()).await })
        })
        .except(MOVES_IN_TWO_STEPS),
        Candidate::new("dolab_redis", "redis", || {
            Box::pin(async { of_go(&url()?, GoKeys::dolab_redis()).await })
        }),
        Candidate::new("dolab_redis_cluster", "redis", || {
            Box::pin(async { of_go(&cluster()?.url(), GoKeys::dolab_redis()).await })
        })
        .except(MOVES_IN_TWO_STEPS),
    ]
}

async fn at(url: &str) -> Made {
    connect(url).await.map_err(|error| format!("{error:?}"))
}

/// Opens a backend whose writes wait for the replica, with several connections.
async fn waiting_for_a_replica(url: &str) -> Made {
    let options = RedisOptions::new().wait_for_replicas(1).connections(3);
    let backend = Redis::connect_with(url, options).await;
    Ok(Arc::new(backend.expect("a backend in a running server")))
}

/// Laws that rows of Go in a cluster do not keep.
const MOVES_IN_TWO_STEPS: &[(&str, &str)] = &[(
    "a_move_is_atomic",
    "the two keys are on different nodes, so that a move is a creation and a removal",
)];

async fn of_go(url: &str, keys: GoKeys) -> Made {
    let backend = GoRedis::connect(url, keys).await;
    let backend = backend.expect("a backend in a running server");
    Ok(Encoded::with_nonces(Arc::new(backend)))
}

async fn skewed(server: &'static Started<RedisServer>, skew: &'static str) -> Made {
    at(&started(server, || RedisServer::start_skewed(skew))?.url()).await
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!("redis::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("redis", why),
            }));
        };
    }
    trial!(crash::a_server_that_writes_each_command_to_its_file_loses_none);
    trial!(crash::a_server_that_writes_its_file_each_second_invents_nothing);
    trial!(expiry::each_record_has_a_time_to_live_and_its_own_expiry_decides);
    trial!(expiry::a_list_expires_with_its_last_record);
    trial!(failover::a_demoted_primary_is_left);
    trial!(failover::a_sentinel_names_the_new_primary);
    trial!(failover::a_write_that_no_replica_receives_is_unknown);
    trial!(failover::a_slot_moves_under_load);
    trial!(failover::a_replica_is_refused);
    trial!(faults::every_fault_ends_in_time_and_the_backend_recovers);
    trial!(faults::an_abandoned_operation_holds_no_connection);
    trial!(faults::killed_connections_and_forgotten_scripts_lose_no_write);
    trial!(keys::prefixes_share_only_the_server);
    trial!(keys::data_of_other_programs_is_left_alone);
    trial!(keys::a_password_is_checked_and_never_quoted);
    trial!(keys::a_server_that_may_lose_records_is_refused_if_durability_is_required);
    trial!(keys::a_scan_goes_on_after_the_keys_that_it_remembers);
    trial!(round_trips::an_operation_is_one_command);
    trial!(round_trips::a_save_within_a_minute_leaves_the_list_of_the_owner);
    #[cfg(feature = "tls")]
    {
        trial!(tls::a_connection_can_use_tls);
    }
    trials
}
