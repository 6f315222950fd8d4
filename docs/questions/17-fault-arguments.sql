-- What were the arguments of the hits whose instruction faulted?
-- sqlite
SELECT f.run, f.seq, f.vector, o.dfd, o.arg_name FROM faults f JOIN open o ON o.run = f.run AND o.seq = f.entry_seq ORDER BY f.run, f.seq
-- clickhouse
SELECT run, seq, vector, dfd, arg_name FROM
  (SELECT run, assumeNotNull(entry_seq) AS entry, seq, vector FROM faults WHERE entry_seq IS NOT NULL)
  GLOBAL ANY INNER JOIN (SELECT run, seq AS entry, dfd, arg_name FROM open) USING (run, entry)
ORDER BY run, seq
