using System.CommandLine;
using KprobeTrace.Queries;
using KprobeTrace.Tools;
using KprobeTrace.Tracing;

namespace KprobeTrace.Report.Verbs;

/// <summary>The options that choose events.</summary>
internal sealed class EventFilterOptions
{
    private readonly Option<string[]> _probe = SharedOptions.Many("--probe", "NAME", "Event name, * and ? match (repeatable).");
    private readonly Option<string[]> _symbol = SharedOptions.Many("--symbol", "NAME", "Probed symbol, * and ? match (repeatable).");
    private readonly Option<string[]> _comm = SharedOptions.Many("--comm", "NAME", "Task name, * and ? match (repeatable).");
    private readonly Option<int[]> _pid =
        new Option<int[]>("--pid") { Description = "Task id (repeatable).", HelpName = "N" }.Whole(int.MinValue); // a trace may hold any

    private readonly Option<string[]> _kind = SharedOptions.Many("--kind", "KIND", $"{TraceEventKinds.Choice} (repeatable; all).");
    private readonly Option<int[]> _cpu =
        new Option<int[]>("--cpu") { Description = "CPU number (repeatable).", HelpName = "N" }.Whole(0);

    private readonly Option<long?> _from = SharedOptions.Time("--from", "Earliest virtual time, in seconds or with ns, us, ms.");
    private readonly Option<long?> _to = SharedOptions.Time("--to", "Latest virtual time.");
    private readonly Option<string?> _where = new("--where")
    {
        Description = "SQL condition over the columns of events; with one --probe also over its arguments.",
        HelpName = "SQL",
    };

    private readonly Option<long> _limit =
        new Option<long>("--limit", "-n") { Description = "Stop after N events (0: no limit).", HelpName = "N" }.Whole(0);

    private readonly Option<long> _run = SharedOptions.Run();

    internal EventFilterOptions() => _kind.AcceptOnlyFromAmong(TraceEventKinds.Names.ToArray());

    internal void AddTo(Command command)
    {
        Option[] all = [_probe, _symbol, _comm, _pid, _kind, _cpu, _from, _to, _where, _limit, _run];
        foreach (Option option in all)
        {
            command.Add(option);
        }
    }

    internal EventFilter Read(ParseResult result) => new()
    {
        Run = result.GetValue(_run),
        Probes = result.GetRequiredValue(_probe),
        Symbols = result.GetRequiredValue(_symbol),
        Comms = result.GetRequiredValue(_comm),
        Pids = result.GetRequiredValue(_pid),
        Kinds = result.GetRequiredValue(_kind),
        Cpus = result.GetRequiredValue(_cpu),
        FromNs = result.GetValue(_from),
        ToNs = result.GetValue(_to),
        Where = result.GetValue(_where),
        Limit = result.GetValue(_limit),
    };
}
