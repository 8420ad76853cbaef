-- Silverback's records. Times are milliseconds since 1970-01-01T00:00:00Z by the clock of this server; what expires now is missing.
CREATE TABLE IF NOT EXISTS silverback_sessions (
    key BYTEA NOT NULL PRIMARY KEY,
    revision BYTEA NOT NULL,
    expiry BIGINT NOT NULL,
    -- The end of the minute, of 65,536 ms, that the record expires in. Only this is indexed: a write that leaves it as it was
    -- leaves all indexes as they were (a heap-only update).
    expiry_minute BIGINT NOT NULL GENERATED ALWAYS AS (expiry | 65535) STORED,
    owner BYTEA,
    generation BYTEA,
    login BIGINT,
    value BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS silverback_sessions_by_expiry_minute ON silverback_sessions (expiry_minute);
CREATE INDEX IF NOT EXISTS silverback_sessions_by_owner ON silverback_sessions (owner) WHERE owner IS NOT NULL;

-- Owners of sessions: one row per owner, with the number of logins and the login that the last revocation kept.
CREATE TABLE IF NOT EXISTS silverback_owners (
    name BYTEA NOT NULL PRIMARY KEY,
    generation BYTEA NOT NULL,
    expiry BIGINT NOT NULL,
    logins BIGINT NOT NULL,
    kept_generation BYTEA,
    kept_login BIGINT
);
CREATE INDEX IF NOT EXISTS silverback_owners_by_expiry ON silverback_owners (expiry);

-- Records that their owner ends are expired from the same moment on, so that a purge finds them by their expiry.
CREATE OR REPLACE FUNCTION silverback_end_the_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE silverback_sessions SET expiry = 0
    WHERE owner = new.name AND generation <> new.generation
    AND (generation, login) IS DISTINCT FROM (new.kept_generation, new.kept_login);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER silverback_owner_revoked
AFTER UPDATE OF generation ON silverback_owners FOR EACH ROW
WHEN (new.generation <> old.generation)
EXECUTE FUNCTION silverback_end_the_revoked();

CREATE OR REPLACE FUNCTION silverback_end_the_purged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE silverback_sessions SET expiry = 0 WHERE owner = old.name;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER silverback_owner_purged
AFTER DELETE ON silverback_owners FOR EACH ROW
EXECUTE FUNCTION silverback_end_the_purged();
