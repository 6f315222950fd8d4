using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Tables, indexes and views of a history database. docs/schema.md describes the views.</summary>
/// <remarks>
/// The base tables (<c>kt_…</c>) may change with <see cref="Version"/>; the views are what users rely on.
/// The wide registers stand apart from the events, so that questions about events read a fifth of the bytes. Those that
/// calls preserve (<see cref="RegisterColumns.Kept"/>) stand apart once more: an entry, its return and what lies between share
/// a row of them.
/// </remarks>
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

    /// <summary>Tables that are filled page by page: rows arrive in key order.</summary>
    /// <remarks>What is seldom known of an event stands last: a record may end before it, and reads as NULL there.</remarks>
    internal static readonly string Tables = $$"""
        CREATE TABLE kt_run(
          run INTEGER PRIMARY KEY, image TEXT, image_sha256 TEXT, initrd_sha256 TEXT, kernel TEXT, command_line TEXT,
          memory INTEGER, cpus INTEGER, producer TEXT, options TEXT, instructions INTEGER, time_ns INTEGER,
          ended TEXT, exit_code INTEGER, complete INTEGER, events INTEGER, first_seq INTEGER, last_seq INTEGER,
          time_rises INTEGER,
          source TEXT, source_bytes INTEGER, source_time INTEGER, source_sha256 TEXT);
        CREATE TABLE kt_probe(
          run INTEGER, probe INTEGER, grp TEXT, name TEXT, type TEXT, symbol TEXT, offset INTEGER, address INTEGER,
          module TEXT, definition TEXT, filter TEXT, hits INTEGER, nmissed INTEGER, state TEXT, view TEXT,
          event_address INTEGER,
          PRIMARY KEY(run, probe)) WITHOUT ROWID;
        CREATE TABLE kt_argument(
          run INTEGER, probe INTEGER, position INTEGER, name TEXT, type TEXT,
          PRIMARY KEY(run, probe, position)) WITHOUT ROWID;
        CREATE TABLE kt_event(
          run INTEGER, seq INTEGER, time_ns INTEGER, insn INTEGER, cpu INTEGER, kind INTEGER, probe INTEGER,
          pid INTEGER, comm INTEGER, caller INTEGER, args TEXT, link INTEGER, stack INTEGER, address INTEGER,
          PRIMARY KEY(run, seq)) WITHOUT ROWID;
        CREATE TABLE kt_reg(
          run INTEGER, seq INTEGER, {{Declared(RegisterColumns.Own)}}, kept INTEGER,
          PRIMARY KEY(run, seq)) WITHOUT ROWID;
        CREATE TABLE kt_kept(
          kept INTEGER PRIMARY KEY, {{Declared(RegisterColumns.Kept)}});
        CREATE TABLE kt_fault(
          run INTEGER, seq INTEGER, vector INTEGER, error_code INTEGER, cr2 INTEGER, handled INTEGER,
          PRIMARY KEY(run, seq)) WITHOUT ROWID;
        CREATE TABLE kt_call(
          run INTEGER, return_seq INTEGER, entry INTEGER, probe INTEGER, pid INTEGER, comm INTEGER,
          duration_ns INTEGER, retval INTEGER, caller INTEGER,
          PRIMARY KEY(run, return_seq)) WITHOUT ROWID;
        CREATE TABLE kt_comm(comm INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE kt_place(
          place INTEGER PRIMARY KEY, run INTEGER, address INTEGER, symbol TEXT, offset INTEGER, size INTEGER,
          module TEXT);
        CREATE TABLE kt_frame(
          run INTEGER, stack INTEGER, depth INTEGER, place INTEGER, PRIMARY KEY(run, stack, depth)) WITHOUT ROWID;
        CREATE TABLE kt_symbol(run INTEGER, address INTEGER, size INTEGER, name TEXT, module TEXT, kind TEXT);
        CREATE TABLE kt_line(run INTEGER, time_ns INTEGER, insn INTEGER, line TEXT);
        CREATE TABLE kt_poke(run INTEGER, time_ns INTEGER, insn INTEGER, address INTEGER, old BLOB, new BLOB, reason TEXT);
        CREATE TABLE kt_note(run INTEGER, time_ns INTEGER, insn INTEGER, kind TEXT, probe INTEGER, count INTEGER, text TEXT);
        CREATE TABLE kt_damage(run INTEGER, offset INTEGER, length INTEGER, reason TEXT);
        CREATE TABLE kt_tally(run INTEGER, probe INTEGER, kind INTEGER, comm INTEGER, events INTEGER);
        CREATE INDEX kt_event_probe ON kt_event(run, probe, seq, kind);
        CREATE INDEX kt_event_time ON kt_event(run, time_ns, seq, probe);
        """;

    /// <summary>Indexes that SQLite builds itself after the rows are there.</summary>
    internal const string Indexes = """
        CREATE INDEX kt_probe_symbol ON kt_probe(symbol, run, probe);
        CREATE INDEX kt_symbol_address ON kt_symbol(run, address);
        """;

    /// <summary>The documented views, without those of single events.</summary>
    /// <remarks>
    /// The kept registers of <c>regs</c> are looked up one by one: a view that joins is copied whole before it can stand on
    /// the right of a LEFT JOIN.
    /// </remarks>
    internal static readonly string Views = $$"""
        CREATE VIEW runs AS
          SELECT run, image, image_sha256, kernel, command_line, memory, instructions, time_ns, ended, complete,
                 events, exit_code, cpus, producer, source
          FROM kt_run;
        CREATE VIEW probes AS
          SELECT run, probe, grp, name, type, symbol, offset, address, module, definition, hits, nmissed, state,
                 filter, view
          FROM kt_probe;
        CREATE VIEW events AS
          SELECT e.run AS run, e.seq AS seq, e.time_ns AS time_ns, e.insn AS insn, e.cpu AS cpu,
                 {{KindName("e.kind & 3")}} AS kind,
                 e.probe AS probe, p.name AS name, p.symbol AS symbol, p.offset AS offset,
                 coalesce(e.address, p.event_address) AS address, e.pid AS pid,
                 (SELECT c.name FROM kt_comm c WHERE c.comm = e.comm) AS comm,
                 coalesce(e.args, '{}') AS args, e.stack AS stack,
                 (SELECT l.symbol || CASE l.offset WHEN 0 THEN '' ELSE printf('+0x%x', l.offset) END
                  FROM kt_place l WHERE l.place = e.caller) AS caller,
                 e.seq - e.link AS entry_seq, e.kind >> 2 & 1 AS truncated
          FROM kt_event e JOIN kt_probe p ON p.run = e.run AND p.probe = e.probe;
        CREATE VIEW hits AS
          SELECT run, seq, probe,
                 {{KindName("kind & 3")}} AS kind,
                 time_ns
          FROM kt_event;
        CREATE VIEW regs AS
          SELECT g.run AS run, g.seq AS seq, {{Registers()}}
          FROM kt_reg g;
        CREATE VIEW faults AS
          SELECT f.run AS run, f.seq AS seq, f.vector AS vector, f.error_code AS error_code, f.cr2 AS cr2,
                 f.handled AS handled, e.time_ns AS time_ns, e.insn AS insn, e.cpu AS cpu, e.kind AS kind,
                 e.probe AS probe, e.name AS name, e.symbol AS symbol, e.offset AS offset, e.address AS address,
                 e.pid AS pid, e.comm AS comm, e.args AS args, e.stack AS stack, e.caller AS caller,
                 e.entry_seq AS entry_seq, e.truncated AS truncated
          FROM kt_fault f CROSS JOIN events e ON e.run = f.run AND e.seq = f.seq;
        CREATE VIEW calls AS
          SELECT k.run AS run, p.name AS name, p.symbol AS symbol, k.pid AS pid,
                 (SELECT c.name FROM kt_comm c WHERE c.comm = k.comm) AS comm,
                 k.return_seq - k.entry AS entry_seq, k.return_seq AS return_seq,
                 (SELECT e.time_ns FROM kt_event e WHERE e.run = k.run AND e.seq = k.return_seq) - k.duration_ns
                 AS time_ns,
                 k.duration_ns AS duration_ns, k.retval AS retval,
                 (SELECT l.symbol || CASE l.offset WHEN 0 THEN '' ELSE printf('+0x%x', l.offset) END
                  FROM kt_place l WHERE l.place = k.caller) AS caller,
                 (SELECT l.address FROM kt_place l WHERE l.place = k.caller) AS caller_address
          FROM kt_call k JOIN kt_probe p ON p.run = k.run AND p.probe = k.probe;
        CREATE VIEW symbols AS SELECT run, address, size, name, module, kind FROM kt_symbol;
        CREATE VIEW console AS SELECT run, time_ns, insn, line FROM kt_line;
        CREATE VIEW text_pokes AS SELECT run, time_ns, insn, address, old, new, reason FROM kt_poke;
        CREATE VIEW notes AS SELECT run, time_ns, insn, kind, probe, count, text FROM kt_note;
        CREATE VIEW damages AS SELECT run, offset, length, reason FROM kt_damage;
        CREATE VIEW stacks AS
          SELECT f.run AS run, f.stack AS stack, f.depth AS depth, l.address AS address, l.symbol AS symbol,
                 l.offset AS offset, l.module AS module
          FROM kt_frame f CROSS JOIN kt_place l ON l.place = f.place;
        CREATE VIEW counts AS
          SELECT t.run AS run, t.probe AS probe, p.name AS name, p.symbol AS symbol,
                 {{KindName("t.kind")}} AS kind,
                 c.name AS comm, t.events AS events
          FROM kt_tally t
          JOIN kt_probe p ON p.run = t.run AND p.probe = t.probe
          LEFT JOIN kt_comm c ON c.comm = t.comm;
        CREATE VIEW arguments AS
          SELECT a.run AS run, a.probe AS probe, p.name AS event, a.position AS position, a.name AS name,
                 a.type AS type
          FROM kt_argument a JOIN kt_probe p ON p.run = a.run AND p.probe = a.probe;
        """;

    /// <summary>Names of the documented views, which no event's view may take.</summary>
    internal static readonly string[] ViewNames =
    [
        "runs", "probes", "events", "regs", "faults", "calls", "symbols", "console", "text_pokes", "notes", "damages",
        "stacks", "counts", "arguments", "hits",
    ];

    /// <summary>What the names of base tables and their indexes begin with; no event's view may.</summary>
    internal const string Prefix = "kt_";

    /// <summary>Columns of the <c>events</c> view, which no argument's column may take.</summary>
    internal static readonly string[] EventColumns =
    [
        "run", "seq", "time_ns", "insn", "cpu", "kind", "probe", "name", "symbol", "offset", "address", "pid", "comm",
        "args", "stack", "caller", "entry_seq", "truncated",
    ];

    /// <summary>SQL: the name of a kind by its number.</summary>
    private static string KindName(string number) =>
        $"CASE {number} {string.Concat(TraceEventKinds.Names[..^1].ToArray().Select(static (name, kind) => $"WHEN {kind} THEN '{name}' "))}ELSE '{TraceEventKinds.Names[^1]}' END";

    private static string Declared(ReadOnlySpan<int> registers) =>
        string.Join(", ", registers.ToArray().Select(static r => TraceRegisters.Names[r] + " INTEGER"));

    /// <summary>SQL: all registers of a row <c>g</c> of <c>kt_reg</c>.</summary>
    private static string Registers() => string.Join(
        ", ",
        TraceRegisters.Names.ToArray().Select(static (name, r) =>
            RegisterColumns.IsKept(r) ? $"(SELECT k.{name} FROM kt_kept k WHERE k.kept = g.kept) AS {name}" : $"g.{name} AS {name}"));
}
