//! The SQL of each operation. `?1` is always the time: SQLite runs in this process and has no
//! other clock than this machine's.

use super::super::statements::Bind::{
    After, Generation, Keep, Key, Limit, New, Now, Owner, Seen, Until, Value,
};
use super::super::statements::{OwnerStatements, Revisions, Statement, Statements};

/// A condition: the owner lets a row live. Given are the owner's name, the generation and the key
/// as SQL.
macro_rules! owner_lets_live {
    ($name:literal, $generation:literal, $key:literal) => {
        concat!(
            "(",
            $name,
            " IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o",
            " WHERE o.name = ",
            $name,
            " AND o.expiry > ?1",
            " AND (o.generation = ",
            $generation,
            " OR o.kept = ",
            $key,
            ")))"
        )
    };
}

/// A condition: the row is live.
macro_rules! lives {
    () => {
        concat!(
            "(s.expiry > ?1 AND ",
            owner_lets_live!("s.owner", "s.generation", "s.key"),
            ")"
        )
    };
}

/// The expiry `?4` of a row that is written under the key `?2`, owned by `?5` at the generation
/// `?6`. A row that its owner does not let live expires from the start: nothing could bring it
/// back, and a purge finds it.
macro_rules! new_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            owner_lets_live!("?5", "?6", "?2"),
            " THEN ?4 ELSE 0 END"
        )
    };
}

/// The live row under the key `?2` at the revision `?3`.
macro_rules! as_seen {
    () => {
        concat!(" WHERE s.key = ?2 AND s.revision = ?3 AND ", lives!())
    };
}

pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            "SELECT value, expiry, owner, generation, revision FROM silverback_sessions AS s",
            " WHERE s.key = ?2 AND ",
            lives!()
        ),
        &[Now, Key],
    ),
    find: Statement::fixed(
        concat!(
            "SELECT 1 FROM silverback_sessions AS s WHERE s.key = ?2 AND ",
            lives!()
        ),
        &[Now, Key],
    ),
    create: Statement::fixed(
        concat!(
            "INSERT INTO silverback_sessions AS s (key, revision, expiry, owner, generation, value)",
            " VALUES (?2, ?3, ",
            new_expiry!(),
            ", ?5, ?6, ?7)",
            " ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, expiry = excluded.expiry,",
            " owner = excluded.owner, generation = excluded.generation, value = excluded.value",
            " WHERE NOT ",
            lives!()
        ),
        &[Now, Key, New, Until, Owner, Generation, Value],
    ),
    create_owned: None,
    swap: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET revision = ?8, expiry = ",
            new_expiry!(),
            ", owner = ?5, generation = ?6, value = ?7",
            as_seen!()
        ),
        &[Now, Key, Seen, Until, Owner, Generation, Value, New],
    ),
    swap_owned: None,
    touch: Statement::fixed(
        concat!(
            "UPDATE silverback_sessions AS s SET revision = ?4, expiry = ?5",
            as_seen!()
        ),
        &[Now, Key, Seen, New, Until],
    ),
    remove: Statement::fixed(
        concat!("DELETE FROM silverback_sessions AS s", as_seen!()),
        &[Now, Key, Seen],
    ),
    move_to: None,
    page: Statement::fixed(
        concat!(
            "SELECT key, expiry, owner, length(value) FROM silverback_sessions AS s",
            " WHERE s.key > ?2 AND ",
            lives!(),
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
                "INSERT INTO silverback_owners AS o (name, generation, expiry) VALUES (?2, ?3, ?4)",
                " ON CONFLICT (name) DO UPDATE SET expiry = max(o.expiry, excluded.expiry),",
                " generation = CASE WHEN o.expiry > ?1 THEN o.generation ELSE excluded.generation END,",
                " kept = CASE WHEN o.expiry > ?1 THEN o.kept END",
                " RETURNING generation"
            ),
            &[Now, Owner, Generation, Until],
        ),
        // Only a live row of the owner is kept.
        revoke: Statement::fixed(
            concat!(
                "INSERT INTO silverback_owners AS o (name, generation, expiry) VALUES (?2, ?3, ?4)",
                " ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
                " expiry = max(o.expiry, excluded.expiry),",
                " kept = (SELECT s.key FROM silverback_sessions AS s",
                " WHERE s.key = ?5 AND s.owner = ?2 AND ",
                lives!(),
                ")"
            ),
            &[Now, Owner, Generation, Until, Keep],
        ),
        keys: Statement::fixed(
            concat!(
                "SELECT key FROM silverback_sessions AS s WHERE s.owner = ?2 AND ",
                lives!()
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
    revisions: Revisions::Chosen,
};
