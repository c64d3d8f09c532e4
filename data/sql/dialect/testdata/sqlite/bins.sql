WITH scrim__r1 AS (SELECT CASE WHEN t."patient" IS NOT NULL THEN scrim_text(t."patient") END AS "patient", CASE WHEN t."ward" IS NOT NULL THEN scrim_text(t."ward") END AS "ward", CASE typeof(t."age") WHEN 'integer' THEN CASE WHEN t."age" < 0 THEN 0 WHEN t."age" > 120 THEN 120 ELSE t."age" END WHEN 'null' THEN NULL ELSE scrim_number(t."age", 0, 0, 120, 0) END AS "age", CASE typeof(t."pulse") WHEN 'integer' THEN CASE WHEN t."pulse" < 0 THEN 0 WHEN t."pulse" > 300 THEN 3000 ELSE t."pulse" * 10 END WHEN 'null' THEN NULL ELSE scrim_number(t."pulse", 1, 0, 3000, 0) END AS "pulse" FROM main."clinic.stays" AS t),
scrim__b2 AS MATERIALIZED (SELECT "patient" AS u1, "ward" AS k1, "age" AS v1, "pulse" AS v2 FROM scrim__r1 WHERE "patient" IS NOT NULL),
scrim__p3 AS (SELECT u1, k1, 1 AS s1 FROM scrim__b2 GROUP BY u1, k1),
scrim__n4 AS (SELECT u1, k1, s1, ROW_NUMBER() OVER (PARTITION BY u1 ORDER BY scrim_rank(?1, 1, u1, k1), k1) AS n FROM scrim__p3),
scrim__q5 AS MATERIALIZED (SELECT u1, k1, s1 FROM scrim__n4 WHERE n <= 1),
scrim__c6 AS (SELECT b.u1 AS u1, b.k1 AS k1, (min(max(b.v1, 0), 127) - 0) / 8 AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, '') = COALESCE(q.k1, '') AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v1 IS NOT NULL),
scrim__i7 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c6),
scrim__o8 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY scrim_place(?1, 1, u1, k1, cell, i), cell, i) AS n FROM scrim__i7),
scrim__c9 AS (SELECT b.u1 AS u1, b.k1 AS k1, (min(max(b.v2, 0), 2999) - 0) / 100 AS cell FROM scrim__b2 AS b INNER JOIN scrim__q5 AS q ON b.u1 = q.u1 AND COALESCE(b.k1, '') = COALESCE(q.k1, '') AND CASE WHEN b.k1 IS NULL THEN 1 ELSE 0 END = CASE WHEN q.k1 IS NULL THEN 1 ELSE 0 END WHERE b.v2 IS NOT NULL),
scrim__i10 AS (SELECT u1, k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1, cell ORDER BY cell) - 1 AS i FROM scrim__c9),
scrim__o11 AS (SELECT k1, cell, ROW_NUMBER() OVER (PARTITION BY u1, k1 ORDER BY scrim_place(?1, 1, u1, k1, cell, i), cell, i) AS n FROM scrim__i10)
SELECT 0 AS part, 0 AS cell, k1 AS key1, COUNT(*) AS units, COUNT(*) AS sum1 FROM scrim__q5 GROUP BY k1
UNION ALL
SELECT 1 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o8 WHERE n <= 2 GROUP BY k1, cell
UNION ALL
SELECT 2 AS part, cell, k1 AS key1, COUNT(*) AS units, 0 AS sum1 FROM scrim__o11 WHERE n <= 2 GROUP BY k1, cell
ORDER BY key1
