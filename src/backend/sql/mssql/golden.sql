-- native load: [Key]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SELECT s.value, (CASE WHEN s.expiry = @never THEN @never ELSE s.expiry - @now END), s.revision, s.owner, s.generation, s.login FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));

-- native load_many: [Keys]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL);
INSERT INTO @keys ([key]) SELECT CONVERT(VARBINARY(250), j.value, 2) FROM OPENJSON(CAST(@P1 AS VARCHAR(MAX))) AS j;
SELECT s.value, (CASE WHEN s.expiry = @never THEN @never ELSE s.expiry - @now END), s.revision, s.owner, s.generation, s.login, s.[key] FROM @keys AS k INNER LOOP JOIN silverback_sessions AS s ON s.[key] = k.[key] AND s.key_length = DATALENGTH(k.[key]) WHERE (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));

-- native find: [Key]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SELECT 1 FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));

-- native create: [Key, New, Until, Value]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE s SET revision = @P2, expiry = @expiry, value = @P4, owner = NULL, generation = NULL, login = NULL FROM silverback_sessions AS s WITH (UPDLOCK, SERIALIZABLE) WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND NOT (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
DECLARE @written BIGINT = @@ROWCOUNT;
IF @written = 0 BEGIN INSERT INTO silverback_sessions ([key], revision, expiry, value, owner, generation, login) SELECT @P1, @P2, @expiry, @P4, NULL, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM silverback_sessions AS s WITH (UPDLOCK, SERIALIZABLE) WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1));
SET @written = @@ROWCOUNT;
END;
COMMIT TRANSACTION;
SELECT @written;

-- native swap: [Key, Seen, Until, Value, New]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
UPDATE s SET revision = @P5, expiry = @expiry, value = @P4, owner = NULL, generation = NULL, login = NULL FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND s.revision = @P2 AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- native touch: [Key, Seen, Until, New]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
UPDATE s SET revision = @P4, expiry = @expiry FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND s.revision = @P2 AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- native remove: [Key, Seen]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DELETE s FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND s.revision = @P2 AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- native page: [After, Limit]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SELECT TOP (@P2) s.[key], (CASE WHEN s.expiry = @never THEN @never ELSE s.expiry - @now END), s.owner, CAST(DATALENGTH(s.value) AS BIGINT) FROM silverback_sessions AS s WHERE s.[key] >= @P1 AND (s.[key] > @P1 OR s.key_length > DATALENGTH(@P1)) AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login))))) ORDER BY s.[key], s.key_length;

-- native purge: [Limit]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SET DEADLOCK_PRIORITY LOW;
DELETE TOP (@P1) s FROM silverback_sessions AS s WITH (ROWLOCK, READPAST, INDEX(silverback_sessions_by_expiry_minute)) WHERE s.expiry_minute <= (@now | 65535) AND s.expiry <= @now;
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- native create_owned: [Key, New, Until, Value, Owner, Generation, Login]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE s SET revision = @P2, expiry = CASE WHEN EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = @P5 AND o.name_length = DATALENGTH(@P5) AND o.expiry > @now AND (o.generation = @P6 OR (o.kept_generation = @P6 AND o.kept_login = @P7))) THEN @expiry ELSE 0 END, value = @P4, owner = @P5, generation = @P6, login = @P7 FROM silverback_sessions AS s WITH (UPDLOCK, SERIALIZABLE) WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND NOT (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
DECLARE @written BIGINT = @@ROWCOUNT;
IF @written = 0 BEGIN INSERT INTO silverback_sessions ([key], revision, expiry, value, owner, generation, login) SELECT @P1, @P2, CASE WHEN EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = @P5 AND o.name_length = DATALENGTH(@P5) AND o.expiry > @now AND (o.generation = @P6 OR (o.kept_generation = @P6 AND o.kept_login = @P7))) THEN @expiry ELSE 0 END, @P4, @P5, @P6, @P7 WHERE NOT EXISTS (SELECT 1 FROM silverback_sessions AS s WITH (UPDLOCK, SERIALIZABLE) WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1));
SET @written = @@ROWCOUNT;
END;
COMMIT TRANSACTION;
SELECT @written;

-- native swap_owned: [Key, Seen, Until, Value, Owner, Generation, Login, New]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
UPDATE s SET revision = @P8, expiry = CASE WHEN EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = @P5 AND o.name_length = DATALENGTH(@P5) AND o.expiry > @now AND (o.generation = @P6 OR (o.kept_generation = @P6 AND o.kept_login = @P7))) THEN @expiry ELSE 0 END, value = @P4, owner = @P5, generation = @P6, login = @P7 FROM silverback_sessions AS s WHERE s.[key] = @P1 AND s.key_length = DATALENGTH(@P1) AND s.revision = @P2 AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- native owners.generation: [Owner]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SELECT o.generation FROM silverback_owners AS o WHERE o.name = @P1 AND o.name_length = DATALENGTH(@P1) AND o.expiry > @now;

