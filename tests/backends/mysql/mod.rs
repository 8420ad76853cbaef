//! MySQL: real MariaDB servers, with the system clock and with wrong clocks, in several time zones,
//! isolation levels and collations; and tests of MySQL beyond the laws.

mod connections;
mod crash;
mod exact_expiry;
mod faults;
mod go_tables;
mod log;
mod packets;
mod rights;
mod statements;

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Completion, Trial};
use silverback::backend::{GoTable, Mysql, connect};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, MySqlPool};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::servers::mariadb::MariaDbServer;
use super::{Tried, missing_server};

type Started = OnceLock<Result<MariaDbServer, String>>;

/// Returns the server of all trials that do not stop or change it. It logs its statements.
fn server() -> Result<&'static MariaDbServer, String> {
    static SERVER: Started = OnceLock::new();
    started(&SERVER, || {
        MariaDbServer::start_in("UTC", &["--general-log"])
    })
}

/// Returns a server unlike the defaults: its system's clock is put forward and back twice a year,
/// a transaction sees the commits of others, texts that differ in case or trailing spaces are
/// equal, and values that do not fit are cut without an error.
fn server_in_berlin() -> Result<&'static MariaDbServer, String> {
    static SERVER: Started = OnceLock::new();
    let settings = [
        "--transaction-isolation=READ-COMMITTED",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--sql-mode=",
    ];
    started(&SERVER, || {
        MariaDbServer::start_in("Europe/Berlin", &settings)
    })
}

/// Returns a server whose own time zone is west of UTC.
fn server_in_the_west() -> Result<&'static MariaDbServer, String> {
    static SERVER: Started = OnceLock::new();
    let settings = ["--default-time-zone=-05:00"];
    started(&SERVER, || MariaDbServer::start_in("UTC", &settings))
}

/// Returns a server that takes statements of at most 2 MiB.
fn server_with_small_packets() -> Result<&'static MariaDbServer, String> {
    static SERVER: Started = OnceLock::new();
    let settings = ["--max-allowed-packet=2M"];
    started(&SERVER, || MariaDbServer::start_in("UTC", &settings))
}

fn started(
    server: &'static Started,
    start: impl FnOnce() -> Result<MariaDbServer, String>,
) -> Result<&'static MariaDbServer, String> {
    server.get_or_init(start).as_ref().map_err(String::clone)
}

/// Returns the URL of the first server, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_MYSQL") {
        Ok(url) => Ok(url),
        Err(_) => server().map(MariaDbServer::url),
    }
}

/// Laws that a table of scs's `mysqlstore` does not keep.
const ENDS_IN_2038: &[(&str, &str)] = &[(
    "far_expiries_are_right",
    "the column of the expiry holds no time after 2038",
)];

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("mariadb", "mariadb", || Box::pin(direct())),
        Candidate::new("mariadb_in_berlin", "mariadb", || {
            Box::pin(async { native(server_in_berlin()?).await })
        }),
        Candidate::new("mariadb_an_hour_ahead", "mariadb", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "3600"))
        })
        .with_wrong_clock(),
        Candidate::new("mariadb_an_hour_behind", "mariadb", || {
            static SERVER: Started = OnceLock::new();
            Box::pin(skewed(&SERVER, "-3600"))
        })
        .with_wrong_clock(),
        Candidate::new("scs_mysqlstore", "mariadb", || {
            Box::pin(go_tables::encoded(server, GoTable::scs_mysqlstore()))
        })
        .except(ENDS_IN_2038),
        Candidate::new("scs_mysqlstore_in_berlin", "mariadb", || {
            Box::pin(go_tables::encoded(
                server_in_berlin,
                GoTable::scs_mysqlstore(),
            ))
        })
        .except(ENDS_IN_2038),
        Candidate::new("scs_mysqlstore_in_the_west", "mariadb", || {
            Box::pin(go_tables::encoded(
                server_in_the_west,
                GoTable::scs_mysqlstore(),
            ))
        })
        .except(ENDS_IN_2038),
        Candidate::new("scs_gormstore_mysql", "mariadb", || {
            Box::pin(go_tables::encoded(server, GoTable::scs_gormstore()))
        }),
        Candidate::new("scs_gormstore_mysql_in_berlin", "mariadb", || {
            let table = GoTable::scs_gormstore();
            Box::pin(go_tables::encoded(server_in_berlin, table))
        }),
        Candidate::new("wader_gormstore_mysql", "mariadb", || {
            Box::pin(go_tables::encoded(server, GoTable::wader_gormstore()))
        }),
        Candidate::new("wader_gormstore_mysql_in_berlin", "mariadb", || {
            let table = GoTable::wader_gormstore();
            Box::pin(go_tables::encoded(server_in_berlin, table))
        }),
    ]
}

