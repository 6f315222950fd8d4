-- What of which run could not be read?
-- sqlite
SELECT r.run, r.ended, r.complete, d.length, d.reason FROM damages d JOIN runs r ON r.run = d.run ORDER BY r.run, d.offset
-- clickhouse
SELECT run, ended, complete, length, reason FROM
  (SELECT run, offset AS place, length, reason FROM damages) GLOBAL ANY INNER JOIN (SELECT run, ended, complete FROM runs) USING (run)
ORDER BY run, place
