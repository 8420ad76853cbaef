//! The SQL of each operation.
//!
//! The time is the server's, when the statement came in. Expiries travel as the milliseconds that
//! are left, so that no clock is compared with another.
//!
//! A statement that waited for a row lock compares that row anew, and all other rows as they were
//! when it began (read committed). Therefore each comparison with other rows comes with a
//! comparison of the row's own revision.

use super::super::statements::Bind::{
    After, Generation, KeptGeneration, KeptLogin, Key, Limit, Login, Logins, New, Owner, Seen,
    Until, Value,
};
use super::super::statements::{OwnerStatements, RevisionSource, Statement, Statements};

/// The time, in milliseconds since 1970-01-01T00:00:00Z. As a double it is exact to a quarter
/// of a microsecond, and computed faster than the decimal number that `extract` makes.
macro_rules! now {
    () => {
        "floor(date_part('epoch', statement_timestamp()) * 1000)::bigint"
    };
}

/// The expiry of a record, given the milliseconds left as SQL. The largest number is never.
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

/// The milliseconds left; the largest number for never.
macro_rules! left {
    () => {
        concat!(
            "(CASE WHEN s.expiry = 9223372036854775807 THEN s.expiry ELSE s.expiry - ",
            now!(),
            " END)"
        )
    };
}

/// A condition: the owner lets a row live. Given are the owner's name, and the login's generation
/// and number, as SQL.
macro_rules! owner_lets_live {
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
macro_rules! lives {
    () => {
        concat!(
            "(s.expiry > ",
            now!(),
            " AND (s.owner IS NULL OR ",
            owner_lets_live!("s.owner", "s.generation", "s.login"),
            "))"
        )
    };
}

/// The expiry of a row that is written under the key `$1` with `$3` milliseconds left, owned by
/// `$5` with the login `$6`, `$7`. A row that its owner does not let live expires from the start:
/// nothing could bring it back, and a purge finds it.
macro_rules! owned_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            owner_lets_live!("$5", "$6", "$7"),
            " THEN ",
            expiry!("$3::bigint"),
            " ELSE 0 END"
        )
    };
}

/// The live row under the key `$1` at the revision `$2`.
macro_rules! as_seen {
    () => {
        concat!(" WHERE s.key = $1 AND s.revision = $2 AND ", lives!())
    };
}

/// Writes over a row that is not live and that no concurrent creation has taken.
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
            lives!(),
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
            as_seen!(),
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
macro_rules! owner_lives {
    () => {
        concat!("o.expiry > ", now!())
    };
}

/// The number of an owner's logins, which begins anew with the owner's row.
macro_rules! logins {
    () => {
        concat!("CASE WHEN ", owner_lives!(), " THEN o.logins ELSE 0 END")
    };
}

/// A condition: the login of the generation `$4` and the number `$5` is live, and so can be kept.
macro_rules! login_lives {
    () => {
        concat!(
            owner_lives!(),
            " AND (o.generation = $4::bytea",
            " OR (o.kept_generation = $4::bytea AND o.kept_login = $5::bigint))"
        )
    };
}

/// A record without an owner has statements of its own (`create`, `swap`): the server would plan
/// statements that test their parameters for NULL anew each time.
pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            "SELECT value, ",
            left!(),
            ", revision, owner, generation, login FROM silverback_sessions AS s WHERE s.key = $1 AND ",
            lives!()
        ),
        &[Key],
    ),
    find: Statement::fixed(
        concat!(
            "SELECT 1 FROM silverback_sessions AS s WHERE s.key = $1 AND ",
            lives!()
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
            as_seen!()
        ),
        &[Key, Seen, Until, New],
    ),
    remove: Statement::fixed(
        concat!("DELETE FROM silverback_sessions AS s", as_seen!()),
        &[Key, Seen],
    ),
    move_to: None,
    page: Statement::fixed(
        concat!(
            "SELECT key, ",
            left!(),
            ", owner, octet_length(value)::bigint FROM silverback_sessions AS s",
            " WHERE s.key > $1 AND ",
            lives!(),
            " ORDER BY s.key LIMIT $2"
        ),
        &[After, Limit],
    ),
    // Rows that expire later in this minute are looked at, too.
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
                owner_lives!(),
                " THEN o.generation ELSE excluded.generation END, kept_generation = CASE WHEN ",
                owner_lives!(),
                " THEN o.kept_generation END, kept_login = CASE WHEN ",
                owner_lives!(),
                " THEN o.kept_login END RETURNING generation, logins"
            ),
            &[Owner, Generation, Until, Logins],
        ),
        // All of it is compared with the row as it is after the wait for another revocation.
        revoke: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
                " VALUES ($1, $2, ",
                expiry!("$3::bigint"),
                ", 0) ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
                " expiry = greatest(o.expiry, excluded.expiry), logins = ",
                logins!(),
                ", kept_generation = CASE WHEN ",
                login_lives!(),
                " THEN $4::bytea END, kept_login = CASE WHEN ",
                login_lives!(),
                " THEN $5::bigint END"
            ),
            &[Owner, Generation, Until, KeptGeneration, KeptLogin],
        ),
        keys: Statement::fixed(
            concat!(
                "SELECT key FROM silverback_sessions AS s WHERE s.owner = $1 AND ",
                lives!()
            ),
            &[Owner],
        ),
        purge: Statement::fixed(purge!("silverback_owners", "expiry", now!()), &[Limit]),
    }),
    revisions: RevisionSource::Client,
};
