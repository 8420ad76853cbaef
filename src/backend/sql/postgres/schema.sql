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
    value BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS silverback_sessions_by_expiry_minute ON silverback_sessions (expiry_minute);
CREATE INDEX IF NOT EXISTS silverback_sessions_by_owner ON silverback_sessions (owner) WHERE owner IS NOT NULL;

-- Whose records are whose: one row per owner.
CREATE TABLE IF NOT EXISTS silverback_owners (
    name BYTEA NOT NULL PRIMARY KEY,
    generation BYTEA NOT NULL,
    expiry BIGINT NOT NULL,
    kept BYTEA
);
CREATE INDEX IF NOT EXISTS silverback_owners_by_expiry ON silverback_owners (expiry);

-- Who waited for another revocation keeps only what outlived that one, too. A trigger sees what was committed meanwhile,
-- where the statement that it belongs to sees what was there when it began.
CREATE OR REPLACE FUNCTION silverback_keep_the_living() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM silverback_sessions AS s
        WHERE s.key = new.kept AND s.owner = new.name
        AND s.expiry > floor(date_part('epoch', statement_timestamp()) * 1000)::bigint
        AND (s.generation = old.generation OR s.key = old.kept)
    ) THEN
        new.kept := NULL;
    END IF;
    RETURN new;
END $$;
CREATE OR REPLACE TRIGGER silverback_owner_keeps
BEFORE UPDATE OF generation ON silverback_owners FOR EACH ROW
WHEN (new.kept IS NOT NULL AND new.generation <> old.generation)
EXECUTE FUNCTION silverback_keep_the_living();

-- Records that their owner ends are expired from the same moment on, so that a purge finds them by their expiry.
CREATE OR REPLACE FUNCTION silverback_end_the_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE silverback_sessions SET expiry = 0
    WHERE owner = new.name AND generation <> new.generation AND key IS DISTINCT FROM new.kept;
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
