using System.Globalization;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A change of one event, so that what differs between two histories is known.</summary>
/// <param name="Kind">How it is changed.</param>
/// <param name="Event">Which event it is, counted round and round.</param>
/// <param name="Form">Which value of several forms it gets.</param>
internal sealed record HistoryEdit(HistoryEditKind Kind, int Event, int Form)
{
    /// <summary>Changes the events of a history; the numbers and what refers to them follow.</summary>
    internal static List<HistoryEvent> Apply(IReadOnlyList<HistoryEdit> edits, List<HistoryEvent> events)
    {
        int fresh = 0;
        foreach (HistoryEdit edit in edits.Where(_ => events.Count > 0))
        {
            int index = edit.Event % events.Count;
            fresh++;
            switch (edit.Kind)
            {
                case HistoryEditKind.Remove:
                    events = Without(events, index);
                    break;
                case HistoryEditKind.Argument when events[index].Arguments is { Count: > 0 } arguments:
                    string type = events[index].Probe.Definition.Arguments[0].Type;
                    events[index] = events[index] with { Arguments = [Fresh(type, edit.Form, fresh), .. arguments.Skip(1)] };
                    break;
                case HistoryEditKind.Register when events[index].Registers is { } registers:
                    events[index] = events[index] with { Registers = [.. registers.Select((r, i) => i == edit.Form ? 0xABC0000UL + (ulong)fresh : r)] };
                    break;
                case HistoryEditKind.Time:
                    events = [.. events.Select((e, i) => i < index ? e : e with { TimeNs = e.TimeNs + 7 })];
                    break;
                default:
                    break;
            }
        }

        return events;
    }

    private static List<HistoryEvent> Without(List<HistoryEvent> events, int index)
    {
        ulong gone = events[index].Seq;
        return
        [
            .. events.Where((_, i) => i != index).Select(e => e with
            {
                Seq = e.Seq - (e.Seq > gone ? 1UL : 0),
                EntrySeq = e.EntrySeq == gone ? 0 : e.EntrySeq - (e.EntrySeq > gone ? 1UL : 0),
            }),
        ];
    }

    /// <summary>A value that no event draws: a text, a small number, or one that stands for an address.</summary>
    private static object? Fresh(string type, int form, int number) => HistoryValues.Plain(type) switch
    {
        _ when type.EndsWith(']') => (object?[])[.. Enumerable.Repeat(Fresh(type[..type.IndexOf('[', StringComparison.Ordinal)], form, number), 2)],
        string => (form % 3) switch
        {
            0 => string.Create(CultureInfo.InvariantCulture, $"fresh {number}"),
            1 => string.Create(CultureInfo.InvariantCulture, $"at,{7_000_000 + number}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"\":{7_000_000 + number}"),
        },
        long => (form % 3) switch { 0 => -700_000L - number, 1 => 700_000L + number, _ => -7_000_000L - number },
        _ => (form % 3) switch { 0 => 700_000UL + (ulong)number, 1 => 7_000_000UL + (ulong)number, _ => 0xFFFF_FFFF_7000_0000 + (ulong)number },
    };
}
