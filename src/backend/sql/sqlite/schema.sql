-- Silverback's records. Times are milliseconds since 1970-01-01T00:00:00Z; what expires now is missing.
CREATE TABLE IF NOT EXISTS silverback_sessions (
    key BLOB NOT NULL PRIMARY KEY,
    revision BLOB NOT NULL,
    expiry INTEGER NOT NULL,
    owner BLOB,
    generation BLOB,
    login INTEGER,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS silverback_sessions_by_expiry ON silverback_sessions (expiry);
CREATE INDEX IF NOT EXISTS silverback_sessions_by_owner ON silverback_sessions (owner) WHERE owner IS NOT NULL;

-- Owners of sessions: one row per owner, with the number of logins and the login that the last revocation kept.
CREATE TABLE IF NOT EXISTS silverback_owners (
    name BLOB NOT NULL PRIMARY KEY,
    generation BLOB NOT NULL,
    expiry INTEGER NOT NULL,
    logins INTEGER NOT NULL,
    kept_generation BLOB,
    kept_login INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS silverback_owners_by_expiry ON silverback_owners (expiry);

-- Records that their owner ends are expired from the same moment on, so that a purge finds them by their expiry.
CREATE TRIGGER IF NOT EXISTS silverback_owner_revoked
AFTER UPDATE OF generation ON silverback_owners WHEN new.generation <> old.generation
BEGIN
    UPDATE silverback_sessions SET expiry = 0
    WHERE owner = new.name AND generation <> new.generation
    AND (generation, login) IS NOT (new.kept_generation, new.kept_login);
END;
CREATE TRIGGER IF NOT EXISTS silverback_owner_purged
AFTER DELETE ON silverback_owners
BEGIN
    UPDATE silverback_sessions SET expiry = 0 WHERE owner = old.name;
END;
