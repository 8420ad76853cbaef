//! The tables, made where they are missing.

use sqlx::PgConnection;

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// What of ours is there, and could be used.
const COUNT: &str = "SELECT
    (to_regclass('silverback_sessions') IS NOT NULL)::int
    + (to_regclass('silverback_sessions_by_expiry_minute') IS NOT NULL)::int
    + (to_regclass('silverback_sessions_by_owner') IS NOT NULL)::int
    + (to_regclass('silverback_owners') IS NOT NULL)::int
    + (to_regclass('silverback_owners_by_expiry') IS NOT NULL)::int
    + (SELECT count(*)::int FROM pg_trigger WHERE tgrelid = to_regclass('silverback_owners')
        AND tgname IN ('silverback_owner_keeps', 'silverback_owner_revoked', 'silverback_owner_purged'))
    AS found";
const ALL: i32 = 8;

/// Whether the tables are there, perhaps as an older version made them.
pub(super) async fn are_there(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    use sqlx::Row;
    const TABLES: &str = "SELECT to_regclass('silverback_sessions') IS NOT NULL
        AND to_regclass('silverback_owners') IS NOT NULL AS found";
    let row = sqlx::raw_sql(TABLES).fetch_one(connection).await?;
    row.try_get(0)
}

/// One at a time, for all who share the database: those who make the same table at once fail.
/// The number is ours alone.
const TURN: &str = "SELECT pg_advisory_xact_lock(6003956110211706209);";

/// Makes what is missing. Where all is there it writes nothing, and needs no right to.
pub(super) async fn make_tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if is_complete(connection).await? {
        return Ok(());
    }
    take_turn_and_run(connection, SCHEMA).await
}

/// Sent as one text it is one transaction, on one connection behind any pooler.
pub(super) async fn take_turn_and_run(
    connection: &mut PgConnection,
    statements: &str,
) -> Result<(), sqlx::Error> {
    let all = sqlx::AssertSqlSafe([TURN, statements].concat());
    sqlx::raw_sql(all).execute(connection).await?;
    Ok(())
}

/// Asked as text, which needs no prepared statement.
async fn is_complete(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    use sqlx::Row;
    let row = sqlx::raw_sql(COUNT).fetch_one(connection).await?;
    let found: i32 = row.try_get(0)?;
    Ok(found == ALL)
}
