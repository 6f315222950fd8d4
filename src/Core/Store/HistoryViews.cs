using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>The documented views of the history, without those of single events. docs/schema.md describes them.</summary>
/// <remarks>
/// The kept registers of <c>regs</c> are looked up one by one: a view that joins is copied whole before it can stand on
/// the right of a LEFT JOIN.
/// </remarks>
internal static class HistoryViews
{
    /// <summary>Traces.</summary>
    internal static HistoryView Runs { get; } = new(
        "runs", "kt_run",
        Of(HistoryTables.Run, "", "run image image_sha256 kernel command_line memory instructions time_ns ended complete events exit_code cpus producer source"));

    /// <summary>Probes.</summary>
    internal static HistoryView Probes { get; } = new(
        "probes", "kt_probe",
        Of(HistoryTables.Probe, "", "run probe grp name type symbol offset address module definition hits nmissed state filter view"));

    /// <summary>Events.</summary>
    internal static HistoryView Events { get; } = new(
        "events", "kt_event e JOIN kt_probe p ON p.run = e.run AND p.probe = e.probe",
        [
            .. Of(HistoryTables.Event, "e", "run seq time_ns insn cpu"),
            Kind("e.kind & 3"),
            .. Of(HistoryTables.Event, "e", "probe"),
            .. Of(HistoryTables.Probe, "p", "name symbol offset"),
            new(Column(HistoryTables.Event, "address"), "coalesce(e.address, p.event_address)"),
            .. Of(HistoryTables.Event, "e", "pid"),
            CommOf("e"),
            new(new Column("args", ColumnType.Text), "coalesce(e.args, '{}')"),
            .. Of(HistoryTables.Event, "e", "stack"),
            CallerOf("e"),
            new(new Column("entry_seq", IsOptional: true), "e.seq - e.link"),
            new(new Column("truncated"), "e.kind >> 2 & 1"),
        ]);

    /// <summary>What the indexes hold of events.</summary>
    internal static HistoryView Hits { get; } = new(
        "hits", "kt_event",
        [.. Of(HistoryTables.Event, "", "run seq probe"), Kind("kind & 3"), .. Of(HistoryTables.Event, "", "time_ns")]);

    /// <summary>Registers.</summary>
    internal static HistoryView Registers { get; } = new(
        "regs", "kt_reg g", [.. Of(HistoryTables.Registers, "g", "run seq"), .. Enumerable.Range(0, TraceRegisters.Count).Select(Register)]);

    /// <summary>Faults of probed instructions.</summary>
    internal static HistoryView Faults { get; } = new(
        "faults", "kt_fault f CROSS JOIN events e ON e.run = f.run AND e.seq = f.seq",
        [
            .. Of(HistoryTables.Fault, "f", "run seq vector error_code cr2 handled"),
            .. Events.Columns.Select(static c => c.Column).Where(static c => c.Name is not ("run" or "seq")).Select(static c => new ViewColumn(c, "e." + c.Name)),
        ]);

    /// <summary>Calls of functions with a return probe.</summary>
    internal static HistoryView Calls { get; } = new(
        "calls", "kt_call k JOIN kt_probe p ON p.run = k.run AND p.probe = k.probe",
        [
            .. Of(HistoryTables.Call, "k", "run"),
            .. Of(HistoryTables.Probe, "p", "name symbol"),
            .. Of(HistoryTables.Call, "k", "pid"),
            CommOf("k"),
            new(new Column("entry_seq", IsOptional: true), "k.return_seq - k.entry"),
            .. Of(HistoryTables.Call, "k", "return_seq"),
            new(Column(HistoryTables.Event, "time_ns"), "(SELECT e.time_ns FROM kt_event e WHERE e.run = k.run AND e.seq = k.return_seq) - k.duration_ns"),
            .. Of(HistoryTables.Call, "k", "duration_ns retval"),
            CallerOf("k"),
            new(new Column("caller_address", ColumnType.Address, IsOptional: true), "(SELECT l.address FROM kt_place l WHERE l.place = k.caller)"),
        ]);

