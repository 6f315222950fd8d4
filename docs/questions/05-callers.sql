-- Who calls each function most often?
-- sqlite
SELECT symbol, caller, count(*) AS n FROM calls GROUP BY symbol, caller ORDER BY n DESC, symbol, caller LIMIT 20
-- clickhouse
SELECT symbol, caller, count(*) AS n FROM calls GROUP BY symbol, caller ORDER BY n DESC, symbol, caller LIMIT 20
