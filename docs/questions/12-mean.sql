-- What is the mean of an argument? Events without it do not count.
-- sqlite
SELECT count(*), count(dfd), min(dfd), sum(dfd) / count(dfd), max(dfd) FROM open
-- clickhouse
SELECT count(*), count(dfd), min(dfd), intDiv(sum(dfd), toInt64(count(dfd))), max(dfd) FROM open
-- duckdb
SELECT count(*), count(arg_dfd), min(arg_dfd), sum(arg_dfd)::BIGINT // count(arg_dfd), max(arg_dfd) FROM events WHERE name = 'open'
