-- Which symbols are hit most?
-- sqlite
SELECT symbol, count(*) AS n FROM events GROUP BY symbol ORDER BY n DESC, symbol LIMIT 10
-- clickhouse
SELECT symbol, count(*) AS n FROM events GROUP BY symbol ORDER BY n DESC, symbol LIMIT 10
