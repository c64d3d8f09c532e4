WITH scrim__r1 AS (SELECT (t."patient")::text COLLATE "C" AS "patient", (t."ward")::text COLLATE "C" AS "ward", CASE WHEN t."age" < 0::int8 THEN 0::int8 WHEN t."age" > 120::int8 THEN 120::int8 ELSE t."age"::int8 END AS "age", CASE WHEN t."pulse" = 'NaN' THEN NULL ELSE CASE WHEN t."pulse"::text::numeric IS NOT NULL THEN floor(LEAST(GREATEST(t."pulse"::text::numeric, 0.0), 300.0) * 10)::int8 END END AS "pulse" FROM "clinic"."stays" AS t),
scrim__b2 AS (SELECT "patient" AS u1, "ward" AS k1, "age" AS v1, "pulse" AS v2 FROM scrim__r1 WHERE "patient" IS NOT NULL),
scrim__p3 AS (SELECT u1, k1, 1::int8 AS s1 FROM scrim__b2 GROUP BY u1, k1),
scrim__n4 AS (SELECT u1, k1, s1, ROW_NUMBER() OVER (PARTITION BY u1 ORDER BY hashtextextended(COALESCE(k1, '<NULL>' COLLATE "C"), hashtextextended(u1, hashint8extended($2::int8, $1::int8))), k1) AS n FROM scrim__p3),
scrim__q5 AS (SELECT u1, k1, s1 FROM scrim__n4 WHERE n <= 1::int8),
scrim__c6 AS (SELECT b.u1 AS u1, b.k1 AS k1, (CASE WHEN b.v1 < 0::int8 THEN 0::int8 WHEN b.v1 > 127::int8 THEN 127::int8 ELSE b.v1 END - 0::int8) / 8::int8 AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, (''::text COLLATE "C")) = COALESCE(q.k1, (''::text COLLATE "C")) AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v1 IS NOT NULL),
scrim__i7 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c6),
scrim__o8 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY hashint8extended(i, hashint8extended(cell, hashtextextended(COALESCE(k1, '<NULL>' COLLATE "C"), hashtextextended(u1, hashint8extended($2::int8, $1::int8))))), cell, i) AS n FROM scrim__i7),
scrim__c9 AS (SELECT b.u1 AS u1, b.k1 AS k1, (CASE WHEN b.v2 < 0::int8 THEN 0::int8 WHEN b.v2 > 2999::int8 THEN 2999::int8 ELSE b.v2 END - 0::int8) / 100::int8 AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, (''::text COLLATE "C")) = COALESCE(q.k1, (''::text COLLATE "C")) AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v2 IS NOT NULL),
scrim__i10 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c9),
scrim__o11 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY hashint8extended(i, hashint8extended(cell, hashtextextended(COALESCE(k1, '<NULL>' COLLATE "C"), hashtextextended(u1, hashint8extended($2::int8, $1::int8))))), cell, i) AS n FROM scrim__i10)
SELECT 0 AS part, 0 AS cell, k1 AS key1, COUNT(*) AS units, COUNT(*) AS sum1 FROM scrim__q5 GROUP BY k1
UNION ALL
SELECT 1 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o8 WHERE n <= 2::int8 GROUP BY k1, cell
UNION ALL
SELECT 2 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o11 WHERE n <= 2::int8 GROUP BY k1, cell
ORDER BY key1
