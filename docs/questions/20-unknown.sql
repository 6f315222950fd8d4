-- Of how many events is what not known?
-- sqlite
SELECT run, count(*) - count(pid), count(*) - count(comm), count(*) - count(caller), count(*) - count(stack), count(*) - count(entry_seq) FROM events GROUP BY run ORDER BY run
-- clickhouse
SELECT run, count(*) - count(pid), count(*) - count(comm), count(*) - count(caller), count(*) - count(stack), count(*) - count(entry_seq) FROM events GROUP BY run ORDER BY run
