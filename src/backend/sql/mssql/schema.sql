-- Silverback's records. Times are milliseconds since 1970-01-01T00:00:00Z by the clock of this server; what expires now is missing.
-- Indexes on computed columns need these settings, which sqlcmd does not have by default.
SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;
IF OBJECT_ID(N'silverback_sessions', N'U') IS NULL
CREATE TABLE silverback_sessions (
    [key] VARBINARY(250) NOT NULL,
    -- SQL Server compares 0x01 and 0x0100 as equal: without the length, two keys could be one.
    key_length AS CAST(DATALENGTH([key]) AS INT) PERSISTED NOT NULL,
    revision VARBINARY(16) NOT NULL,
    expiry BIGINT NOT NULL,
    -- The end of the minute, of 65,536 ms, that the record expires in. Only this is indexed: a save that leaves it as it was
    -- changes no index entry.
    expiry_minute AS (expiry | CAST(65535 AS BIGINT)) PERSISTED NOT NULL,
    owner VARBINARY(512) NULL,
    generation VARBINARY(16) NULL,
    login BIGINT NULL,
    value VARBINARY(MAX) NOT NULL,
    PRIMARY KEY CLUSTERED ([key], key_length),
    INDEX silverback_sessions_by_expiry_minute NONCLUSTERED (expiry_minute),
    INDEX silverback_sessions_by_owner NONCLUSTERED (owner) WHERE owner IS NOT NULL
);

-- Owners of sessions: one row per owner, with the number of logins and the login that the last revocation kept.
IF OBJECT_ID(N'silverback_owners', N'U') IS NULL
CREATE TABLE silverback_owners (
    name VARBINARY(512) NOT NULL,
    name_length AS CAST(DATALENGTH(name) AS INT) PERSISTED NOT NULL,
    generation VARBINARY(16) NOT NULL,
    expiry BIGINT NOT NULL,
    logins BIGINT NOT NULL,
    kept_generation VARBINARY(16) NULL,
    kept_login BIGINT NULL,
    PRIMARY KEY CLUSTERED (name, name_length),
    INDEX silverback_owners_by_expiry NONCLUSTERED (expiry)
);
