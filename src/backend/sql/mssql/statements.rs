//! The SQL of each operation.
//!
//! Each text is one batch, and one round trip. Its time (`@now`) is the server's, at the start of
//! the batch. Expiries are sent as the milliseconds that are left, so that no clock is compared
//! with another. A batch returns one set of rows: a write returns the number of rows it wrote.
//!
//! # Comparisons
//! SQL Server compares bytes as if the shorter value ended in zeros: `0x01 = 0x0100` is true. Each
//! comparison of a key or a name therefore also compares the length. Revisions and generations have
//! the same length each.
//!
//! # Locks
//! A write finds its row by the primary key with an update lock, then reads the owner's row.
//! `READCOMMITTEDLOCK` reads the committed owner also in a database with
//! `READ_COMMITTED_SNAPSHOT`: an older version of the owner next to the current version of the row
//! would let a creation replace a live row.
//!
//! `UPDLOCK, SERIALIZABLE` locks the key, or the gap where it would be, until the transaction ends:
//! of concurrent creations one finds no live row, and the others wait for it. Update locks of one
//! gap exclude each other, so the insert waits for no lock that a concurrent creation holds.
//! (`MERGE .. WITH (HOLDLOCK)` takes the same locks. Two plain statements are easier to check.)
//!
//! These orders exclude deadlocks between operations:
//! - Each operation locks the session's row before the owner's. A revocation writes the owner in a
//!   transaction of its own, and then marks the owner's rows as expired. Marking is not part of the
//!   revocation's effect: rows of a revoked login are not live in any case. It helps the purge,
//!   which finds rows by their expiry. If it fails, the rows stay until their own expiry.
//! - Marking and purging read an index before the row. They skip locked rows (`READPAST`), and wait
//!   for none. They also volunteer as the victim of a deadlock.
//! - The list of an owner's keys reads the index first, and the rows afterwards.

use super::super::statements::Bind::{
    After, Generation, KeptGeneration, KeptLogin, Key, Keys, Limit, Login, Logins, New, Owner,
    Seen, Until, Value,
};
use super::super::statements::{OwnerStatements, RevisionSource, Statement, Statements};

/// The beginning of each batch: the time, in milliseconds since 1970-01-01T00:00:00Z. The largest
/// number means never.
macro_rules! batch {
    () => {
        "SET NOCOUNT ON; \
         DECLARE @never BIGINT = 9223372036854775807, \
         @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME()); "
    };
}

/// The beginning of a batch that writes the expiry that is `@P3` milliseconds away.
macro_rules! batch_with_expiry {
    () => {
        concat!(
            batch!(),
            "DECLARE @expiry BIGINT = \
             CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END; "
        )
    };
}

/// The number of rows that the last statement wrote.
macro_rules! return_written {
    () => {
        "; SELECT CAST(@@ROWCOUNT AS BIGINT)"
    };
}

/// The milliseconds left, or the largest number for never.
macro_rules! left {
    () => {
        "(CASE WHEN s.expiry = @never THEN @never ELSE s.expiry - @now END)"
    };
}

/// A condition: the login of a row is live. The parameters are SQL for the owner's name, and for
/// the login's generation and number.
macro_rules! login_is_live {
    ($hint:literal, $name:literal, $generation:literal, $login:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM silverback_owners AS o",
            $hint,
            " WHERE o.name = ",
            $name,
            " AND o.name_length = DATALENGTH(",
            $name,
            ") AND o.expiry > @now AND (o.generation = ",
            $generation,
            " OR (o.kept_generation = ",
            $generation,
            " AND o.kept_login = ",
            $login,
            ")))"
        )
    };
}

/// A condition: the row is live. For statements that only read.
macro_rules! is_live {
    () => {
        is_live!("")
    };
    ($hint:literal) => {
        concat!(
            "(s.expiry > @now AND (s.owner IS NULL OR ",
            login_is_live!($hint, "s.owner", "s.generation", "s.login"),
            "))"
        )
    };
}

/// The same for statements that write.
macro_rules! is_live_locked {
    () => {
        is_live!(" WITH (READCOMMITTEDLOCK)")
    };
}

