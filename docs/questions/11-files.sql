-- Which files are opened, how often, by which tasks?
-- sqlite
SELECT arg_name, comm, count(*) FROM open WHERE kind = 'pre' GROUP BY arg_name, comm ORDER BY arg_name, comm
-- clickhouse
SELECT arg_name, comm, count(*) FROM open WHERE kind = 'pre' GROUP BY arg_name, comm ORDER BY arg_name NULLS FIRST, comm NULLS FIRST
-- duckdb
SELECT arg_name, comm, count(*) FROM events WHERE name = 'open' AND kind = 'pre' GROUP BY arg_name, comm ORDER BY arg_name NULLS FIRST, comm NULLS FIRST
