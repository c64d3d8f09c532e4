WITH scrim__r1 AS (SELECT (t."patient")::text COLLATE "C" AS "patient" FROM "clinic"."stays" AS t),
scrim__b2 AS (SELECT "patient" AS u1 FROM scrim__r1 WHERE "patient" IS NOT NULL),
scrim__p3 AS (SELECT u1, LEAST(GREATEST(COUNT(*), 0::int8), 3::int8) AS s1, 1::int8 AS s2 FROM scrim__b2 GROUP BY u1)
SELECT 0 AS part, 0 AS cell, COUNT(*) AS units, LEAST(GREATEST(COALESCE(SUM(s1::int4), 0), (-4611686018427387903)::int8), 4611686018427387903::int8) AS sum1, COUNT(*) AS sum2 FROM scrim__p3
