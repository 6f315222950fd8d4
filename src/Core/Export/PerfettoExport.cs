using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Export;

/// <summary>Writes a Perfetto trace: a track for each task with slices for calls, one for each CPU with its tasks.</summary>
/// <remarks>
/// Field numbers are those of perfetto's <c>trace_packet.proto</c>, <c>track_event.proto</c>,
/// <c>track_descriptor.proto</c> and <c>debug_annotation.proto</c>. Events that belong to no call are instants.
/// </remarks>
public static class PerfettoExport
{
    private const int Packet = 1;
    private const int Timestamp = 8;
    private const int SequenceId = 10;
    private const int TrackEvent = 11;
    private const int TrackDescriptor = 60;
    private const int DescriptorUuid = 1;
    private const int DescriptorName = 2;
    private const int DescriptorThread = 4;
    private const int EventType = 9;
    private const int EventTrack = 11;
    private const int EventCategory = 22;
    private const int EventName = 23;
    private const int EventAnnotation = 4;
    private const int AnnotationName = 10;
    private const int AnnotationInt = 4;
    private const int AnnotationText = 6;
    private const int AnnotationPointer = 7;
    private const ulong SliceBegin = 1;
    private const ulong SliceEnd = 2;
    private const ulong Instant = 3;
    private const int FlushBytes = 1 << 20;

    /// <summary>Writes one run; of several runs the one that is named, or the first.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options) =>
        ExportTarget.File(path, stream => new Writer(history, stream, options).Write());

    private sealed class Writer
    {
        private readonly SqliteDatabase _database;
        private readonly Stream _stream;
        private readonly ExportOptions _options;
        private readonly ExportRun _run;
        private readonly ProtobufWriter _packets = new();
        private readonly ArgumentValues _arguments = new();
        private readonly Dictionary<long, ulong> _tasks = [];
        private readonly Dictionary<long, (ulong Track, long Pid, long Comm)> _cpus = [];
        private ulong _nextTrack = 1;

        internal Writer(TraceHistory history, Stream stream, ExportOptions options)
        {
            _database = history.Database;
            _stream = stream;
            _options = options;
            _run = new ExportRun(history, EventSelection.Runs(history.Database, options.Run)[0]);
        }

        internal void Write()
        {
            using SqliteStatement events = _database.Prepare("""
                SELECT e.seq, e.time_ns, e.cpu, e.kind & 3, e.probe, e.pid, e.comm, e.args, k.duration_ns, k.retval, k.entry
                FROM kt_event e LEFT JOIN kt_call k ON k.run = e.run AND k.return_seq = e.seq
                WHERE e.run = ?1 ORDER BY e.seq
                """);
            _ = events.Bind(1, _run.Run);
            long done = 0;
            ulong lastTime = 0;
            while (events.Step())
            {
                lastTime = events.UInt64(1);
                WriteCpu(events);
                if (events.Int32(3) == 3 && !events.IsNull(8))
                {
                    WriteCall(events);
                }
                else
                {
                    WriteInstant(events);
                }

                if (++done % 4096 == 0)
                {
                    _options.Cancellation.ThrowIfCancellationRequested();
                    _options.Progress?.Invoke((double)done / Math.Max(1, _run.Events));
                }

                Flush(FlushBytes);
            }

            foreach ((ulong track, _, _) in _cpus.Values)
            {
                Event(track, lastTime, SliceEnd, null, null);
            }

            WriteConsole();
            Flush(0);
        }

        private void Flush(int above)
        {
            if (_packets.Bytes.Length > above)
            {
                _stream.Write(_packets.Bytes);
                _packets.Clear();
            }
        }

        /// <summary>The call whose return this is: its beginning and its end. The reader sorts by time.</summary>
        private void WriteCall(SqliteStatement row)
        {
            ulong track = TaskTrack(row.IsNull(5) ? -1 : row.Int64(5), row);
            ExportProbe probe = _run.Probes[row.Int64(4)];
            ulong end = row.UInt64(1);
            int begin = Begin(track, end - row.UInt64(8), SliceBegin, out int packet);
            _packets.Text(EventName, probe.Symbol.Length > 0 ? probe.Symbol : probe.Name);
            _packets.Text(EventCategory, probe.Name);
            Annotate("seq", row.Int64(0));
            if (!row.IsNull(9))
            {
                Annotate("retval", row.Int64(9));
            }

            Arguments(row, probe);
            _packets.End(begin);
            _packets.End(packet);
            Event(track, end, SliceEnd, null, null);
        }

        private void WriteInstant(SqliteStatement row)
        {
            ulong track = TaskTrack(row.IsNull(5) ? -1 : row.Int64(5), row);
            ExportProbe probe = _run.Probes[row.Int64(4)];
            int begin = Begin(track, row.UInt64(1), Instant, out int packet);
            string kind = row.Int32(3) switch { 1 => " post", 2 => " fault", 3 => " ret", _ => "" };
            _packets.Text(EventName, probe.Name + kind);
            _packets.Text(EventCategory, probe.Symbol);
            Annotate("seq", row.Int64(0));
            Arguments(row, probe);
            _packets.End(begin);
            _packets.End(packet);
        }

