using KprobeTrace.Record;

return RecordTool.Run(args, RecordConsole.OfProcess());
