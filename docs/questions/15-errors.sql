-- Which calls failed, with which error?
-- sqlite
SELECT name, retval, caller, count(*) FROM calls WHERE retval BETWEEN -4095 AND -1 GROUP BY name, retval, caller ORDER BY name, retval, caller
-- clickhouse
SELECT name, retval, caller, count(*) FROM calls WHERE retval BETWEEN -4095 AND -1 GROUP BY name, retval, caller ORDER BY name, retval, caller