/// A condition: the row has the key `@P1`.
macro_rules! has_key {
    () => {
        "s.[key] = @P1 AND s.key_length = DATALENGTH(@P1)"
    };
}

/// A condition: the row has the owner `@P1`.
macro_rules! has_owner {
    () => {
        "s.owner IS NOT NULL AND s.owner = @P1 AND DATALENGTH(s.owner) = DATALENGTH(@P1)"
    };
}

/// The expiry of a row that is owned by `@P5` with the login `@P6`, `@P7`. A row of a revoked login
/// is written as expired: it never becomes live, and a purge finds it.
macro_rules! owned_expiry {
    () => {
        concat!(
            "CASE WHEN ",
            login_is_live!(" WITH (READCOMMITTEDLOCK)", "@P5", "@P6", "@P7"),
            " THEN @expiry ELSE 0 END"
        )
    };
}

/// The live row under the key `@P1` at the revision `@P2`.
macro_rules! unchanged_row {
    () => {
        concat!(
            " FROM silverback_sessions AS s WHERE ",
            has_key!(),
            " AND s.revision = @P2 AND ",
            is_live_locked!()
        )
    };
}

/// Replaces a row that is not live, or inserts one if there is none.
macro_rules! create {
    ($expiry:expr, $owner:literal, $generation:literal, $login:literal) => {
        concat!(
            batch_with_expiry!(),
            "SET XACT_ABORT ON; BEGIN TRANSACTION; \
             UPDATE s SET revision = @P2, expiry = ",
            $expiry,
            ", value = @P4, owner = ",
            $owner,
            ", generation = ",
            $generation,
            ", login = ",
            $login,
            " FROM silverback_sessions AS s WITH (UPDLOCK, SERIALIZABLE) WHERE ",
            has_key!(),
            " AND NOT ",
            is_live_locked!(),
            "; DECLARE @written BIGINT = @@ROWCOUNT; IF @written = 0 BEGIN \
             INSERT INTO silverback_sessions \
             ([key], revision, expiry, value, owner, generation, login) \
             SELECT @P1, @P2, ",
            $expiry,
            ", @P4, ",
            $owner,
            ", ",
            $generation,
            ", ",
            $login,
            " WHERE NOT EXISTS (SELECT 1 FROM silverback_sessions AS s \
             WITH (UPDLOCK, SERIALIZABLE) WHERE ",
            has_key!(),
            "); SET @written = @@ROWCOUNT; END; COMMIT TRANSACTION; SELECT @written"
        )
    };
}

macro_rules! swap {
    ($revision:literal, $expiry:expr, $owner:literal, $generation:literal, $login:literal) => {
        concat!(
            batch_with_expiry!(),
            "UPDATE s SET revision = ",
            $revision,
            ", expiry = ",
            $expiry,
            ", value = @P4, owner = ",
            $owner,
            ", generation = ",
            $generation,
            ", login = ",
            $login,
            unchanged_row!(),
            return_written!()
        )
    };
}

/// Creates or extends the row of the owner `@P1`. The parameters are SQL for the other values of an
/// existing row and of a new one.
macro_rules! write_owner {
    ($update:expr, $output:literal, $logins:literal) => {
        concat!(
            "SET XACT_ABORT ON; BEGIN TRANSACTION; \
             UPDATE o SET expiry = CASE WHEN o.expiry > @expiry THEN o.expiry ELSE @expiry END, ",
            $update,
            $output,
            " FROM silverback_owners AS o WITH (UPDLOCK, SERIALIZABLE) \
             WHERE o.name = @P1 AND o.name_length = DATALENGTH(@P1); \
             IF @@ROWCOUNT = 0 INSERT INTO silverback_owners (name, generation, expiry, logins)",
            $output,
            " VALUES (@P1, @P2, @expiry, ",
            $logins,
            "); COMMIT TRANSACTION; "
        )
    };
}

