namespace KprobeTrace.Tests.Report.Models;

/// <summary>A call as the view <c>calls</c> shows it.</summary>
/// <param name="Return">The return event.</param>
/// <param name="EntrySeq">The entry event, null where it was not recorded.</param>
/// <param name="TimeNs">When it was entered.</param>
internal sealed record HistoryCall(HistoryRow Return, long? EntrySeq, long TimeNs)
{
    internal long DurationNs => Return.TimeNs - TimeNs;

    internal long? RetVal => Return.Event.Registers is { } registers ? (long)registers[0] : null;
}
