-- How long do calls take: count, shortest, mean, 95th percentile, longest?
-- sqlite
SELECT name, count(*), min(duration_ns), sum(duration_ns) / count(*),
       max(CASE WHEN place = (95 * n + 99) / 100 THEN duration_ns END), max(duration_ns)
FROM (SELECT name, duration_ns, row_number() OVER (PARTITION BY name ORDER BY duration_ns) AS place,
             count(*) OVER (PARTITION BY name) AS n FROM calls)
GROUP BY name ORDER BY name
-- clickhouse
SELECT name, count(*), min(duration_ns), intDiv(sum(duration_ns), toInt64(count(*))),
       arrayElement(arraySort(groupArray(duration_ns)), intDiv(95 * count(*) + 99, 100)), max(duration_ns)
FROM calls GROUP BY name ORDER BY name
