//! The SQL of each operation.
//!
//! The time is the server's, at the start of the statement. Expiries are sent as the milliseconds
//! that are left, so that no clock is compared with another.
//!
//! After a wait for a row lock, a statement compares the current version of that row, but the other
//! rows as they were when the statement began (read committed). Therefore each comparison with
//! other rows also compares the row's own revision.

use super::super::statements::Bind::{
    After, Generation, KeptGeneration, KeptLogin, Key, Keys, Limit, Login, Logins, New, Owner,
    Seen, Until, Value,
};
use super::super::statements::{OwnerStatements, RevisionSource, Statement, Statements};

/// The time, in milliseconds since 1970-01-01T00:00:00Z. As a double it is exact to a quarter
/// of a microsecond, and computed faster than the decimal number that `extract` makes.
macro_rules! now {
    () => {
        "floor(date_part('epoch', statement_timestamp()) * 1000)::bigint"
    };
}

/// The expiry of a record. The parameter is SQL for the milliseconds left. The largest number means
/// never.
macro_rules! expiry {
    ($left:literal) => {
        concat!(
            "(",
            now!(),
            " + LEAST(",
            $left,
            ", 9223372036854775807 - ",
            now!(),
            "))"
        )
    };
}

/// The milliseconds left, or the largest number for never.
macro_rules! left {
    () => {
        concat!(
            "(CASE WHEN s.expiry = 9223372036854775807 THEN s.expiry ELSE s.expiry - ",
            now!(),
            " END)"
        )
    };
}

/// A condition: the login of a row is live. The parameters are SQL for the owner's name, and for
/// the login's generation and number.
macro_rules! login_is_live {
    ($name:literal, $generation:literal, $login:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = ",
            $name,
            " AND o.expiry > ",
            now!(),
            " AND (o.generation = ",
            $generation,
            " OR (o.kept_generation = ",
            $generation,
            " AND o.kept_login = ",
            $login,
            ")))"
        )
    };
}

/// A condition: the row is live.
macro_rules! is_live {
    () => {
        concat!(
            "(s.expiry > ",
            now!(),
            " AND (s.owner IS NULL OR ",
            login_is_live!("s.owner", "s.generation", "s.login"),
            "))"
        )
    };
}

/// The expiry of a row that is written under the key `$1` with `$3` milliseconds left, owned by
/// `$5` with the login `$6`, `$7`. A row of a revoked login is written as expired: it never becomes
/// live, and a purge finds it.
macro_rules! owned_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            login_is_live!("$5", "$6", "$7"),
            " THEN ",
            expiry!("$3::bigint"),
            " ELSE 0 END"
        )
    };
}

/// The live row under the key `$1` at the revision `$2`.
macro_rules! unchanged_row {
    () => {
        concat!(" WHERE s.key = $1 AND s.revision = $2 AND ", is_live!())
    };
}

/// Replaces a row that is not live and that no concurrent creation has replaced.
macro_rules! create {
    ($expiry:expr, $owner:literal, $generation:literal, $login:literal) => {
        concat!(
            "INSERT INTO silverback_sessions AS s",
            " (key, revision, expiry, value, owner, generation, login) VALUES ($1, $2, ",
            $expiry,
            ", $4, ",
            $owner,
            ", ",
            $generation,
            ", ",
            $login,
            ") ON CONFLICT (key) DO UPDATE SET revision = excluded.revision,",
            " expiry = excluded.expiry, value = excluded.value,",
            " owner = excluded.owner, generation = excluded.generation, login = excluded.login",
            " WHERE NOT ",
            is_live!(),
            " AND s.revision = (SELECT b.revision FROM silverback_sessions AS b WHERE b.key = $1)",
        )
    };
}

macro_rules! swap {
    ($revision:literal, $expiry:expr, $owner:literal, $generation:literal, $login:literal) => {
        concat!(
            "UPDATE silverback_sessions AS s SET revision = ",
            $revision,
            ", expiry = ",
            $expiry,
            ", value = $4, owner = ",
            $owner,
            ", generation = ",
            $generation,
            ", login = ",
            $login,
            unchanged_row!(),
        )
    };
}

/// Deletes at most `$1` expired rows. They are found once and locked, in the order of the indexed
/// column. Rows that other statements have locked, to purge or to write them, are skipped.
macro_rules! purge {
    ($table:literal, $indexed:literal, $until:expr) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM ",
            $table,
            " WHERE expiry <= ",
            now!(),
            " AND ",
            $indexed,
            " <= ",
            $until,
            " ORDER BY ",
            $indexed,
            " LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
    };
}

/// A condition: the owner's row is live.
macro_rules! owner_is_live {
    () => {
        concat!("o.expiry > ", now!())
    };
}

/// The number of an owner's logins. It starts again with a new row of the owner.
macro_rules! logins {
    () => {
        concat!("CASE WHEN ", owner_is_live!(), " THEN o.logins ELSE 0 END")
    };
}

