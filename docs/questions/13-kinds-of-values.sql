-- Which kinds of events have which arguments?
-- sqlite
SELECT kind, count(*), count(dfd), count(arg_name), count(place), count(list) FROM open GROUP BY kind ORDER BY kind
-- clickhouse
SELECT kind, count(*), count(dfd), count(arg_name), count(place), count(list) FROM open GROUP BY kind ORDER BY kind
-- duckdb
SELECT kind, count(*), count(arg_dfd), count(arg_name), count(arg_place), count(arg_list) FROM events WHERE name = 'open' GROUP BY kind ORDER BY kind
