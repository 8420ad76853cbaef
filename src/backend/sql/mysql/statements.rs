//! The SQL of each operation.
//!
//! The time is the server's, at the start of the statement. Expiries are sent as the milliseconds
//! that are left, so that no clock is compared with another.
//!
//! A statement that waits for a row lock compares the current version of that row, but under READ
//! COMMITTED the owners as they were when it began. Therefore a revocation also expires the rows
//! that it ends, in the same transaction: the waiting statement then finds them expired.
//!
//! No text uses `RETURNING`, which MySQL does not have. The client asks the server for matched
//! rows, not for changed ones, so the number of written rows decides.

use super::super::statements::Bind::{
    After, Generation, KeptGeneration, KeptLogin, Key, Keys, Limit, Login, Logins, New, Owner,
    Seen, Until, Value,
};
use super::super::statements::{
    OwnerStatements, RevisionSource, Statement, Statements, UnownedStatements,
};

/// The time, in milliseconds since 1970-01-01T00:00:00Z. It does not depend on the time zone of the
/// connection, whose hours may repeat or be missing.
macro_rules! now {
    () => {
        "(TIMESTAMPDIFF(MICROSECOND, DATE'1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)"
    };
}

/// The expiry of a record, not before 1970. The parameter is the milliseconds left. The largest
/// number means never.
macro_rules! expiry {
    () => {
        concat!(
            "GREATEST(0, ",
            now!(),
            " + LEAST(?, 9223372036854775807 - ",
            now!(),
            "))"
        )
    };
}

/// The milliseconds left, or the largest number for never.
macro_rules! left {
    () => {
        concat!(
            "CASE WHEN s.expiry = 9223372036854775807 THEN s.expiry ELSE s.expiry - ",
            now!(),
            " END"
        )
    };
}

/// A condition: the row `o` of an owner has the login. The parameters are SQL for the login's
/// generation (twice) and number. It is NULL if the row is missing, and can be NULL for a login that
/// the row does not have.
macro_rules! owner_has {
    ($generation:expr, $login:expr) => {
        concat!(
            "(o.generation = ",
            $generation,
            " OR (o.kept_generation = ",
            $generation,
            " AND o.kept_login = ",
            $login,
            "))"
        )
    };
}

/// A condition: the login of a row is live. The parameters are SQL for the login's generation
/// (twice) and number, and for the owner's name. It is TRUE only for a live login, but may be NULL
/// for others. MariaDB evaluates such a query with half the work of `EXISTS`.
macro_rules! login_is_live {
    ($generation:expr, $login:expr, $name:expr) => {
        concat!(
            "(SELECT ",
            owner_has!($generation, $login),
            " FROM silverback_owners AS o WHERE o.name = ",
            $name,
            " AND o.expiry > ",
            now!(),
            ")"
        )
    };
}

/// A condition for statements that write: the row of the table, or of its alias, is live. It may be
/// NULL for a row that is not.
macro_rules! is_live {
    ($row:literal) => {
        concat!(
            "(",
            $row,
            ".expiry > ",
            now!(),
            " AND (",
            $row,
            ".owner IS NULL OR ",
            login_is_live!(
                concat!($row, ".generation"),
                concat!($row, ".login"),
                concat!($row, ".owner")
            ),
            "))"
        )
    };
}

/// The rows `s` with the rows `o` of their owners, for statements that only read.
macro_rules! rows_and_owners {
    () => {
        "silverback_sessions AS s LEFT JOIN silverback_owners AS o ON o.name = s.owner"
    };
}

/// A condition for [`rows_and_owners`]: the row is live.
macro_rules! row_is_live {
    () => {
        concat!(
            "s.expiry > ",
            now!(),
            " AND (s.owner IS NULL OR (o.expiry > ",
            now!(),
            " AND ",
            owner_has!("s.generation", "s.login"),
            "))"
        )
    };
}

/// The expiry of an owned row that is written: the parameters are the generation twice, the login,
/// the owner, and the milliseconds left. A row of a revoked login is written as expired: it never
/// becomes live, and a purge finds it.
macro_rules! owned_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            login_is_live!("?", "?", "?"),
            " THEN ",
            expiry!(),
            " ELSE 0 END"
        )
    };
}

/// The live row under the key, at the seen revision.
macro_rules! unchanged_row {
    ($row:literal) => {
        concat!(
            " WHERE ",
            $row,
            ".`key` = ? AND ",
            $row,
            ".revision = ? AND ",
            is_live!($row)
        )
    };
}

