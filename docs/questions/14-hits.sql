-- How often was each probe hit, by which tasks?
-- sqlite
SELECT name, comm, sum(events) FROM counts WHERE kind IN ('pre', 'ret') GROUP BY name, comm ORDER BY name, comm
-- clickhouse
SELECT name, comm, sum(events) FROM counts WHERE kind IN ('pre', 'ret') GROUP BY name, comm ORDER BY name, comm NULLS FIRST
-- duckdb
SELECT name, comm, count(*) FROM events WHERE kind IN ('pre', 'ret') GROUP BY name, comm ORDER BY name, comm NULLS FIRST
