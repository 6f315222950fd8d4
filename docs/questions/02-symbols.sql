-- Which symbols are hit most? The post or fault event of a hit is no further hit.
-- sqlite
SELECT symbol, count(*) AS n FROM events WHERE kind IN ('pre', 'ret') GROUP BY symbol ORDER BY n DESC, symbol LIMIT 10
-- clickhouse
SELECT symbol, count(*) AS n FROM events WHERE kind IN ('pre', 'ret') GROUP BY symbol ORDER BY n DESC, symbol LIMIT 10
-- duckdb
SELECT symbol, count(*) AS n FROM events WHERE kind IN ('pre', 'ret') GROUP BY symbol ORDER BY n DESC, symbol LIMIT 10
