//! PostgreSQL: real servers, with our clock and with others, straight and behind a pooler; and
//! what is particular to it beyond the laws.

mod connections;
mod crash;
mod faults;
mod go_tables;
mod moments;
mod rights;
mod statements;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libtest_mimic::{Completion, Trial};
use silverback::backend::{GoTable, Postgres, connect};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::runtime::Runtime;

use super::contestants::{Contestant, Made};
use super::servers::pgbouncer::PgBouncer;
use super::servers::postgres::PostgresServer;
use super::{Tried, absent};

type Started<T> = OnceLock<Result<T, String>>;

/// The server that all trials share which do nothing to it.
fn server() -> Result<&'static PostgresServer, String> {
    static SERVER: Started<PostgresServer> = OnceLock::new();
    let server = SERVER.get_or_init(PostgresServer::start);
    server.as_ref().map_err(String::clone)
}

/// The URL of that server, unless the environment names another.
fn url() -> Result<String, String> {
    match std::env::var("BACKEND_URL_POSTGRES") {
        Ok(url) => Ok(url),
        Err(_) => server().map(PostgresServer::url),
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn contestants() -> Vec<Contestant> {
    vec![
        Contestant::new("postgres", "postgres", || Box::pin(straight())),
        Contestant::new("postgres_behind_pgbouncer", "pgbouncer", || {
            Box::pin(behind_pgbouncer())
        }),
        Contestant::new("postgres_an_hour_ahead", "faketime", || {
            static SERVER: Started<PostgresServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "+1h"))
        }),
        Contestant::new("postgres_an_hour_behind", "faketime", || {
            static SERVER: Started<PostgresServer> = OnceLock::new();
            Box::pin(skewed(&SERVER, "-1h"))
        }),
        Contestant::new("pgstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::pgstore()))
        }),
        Contestant::new("antonlindstrom_pgstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::antonlindstrom_pgstore()))
        }),
        Contestant::new("pgstore_without_max_age", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::pgstore().without_max_age(HOUR)))
        }),
        Contestant::new("antonlindstrom_pgstore_without_max_age", "postgres", || {
            let table = GoTable::antonlindstrom_pgstore().without_max_age(HOUR);
            Box::pin(go_tables::hashed(table))
        }),
        Contestant::new("scs_postgresstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::scs()))
        }),
        Contestant::new("scs_gormstore", "postgres", || {
            Box::pin(go_tables::hashed(GoTable::gorm()))
        }),
    ]
}

fn made(connected: Result<Postgres, silverback::backend::Error>) -> Made {
    let backend = connected.expect("a backend in a server that answers");
    Ok(Arc::new(backend))
}

async fn straight() -> Made {
    connect(&url()?).await.map_err(|error| format!("{error:?}"))
}

async fn behind_pgbouncer() -> Made {
    static POOLER: Started<PgBouncer> = OnceLock::new();
    let server = server()?;
    let pooler = POOLER.get_or_init(|| PgBouncer::start(server));
    let url = server.url_at(pooler.as_ref().map_err(String::clone)?.port());
    made(Postgres::connect(&format!("{url}?statement-cache-capacity=0")).await)
}

async fn skewed(server: &'static Started<PostgresServer>, skew: &str) -> Made {
    let server = server.get_or_init(|| PostgresServer::start_skewed(skew));
    made(Postgres::connect(&server.as_ref().map_err(String::clone)?.url()).await)
}

/// A fresh database of that server: its URL, and a pool.
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
                Err(why) => absent("postgres", why),
            }));
        };
    }
    trial!(rights::who_may_not_create_uses_what_is_there);
    trial!(rights::all_who_make_the_tables_at_once_make_them_once);
    trial!(statements::each_operation_is_one_statement);
    trial!(connections::a_connection_that_the_server_ended_is_not_used_again);
    trial!(connections::a_connection_whose_answer_nobody_waits_for_is_closed);
    trial!(connections::no_more_connections_are_opened_than_the_options_say);
    trial!(connections::closing_waits_for_what_is_still_going_on);
    trial!(statements::no_operation_reads_a_whole_table);
    trial!(statements::a_save_that_expires_in_the_same_minute_changes_no_index);
    trial!(statements::values_of_all_sizes_are_kept);
    trial!(faults::every_fault_ends_in_time_and_is_got_over);
    trial!(faults::what_nobody_waits_for_holds_no_connection);
    trial!(faults::connections_that_were_forgotten_cost_one_operation_its_patience);
    trial!(faults::a_pooler_without_prepared_statements_is_named);
    trial!(go_tables::names_are_quoted);
    trial!(go_tables::a_row_is_what_go_would_have_written);
    trial!(go_tables::a_row_without_a_max_age_is_valid_for_a_time);
    trial!(go_tables::a_table_that_cannot_work_is_refused);
    trial!(go_tables::a_value_in_a_column_of_text_is_that_text);
    trial!(rights::tables_of_ours_with_other_columns_are_refused);
    trial!(go_tables::a_move_is_one_statement_and_leaves_what_else_a_row_has);
    trial!(moments::a_row_is_over_from_its_expiry_on);
    trial!(moments::a_row_of_go_is_over_from_its_expiry_on);
    trial!(tls::a_server_proves_who_it_is);
    trial!(crash::a_killed_server_loses_no_acknowledged_write);
    trials
}
