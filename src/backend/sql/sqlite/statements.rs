//! The SQL of each operation. `?1` is always the time: SQLite runs in this process and has no
//! other clock than this machine's.

use super::super::statements::Bind::{
    After, Generation, KeptGeneration, KeptLogin, Key, Keys, Limit, Login, Logins, New, Now, Owner,
    Seen, Until, Value,
};
use super::super::statements::{OwnerStatements, RevisionSource, Statement, Statements};

/// A condition: the row has no owner, or its login is live. The parameters are SQL for the owner's
/// name, and for the login's generation and number.
macro_rules! login_is_live {
    ($name:literal, $generation:literal, $login:literal) => {
        concat!(
            "(",
            $name,
            " IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o",
            " WHERE o.name = ",
            $name,
            " AND o.expiry > ?1",
            " AND (o.generation = ",
            $generation,
            " OR (o.kept_generation = ",
            $generation,
            " AND o.kept_login = ",
            $login,
            "))))"
        )
    };
}

/// A condition: the row is live.
macro_rules! is_live {
    () => {
        concat!(
            "(s.expiry > ?1 AND ",
            login_is_live!("s.owner", "s.generation", "s.login"),
            ")"
        )
    };
}

/// The expiry `?4` of a row that is written under the key `?2`, owned by `?5` with the login
/// `?6`, `?7`. A row of a revoked login is written as expired: it never becomes live, and a purge
/// finds it.
macro_rules! new_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            login_is_live!("?5", "?6", "?7"),
            " THEN ?4 ELSE 0 END"
        )
    };
}

/// The live row under the key `?2` at the revision `?3`.
macro_rules! unchanged_row {
    () => {
        concat!(" WHERE s.key = ?2 AND s.revision = ?3 AND ", is_live!())
    };
}

/// A condition: the login of the generation `?5` and the number `?6` is live, and so can be kept.
macro_rules! kept_login_is_live {
    () => {
        "o.expiry > ?1 AND (o.generation = ?5 OR (o.kept_generation = ?5 AND o.kept_login = ?6))"
    };
}

pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            "SELECT value, expiry, revision, owner, generation, login FROM silverback_sessions AS s",
            " WHERE s.key = ?2 AND ",
            is_live!()
        ),
        &[Now, Key],
    ),
    // `CROSS JOIN` keeps the order: each key is looked up in the index.
    load_many: Statement::fixed(
        concat!(
            "SELECT s.value, s.expiry, s.revision, s.owner, s.generation, s.login, s.key",
            " FROM json_each(CAST(?2 AS TEXT)) AS k CROSS JOIN silverback_sessions AS s",
            " WHERE s.key = unhex(k.value) AND ",
            is_live!()
        ),
        &[Now, Keys],
    ),
    find: Statement::fixed(
        concat!(
            "SELECT 1 FROM silverback_sessions AS s WHERE s.key = ?2 AND ",
            is_live!()
        ),
        &[Now, Key],
    ),
    create: Statement::fixed(
        concat!(
            "INSERT INTO silverback_sessions AS s",
            " (key, revision, expiry, owner, generation, login, value) VALUES (?2, ?3, ",
            new_expiry!(),
            ", ?5, ?6, ?7, ?8)",
            " ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, expiry = excluded.expiry,",
            " owner = excluded.owner, generation = excluded.generation, login = excluded.login,",
            " value = excluded.value",
            " WHERE NOT ",
            is_live!()
        ),
        &[Now, Key, New, Until, Owner, Generation, Login, Value],
    ),
    create_owned: None,
    remove_dead: None,
    swap: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET revision = ?9, expiry = ",
            new_expiry!(),
            ", owner = ?5, generation = ?6, login = ?7, value = ?8",
            unchanged_row!()
        ),
        &[Now, Key, Seen, Until, Owner, Generation, Login, Value, New],
    ),
    swap_owned: None,
    touch: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET revision = ?4, expiry = ?5",
            unchanged_row!()
        ),
        &[Now, Key, Seen, New, Until],
    ),
    unowned: None,
    remove: Statement::fixed(
        concat!("DELETE FROM silverback_sessions AS s", unchanged_row!()),
        &[Now, Key, Seen],
    ),
    move_to: None,
    page: Statement::fixed(
        concat!(
            "SELECT key, expiry, owner, length(value) FROM silverback_sessions AS s",
            " WHERE s.key > ?2 AND ",
            is_live!(),
            " ORDER BY s.key LIMIT ?3"
        ),
        &[Now, After, Limit],
    ),
    purge: Statement::fixed(
        concat!(
            "DELETE FROM silverback_sessions WHERE rowid IN",
            " (SELECT rowid FROM silverback_sessions WHERE expiry <= ?1 ORDER BY expiry LIMIT ?2)"
        ),
        &[Now, Limit],
    ),
    owners: Some(OwnerStatements {
        generation: Statement::fixed(
            "SELECT generation FROM silverback_owners WHERE name = ?2 AND expiry > ?1",
            &[Now, Owner],
        ),
        begin: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
                " VALUES (?2, ?3, ?4, ?5)",
                " ON CONFLICT (name) DO UPDATE SET expiry = max(o.expiry, excluded.expiry),",
                " logins = CASE WHEN o.expiry > ?1 THEN o.logins ELSE 0 END + excluded.logins,",
                " generation = CASE WHEN o.expiry > ?1 THEN o.generation ELSE excluded.generation END,",
                " kept_generation = CASE WHEN o.expiry > ?1 THEN o.kept_generation END,",
                " kept_login = CASE WHEN o.expiry > ?1 THEN o.kept_login END",
                " RETURNING generation, logins"
            ),
            &[Now, Owner, Generation, Until, Logins],
        ),
        revoke: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
                " VALUES (?2, ?3, ?4, 0)",
                " ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
                " expiry = max(o.expiry, excluded.expiry),",
                " logins = CASE WHEN o.expiry > ?1 THEN o.logins ELSE 0 END,",
                " kept_generation = CASE WHEN ",
                kept_login_is_live!(),
                " THEN ?5 END, kept_login = CASE WHEN ",
                kept_login_is_live!(),
                " THEN ?6 END"
            ),
            &[Now, Owner, Generation, Until, KeptGeneration, KeptLogin],
        ),
        keys: Statement::fixed(
            concat!(
                "SELECT key FROM silverback_sessions AS s WHERE s.owner = ?2 AND ",
                is_live!()
            ),
            &[Now, Owner],
        ),
        purge: Statement::fixed(
            concat!(
                "DELETE FROM silverback_owners WHERE name IN",
                " (SELECT name FROM silverback_owners WHERE expiry <= ?1 ORDER BY expiry LIMIT ?2)"
            ),
            &[Now, Limit],
        ),
    }),
    revisions: RevisionSource::Client,
    longest_value: None,
};
