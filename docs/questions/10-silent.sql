-- Which probes never fired, and how many did?
-- sqlite
SELECT hits > 0 AS fired, type, count(*), sum(hits) FROM probes GROUP BY fired, type ORDER BY fired, type
-- clickhouse
SELECT hits > 0 AS fired, type, count(*), sum(hits) FROM probes GROUP BY fired, type ORDER BY fired, type
