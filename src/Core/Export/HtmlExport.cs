using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>Writes one self-contained HTML page about one or more runs: no network, no other file.</summary>
/// <remarks>
/// The page is <c>report-page.html</c> with the data as JSON in a script element; its scripts put text into the
/// document as text only, so nothing in a trace can become markup.
/// </remarks>
public static class HtmlExport
{
    /// <summary>Events in the page's tables at most, over all its runs.</summary>
    public const int MaxEvents = 100_000;

    /// <summary>Runs in a page at most.</summary>
    public const int MaxRuns = 16;

    private const int MaxConsoleLines = 20_000;
    private const int TimelineBins = 480;
    private const int TimelineRows = 40;
    private const int MaxLatencies = 24;
    private const int MaxFlameDepth = 60;
    private const double LeastFlameShare = 0.0005;
    private const string Placeholder = "/*DATA*/";
    private const string KindsPlaceholder = "/*KINDS*/";

    /// <summary>Writes the page of the run that is named, or of all of them.</summary>
    /// <exception cref="KprobeTraceException">There are more runs than a page takes, or the file cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options)
    {
        IReadOnlyList<long> runs = EventSelection.Runs(history.Database, options.Run);
        if (runs.Count > MaxRuns)
        {
            throw new KprobeTraceException(string.Create(
                CultureInfo.InvariantCulture,
                $"{history.Database.Path} holds {runs.Count} runs, {runs[0]} to {runs[^1]}; a page takes {MaxRuns}, name one with --run"));
        }

        string page = Template();
        int at = page.IndexOf(Placeholder, StringComparison.Ordinal);
        ExportTarget.File(path, options, stream =>
        {
            using Utf8Output output = new(stream, leaveOpen: true);
            output.Write(page.AsSpan(0, at));
            output.Write("["u8);
            for (int i = 0; i < runs.Count; i++)
            {
                output.Write(i > 0 ? ",\n"u8 : ""u8);
                new Page(history, runs[i], output, options.Part(i, runs.Count), MaxEvents / runs.Count).Write();
            }

            output.Write("]"u8);
            output.Write(page.AsSpan(at + Placeholder.Length));
        });
    }