/// The live row under the key, at the seen revision, without an owner. To optimize the query of an
/// owner takes the server about as long as the rest of the statement.
macro_rules! unchanged_unowned_row {
    () => {
        concat!(
            " WHERE s.`key` = ? AND s.revision = ? AND s.expiry > ",
            now!(),
            " AND s.owner IS NULL"
        )
    };
}

/// A condition: the owner's row is live.
macro_rules! owner_is_live {
    () => {
        concat!("expiry > ", now!())
    };
}

/// A condition: the login that a revocation keeps is live, so it can be kept. The parameters are
/// its generation twice, and its number.
macro_rules! kept_login_is_live {
    () => {
        concat!(
            owner_is_live!(),
            " AND (generation = ? OR (kept_generation = ? AND kept_login = ?))"
        )
    };
}

/// A row of [`rows_and_owners`] as one column, which [`rows`](super::rows) reads. It is empty if the
/// row is not live.
///
/// The condition is no part of `WHERE`: the server would optimize it each time the statement runs,
/// which takes longer than to read both rows by their primary keys.
macro_rules! packed {
    () => {
        concat!(
            "IF(",
            row_is_live!(),
            ", CONCAT(",
            left!(),
            ", ' ', OCTET_LENGTH(s.value), IF(s.owner IS NULL, '!', CONCAT(' ', s.login, ' ',",
            " OCTET_LENGTH(s.owner), '!', s.generation, s.owner)), s.revision, s.value), '')"
        )
    };
}

