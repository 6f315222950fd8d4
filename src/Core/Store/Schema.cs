namespace KprobeTrace.Store;

/// <summary>Tables, indexes and views of a history database. docs/schema.md describes the views.</summary>
/// <remarks>The base tables (<c>kt_…</c>) may change with <see cref="Version"/>; the views are what users rely on.</remarks>
internal static class Schema
{
    /// <summary>Stored in the file as <c>user_version</c>; a database with another one is imported again.</summary>
    internal const int Version = 3;

    /// <summary>In <c>kt_event.kind</c>: the kind proper.</summary>
    internal const int KindMask = 3;

    /// <summary>In <c>kt_event.kind</c>: an argument or the stack was cut short.</summary>
    internal const int KindTruncated = 4;

    /// <summary>In <c>kt_event.kind</c>: RFLAGS.IF was clear.</summary>
    internal const int KindInterruptsOff = 8;

    /// <summary>Stored in the file as <c>application_id</c>: "KPTH" in ASCII.</summary>
    internal const int ApplicationId = 0x4B505448;

    internal const int PageSize = 8192;

    /// <summary>Tables and the indexes that are filled page by page: rows arrive in key order.</summary>
    internal static string Tables { get; } = string.Concat(HistoryTables.All.Select(static t => t.Create)) + """
        CREATE INDEX kt_event_probe ON kt_event(run, probe, seq, kind);
        CREATE INDEX kt_event_time ON kt_event(run, time_ns, seq, probe);
        """;

    /// <summary>Indexes that SQLite builds itself after the rows are there.</summary>
    internal const string Indexes = """
        CREATE INDEX kt_probe_symbol ON kt_probe(symbol, run, probe);
        CREATE INDEX kt_symbol_address ON kt_symbol(run, address);
        """;

    /// <summary>The documented views, without those of single events.</summary>
    internal static string Views { get; } = string.Concat(HistoryViews.All.Select(static v => v.Create));

    /// <summary>What the names of base tables and their indexes begin with; no event's view may.</summary>
    internal const string Prefix = "kt_";
}
