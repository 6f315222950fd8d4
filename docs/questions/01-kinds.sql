-- How many events of each kind?
-- sqlite
SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind
-- clickhouse
SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind
-- duckdb
SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind
