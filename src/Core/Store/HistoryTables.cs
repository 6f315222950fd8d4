using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>The base tables of the history, each column once.</summary>
/// <remarks>
/// The wide registers stand apart from the events, so that questions about events read a fifth of the bytes; those of
/// <see cref="RegisterColumns.Kept"/> once more.
/// </remarks>
internal static class HistoryTables
{
    private static readonly Column _run = new("run");
    private static readonly Column _seq = new("seq");
    private static readonly Column _probe = new("probe");
    private static readonly Column _insn = new("insn");
    private static readonly Column _timeNs = new("time_ns", IsOptional: true);
    private static readonly Column _symbol = new("symbol", ColumnType.Text, IsOptional: true);
    private static readonly Column _offset = new("offset", IsOptional: true);
    private static readonly Column _address = new("address", ColumnType.Address, IsOptional: true);
    private static readonly Column _module = new("module", ColumnType.Text, IsOptional: true);
    private static readonly Column _pid = new("pid", IsOptional: true);
    private static readonly Column _comm = new("comm", IsOptional: true);
    private static readonly Column _caller = new("caller", IsOptional: true);
    private static readonly Column _stack = new("stack", IsOptional: true);

    /// <summary>Traces.</summary>
    internal static HistoryTable Run { get; } = new(
        "kt_run", ["run"],
        _run, Text("image"), Text("image_sha256"), Text("initrd_sha256"), Text("kernel"), Text("command_line"), Number("memory"),
        Number("cpus"), Text("producer"), Text("options"), Number("instructions"), _timeNs, Text("ended"), Number("exit_code"),
        Number("complete"), Number("events"), Number("first_seq"), Number("last_seq"), Number("time_rises"), Text("source"),
        Number("source_bytes"), Number("source_time"), Text("source_sha256"));

    /// <summary>Probes.</summary>
    internal static HistoryTable Probe { get; } = new(
        "kt_probe", ["run", "probe"],
        _run, _probe, Text("grp"), Text("name"), Text("type"), _symbol, _offset, _address, _module, Text("definition"), Text("filter"),
        Number("hits"), Number("nmissed"), Text("state"), new Column("view", ColumnType.Text, IsOptional: true),
        new Column("event_address", ColumnType.Address));

    /// <summary>Arguments of probes.</summary>
    internal static HistoryTable Argument { get; } = new(
        "kt_argument", ["run", "probe", "position"], _run, _probe, Number("position"), Text("name"), Text("type"));

    /// <summary>Events.</summary>
    internal static HistoryTable Event { get; } = HistoryTable.Of<EventRow>(
        "kt_event", ["run", "seq"],
        _timeNs, _pid, _comm, _caller, new Column("args", ColumnType.Text, IsOptional: true), new Column("link", IsOptional: true), _stack,
        _address);

    /// <summary>Registers of events, but for those that events share.</summary>
    internal static HistoryTable Registers { get; } = new(
        "kt_reg", ["run", "seq"], [_run, _seq, .. Named(RegisterColumns.Own), Number("kept")]);

    /// <summary>Registers that several events share.</summary>
    internal static HistoryTable Kept { get; } = new("kt_kept", ["kept"], [Number("kept"), .. Named(RegisterColumns.Kept)]);

    /// <summary>Faults of probed instructions.</summary>
    internal static HistoryTable Fault { get; } = HistoryTable.Of<FaultRow>("kt_fault", ["run", "seq"], new Column("cr2", ColumnType.Address));

    /// <summary>Calls of functions with a return probe.</summary>
    internal static HistoryTable Call { get; } = HistoryTable.Of<CallRow>(
        "kt_call", ["run", "return_seq"],
        new Column("entry", IsOptional: true), _pid, _comm, new Column("retval", ColumnType.Address, IsOptional: true), _caller);

    /// <summary>Names of tasks.</summary>
    internal static HistoryTable Comm { get; } = new("kt_comm", ["comm"], _comm, Text("name"));

    /// <summary>Code addresses and their symbols.</summary>
    internal static HistoryTable Place { get; } = new(
        "kt_place", ["place"], Number("place"), _run, _address, _symbol, _offset, Number("size"), _module);

    /// <summary>Frames of call stacks.</summary>
    internal static HistoryTable Frame { get; } = HistoryTable.Of<FrameRow>("kt_frame", ["run", "stack", "depth"], _stack);

    /// <summary>Symbols.</summary>
    internal static HistoryTable Symbol { get; } = new("kt_symbol", [], _run, _address, Number("size"), Text("name"), _module, Text("kind"));

    /// <summary>Lines of the console.</summary>
    internal static HistoryTable Line { get; } = new("kt_line", [], _run, _timeNs, _insn, Text("line"));

    /// <summary>Changes of code.</summary>
    internal static HistoryTable Poke { get; } = new(
        "kt_poke", [], _run, _timeNs, _insn, _address, new Column("old", ColumnType.Bytes), new Column("new", ColumnType.Bytes), Text("reason"));

    /// <summary>Notes of the recorder.</summary>
    internal static HistoryTable Note { get; } = new(
        "kt_note", [], _run, _timeNs, _insn, Text("kind"), _probe with { IsOptional = true }, Number("count"), Text("text"));

    /// <summary>What could not be read.</summary>
    internal static HistoryTable Damage { get; } = new("kt_damage", [], _run, _offset, Number("length"), Text("reason"));

    /// <summary>Events added up.</summary>
    internal static HistoryTable Tally { get; } = new("kt_tally", [], _run, _probe, Number("kind"), _comm, Number("events"));

    /// <summary>All of them, in the order in which they are created.</summary>
    internal static IReadOnlyList<HistoryTable> All { get; } =
    [
        Run, Probe, Argument, Event, Registers, Kept, Fault, Call, Comm, Place, Frame, Symbol, Line, Poke, Note, Damage, Tally,
    ];

    private static Column Number(string name) => new(name);

    private static Column Text(string name) => new(name, ColumnType.Text);

    private static Column[] Named(ReadOnlySpan<int> registers) =>
        [.. registers.ToArray().Select(static r => new Column(TraceRegisters.Names[r], ColumnType.Address))];
}
