-- Which functions stand on top of the recorded stacks, and below it?
-- sqlite
SELECT s.depth, s.symbol, s.offset, count(*) FROM events e JOIN stacks s USING (run, stack) WHERE s.depth < 2 GROUP BY s.depth, s.symbol, s.offset ORDER BY s.depth, s.symbol, s.offset
-- clickhouse
SELECT depth, symbol, offset, count(*) FROM
  (SELECT run, stack, depth, symbol, offset FROM stacks WHERE depth < 2)
  GLOBAL ALL INNER JOIN (SELECT run, assumeNotNull(stack) AS stack FROM events WHERE stack IS NOT NULL) USING (run, stack)
GROUP BY depth, symbol, offset ORDER BY depth, symbol NULLS FIRST, offset NULLS FIRST
