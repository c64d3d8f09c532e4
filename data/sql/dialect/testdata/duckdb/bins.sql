WITH scrim__r1 AS (SELECT (CAST(t."patient" AS VARCHAR) COLLATE C) AS "patient", (CAST(t."ward" AS VARCHAR) COLLATE C) AS "ward", CASE WHEN t."age" < CAST(0 AS BIGINT) THEN CAST(0 AS BIGINT) WHEN t."age" > CAST(120 AS BIGINT) THEN CAST(120 AS BIGINT) ELSE CAST(t."age" AS BIGINT) END AS "age", CASE WHEN TRY_CAST(CAST(t."pulse" AS VARCHAR) AS DECIMAL(38,18)) IS NOT NULL THEN CAST(FLOOR(LEAST(GREATEST(TRY_CAST(CAST(t."pulse" AS VARCHAR) AS DECIMAL(38,18)), TRY_CAST('0.0' AS DECIMAL(38,18))), TRY_CAST('300.0' AS DECIMAL(38,18))) * 10) AS BIGINT) WHEN isnan(TRY_CAST(CAST(t."pulse" AS VARCHAR) AS DOUBLE)) THEN NULL WHEN TRY_CAST(CAST(t."pulse" AS VARCHAR) AS DOUBLE) >= 300.0 THEN CAST(3000 AS BIGINT) WHEN TRY_CAST(CAST(t."pulse" AS VARCHAR) AS DOUBLE) <= 0.0 THEN CAST(0 AS BIGINT) END AS "pulse" FROM "clinic"."stays" AS t),
scrim__b2 AS (SELECT "patient" AS u1, "ward" AS k1, "age" AS v1, "pulse" AS v2 FROM scrim__r1 WHERE "patient" IS NOT NULL),
scrim__p3 AS (SELECT u1, k1, CAST(1 AS BIGINT) AS s1 FROM scrim__b2 GROUP BY u1, k1),
scrim__n4 AS (SELECT u1, k1, s1, ROW_NUMBER() OVER (PARTITION BY u1 ORDER BY hash(hash(k1) + (hash(hash(u1) + (hash(CAST($2 AS BIGINT), CAST($1 AS BIGINT)))::HUGEINT))::HUGEINT), k1) AS n FROM scrim__p3),
scrim__q5 AS (SELECT u1, k1, s1 FROM scrim__n4 WHERE n <= CAST(1 AS BIGINT)),
scrim__c6 AS (SELECT b.u1 AS u1, b.k1 AS k1, (CASE WHEN b.v1 IS NOT NULL THEN LEAST(GREATEST(b.v1, CAST(0 AS BIGINT)), CAST(127 AS BIGINT)) END - CAST(0 AS BIGINT)) // CAST(8 AS BIGINT) AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, '') = COALESCE(q.k1, '') AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v1 IS NOT NULL),
scrim__i7 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c6),
scrim__o8 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY hash(hash(i) + (hash(hash(cell) + (hash(hash(k1) + (hash(hash(u1) + (hash(CAST($2 AS BIGINT), CAST($1 AS BIGINT)))::HUGEINT))::HUGEINT))::HUGEINT))::HUGEINT), cell, i) AS n FROM scrim__i7),
scrim__c9 AS (SELECT b.u1 AS u1, b.k1 AS k1, (CASE WHEN b.v2 IS NOT NULL THEN LEAST(GREATEST(b.v2, CAST(0 AS BIGINT)), CAST(2999 AS BIGINT)) END - CAST(0 AS BIGINT)) // CAST(100 AS BIGINT) AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, '') = COALESCE(q.k1, '') AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v2 IS NOT NULL),
scrim__i10 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c9),
scrim__o11 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY hash(hash(i) + (hash(hash(cell) + (hash(hash(k1) + (hash(hash(u1) + (hash(CAST($2 AS BIGINT), CAST($1 AS BIGINT)))::HUGEINT))::HUGEINT))::HUGEINT))::HUGEINT), cell, i) AS n FROM scrim__i10)
SELECT 0 AS part, 0 AS cell, k1 AS key1, COUNT(*) AS units, COUNT(*) AS sum1 FROM scrim__q5 GROUP BY k1
UNION ALL
SELECT 1 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o8 WHERE n <= CAST(2 AS BIGINT) GROUP BY k1, cell
UNION ALL
SELECT 2 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o11 WHERE n <= CAST(2 AS BIGINT) GROUP BY k1, cell
ORDER BY key1
