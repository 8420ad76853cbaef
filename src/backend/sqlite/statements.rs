//! The SQL of each operation: one statement, so that what it compares and what it writes are
//! one step, and whoever stops waiting for it leaves it done or undone.
//!
//! Times are parameters, by the clock of this machine: SQLite runs in this process and has
//! no other.

/// Whether the owner lets a row live, at the time `?1`: the name, and the generation and the
/// number of the login are given as SQL.
macro_rules! owner_lets_live {
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

/// Whether a row lives, at the time `?1`.
macro_rules! lives {
    () => {
        concat!(
            "(s.expiry > ?1 AND ",
            owner_lets_live!("s.owner", "s.generation", "s.login"),
            ")"
        )
    };
}

/// The expiry `?4` of a row that is written under the key `?2`, owned by `?5`, of the
/// generation `?6` and the login `?7`. What its owner does not let live when it is written is expired from the
/// start: nothing could bring it back, and a purge finds it.
macro_rules! new_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            owner_lets_live!("?5", "?6", "?7"),
            " THEN ?4 ELSE 0 END"
        )
    };
}

/// Of a row that was seen: under the key `?2`, at the revision `?3`.
macro_rules! as_seen {
    () => {
        concat!(" WHERE s.key = ?2 AND s.revision = ?3 AND ", lives!())
    };
}

pub(super) const LOAD: &str = concat!(
    "SELECT value, expiry, revision, owner, generation, login FROM silverback_sessions AS s",
    " WHERE s.key = ?2 AND ",
    lives!()
);

/// Whether there is a living row.
pub(super) const FIND: &str = concat!(
    "SELECT 1 FROM silverback_sessions AS s WHERE s.key = ?2 AND ",
    lives!()
);

pub(super) const CREATE: &str = concat!(
    "INSERT INTO silverback_sessions AS s (key, revision, expiry, owner, generation, login, value)",
    " VALUES (?2, ?3, ",
    new_expiry!(),
    ", ?5, ?6, ?7, ?8)",
    " ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, expiry = excluded.expiry,",
    " owner = excluded.owner, generation = excluded.generation, login = excluded.login,",
    " value = excluded.value",
    " WHERE NOT ",
    lives!()
);

pub(super) const SWAP: &str = concat!(
    "UPDATE silverback_sessions AS s SET revision = ?9, expiry = ",
    new_expiry!(),
    ", owner = ?5, generation = ?6, login = ?7, value = ?8",
    as_seen!()
);

pub(super) const TOUCH: &str = concat!(
    "UPDATE silverback_sessions AS s SET revision = ?4, expiry = ?5",
    as_seen!()
);

pub(super) const REMOVE: &str = concat!("DELETE FROM silverback_sessions AS s", as_seen!());

pub(super) const GENERATION: &str =
    "SELECT generation FROM silverback_owners WHERE name = ?2 AND expiry > ?1";

/// Adds `?5` to the number of logins, which is 1 for a login, and 0 to keep the record alone.
pub(super) const BEGIN: &str = concat!(
    "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
    " VALUES (?2, ?3, ?4, ?5)",
    " ON CONFLICT (name) DO UPDATE SET expiry = max(o.expiry, excluded.expiry),",
    " logins = CASE WHEN o.expiry > ?1 THEN o.logins ELSE 0 END + excluded.logins,",
    " generation = CASE WHEN o.expiry > ?1 THEN o.generation ELSE excluded.generation END,",
    " kept_generation = CASE WHEN o.expiry > ?1 THEN o.kept_generation END,",
    " kept_login = CASE WHEN o.expiry > ?1 THEN o.kept_login END",
    " RETURNING generation, logins"
);

/// Whether the login of the generation `?5` and the number `?6` lives, and so can be kept.
macro_rules! login_lives {
    () => {
        "o.expiry > ?1 AND (o.generation = ?5 OR (o.kept_generation = ?5 AND o.kept_login = ?6))"
    };
}

pub(super) const REVOKE: &str = concat!(
    "INSERT INTO silverback_owners AS o (name, generation, expiry, logins)",
    " VALUES (?2, ?3, ?4, 0)",
    " ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
    " expiry = max(o.expiry, excluded.expiry),",
    " logins = CASE WHEN o.expiry > ?1 THEN o.logins ELSE 0 END,",
    " kept_generation = CASE WHEN ",
    login_lives!(),
    " THEN ?5 END, kept_login = CASE WHEN ",
    login_lives!(),
    " THEN ?6 END"
);

pub(super) const KEYS: &str = concat!(
    "SELECT key FROM silverback_sessions AS s WHERE s.owner = ?2 AND ",
    lives!()
);

pub(super) const PAGE: &str = concat!(
    "SELECT key, expiry, owner, length(value) FROM silverback_sessions AS s",
    " WHERE s.key > ?2 AND ",
    lives!(),
    " ORDER BY s.key LIMIT ?3"
);

pub(super) const PURGE_OWNERS: &str = concat!(
    "DELETE FROM silverback_owners WHERE name IN",
    " (SELECT name FROM silverback_owners WHERE expiry <= ?1 ORDER BY expiry LIMIT ?2)"
);

pub(super) const PURGE: &str = concat!(
    "DELETE FROM silverback_sessions WHERE rowid IN",
    " (SELECT rowid FROM silverback_sessions WHERE expiry <= ?1 ORDER BY expiry LIMIT ?2)"
);

#[cfg(test)]
pub(super) const ALL: [&str; 13] = [
    LOAD,
    FIND,
    CREATE,
    SWAP,
    TOUCH,
    REMOVE,
    GENERATION,
    BEGIN,
    REVOKE,
    KEYS,
    PAGE,
    PURGE_OWNERS,
    PURGE,
];
