using KprobeTrace.Report;

return ReportTool.Run(args, ReportConsole.OfProcess());
