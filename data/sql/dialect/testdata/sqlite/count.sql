WITH scrim__r1 AS (SELECT CASE WHEN t."patient" IS NOT NULL THEN scrim_text(t."patient") END AS "patient" FROM main."clinic.stays" AS t),
scrim__b2 AS (SELECT "patient" AS u1 FROM scrim__r1 WHERE "patient" IS NOT NULL),
scrim__p3 AS (SELECT u1, min(max(COUNT(*), 0), 3) AS s1, 1 AS s2 FROM scrim__b2 GROUP BY u1)
SELECT 0 AS part, 0 AS cell, COUNT(*) AS units, min(max(COALESCE(SUM(s1), 0), (-4611686018427387903)), 4611686018427387903) AS sum1, COUNT(*) AS sum2 FROM scrim__p3