/// Marks rows as expired whose login is not live. A login that is not live never becomes live
/// again, so a concurrent revocation or login changes nothing.
macro_rules! mark_as_expired {
    ($rows:expr) => {
        concat!(
            "SET DEADLOCK_PRIORITY LOW; BEGIN TRY UPDATE s SET expiry = 0 FROM ",
            $rows,
            " AND s.expiry > 0 AND NOT ",
            login_is_live!(
                " WITH (READCOMMITTEDLOCK)",
                "s.owner",
                "s.generation",
                "s.login"
            ),
            " END TRY BEGIN CATCH END CATCH; "
        )
    };
}

/// The rows `s`, found by their owner. Locked rows are skipped.
macro_rules! sessions_by_owner {
    () => {
        "silverback_sessions AS s WITH (ROWLOCK, READPAST, INDEX(silverback_sessions_by_owner))"
    };
}

/// A condition: the login of the generation `@P4` and the number `@P5` is live, and so can be kept.
macro_rules! kept_login_is_live {
    () => {
        "o.expiry > @now AND \
         (o.generation = @P4 OR (o.kept_generation = @P4 AND o.kept_login = @P5))"
    };
}

/// A record without an owner has statements of its own (`create`, `swap`), which bind no NULL.
pub(super) static STATEMENTS: Statements = Statements {
    load: Statement::fixed(
        concat!(
            batch!(),
            "SELECT s.value, ",
            left!(),
            ", s.revision, s.owner, s.generation, s.login FROM silverback_sessions AS s WHERE ",
            has_key!(),
            " AND ",
            is_live!()
        ),
        &[Key],
    ),
    load_many: Statement::fixed(
        concat!(
            batch!(),
            "DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL); INSERT INTO @keys ([key]) \
             SELECT CONVERT(VARBINARY(250), j.value, 2) FROM OPENJSON(CAST(@P1 AS VARCHAR(MAX))) AS j; \
             SELECT s.value, ",
            left!(),
            ", s.revision, s.owner, s.generation, s.login, s.[key] FROM @keys AS k \
             INNER LOOP JOIN silverback_sessions AS s \
             ON s.[key] = k.[key] AND s.key_length = DATALENGTH(k.[key]) WHERE ",
            is_live!()
        ),
        &[Keys],
    ),
    find: Statement::fixed(
        concat!(
            batch!(),
            "SELECT 1 FROM silverback_sessions AS s WHERE ",
            has_key!(),
            " AND ",
            is_live!()
        ),
        &[Key],
    ),
    create: Statement::fixed(
        create!("@expiry", "NULL", "NULL", "NULL"),
        &[Key, New, Until, Value],
    ),
    create_owned: Some(Statement::fixed(
        create!(owned_expiry!(), "@P5", "@P6", "@P7"),
        &[Key, New, Until, Value, Owner, Generation, Login],
    )),
    remove_dead: None,
    swap: Statement::fixed(
        swap!("@P5", "@expiry", "NULL", "NULL", "NULL"),
        &[Key, Seen, Until, Value, New],
    ),
    swap_owned: Some(Statement::fixed(
        swap!("@P8", owned_expiry!(), "@P5", "@P6", "@P7"),
        &[Key, Seen, Until, Value, Owner, Generation, Login, New],
    )),
    touch: Statement::fixed(
        concat!(
            batch_with_expiry!(),
            "UPDATE s SET revision = @P4, expiry = @expiry",
            unchanged_row!(),
            return_written!()
        ),
        &[Key, Seen, Until, New],
    ),
    unowned: None,
    remove: Statement::fixed(
        concat!(batch!(), "DELETE s", unchanged_row!(), return_written!()),
        &[Key, Seen],
    ),
    move_to: None,
    // Keys of the same bytes before their last zeros are equal, and follow by their length.
    page: Statement::fixed(
        concat!(
            batch!(),
            "SELECT TOP (@P2) s.[key], ",
            left!(),
            ", s.owner, CAST(DATALENGTH(s.value) AS BIGINT) FROM silverback_sessions AS s \
             WHERE s.[key] >= @P1 AND (s.[key] > @P1 OR s.key_length > DATALENGTH(@P1)) AND ",
            is_live!(),
            " ORDER BY s.[key], s.key_length"
        ),
        &[After, Limit],
    ),
    // This also reads rows that expire later in this minute.
    purge: Statement::fixed(
        concat!(
            batch!(),
            "SET DEADLOCK_PRIORITY LOW; DELETE TOP (@P1) s FROM silverback_sessions AS s \
             WITH (ROWLOCK, READPAST, INDEX(silverback_sessions_by_expiry_minute)) \
             WHERE s.expiry_minute <= (@now | 65535) AND s.expiry <= @now",
            return_written!()
        ),
        &[Limit],
    ),
    owners: Some(OwnerStatements {
        generation: Statement::fixed(
            concat!(
                batch!(),
                "SELECT o.generation FROM silverback_owners AS o \
                 WHERE o.name = @P1 AND o.name_length = DATALENGTH(@P1) AND o.expiry > @now"
            ),
            &[Owner],
        ),
        begin: Statement::fixed(
            concat!(
                batch_with_expiry!(),
                "DECLARE @begun TABLE (generation VARBINARY(16), logins BIGINT); ",
                write_owner!(
                    "logins = CASE WHEN o.expiry > @now THEN o.logins ELSE 0 END + @P4, \
                     generation = CASE WHEN o.expiry > @now THEN o.generation ELSE @P2 END, \
                     kept_generation = CASE WHEN o.expiry > @now THEN o.kept_generation END, \
                     kept_login = CASE WHEN o.expiry > @now THEN o.kept_login END",
                    " OUTPUT inserted.generation, inserted.logins INTO @begun",
                    "@P4"
                ),
                "SELECT generation, logins FROM @begun"
            ),
            &[Owner, Generation, Until, Logins],
        ),
        revoke: Statement::fixed(
            concat!(
                batch_with_expiry!(),
                write_owner!(
                    concat!(
                        "generation = @P2, \
                         logins = CASE WHEN o.expiry > @now THEN o.logins ELSE 0 END, \
                         kept_generation = CASE WHEN ",
                        kept_login_is_live!(),
                        " THEN @P4 END, kept_login = CASE WHEN ",
                        kept_login_is_live!(),
                        " THEN @P5 END"
                    ),
                    "",
                    "0"
                ),
                mark_as_expired!(concat!(sessions_by_owner!(), " WHERE ", has_owner!())),
                "SELECT CAST(1 AS BIGINT)"
            ),
            &[Owner, Generation, Until, KeptGeneration, KeptLogin],
        ),
        keys: Statement::fixed(
            concat!(
                batch!(),
                "DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL, key_length INT NOT NULL); \
                 INSERT INTO @keys ([key], key_length) SELECT s.[key], s.key_length \
                 FROM silverback_sessions AS s WITH (INDEX(silverback_sessions_by_owner)) WHERE ",
                has_owner!(),
                "; SELECT s.[key] FROM @keys AS k INNER LOOP JOIN silverback_sessions AS s \
                 ON s.[key] = k.[key] AND s.key_length = k.key_length WHERE ",
                has_owner!(),
                " AND ",
                is_live!()
            ),
            &[Owner],
        ),
        purge: Statement::fixed(
            concat!(
                batch!(),
                "SET DEADLOCK_PRIORITY LOW; DECLARE @names TABLE (name VARBINARY(512) NOT NULL); \
                 DELETE TOP (@P1) o OUTPUT deleted.name INTO @names \
                 FROM silverback_owners AS o \
                 WITH (ROWLOCK, READPAST, INDEX(silverback_owners_by_expiry)) \
                 WHERE o.expiry <= @now; DECLARE @purged BIGINT = @@ROWCOUNT; ",
                mark_as_expired!(concat!(
                    "@names AS n INNER LOOP JOIN ",
                    sessions_by_owner!(),
                    " ON s.owner = n.name AND DATALENGTH(s.owner) = DATALENGTH(n.name) \
                     WHERE s.owner IS NOT NULL"
                )),
                "SELECT @purged"
            ),
            &[Limit],
        ),
    }),
    revisions: RevisionSource::Client,
    longest_value: None,
};