async fn direct() -> Made {
    connect(&url()?).await.map_err(|error| format!("{error:?}"))
}

async fn native(server: &MariaDbServer) -> Made {
    let backend = Mysql::connect(&server.url()).await;
    Ok(Arc::new(backend.expect("a backend in a running server")))
}

async fn skewed(server: &'static Started, skew: &'static str) -> Made {
    native(started(server, || MariaDbServer::start_skewed(skew))?).await
}

/// Returns the URL of a fresh database of that server, and a pool.
async fn database(server: &MariaDbServer, name: &str) -> Result<(String, MySqlPool), sqlx::Error> {
    let pool = MySqlPool::connect(&server.url()).await?;
    let make = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&pool).await?;
    pool.close().await;
    let url = server.url_of(name);
    let options: MySqlConnectOptions = url.parse()?;
    let pool = MySqlPool::connect_with(options.timezone(None)).await?;
    Ok((url, pool))
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($server:ident, $group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!("mariadb::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match $server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("mariadb", why),
            }));
        };
    }
    trial!(
        server,
        connections::a_connection_ended_by_the_server_is_not_reused
    );
    trial!(
        server,
        connections::a_statement_that_waits_for_too_long_is_not_done
    );
    trial!(server, connections::a_deadlock_is_no_error);
    trial!(
        server,
        connections::connections_without_autocommit_are_refused
    );
    trial!(
        server,
        connections::a_transaction_ends_whatever_the_completion_type
    );
    trial!(
        server,
        connections::a_failed_transaction_leaves_nothing_behind
    );
    trial!(server, crash::a_killed_server_loses_no_acknowledged_write);
    trial!(server, exact_expiry::a_row_has_expired_at_its_expiry);
    trial!(server, exact_expiry::a_row_of_go_has_expired_at_its_expiry);
    trial!(
        server,
        faults::every_fault_ends_in_time_and_the_backend_recovers
    );
    trial!(server, faults::an_abandoned_operation_holds_no_connection);
    trial!(server, go_tables::names_are_quoted);
    trial!(server, go_tables::new_tables_are_those_of_the_go_packages);
    trial!(server, go_tables::a_row_is_the_one_that_go_writes);
    trial!(server, go_tables::an_incompatible_table_is_refused);
    trial!(server, go_tables::a_key_is_compared_as_bytes);
    trial!(server, go_tables::a_value_that_does_not_fit_is_refused);
    trial!(
        server,
        go_tables::a_row_of_another_program_that_is_not_valid_affects_only_its_key
    );
    trial!(server, go_tables::no_operation_reads_a_whole_table);
    trial!(
        server_in_berlin,
        go_tables::a_time_that_the_clocks_skip_is_moved
    );
    trial!(
        server_in_berlin,
        go_tables::a_time_after_the_last_one_becomes_the_last_one
    );
    trial!(server_in_the_west, go_tables::another_time_zone_is_refused);
    trial!(
        server_with_small_packets,
        packets::a_row_that_the_server_does_not_take_is_too_large
    );
    trial!(
        server,
        rights::a_user_without_the_right_to_create_uses_existing_tables
    );
    trial!(server, rights::concurrent_programs_create_the_tables_once);
    trial!(server, rights::tables_with_other_columns_are_refused);
    trial!(server, statements::each_operation_is_one_round_trip);
    trial!(
        server,
        statements::a_write_of_a_record_without_an_owner_reads_no_owner
    );
    trial!(server, statements::no_operation_reads_a_whole_table);
    trial!(
        server,
        statements::a_save_that_expires_in_the_same_minute_changes_no_index
    );
    trial!(server, statements::values_of_all_sizes_are_kept);
    trials
}