/// A condition: the login of the generation `$4` and the number `$5` is live, and so can be kept.
macro_rules! kept_login_is_live {
    () => {
        concat!(
            owner_is_live!(),
            " AND (o.generation = $4::bytea",
            " OR (o.kept_generation = $4::bytea AND o.kept_login = $5::bigint))"
        )
    };
}

/// A record without an owner has statements of its own (`create`, `swap`): the server would plan
/// statements that test their parameters for NULL again each time.
pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            "SELECT value, ",
            left!(),
            ", revision, owner, generation, login FROM silverback_sessions AS s WHERE s.key = $1 AND ",
            is_live!()
        ),
        &[Key],
    ),
    // The server looks the keys up in the index of the primary key, one by one.
    load_many: Statement::fixed(
        concat!(
            "SELECT value, ",
            left!(),
            ", revision, owner, generation, login, key FROM silverback_sessions AS s",
            " WHERE s.key = ANY (ARRAY(SELECT decode(k, 'hex')",
            " FROM json_array_elements_text(convert_from($1::bytea, 'UTF8')::json) AS k)) AND ",
            is_live!()
        ),
        &[Keys],
    ),
    find: Statement::fixed(
        concat!(
            "SELECT 1 FROM silverback_sessions AS s WHERE s.key = $1 AND ",
            is_live!()
        ),
        &[Key],
    ),
    create: Statement::fixed(
        create!(expiry!("$3::bigint"), "NULL", "NULL", "NULL"),
        &[Key, New, Until, Value],
    ),
    create_owned: Some(Statement::fixed(
        create!(owned_expiry!(), "$5", "$6", "$7"),
        &[Key, New, Until, Value, Owner, Generation, Login],
    )),
    remove_dead: None,
    swap: Statement::fixed(
        swap!("$5", expiry!("$3::bigint"), "NULL", "NULL", "NULL"),
        &[Key, Seen, Until, Value, New],
    ),
    swap_owned: Some(Statement::fixed(
        swap!("$8", owned_expiry!(), "$5", "$6", "$7"),
        &[Key, Seen, Until, Value, Owner, Generation, Login, New],
    )),
    touch: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET revision = $4, expiry = ",
            expiry!("$3::bigint"),
            unchanged_row!()
        ),
        &[Key, Seen, Until, New],
    ),
    unowned: None,
    remove: Statement::fixed(
        concat!("DELETE FROM silverback_sessions AS s", unchanged_row!()),
        &[Key, Seen],
    ),
    move_to: None,
    page: Statement::fixed(
        concat!(
            "SELECT key, ",
            left!(),
            ", owner, octet_length(value)::bigint FROM silverback_sessions AS s",
            " WHERE s.key > $1 AND ",
            is_live!(),
            " ORDER BY s.key LIMIT $2"
        ),
        &[After, Limit],
    ),
    // This also reads rows that expire later in this minute.
    purge: Statement::fixed(
        purge!(
            "silverback_sessions",
            "expiry_minute",
            concat!("(", now!(), " | 65535)")
        ),
        &[Limit],
    ),
    owners: Some(OwnerStatements {
        generation: Statement::fixed(
            concat!(
                "SELECT generation FROM silverback_owners WHERE name = $1 AND expiry > ",
                now!()
            ),
            &[Owner],
        ),
        begin: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
                " VALUES ($1, $2, ",
                expiry!("$3::bigint"),
                ", $4::bigint) ON CONFLICT (name) DO UPDATE SET",
                " expiry = greatest(o.expiry, excluded.expiry), logins = ",
                logins!(),
                " + excluded.logins, generation = CASE WHEN ",
                owner_is_live!(),
                " THEN o.generation ELSE excluded.generation END, kept_generation = CASE WHEN ",
                owner_is_live!(),
                " THEN o.kept_generation END, kept_login = CASE WHEN ",
                owner_is_live!(),
                " THEN o.kept_login END RETURNING generation, logins"
            ),
            &[Owner, Generation, Until, Logins],
        ),
        // Everything is compared with the row after a wait for a concurrent revocation.
        revoke: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
                " VALUES ($1, $2, ",
                expiry!("$3::bigint"),
                ", 0) ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
                " expiry = greatest(o.expiry, excluded.expiry), logins = ",
                logins!(),
                ", kept_generation = CASE WHEN ",
                kept_login_is_live!(),
                " THEN $4::bytea END, kept_login = CASE WHEN ",
                kept_login_is_live!(),
                " THEN $5::bigint END"
            ),
            &[Owner, Generation, Until, KeptGeneration, KeptLogin],
        ),
        keys: Statement::fixed(
            concat!(
                "SELECT key FROM silverback_sessions AS s WHERE s.owner = $1 AND ",
                is_live!()
            ),
            &[Owner],
        ),
        purge: Statement::fixed(purge!("silverback_owners", "expiry", now!()), &[Limit]),
    }),
    revisions: RevisionSource::Client,
    longest_value: None,
};