/// A record without an owner has statements of its own (`create`, `swap`): they read no owner.
pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            "SELECT ",
            packed!(),
            " AS p FROM ",
            rows_and_owners!(),
            " WHERE s.`key` = ?"
        ),
        &[Key],
    ),
    // `STRAIGHT_JOIN` keeps the order: each key is looked up in the primary key.
    load_many: Statement::fixed(
        concat!(
            "SELECT ",
            packed!(),
            " AS p, s.`key` AS k FROM JSON_TABLE(CONVERT(? USING utf8mb4), '$[*]'",
            " COLUMNS (k VARCHAR(500) PATH '$')) AS j",
            " STRAIGHT_JOIN silverback_sessions AS s",
            " LEFT JOIN silverback_owners AS o ON o.name = s.owner WHERE s.`key` = UNHEX(j.k)"
        ),
        &[Keys],
    ),
    find: Statement::fixed(
        concat!(
            "SELECT 1 FROM ",
            rows_and_owners!(),
            " WHERE s.`key` = ? AND ",
            row_is_live!()
        ),
        &[Key],
    ),
    create: Statement::fixed(
        concat!(
            "INSERT INTO silverback_sessions (`key`, revision, expiry, value) VALUES (?, ?, ",
            expiry!(),
            ", ?)"
        ),
        &[Key, New, Until, Value],
    ),
    create_owned: Some(Statement::fixed(
        concat!(
            "INSERT INTO silverback_sessions",
            " (`key`, revision, owner, generation, login, expiry, value) VALUES (?, ?, ?, ?, ?, ",
            owned_expiry!(),
            ", ?)"
        ),
        &[
            Key, New, Owner, Generation, Login, Generation, Generation, Login, Owner, Until, Value,
        ],
    )),
    remove_dead: Some(Statement::fixed(
        concat!(
            "DELETE FROM silverback_sessions WHERE silverback_sessions.`key` = ? AND ",
            is_live!("silverback_sessions"),
            " IS NOT TRUE"
        ),
        &[Key],
    )),
    swap: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET s.revision = ?, s.expiry = ",
            expiry!(),
            ", s.value = ?, s.owner = NULL, s.generation = NULL, s.login = NULL",
            unchanged_row!("s")
        ),
        &[New, Until, Value, Key, Seen],
    ),
    swap_owned: Some(Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET s.revision = ?, s.expiry = ",
            owned_expiry!(),
            ", s.value = ?, s.owner = ?, s.generation = ?, s.login = ?",
            unchanged_row!("s")
        ),
        &[
            New, Generation, Generation, Login, Owner, Until, Value, Owner, Generation, Login, Key,
            Seen,
        ],
    )),
    touch: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET s.revision = ?, s.expiry = ",
            expiry!(),
            unchanged_row!("s")
        ),
        &[New, Until, Key, Seen],
    ),
    unowned: Some(UnownedStatements {
        swap: Statement::fixed(
            concat!(
                "UPDATE silverback_sessions AS s SET s.revision = ?, s.expiry = ",
                expiry!(),
                ", s.value = ?",
                unchanged_unowned_row!()
            ),
            &[New, Until, Value, Key, Seen],
        ),
        touch: Statement::fixed(
            concat!(
                "UPDATE silverback_sessions AS s SET s.revision = ?, s.expiry = ",
                expiry!(),
                unchanged_unowned_row!()
            ),
            &[New, Until, Key, Seen],
        ),
    }),
    remove: Statement::fixed(
        concat!(
            "DELETE FROM silverback_sessions",
            unchanged_row!("silverback_sessions")
        ),
        &[Key, Seen],
    ),
    move_to: None,
    page: Statement::fixed(
        concat!(
            "SELECT s.`key`, ",
            left!(),
            " AS e, s.owner, CAST(OCTET_LENGTH(s.value) AS SIGNED) AS l FROM ",
            rows_and_owners!(),
            " WHERE s.`key` > ? AND ",
            row_is_live!(),
            " ORDER BY s.`key` LIMIT ?"
        ),
        &[After, Limit],
    ),
    // This also reads rows that expire later in this minute.
    purge: Statement::fixed(
        concat!(
            "DELETE FROM silverback_sessions WHERE expiry <= ",
            now!(),
            " AND expiry_minute <= (",
            now!(),
            " | 65535) ORDER BY expiry_minute LIMIT ?"
        ),
        &[Limit],
    ),
    owners: Some(OwnerStatements {
        generation: Statement::fixed(
            concat!(
                "SELECT generation FROM silverback_owners WHERE name = ? AND ",
                owner_is_live!()
            ),
            &[Owner],
        ),
        // The assignments run from left to right, and see the columns that were assigned before.
        // Therefore `expiry`, which the others compare, is the last.
        begin: Statement::several(
            concat!(
                "INSERT INTO silverback_owners (name, generation, expiry, logins) VALUES (?, ?, ",
                expiry!(),
                ", ?) ON DUPLICATE KEY UPDATE logins = IF(",
                owner_is_live!(),
                ", logins, 0) + VALUES(logins), generation = IF(",
                owner_is_live!(),
                ", generation, VALUES(generation)), kept_generation = IF(",
                owner_is_live!(),
                ", kept_generation, NULL), kept_login = IF(",
                owner_is_live!(),
                ", kept_login, NULL), expiry = GREATEST(expiry, VALUES(expiry));",
                " SELECT generation, logins FROM silverback_owners WHERE name = ?"
            ),
            &[Owner, Generation, Until, Logins, Owner],
        ),
        // The condition holds for the new `kept_login` if it held for the old one.
        revoke: Statement::several(
            concat!(
                "INSERT INTO silverback_owners (name, generation, expiry, logins) VALUES (?, ?, ",
                expiry!(),
                ", 0) ON DUPLICATE KEY UPDATE kept_login = IF(",
                kept_login_is_live!(),
                ", ?, NULL), kept_generation = IF(",
                kept_login_is_live!(),
                ", ?, NULL), logins = IF(",
                owner_is_live!(),
                ", logins, 0), generation = VALUES(generation),",
                " expiry = GREATEST(expiry, VALUES(expiry));",
                " UPDATE silverback_sessions SET expiry = 0 WHERE owner = ? AND generation <> ?",
                " AND NOT (generation <=> ? AND login <=> ?)"
            ),
            &[
                Owner,
                Generation,
                Until,
                KeptGeneration,
                KeptGeneration,
                KeptLogin,
                KeptLogin,
                KeptGeneration,
                KeptGeneration,
                KeptLogin,
                KeptGeneration,
                Owner,
                Generation,
                KeptGeneration,
                KeptLogin,
            ],
        ),
        keys: Statement::fixed(
            concat!(
                "SELECT s.`key` FROM ",
                rows_and_owners!(),
                " WHERE s.owner = ? AND ",
                row_is_live!()
            ),
            &[Owner],
        ),
        // The records of these owners expire with them, so that a purge finds them. An owner that
        // expires between the two statements waits for the next purge.
        purge: Statement::several(
            concat!(
                "UPDATE silverback_sessions AS s JOIN (SELECT name FROM silverback_owners",
                " WHERE expiry <= ",
                now!(),
                " ORDER BY expiry LIMIT ?) AS o ON s.owner = o.name SET s.expiry = 0;",
                " DELETE FROM silverback_owners WHERE expiry <= ",
                now!(),
                " AND NOT EXISTS (SELECT 1 FROM silverback_sessions AS s",
                " WHERE s.owner = silverback_owners.name AND s.expiry > 0)",
                " ORDER BY expiry LIMIT ?; SELECT CAST(ROW_COUNT() AS SIGNED)"
            ),
            &[Limit, Limit],
        ),
    }),
    revisions: RevisionSource::Client,
    longest_value: None,
};
