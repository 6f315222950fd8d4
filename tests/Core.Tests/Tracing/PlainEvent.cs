namespace KprobeTrace.Tests.Tracing;

/// <summary>An event as docs/trace-format.md has it: its fields by name, and what they mean together.</summary>
internal sealed record PlainEvent(
    IReadOnlyDictionary<string, ulong> Fields, ulong Seq, ulong Instructions, int Probe, int Kind, int Parts, int Pid, byte[] Comm,
    object?[]? Arguments, ulong[] Stack)
{
    /// <summary>Virtual time in nanoseconds.</summary>
    public ulong Time => unchecked(Instructions + Fields["idle"]);

    /// <summary>The event that this one completes; 0: none.</summary>
    public ulong Entry => Fields["back"] == 0 ? 0 : Seq - Fields["back"];

    /// <summary>When that event was; 0: unknown.</summary>
    public ulong EntryTime => Fields["duration"] == 0 ? 0 : unchecked(Time - Fields["duration"] + 1);

    public ulong this[string field] => Fields[field];
}