-- native owners.begin: [Owner, Generation, Until, Logins]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
DECLARE @begun TABLE (generation VARBINARY(16), logins BIGINT);
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE o SET expiry = CASE WHEN o.expiry > @expiry THEN o.expiry ELSE @expiry END, logins = CASE WHEN o.expiry > @now THEN o.logins ELSE 0 END + @P4, generation = CASE WHEN o.expiry > @now THEN o.generation ELSE @P2 END, kept_generation = CASE WHEN o.expiry > @now THEN o.kept_generation END, kept_login = CASE WHEN o.expiry > @now THEN o.kept_login END OUTPUT inserted.generation, inserted.logins INTO @begun FROM silverback_owners AS o WITH (UPDLOCK, SERIALIZABLE) WHERE o.name = @P1 AND o.name_length = DATALENGTH(@P1);
IF @@ROWCOUNT = 0 INSERT INTO silverback_owners (name, generation, expiry, logins) OUTPUT inserted.generation, inserted.logins INTO @begun VALUES (@P1, @P2, @expiry, @P4);
COMMIT TRANSACTION;
SELECT generation, logins FROM @begun;

-- native owners.revoke: [Owner, Generation, Until, KeptGeneration, KeptLogin]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @expiry BIGINT = CASE WHEN @P3 > @never - @now THEN @never ELSE @now + @P3 END;
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE o SET expiry = CASE WHEN o.expiry > @expiry THEN o.expiry ELSE @expiry END, generation = @P2, logins = CASE WHEN o.expiry > @now THEN o.logins ELSE 0 END, kept_generation = CASE WHEN o.expiry > @now AND (o.generation = @P4 OR (o.kept_generation = @P4 AND o.kept_login = @P5)) THEN @P4 END, kept_login = CASE WHEN o.expiry > @now AND (o.generation = @P4 OR (o.kept_generation = @P4 AND o.kept_login = @P5)) THEN @P5 END FROM silverback_owners AS o WITH (UPDLOCK, SERIALIZABLE) WHERE o.name = @P1 AND o.name_length = DATALENGTH(@P1);
IF @@ROWCOUNT = 0 INSERT INTO silverback_owners (name, generation, expiry, logins) VALUES (@P1, @P2, @expiry, 0);
COMMIT TRANSACTION;
SET DEADLOCK_PRIORITY LOW;
BEGIN TRY UPDATE s SET expiry = 0 FROM silverback_sessions AS s WITH (ROWLOCK, READPAST, INDEX(silverback_sessions_by_owner)) WHERE s.owner IS NOT NULL AND s.owner = @P1 AND DATALENGTH(s.owner) = DATALENGTH(@P1) AND s.expiry > 0 AND NOT EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login))) END TRY BEGIN CATCH END CATCH;
SELECT CAST(1 AS BIGINT);

-- native owners.keys: [Owner]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL, key_length INT NOT NULL);
INSERT INTO @keys ([key], key_length) SELECT s.[key], s.key_length FROM silverback_sessions AS s WITH (INDEX(silverback_sessions_by_owner)) WHERE s.owner IS NOT NULL AND s.owner = @P1 AND DATALENGTH(s.owner) = DATALENGTH(@P1);
SELECT s.[key] FROM @keys AS k INNER LOOP JOIN silverback_sessions AS s ON s.[key] = k.[key] AND s.key_length = k.key_length WHERE s.owner IS NOT NULL AND s.owner = @P1 AND DATALENGTH(s.owner) = DATALENGTH(@P1) AND (s.expiry > @now AND (s.owner IS NULL OR EXISTS (SELECT 1 FROM silverback_owners AS o WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login)))));

