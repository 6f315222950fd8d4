-- Which events held, in an argument register, the pointer that event 1000 had in di?
-- sqlite
SELECT r.run, r.seq, e.name, e.comm FROM regs r JOIN events e ON e.run = r.run AND e.seq = r.seq
WHERE (SELECT di FROM regs WHERE run = 1 AND seq = 1000) IN (r.di, r.si, r.dx, r.cx, r.r8, r.r9)
ORDER BY r.run, r.seq
-- clickhouse
SELECT run, seq, name, comm FROM
  (SELECT run, seq FROM regs WHERE has([di, si, dx, cx, r8, r9], (SELECT di FROM regs WHERE run = 1 AND seq = 1000)))
  GLOBAL ANY INNER JOIN (SELECT run, seq, name, comm FROM events) USING (run, seq)
ORDER BY run, seq
-- duckdb
SELECT run, seq, name, comm FROM events
WHERE (SELECT di FROM events WHERE run = 1 AND seq = 1000) IN (di, si, dx, cx, r8, r9) ORDER BY run, seq
