//! The SQL of each operation: one statement, so that what it compares and what it writes are
//! one step, and whoever stops waiting for it leaves it done or undone.
//!
//! The time is the server's, when the statement came in. Expiries go there and come back as
//! milliseconds left, so that nobody's clock is compared with another's.
//!
//! A statement that waited for another's row lock compares that row anew, and everything
//! else as it was when it began (read committed). What is compared with other rows therefore
//! stands beside a comparison of the row's own revision.

/// The time, in milliseconds since 1970-01-01T00:00:00Z. As a double it is exact to a quarter
/// of a microsecond, and computed faster than the decimal number that `extract` makes.
macro_rules! now {
    () => {
        "floor(date_part('epoch', statement_timestamp()) * 1000)::bigint"
    };
}

/// When a record expires that has so many milliseconds left, given as SQL. The largest number
/// is never.
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

/// How many milliseconds are left, the largest number for never.
macro_rules! left {
    () => {
        concat!(
            "(CASE WHEN s.expiry = 9223372036854775807 THEN s.expiry ELSE s.expiry - ",
            now!(),
            " END)"
        )
    };
}

/// Whether the owner of a row lets it live: the name, and the generation and the number of the
/// login are given as SQL.
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

/// The expiry of a row that is written under the key `$1` with `$3` milliseconds left, owned
/// by `$5`, of the generation `$6` and the login `$7`. What its owner does not let live when it is written is
/// expired from the start: nothing could bring it back, and a purge finds it.
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

/// Of a row that was seen: under the key `$1`, at the revision `$2`.
macro_rules! as_seen {
    () => {
        concat!(" WHERE s.key = $1 AND s.revision = $2 AND ", lives!())
    };
}

/// Of the key `$1`.
pub(super) const LOAD: &str = concat!(
    "SELECT value, ",
    left!(),
    ", revision, owner, generation, login FROM silverback_sessions AS s WHERE s.key = $1 AND ",
    lives!()
);

/// Whether there is a living row under the key `$1`.
pub(super) const FIND: &str = concat!(
    "SELECT 1 FROM silverback_sessions AS s WHERE s.key = $1 AND ",
    lives!()
);

/// It takes the place of a row that does not live and that no other creation took meanwhile.
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
            " RETURNING 1"
        )
    };
}

/// Of the key `$1`, the new revision, the milliseconds left, and a value. Who owns nothing has
/// a statement without an owner: one that looked at its parameters for that would be planned
/// anew each time.
pub(super) const CREATE: &str = create!(expiry!("$3::bigint"), "NULL", "NULL", "NULL");

/// As [`CREATE`], and an owner, and the generation and the number of a login.
pub(super) const CREATE_OWNED: &str = create!(owned_expiry!(), "$5", "$6", "$7");

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
            " RETURNING 1"
        )
    };
}

/// Of the key `$1`, the revision that was seen, the milliseconds left, a value, and the new
/// revision.
pub(super) const SWAP: &str = swap!("$5", expiry!("$3::bigint"), "NULL", "NULL", "NULL");

/// As [`SWAP`], of an owner, and the generation and the number of a login, before the new
/// revision.
pub(super) const SWAP_OWNED: &str = swap!("$8", owned_expiry!(), "$5", "$6", "$7");

/// Of the key `$1`, the revision that was seen, the milliseconds left, and the new revision.
pub(super) const TOUCH: &str = concat!(
    "UPDATE silverback_sessions AS s SET revision = $4, expiry = ",
    expiry!("$3::bigint"),
    as_seen!(),
    " RETURNING 1"
);

pub(super) const REMOVE: &str = concat!(
    "DELETE FROM silverback_sessions AS s",
    as_seen!(),
    " RETURNING 1"
);

/// Of the owner `$1`.
pub(super) const GENERATION: &str = concat!(
    "SELECT generation FROM silverback_owners WHERE name = $1 AND expiry > ",
    now!()
);

/// Whether the record of an owner lives.
macro_rules! owner_lives {
    () => {
        concat!("o.expiry > ", now!())
    };
}

/// The number of an owner's logins, which begins anew with the owner's record.
macro_rules! logins {
    () => {
        concat!("CASE WHEN ", owner_lives!(), " THEN o.logins ELSE 0 END")
    };
}

/// Of the owner `$1`, a fresh generation, the milliseconds that it is kept at least, and how many
/// logins are added: 1 for a login, and 0 to keep the record alone.
pub(super) const BEGIN: &str = concat!(
    "INSERT INTO silverback_owners AS o (name, generation, expiry, logins) VALUES ($1, $2, ",
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
    " THEN o.kept_login END",
    " RETURNING generation, logins"
);

/// Whether the login of the generation `$4` and the number `$5` lives, and so can be kept.
macro_rules! login_lives {
    () => {
        concat!(
            owner_lives!(),
            " AND (o.generation = $4::bytea",
            " OR (o.kept_generation = $4::bytea AND o.kept_login = $5::bigint))"
        )
    };
}

/// Of the owner `$1`, a fresh generation, the milliseconds that it is kept at least, and the
/// generation and the number of the login that is kept. All of it is compared with the row as it
/// is after the wait for another revocation.
pub(super) const REVOKE: &str = concat!(
    "INSERT INTO silverback_owners AS o (name, generation, expiry, logins) VALUES ($1, $2, ",
    expiry!("$3::bigint"),
    ", 0) ON CONFLICT (name) DO UPDATE SET generation = excluded.generation,",
    " expiry = greatest(o.expiry, excluded.expiry), logins = ",
    logins!(),
    ", kept_generation = CASE WHEN ",
    login_lives!(),
    " THEN $4::bytea END, kept_login = CASE WHEN ",
    login_lives!(),
    " THEN $5::bigint END",
    " RETURNING 1"
);

/// Of the owner `$1`.
pub(super) const KEYS: &str = concat!(
    "SELECT key FROM silverback_sessions AS s WHERE s.owner = $1 AND ",
    lives!()
);

/// At most `$2` after the key `$1`.
pub(super) const PAGE: &str = concat!(
    "SELECT key, ",
    left!(),
    ", owner, octet_length(value)::bigint FROM silverback_sessions AS s WHERE s.key > $1 AND ",
    lives!(),
    " ORDER BY s.key LIMIT $2"
);

/// The places are found once and locked, in the order of the index that the column has; those
/// that others have locked, who purge too or write there, are left to them.
macro_rules! purge {
    ($table:literal, $indexed:literal, $until:expr) => {
        concat!(
            "WITH purged AS (DELETE FROM ",
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
            " LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1)",
            " SELECT count(*) FROM purged"
        )
    };
}

pub(super) const PURGE_OWNERS: &str = purge!("silverback_owners", "expiry", now!());

/// What expires within this minute is looked at, too.
pub(super) const PURGE: &str = purge!(
    "silverback_sessions",
    "expiry_minute",
    concat!("(", now!(), " | 65535)")
);