        private void Arguments(SqliteStatement row, ExportProbe probe)
        {
            _arguments.Read(row.Utf8(7));
            for (int i = 0; i < probe.Arguments.Count && i < _arguments.Count; i++)
            {
                ExportArgument argument = probe.Arguments[i];
                int annotation = _packets.Begin(EventAnnotation);
                _packets.Text(AnnotationName, argument.Name);
                if (_arguments.Number(i) is { } number)
                {
                    bool pointer = ArgumentText.StyleOf(argument.Type) is ArgumentStyle.Hex or ArgumentStyle.Symbol;
                    _packets.Varint(pointer ? AnnotationPointer : AnnotationInt, unchecked((ulong)number));
                }
                else
                {
                    _packets.Text(AnnotationText, _arguments.Text(i) ?? "(fault)");
                }

                _packets.End(annotation);
            }
        }

        private void Annotate(string name, long value)
        {
            int annotation = _packets.Begin(EventAnnotation);
            _packets.Text(AnnotationName, name);
            _packets.Varint(AnnotationInt, unchecked((ulong)value));
            _packets.End(annotation);
        }

        /// <summary>Which task a CPU runs, as slices that end when another one is seen on it.</summary>
        private void WriteCpu(SqliteStatement row)
        {
            long cpu = row.Int64(2);
            long pid = row.IsNull(5) ? -1 : row.Int64(5);
            long comm = row.Int64(6);
            if (_cpus.TryGetValue(cpu, out (ulong Track, long Pid, long Comm) now))
            {
                if (now.Pid == pid && now.Comm == comm)
                {
                    return;
                }

                Event(now.Track, row.UInt64(1), SliceEnd, null, null);
            }
            else
            {
                now = (Track(string.Create(CultureInfo.InvariantCulture, $"CPU {cpu}"), null, null), 0, 0);
            }

            _cpus[cpu] = (now.Track, pid, comm);
            Event(now.Track, row.UInt64(1), SliceBegin, TaskName(pid, comm), "task");
        }

        private string TaskName(long pid, long comm) => pid < 0
            ? "(no task)"
            : string.Create(CultureInfo.InvariantCulture, $"{System.Text.Encoding.UTF8.GetString(_run.Comm(comm))} {pid}");

        private ulong TaskTrack(long pid, SqliteStatement row)
        {
            if (!_tasks.TryGetValue(pid, out ulong track))
            {
                track = Track(TaskName(pid, row.Int64(6)), pid, row.Int64(6));
                _tasks.Add(pid, track);
            }

            return track;
        }

        private ulong Track(string name, long? pid, long? comm)
        {
            ulong track = _nextTrack++;
            int packet = _packets.Begin(Packet);
            _packets.Varint(SequenceId, 1);
            int descriptor = _packets.Begin(TrackDescriptor);
            _packets.Varint(DescriptorUuid, track);
            if (pid is >= 0)
            {
                // Task ids are thread ids; which process they belong to the trace does not say.
                int thread = _packets.Begin(DescriptorThread);
                _packets.Varint(1, (ulong)pid);
                _packets.Varint(2, (ulong)pid);
                _packets.Bytes32(5, _run.Comm(comm ?? 0));
                _packets.End(thread);
            }
            else
            {
                _packets.Text(DescriptorName, name);
            }

            _packets.End(descriptor);
            _packets.End(packet);
            return track;
        }

        private int Begin(ulong track, ulong time, ulong type, out int packet)
        {
            packet = _packets.Begin(Packet);
            _packets.Varint(Timestamp, time);
            _packets.Varint(SequenceId, 1);
            int begin = _packets.Begin(TrackEvent);
            _packets.Varint(EventType, type);
            _packets.Varint(EventTrack, track);
            return begin;
        }

        private void Event(ulong track, ulong time, ulong type, string? name, string? category)
        {
            int begin = Begin(track, time, type, out int packet);
            if (name is not null)
            {
                _packets.Text(EventName, name);
                _packets.Text(EventCategory, category ?? "");
            }

            _packets.End(begin);
            _packets.End(packet);
        }

        private void WriteConsole()
        {
            using SqliteStatement lines = _database.Prepare("SELECT time_ns, line FROM kt_line WHERE run = ?1 ORDER BY rowid");
            _ = lines.Bind(1, _run.Run);
            ulong track = 0;
            while (lines.Step())
            {
                track = track == 0 ? Track("console", null, null) : track;
                Event(track, lines.UInt64(0), Instant, lines.Text(1), "console");
                Flush(FlushBytes);
            }
        }
    }
}
