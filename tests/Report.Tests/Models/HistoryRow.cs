namespace KprobeTrace.Tests.Report.Models;

/// <summary>An event as the view <c>events</c> shows it (docs/schema.md).</summary>
/// <param name="Run">Its run.</param>
/// <param name="Event">The event.</param>
/// <param name="Args">The arguments as JSON.</param>
/// <param name="Caller">Where it was called from, as <c>symbol+0xoffset</c>.</param>
internal sealed record HistoryRow(long Run, HistoryEvent Event, string Args, string? Caller)
{
    internal long Seq => (long)Event.Seq;

    internal long TimeNs => (long)Event.TimeNs;

    internal long Insn => (long)Event.Instructions;

    internal long Cpu => Event.Cpu;

    internal string Kind => Event.KindName;

    internal long Probe => Event.Probe.Definition.Id;

    internal string Name => Event.Probe.Definition.Name;

    internal string Symbol => Event.Probe.Definition.Symbol;

    internal long Offset => (long)Event.Probe.Definition.Offset;

    internal long Address => (long)Event.Probe.Definition.Address;

    internal long? Pid => Event.Task?.Pid;

    internal string? Comm => Event.Task?.Comm;

    internal long? EntrySeq => Event.EntrySeq == 0 ? null : (long)Event.EntrySeq;

    /// <summary>True for the events that are hits: one for each call, one for each execution.</summary>
    internal bool IsHit => Kind is "pre" or "ret";

    /// <summary>An argument's value as SQL sees it: null, <see cref="long"/> or text; an array is JSON.</summary>
    internal object? Argument(string name)
    {
        int index = Event.Probe.Definition.Arguments.ToList().FindIndex(a => a.Name == name);
        return index < 0 || Event.Arguments is null ? null : Event.Arguments[index] switch
        {
            null => null,
            long number => number,
            ulong number => (long)number,
            object?[] list => HistoryJson.Of(list),
            object text => HistoryJson.TextOf(text),
        };
    }
}
