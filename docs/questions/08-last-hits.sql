-- What was the last hit of each probe before event 5000?
-- sqlite
SELECT run, name, max(seq) FROM events WHERE seq < 5000 GROUP BY run, name ORDER BY run, name
-- clickhouse
SELECT run, name, max(seq) FROM events WHERE seq < 5000 GROUP BY run, name ORDER BY run, name
-- duckdb
SELECT run, name, max(seq) FROM events WHERE seq < 5000 GROUP BY run, name ORDER BY run, name
