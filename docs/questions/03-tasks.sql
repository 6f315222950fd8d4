-- What does each task do: events, different probes, first and last sight?
-- sqlite
SELECT comm, pid, count(*), count(DISTINCT probe), min(time_ns), max(time_ns) FROM events GROUP BY comm, pid ORDER BY comm, pid
-- clickhouse
SELECT comm, pid, count(*), uniqExact(probe), min(time_ns), max(time_ns) FROM events GROUP BY comm, pid ORDER BY comm NULLS FIRST, pid NULLS FIRST
-- duckdb
SELECT comm, pid, count(*), count(DISTINCT probe), min(time_ns), max(time_ns) FROM events GROUP BY comm, pid ORDER BY comm NULLS FIRST, pid NULLS FIRST