-- native owners.purge: [Limit]
SET NOCOUNT ON;
DECLARE @never BIGINT = 9223372036854775807, @now BIGINT = DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME());
SET DEADLOCK_PRIORITY LOW;
DECLARE @names TABLE (name VARBINARY(512) NOT NULL);
DELETE TOP (@P1) o OUTPUT deleted.name INTO @names FROM silverback_owners AS o WITH (ROWLOCK, READPAST, INDEX(silverback_owners_by_expiry)) WHERE o.expiry <= @now;
DECLARE @purged BIGINT = @@ROWCOUNT;
SET DEADLOCK_PRIORITY LOW;
BEGIN TRY UPDATE s SET expiry = 0 FROM @names AS n INNER LOOP JOIN silverback_sessions AS s WITH (ROWLOCK, READPAST, INDEX(silverback_sessions_by_owner)) ON s.owner = n.name AND DATALENGTH(s.owner) = DATALENGTH(n.name) WHERE s.owner IS NOT NULL AND s.expiry > 0 AND NOT EXISTS (SELECT 1 FROM silverback_owners AS o WITH (READCOMMITTEDLOCK) WHERE o.name = s.owner AND o.name_length = DATALENGTH(s.owner) AND o.expiry > @now AND (o.generation = s.generation OR (o.kept_generation = s.generation AND o.kept_login = s.login))) END TRY BEGIN CATCH END CATCH;
SELECT @purged;

-- scs_mssqlstore load: [Key]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
SELECT TOP (1) t.[data], CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]), CAST(NULL AS VARBINARY(1)), CAST(NULL AS VARBINARY(1)) FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now;

-- scs_mssqlstore load_many: [Keys]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL);
INSERT INTO @keys ([key]) SELECT CONVERT(VARBINARY(250), j.value, 2) FROM OPENJSON(CAST(@P1 AS VARCHAR(MAX))) AS j;
SELECT t.[data], CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]), CAST(NULL AS VARBINARY(1)), CAST(NULL AS VARBINARY(1)), CAST(NULL AS BIGINT), k.[key] FROM @keys AS k INNER LOOP JOIN [sessions] AS t ON t.[token] = CAST(k.[key] AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = k.[key] AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(k.[key]) WHERE t.[expiry] > @now;

-- scs_mssqlstore find: [Key]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
SELECT TOP (1) 1 FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now;

-- scs_mssqlstore create: [Key, Value, Until]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DECLARE @expiry DATETIME2(6) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE t SET [data] = @P2, [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [sessions] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND (t.[expiry] IS NULL OR t.[expiry] <= @now);
IF @@ROWCOUNT = 0 INSERT INTO [sessions] ([token], [data], [expiry]) OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written SELECT CAST(@P1 AS VARCHAR(8000)), @P2, @expiry WHERE NOT EXISTS (SELECT 1 FROM [sessions] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1));
COMMIT TRANSACTION;
SELECT TOP (1) revision FROM @written;

-- scs_mssqlstore swap: [Key, Value, Until, Seen]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DECLARE @expiry DATETIME2(6) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [data] = @P2, [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P4;
SELECT TOP (1) revision FROM @written;

-- scs_mssqlstore touch: [Key, Seen, Until]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DECLARE @expiry DATETIME2(6) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P2;
SELECT TOP (1) revision FROM @written;

-- scs_mssqlstore remove: [Key, Seen]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DELETE t FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P2;
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- scs_mssqlstore page: [After, Limit]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
SELECT TOP (@P2) CAST(RTRIM(t.[token]) AS VARBINARY(8000)), CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), CAST(NULL AS VARBINARY(1)), CAST(DATALENGTH(t.[data]) AS BIGINT) FROM [sessions] AS t WHERE t.[token] > CAST(@P1 AS VARCHAR(8000)) AND t.[expiry] > @now ORDER BY t.[token];

-- scs_mssqlstore purge: [Limit]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
SET DEADLOCK_PRIORITY LOW;
DELETE TOP (@P1) t FROM [sessions] AS t WITH (ROWLOCK, READPAST) WHERE t.[expiry] <= @now;
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- scs_mssqlstore move_to: [Key, Value, Until, Seen, To]
SET NOCOUNT ON;
DECLARE @now DATETIME2(6) = SYSUTCDATETIME(), @last DATETIME2(6) = '99991231';
DECLARE @expiry DATETIME2(6) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [data] = @P2, [token] = CAST(@P5 AS VARCHAR(8000)), [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [sessions] AS t WHERE t.[token] = CAST(@P1 AS CHAR(43)) AND CAST(RTRIM(t.[token]) AS VARBINARY(8000)) = @P1 AND DATALENGTH(RTRIM(t.[token])) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P4;
SELECT TOP (1) revision FROM @written;

-- gorm load: [Key]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
SELECT TOP (1) t.[data], CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]), CAST(NULL AS VARBINARY(1)), CAST(NULL AS VARBINARY(1)) FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now;

