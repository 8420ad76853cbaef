-- Silverback's records. Times are milliseconds since 1970-01-01T00:00:00Z by the clock of this server; what expires now is missing.
CREATE TABLE IF NOT EXISTS silverback_sessions (
    `key` VARBINARY(250) NOT NULL PRIMARY KEY,
    revision VARBINARY(16) NOT NULL,
    expiry BIGINT NOT NULL,
    -- The end of the minute, of 65,536 ms, that the record expires in. Only this is indexed: a write that leaves it as it was
    -- changes no index.
    expiry_minute BIGINT GENERATED ALWAYS AS (expiry | 65535) STORED,
    owner VARBINARY(512),
    generation VARBINARY(16),
    login BIGINT,
    value MEDIUMBLOB NOT NULL,
    KEY silverback_sessions_by_expiry_minute (expiry_minute),
    KEY silverback_sessions_by_owner (owner)
) ENGINE = InnoDB;

-- Owners of sessions: one row per owner, with the number of logins and the login that the last revocation kept.
CREATE TABLE IF NOT EXISTS silverback_owners (
    name VARBINARY(512) NOT NULL PRIMARY KEY,
    generation VARBINARY(16) NOT NULL,
    expiry BIGINT NOT NULL,
    logins BIGINT NOT NULL,
    kept_generation VARBINARY(16),
    kept_login BIGINT,
    KEY silverback_owners_by_expiry (expiry)
) ENGINE = InnoDB;
