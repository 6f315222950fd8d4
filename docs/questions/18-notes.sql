-- What had the recorder to say, and of how many probes?
-- sqlite
SELECT kind, count(*), count(probe), sum(count), min(text) FROM notes GROUP BY kind ORDER BY kind
-- clickhouse
SELECT kind, count(*), count(probe), sum(count), min(text) FROM notes GROUP BY kind ORDER BY kind