-- gorm load_many: [Keys]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL);
INSERT INTO @keys ([key]) SELECT CONVERT(VARBINARY(250), j.value, 2) FROM OPENJSON(CAST(@P1 AS VARCHAR(MAX))) AS j;
SELECT t.[data], CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]), CAST(NULL AS VARBINARY(1)), CAST(NULL AS VARBINARY(1)), CAST(NULL AS BIGINT), k.[key] FROM @keys AS k INNER LOOP JOIN [web].[odd]]'name] AS t ON t.[token] = CAST(k.[key] AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = k.[key] AND DATALENGTH(t.[token]) = DATALENGTH(k.[key]) WHERE t.[expiry] > @now;

-- gorm find: [Key]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
SELECT TOP (1) 1 FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now;

-- gorm create: [Key, Value, Until]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DECLARE @expiry DATETIMEOFFSET(7) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
SET XACT_ABORT ON;
BEGIN TRANSACTION;
UPDATE t SET [data] = @P2, [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [web].[odd]]'name] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND (t.[expiry] IS NULL OR t.[expiry] <= @now);
IF @@ROWCOUNT = 0 INSERT INTO [web].[odd]]'name] ([token], [data], [expiry]) OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written SELECT CAST(@P1 AS VARCHAR(8000)), @P2, @expiry WHERE NOT EXISTS (SELECT 1 FROM [web].[odd]]'name] AS t WITH (UPDLOCK, SERIALIZABLE) WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1));
COMMIT TRANSACTION;
SELECT TOP (1) revision FROM @written;

-- gorm swap: [Key, Value, Until, Seen]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DECLARE @expiry DATETIMEOFFSET(7) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [data] = @P2, [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P4;
SELECT TOP (1) revision FROM @written;

-- gorm touch: [Key, Seen, Until]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DECLARE @expiry DATETIMEOFFSET(7) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P2;
SELECT TOP (1) revision FROM @written;

-- gorm remove: [Key, Seen]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DELETE t FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P2;
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- gorm page: [After, Limit]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
SELECT TOP (@P2) CAST(t.[token] AS VARBINARY(8000)), CAST(CASE WHEN t.[expiry] >= @last THEN 9223372036854775807 ELSE DATEDIFF_BIG(MILLISECOND, @now, t.[expiry]) END AS BIGINT), CAST(NULL AS VARBINARY(1)), CAST(DATALENGTH(t.[data]) AS BIGINT) FROM [web].[odd]]'name] AS t WHERE t.[token] > CAST(@P1 AS VARCHAR(8000)) AND t.[expiry] > @now ORDER BY t.[token];

-- gorm purge: [Limit]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
SET DEADLOCK_PRIORITY LOW;
DELETE TOP (@P1) t FROM [web].[odd]]'name] AS t WITH (ROWLOCK, READPAST) WHERE t.[expiry] <= @now;
SELECT CAST(@@ROWCOUNT AS BIGINT);

-- gorm move_to: [Key, Value, Until, Seen, To]
SET NOCOUNT ON;
DECLARE @now DATETIMEOFFSET(7) = SYSUTCDATETIME(), @last DATETIMEOFFSET(7) = '99991231';
DECLARE @expiry DATETIMEOFFSET(7) = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last);
IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now));
DECLARE @written TABLE (revision VARBINARY(32));
UPDATE t SET [data] = @P2, [token] = CAST(@P5 AS VARCHAR(8000)), [expiry] = CASE WHEN t.[expiry] = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END OUTPUT HASHBYTES('SHA2_256', CAST(inserted.[expiry] AS VARBINARY(16)) + inserted.[data]) INTO @written FROM [web].[odd]]'name] AS t WHERE t.[token] = CAST(@P1 AS VARCHAR(43)) AND CAST(t.[token] AS VARBINARY(8000)) = @P1 AND DATALENGTH(t.[token]) = DATALENGTH(@P1) AND t.[expiry] > @now AND HASHBYTES('SHA2_256', CAST(t.[expiry] AS VARBINARY(16)) + t.[data]) = @P4;
SELECT TOP (1) revision FROM @written;

-- scs_mssqlstore create_if_missing
IF OBJECT_ID(N'[sessions]') IS NULL EXEC (N'CREATE TABLE [sessions] ([token] CHAR(43) PRIMARY KEY, [data] VARBINARY(MAX) NOT NULL, [expiry] DATETIME2(6) NOT NULL);
CREATE INDEX [sessions_expiry_idx] ON [sessions] ([expiry])');

-- gorm create_if_missing
IF OBJECT_ID(N'[web].[odd]]''name]') IS NULL EXEC (N'CREATE TABLE [web].[odd]]''name] ([token] VARCHAR(43) PRIMARY KEY, [data] VARBINARY(MAX), [expiry] DATETIMEOFFSET(7));
CREATE INDEX [idx_odd]]''name_expiry] ON [web].[odd]]''name] ([expiry])');

