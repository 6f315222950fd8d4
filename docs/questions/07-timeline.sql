-- How do events spread over virtual time, by millisecond?
-- sqlite
SELECT time_ns / 1000000 AS ms, count(*) FROM events GROUP BY ms ORDER BY ms
-- clickhouse
SELECT intDiv(time_ns, 1000000) AS ms, count(*) FROM events GROUP BY ms ORDER BY ms
-- duckdb
SELECT time_ns // 1000000 AS ms, count(*) FROM events GROUP BY ms ORDER BY ms