    private static string Template()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("report-page.html")!;
        using StreamReader reader = new(stream);
        string kinds = string.Join(", ", TraceEventKinds.Names.ToArray().Select(static name => $"'{name}'"));
        return reader.ReadToEnd().Replace(KindsPlaceholder, kinds, StringComparison.Ordinal);
    }

    private sealed class Page
    {
        private readonly TraceHistory _history;
        private readonly SqliteDatabase _database;
        private readonly long _run;
        private readonly Utf8Output _output;
        private readonly ExportOptions _options;
        private readonly ExportRun _info;
        private readonly int _maxEvents;

        internal Page(TraceHistory history, long run, Utf8Output output, ExportOptions options, int maxEvents)
        {
            _maxEvents = maxEvents;
            _history = history;
            _database = history.Database;
            _run = run;
            _output = output;
            _options = options;
            _info = new ExportRun(history, run);
        }

        internal void Write()
        {
            _output.Write("{"u8);
            WriteSummary();
            WriteTimeline();
            WriteLatencies();
            WriteFlame();
            WriteProbes();
            WriteEvents();
            WriteConsole();
            _output.Write("}"u8);
        }

        private void WriteSummary()
        {
            TraceSummary summary = TraceSummary.Read(_history, 25, _run)[0];
            Key("run");
            _output.Write("{"u8);
            bool first = true;
            foreach ((string name, string value) in summary.Properties)
            {
                Separate(ref first);
                Text(name);
                _output.Write(":"u8);
                Text(value);
            }

            _output.Write("},"u8);
            Pairs("kinds", summary.Kinds);
            Pairs("comms", summary.Comms);
            Key("symbols");
            List(summary.Symbols, s => Cells(s.Name, s.Symbol, s.Count));
            Key("faults");
            List(summary.Faults, f => Cells(f.Vector, f.Count, f.Handled));
            Key("silent");
            List(summary.Silent, s => Cells(s.Name, s.Symbol, s.State));
            Key("counts");
            _output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{{\"events\":{summary.Events},\"probes\":{summary.Probes},\"silent\":{summary.SilentCount}}},"));
            Key("notes");
            List(summary.Notes.Concat(summary.Damage).ToList(), n => Text(n));
        }

        private void WriteTimeline()
        {
            using SqliteStatement span = _database.Prepare("SELECT min(time_ns), max(time_ns) FROM kt_event WHERE run = ?1");
            _ = span.Bind(1, _run).Step();
            long from = span.Int64(0);
            UInt128 width = (UInt128)Math.Max(1, span.Int64(1) - from + 1);
            Dictionary<long, long[]> rows = [];
            using (SqliteStatement events = _database.Prepare($"""
                SELECT probe, time_ns FROM kt_event e WHERE run = ?1 AND {HitCounts.IsHit("kind & 3", "e")} ORDER BY seq
                """))
            {
                _ = events.Bind(1, _run);
                long done = 0;
                while (events.Step())
                {
                    long probe = events.Int64(0);
                    if (!rows.TryGetValue(probe, out long[]? bins))
                    {
                        rows.Add(probe, bins = new long[TimelineBins + 1]);
                    }

                    int bin = (int)((UInt128)(ulong)(events.Int64(1) - from) * TimelineBins / width);
                    bins[Math.Clamp(bin, 0, TimelineBins - 1)]++;
                    bins[TimelineBins]++;
                    if ((++done & 0xFFFF) == 0)
                    {
                        _options.Cancellation.ThrowIfCancellationRequested();
                        _options.Progress?.Invoke(0.5 * done / Math.Max(1, _info.Events));
                    }
                }
            }

            Key("timeline");
            _output.Write(string.Create(
                CultureInfo.InvariantCulture, $"{{\"from\":{from},\"to\":{from + (long)(width - 1)},\"bins\":{TimelineBins},\"rows\":"));
            List(rows.OrderByDescending(static r => r.Value[TimelineBins]).ThenBy(static r => r.Key).Take(TimelineRows).ToList(), row =>
            {
                _output.Write("["u8);
                Text(_info.Probes[row.Key].Name);
                _output.Write(","u8);
                _output.WriteInteger(row.Value[TimelineBins]);
                _output.Write(",["u8);
                for (int i = 0; i < TimelineBins; i++)
                {
                    _output.Write(i > 0 ? "," : "");
                    _output.WriteInteger(row.Value[i]);
                }

                _output.Write("]]"u8);
            });
            _output.Write("\"rowsAll\":"u8);
            _output.WriteInteger(rows.Count);
            _output.Write("},"u8);
        }

        private void WriteLatencies()
        {
            Dictionary<string, long[]> buckets = [];
            using (SqliteStatement calls = _database.Prepare("SELECT probe, duration_ns FROM kt_call WHERE run = ?1"))
            {
                _ = calls.Bind(1, _run);
                while (calls.Step())
                {
                    string name = _info.Probes[calls.Int64(0)].Name;
                    if (!buckets.TryGetValue(name, out long[]? counts))
                    {
                        buckets.Add(name, counts = new long[64]);
                    }

                    counts[BitOperations.Log2((ulong)Math.Max(1, calls.Int64(1)))]++;
                }
            }

            Key("latencies");
            List(
                LatencyQuery.Read(_history, [], _run).Where(l => l.Between == "entry-ret").Take(MaxLatencies).ToList(),
                row =>
                {
                    _output.Write("{\"name\":"u8);
                    Text(row.Name);
                    _output.Write(",\"symbol\":"u8);
                    Text(row.Symbol);
                    _output.Write(string.Create(
                        CultureInfo.InvariantCulture,
                        $",\"count\":{row.Count},\"mean\":{row.MeanNs:0.0},\"p50\":{row.P50Ns},\"p95\":{row.P95Ns},\"p99\":{row.P99Ns},\"max\":{row.MaxNs},\"buckets\":["));
                    long[] counts = buckets[row.Name];
                    bool first = true;
                    for (int i = 0; i < counts.Length; i++)
                    {
                        if (counts[i] > 0)
                        {
                            Separate(ref first);
                            _output.Write(string.Create(CultureInfo.InvariantCulture, $"[{i},{counts[i]}]"));
                        }
                    }

                    _output.Write("]}"u8);
                });
        }

        private void WriteFlame()
        {
            Key("flame");
            try
            {
                StackNode root = StackQuery.Read(_history, new EventFilter { Run = _run }, _options.Cancellation);
                if (root.Count == 0)
                {
                    _output.Write("null,"u8);
                    return;
                }

                Node(root, Math.Max(1, (long)(root.Count * LeastFlameShare)), 0);
                _output.Write(","u8);
            }
            catch (KprobeTraceException)
            {
                // A trace without stacks and callers has no flame graph.
                _output.Write("null,"u8);
            }
        }

        private void Node(StackNode node, long least, int depth)
        {
            _output.Write("["u8);
            Text(node.Name);
            _output.Write(","u8);
            _output.WriteInteger(node.Count);
            _output.Write(",["u8);
            bool first = true;
            if (depth < MaxFlameDepth)
            {
                foreach (StackNode child in node.Children)
                {
                    if (child.Count >= least)
                    {
                        Separate(ref first);
                        Node(child, least, depth + 1);
                    }
                }
            }

            _output.Write("]]"u8);
        }

        private void WriteProbes()
        {
            Key("probes");
            _output.Write("{"u8);
            bool first = true;
            foreach (ExportProbe probe in _info.Probes.Values)
            {
                Separate(ref first);
                _output.Write(string.Create(CultureInfo.InvariantCulture, $"\"{probe.Id}\":"));
                Text(probe.Name);
            }

            _output.Write("},"u8);
        }

        /// <summary>Rows of sequence number, time, CPU, kind, probe, task id, number of the task's name, text.</summary>
        private void WriteEvents()
        {
            Dictionary<long, int> comms = [];
            List<byte[]> names = [];
            Key("events");
            _output.Write("[\n"u8);
            bool first = true;
            long done = 0;
            new EventLines(_history).Read(_run, _maxEvents, (row, body) =>
            {
                long comm = row.IsNull(6) ? -1 : row.Int64(6);
                if (!comms.TryGetValue(comm, out int number))
                {
                    comms.Add(comm, number = names.Count);
                    names.Add(comm < 0 ? [] : _info.Comm(comm));
                }

                _output.Write(first ? "[" : ",\n[");
                first = false;
                foreach (int column in (ReadOnlySpan<int>)[0, 1, 2, 3, 4, 5])
                {
                    if (column == 5 && row.IsNull(column))
                    {
                        _output.Write("null"u8);
                    }
                    else
                    {
                        _output.WriteInteger(column == 3 ? row.Int64(3) & 3 : row.Int64(column));
                    }

                    _output.WriteByte((byte)',');
                }

                _output.WriteInteger(number);
                _output.WriteByte((byte)',');
                _output.WriteJsonString(body);
                _output.WriteByte((byte)']');
                if ((++done & 0xFFF) == 0)
                {
                    _options.Cancellation.ThrowIfCancellationRequested();
                    _options.Progress?.Invoke(0.5 + (0.5 * done / Math.Min(_maxEvents, _info.Events)));
                }
            });
            _output.Write("\n],"u8);
            Key("commNames");
            List(names, n => _output.WriteJsonString(n));
        }

        private void WriteConsole()
        {
            Key("consoleAll");
            _output.WriteInteger(_database.ScalarInt64($"SELECT count(*) FROM kt_line WHERE run = {_run}"));
            _output.Write(","u8);
            _output.Write("\"console\":["u8);
            using SqliteStatement lines = _database.Prepare(
                "SELECT time_ns, line FROM kt_line WHERE run = ?1 ORDER BY rowid LIMIT ?2");
            _ = lines.Bind(1, _run).Bind(2, MaxConsoleLines);
            bool first = true;
            while (lines.Step())
            {
                Separate(ref first);
                _output.Write("["u8);
                _output.WriteInteger(lines.Int64(0));
                _output.Write(","u8);
                _output.WriteJsonString(lines.Utf8(1));
                _output.Write("]"u8);
            }

            _output.Write("]"u8);
        }

        private void Key(string name) => _output.Write("\"" + name + "\":");

        private void Text(string text) => _output.WriteJsonString(Encoding.UTF8.GetBytes(text));

        private void Separate(ref bool first)
        {
            _output.Write(first ? ""u8 : ","u8);
            first = false;
        }

        private void Pairs(string key, IReadOnlyList<(string Name, long Count)> pairs)
        {
            Key(key);
            List(pairs, p => Cells(p.Name, p.Count));
        }

        private void List<T>(IReadOnlyList<T> items, Action<T> write)
        {
            _output.Write("["u8);
            bool first = true;
            foreach (T item in items)
            {
                Separate(ref first);
                write(item);
            }

            _output.Write("],"u8);
        }

        private void Cells(params ReadOnlySpan<object> values)
        {
            _output.Write("["u8);
            bool first = true;
            foreach (object value in values)
            {
                Separate(ref first);
                if (value is string text)
                {
                    Text(text);
                }
                else
                {
                    _output.WriteInteger(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                }
            }

            _output.Write("]"u8);
        }
    }
}
