//! The exact moment at which a row expires, with a clock that the test sets: the test's function
//! `statement_timestamp` precedes the server's in the search path.

use libtest_mimic::Failed;
use silverback::backend::{GoPostgres, GoTable, Postgres};
use sqlx::{AssertSqlSafe, PgPool};

use super::super::server_clock::{AT, ServerClock, check_native_rows, check_rows};
use super::super::servers::postgres::PostgresServer;
use super::{Tried, database};

/// A database with a table as its clock.
struct Clock {
    pool: PgPool,
    url: String,
}

impl Clock {
    async fn start(server: &PostgresServer, name: &str) -> Result<Self, Failed> {
        let (url, pool) = database(server, name, &[]).await?;
        let make = "CREATE SCHEMA ours; CREATE TABLE ours.clock (at BIGINT);
            INSERT INTO ours.clock VALUES (0);
            CREATE FUNCTION ours.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS
            $$ SELECT 'epoch'::timestamptz + at * interval '1 microsecond' FROM ours.clock $$";
        sqlx::raw_sql(make).execute(&pool).await?;
        let url = format!("{url}?options[search_path]=public,ours,pg_catalog");
        Ok(Clock { pool, url })
    }
}

impl ServerClock for Clock {
    async fn run(&self, statement: &str) -> Tried {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&self.pool).await?;
        Ok(())
    }

    async fn count(&self, query: &str) -> Result<i64, Failed> {
        let query = AssertSqlSafe(query.to_owned());
        Ok(sqlx::query_scalar(query).fetch_one(&self.pool).await?)
    }

    async fn is_before(&self, microseconds: i64) -> Tried {
        let at = AT - microseconds;
        self.run(&format!("UPDATE ours.clock SET at = {at}")).await
    }
}

pub(super) async fn a_row_has_expired_at_its_expiry(server: &PostgresServer) -> Tried {
    let clock = Clock::start(server, "at_the_expiry").await?;
    let backend = Postgres::connect(&clock.url).await?;
    check_native_rows(&backend, &clock).await
}

pub(super) async fn a_row_of_go_has_expired_at_its_expiry(server: &PostgresServer) -> Tried {
    let clock = Clock::start(server, "at_the_expiry_of_go").await?;
    let expiry = format!("expires_on = 'epoch'::timestamptz + {AT} * interval '1 microsecond'");
    for table in [GoTable::pgstore(), GoTable::antonlindstrom_pgstore()] {
        clock.run("DROP TABLE IF EXISTS http_sessions").await?;
        let backend = GoPostgres::connect(&clock.url, table).await?;
        check_rows(&backend, &clock, ("http_sessions", &expiry), 1).await?;
    }
    Ok(())
}
