-- Which faults happened where?
-- sqlite
SELECT vector, symbol, error_code, handled, count(*) FROM faults GROUP BY vector, symbol, error_code, handled ORDER BY 1, 2, 3, 4
-- clickhouse
SELECT vector, symbol, error_code, handled, count(*) FROM faults GROUP BY vector, symbol, error_code, handled ORDER BY vector, symbol, error_code, handled
