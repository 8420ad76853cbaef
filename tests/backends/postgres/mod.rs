//! PostgreSQL: real servers, with the system clock and with wrong clocks, directly and behind a
//! pooler; and tests of PostgreSQL beyond the laws.

mod connections;
mod crash;
mod exact_expiry;
mod faults;
mod go_tables;
mod rights;
mod statements;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libtest_mimic::{Completion, Trial};
use silverback::backend::{ConnectOptions, GoTable, Postgres, connect_with};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::runtime::Runtime;

use super::candidates::{Candidate, Made};
use super::servers::pgbouncer::PgBouncer;
use super::servers::postgres::PostgresServer;
use super::{Tried, missing_server};

type Started<T> = OnceLock<Result<T, String>>;

/// Returns the server of all trials that do not stop or change it.
fn server() -> Result<&'static PostgresServer, String> {
    static SERVER: Started<PostgresServer> = OnceLock::new();
    let server = SERVER.get_or_init(PostgresServer::start);
    server.as_ref().map_err(String::clone)
}

/// Returns the URL of that server, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_POSTGRES") {
        Ok(url) => Ok(url),
        Err(_) => server().map(PostgresServer::url),
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("postgres", "postgres", || Box::pin(direct())),
        Candidate::new("postgres_behind_pgbouncer", "pgbouncer", || {
            Box::pin(behind_pgbouncer())
        }),
        Candidate::new("postgres_an_hour_ahead", "postgres", || {
            static SERVER: Started<PostgresServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "3600"))
        })
        .with_wrong_clock(),
        Candidate::new("postgres_an_hour_behind", "postgres", || {
            static SERVER: Started<PostgresServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "-3600"))
        })
        .with_wrong_clock(),
        Candidate::new("pgstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::pgstore()))
        }),
        Candidate::new("antonlindstrom_pgstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::antonlindstrom_pgstore()))
        }),
        Candidate::new("pgstore_without_max_age", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::pgstore().without_max_age(HOUR)))
        }),
        Candidate::new("antonlindstrom_pgstore_without_max_age", "postgres", || {
            let table = GoTable::antonlindstrom_pgstore().without_max_age(HOUR);
            Box::pin(go_tables::hashed(table))
        }),
        Candidate::new("scs_postgresstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::scs_postgresstore()))
        }),
        Candidate::new("scs_gormstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::scs_gormstore()))
        }),
    ]
}

fn made(connected: Result<Postgres, silverback::backend::Error>) -> Made {
    let backend = connected.expect("a backend in a running server");
    Ok(Arc::new(backend))
}

async fn direct() -> Made {
    let options = ConnectOptions::new().notify(true);
    let connected = connect_with(&url()?, options).await;
    connected.map_err(|error| format!("{error:?}"))
}

async fn behind_pgbouncer() -> Made {
    static POOLER: Started<PgBouncer> = OnceLock::new();
    let server = server()?;
    let pooler = POOLER.get_or_init(|| PgBouncer::start(server));
    let url = server.url_at(pooler.as_ref().map_err(String::clone)?.port());
    made(Postgres::connect(&format!("{url}?statement-cache-capacity=0")).await)
}

async fn skewed(server: &'static Started<PostgresServer>, skew: &'static str) -> Made {
    let server = server.get_or_init(|| PostgresServer::start_skewed(skew));
    made(Postgres::connect(&server.as_ref().map_err(String::clone)?.url()).await)
}

/// Returns the URL of a fresh database of that server, and a pool.
async fn database(
    server: &PostgresServer,
    name: &str,
    settings: &[&str],
) -> Result<(String, PgPool), sqlx::Error> {
    let pool = PgPool::connect(&server.url()).await?;
    let settings = settings
        .iter()
        .map(|setting| format!("ALTER DATABASE {name} SET {setting}"));
    let made = [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ];
    for statement in made.into_iter().chain(settings) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&pool)
            .await?;
    }
    let url = server.url().replace("/postgres", &format!("/{name}"));
    let pool = PgPool::connect(&url).await?;
    Ok((url, pool))
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    macro_rules! trial {
        ($group:ident::$name:ident) => {
            let runtime = runtime.clone();
            let name = concat!("postgres::", stringify!($name));
            trials.push(Trial::ignorable_test(name, move || match server() {
                Ok(server) => runtime
                    .block_on($group::$name(server))
                    .map(|()| Completion::Completed),
                Err(why) => missing_server("postgres", why),
            }));
        };
    }
    trial!(rights::a_user_without_the_right_to_create_uses_existing_tables);
    trial!(rights::concurrent_programs_create_the_tables_once);
    trial!(statements::each_operation_is_one_statement);
    trial!(connections::a_connection_ended_by_the_server_is_not_reused);
    trial!(connections::a_connection_with_an_abandoned_request_is_closed);
    trial!(connections::connections_are_limited_by_the_options);
    trial!(connections::close_waits_for_running_operations);
    trial!(statements::no_operation_reads_a_whole_table);
    trial!(statements::a_save_that_expires_in_the_same_minute_changes_no_index);
    trial!(statements::values_of_all_sizes_are_kept);
    trial!(faults::every_fault_ends_in_time_and_the_backend_recovers);
    trial!(faults::an_abandoned_operation_holds_no_connection);
    trial!(faults::forgotten_connections_delay_only_one_operation);
    trial!(faults::the_error_names_a_pooler_without_prepared_statements);
    trial!(go_tables::names_are_quoted);
    trial!(go_tables::a_row_is_the_one_that_go_writes);
    trial!(go_tables::a_row_without_a_max_age_expires_after_a_time);
    trial!(go_tables::an_incompatible_table_is_refused);
    trial!(go_tables::a_text_column_contains_the_value_as_text);
    trial!(rights::native_tables_with_other_columns_are_refused);
    trial!(go_tables::a_move_is_one_statement_and_keeps_other_columns);
    trial!(exact_expiry::a_row_has_expired_at_its_expiry);
    trial!(exact_expiry::a_row_of_go_has_expired_at_its_expiry);
    trial!(tls::the_server_must_prove_its_identity);
    trial!(crash::a_killed_server_loses_no_acknowledged_write);
    trials
}
