//! The exact moment at which a row expires, with a clock that the test sets: the time of the only
//! connection.

use libtest_mimic::Failed;
use silverback::backend::{GoMysql, GoTable, Mysql, MysqlOptions};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, MySqlPool};

use super::super::server_clock::{AT, ServerClock, check_native_rows, check_rows};
use super::super::servers::mariadb::MariaDbServer;
use super::{Tried, database};

/// A pool with one connection, whose time the test sets.
struct Clock(MySqlPool);

impl Clock {
    async fn start(server: &MariaDbServer, name: &str) -> Result<Self, Failed> {
        let (url, _) = database(server, name).await?;
        let options: MySqlConnectOptions = url.parse()?;
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None);
        Ok(Clock(pool.connect_with(options.timezone(None)).await?))
    }
}

impl ServerClock for Clock {
    async fn run(&self, statement: &str) -> Tried {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&self.0).await?;
        Ok(())
    }

    async fn count(&self, query: &str) -> Result<i64, Failed> {
        let query = AssertSqlSafe(query.to_owned());
        Ok(sqlx::query_scalar(query).fetch_one(&self.0).await?)
    }

    async fn is_before(&self, microseconds: i64) -> Tried {
        let at = AT - microseconds;
        let (seconds, rest) = (at / 1_000_000, at % 1_000_000);
        self.run(&format!("SET timestamp = {seconds}.{rest:06}"))
            .await
    }
}

pub(super) async fn a_row_has_expired_at_its_expiry(server: &MariaDbServer) -> Tried {
    let clock = Clock::start(server, "at_the_expiry").await?;
    let backend = Mysql::from_pool(clock.0.clone(), MysqlOptions::new())?;
    backend.migrate().await?;
    check_native_rows(&backend, &clock).await
}

pub(super) async fn a_row_of_go_has_expired_at_its_expiry(server: &MariaDbServer) -> Tried {
    let clock = Clock::start(server, "at_the_expiry_of_go").await?;
    // The smallest step of each column's time.
    for (table, expiry, last) in [
        (GoTable::scs_mysqlstore(), "expiry", 1),
        (GoTable::scs_gormstore(), "expiry", 1_000),
        (GoTable::wader_gormstore(), "expires_at", 1_000),
    ] {
        clock.run("DROP TABLE IF EXISTS sessions").await?;
        let backend = GoMysql::from_pool(clock.0.clone(), table, MysqlOptions::new())?;
        backend.migrate().await?;
        let expire = format!("{expiry} = FROM_UNIXTIME({})", AT / 1_000_000);
        check_rows(&backend, &clock, ("sessions", &expire), last).await?;
    }
    Ok(())
}