    /// <summary>Symbols.</summary>
    internal static HistoryView Symbols { get; } = Whole("symbols", HistoryTables.Symbol);

    /// <summary>Lines of the console.</summary>
    internal static HistoryView Console { get; } = Whole("console", HistoryTables.Line);

    /// <summary>Changes of code.</summary>
    internal static HistoryView TextPokes { get; } = Whole("text_pokes", HistoryTables.Poke);

    /// <summary>Notes of the recorder.</summary>
    internal static HistoryView Notes { get; } = Whole("notes", HistoryTables.Note);

    /// <summary>What could not be read.</summary>
    internal static HistoryView Damages { get; } = Whole("damages", HistoryTables.Damage);

    /// <summary>Frames of call stacks.</summary>
    internal static HistoryView Stacks { get; } = new(
        "stacks", "kt_frame f CROSS JOIN kt_place l ON l.place = f.place",
        [.. Of(HistoryTables.Frame, "f", "run stack depth"), .. Of(HistoryTables.Place, "l", "address symbol offset module")]);

    /// <summary>Events added up.</summary>
    internal static HistoryView Counts { get; } = new(
        "counts", "kt_tally t JOIN kt_probe p ON p.run = t.run AND p.probe = t.probe LEFT JOIN kt_comm c ON c.comm = t.comm",
        [
            .. Of(HistoryTables.Tally, "t", "run probe"),
            .. Of(HistoryTables.Probe, "p", "name symbol"),
            Kind("t.kind"),
            new(_comm, "c.name"),
            .. Of(HistoryTables.Tally, "t", "events"),
        ]);

    /// <summary>Arguments of probes.</summary>
    internal static HistoryView Arguments { get; } = new(
        "arguments", "kt_argument a JOIN kt_probe p ON p.run = a.run AND p.probe = a.probe",
        [
            .. Of(HistoryTables.Argument, "a", "run probe"),
            new(new Column("event", ColumnType.Text), "p.name"),
            .. Of(HistoryTables.Argument, "a", "position name type"),
        ]);

    /// <summary>All of them, in the order in which they are created; no event's view may take a name of theirs.</summary>
    internal static IReadOnlyList<HistoryView> All { get; } =
    [
        Runs, Probes, Events, Hits, Registers, Faults, Calls, Symbols, Console, TextPokes, Notes, Damages, Stacks, Counts, Arguments,
    ];

    private static Column _comm => new("comm", ColumnType.Text, IsOptional: true);

    private static HistoryView Whole(string name, HistoryTable table) =>
        new(name, table.Name, [.. table.Columns.Select(static c => new ViewColumn(c, c.Name))]);

    /// <summary>Columns of a table as they are.</summary>
    private static ViewColumn[] Of(HistoryTable table, string alias, string names) =>
        [.. names.Split(' ').Select(n => new ViewColumn(Column(table, n), alias.Length > 0 ? $"{alias}.{n}" : n))];

    private static Column Column(HistoryTable table, string name) => table.Columns[table[name]];

    private static ViewColumn Kind(string number) => new(
        new Column("kind", ColumnType.Text),
        $"CASE {number} {string.Concat(TraceEventKinds.Names[..^1].ToArray().Select(static (name, kind) => $"WHEN {kind} THEN '{name}' "))}ELSE '{TraceEventKinds.Names[^1]}' END");

    private static ViewColumn CommOf(string alias) => new(_comm, $"(SELECT c.name FROM kt_comm c WHERE c.comm = {alias}.comm)");

    private static ViewColumn CallerOf(string alias) => new(
        new Column("caller", ColumnType.Text, IsOptional: true),
        $"(SELECT l.symbol || CASE l.offset WHEN 0 THEN '' ELSE printf('+0x%x', l.offset) END FROM kt_place l WHERE l.place = {alias}.caller)");

    private static ViewColumn Register(int number)
    {
        string name = TraceRegisters.Names[number];
        return new ViewColumn(
            new Column(name, ColumnType.Address),
            RegisterColumns.IsKept(number) ? $"(SELECT k.{name} FROM kt_kept k WHERE k.kept = g.kept)" : $"g.{name}");
    }
}
