using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>Writes a Perfetto trace: a track for each task with slices for calls, one for each CPU with its tasks.</summary>
/// <remarks>
/// Field numbers are those of perfetto's <c>trace_packet.proto</c>, <c>track_event.proto</c>,
/// <c>track_descriptor.proto</c>, <c>process_descriptor.proto</c>, <c>thread_descriptor.proto</c> and
/// <c>debug_annotation.proto</c>. Events that belong to no call are instants. A run is a process whose number is the
/// run's; its tasks are the threads of that process.
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
    private const int DescriptorProcess = 3;
    private const int DescriptorThread = 4;
    private const int DescriptorParent = 5;
    private const int ProcessId = 1;
    private const int ProcessName = 6;
    private const int ThreadProcess = 1;
    private const int ThreadId = 2;
    private const int ThreadName = 5;
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

    /// <summary>Stands for the task of a guest that has none: no number of 32 bits, which a trace may give any task.</summary>
    private const long NoTask = long.MinValue;

    /// <summary>Tracks of a run are numbered from its own number times this.</summary>
    private const int TracksLog2 = 40;

    /// <summary>Writes the run that is named, or all of them side by side.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options)
    {
        IReadOnlyList<long> runs = EventSelection.Runs(history.Database, options.Run);
        ExportTarget.File(path, options, stream =>
        {
            for (int i = 0; i < runs.Count; i++)
            {
                new Writer(history, stream, options.Part(i, runs.Count), runs[i]).Write();
            }
        });
    }

    private sealed class Writer
    {
        private readonly SqliteDatabase _database;
        private readonly Stream _stream;
        private readonly ExportOptions _options;
        private readonly ExportRun _run;
        private readonly ProtobufWriter _packets = new();
        private readonly ArgumentValues _arguments = new();
        private readonly Dictionary<long, long> _lastComm = [];
        private readonly Dictionary<long, ulong> _tasks = [];
        private readonly Dictionary<long, (ulong Track, long Pid, long Comm)> _cpus = [];
        private readonly ulong _process;
        private ulong _nextTrack;

        internal Writer(TraceHistory history, Stream stream, ExportOptions options, long run)
        {
            _database = history.Database;
            _stream = stream;
            _options = options;
            _run = new ExportRun(history, run);
            _process = ((ulong)run << TracksLog2) + 1;
            _nextTrack = _process;
        }

        internal void Write()
        {
            ReadTaskNames();
            WriteProcess();
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
                if (events.Int32(3) == (int)TraceEventKind.Return && !events.IsNull(8))
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
                EndSlice(track, lastTime);
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
            ulong track = TaskTrack(row.IsNull(5) ? NoTask : row.Int64(5));
            ExportProbe probe = _run.ProbeOf(row.Int64(0), row.Int64(4));
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
            EndSlice(track, end);
        }

        private void WriteInstant(SqliteStatement row)
        {
            ulong track = TaskTrack(row.IsNull(5) ? NoTask : row.Int64(5));
            ExportProbe probe = _run.ProbeOf(row.Int64(0), row.Int64(4));
            int begin = Begin(track, row.UInt64(1), Instant, out int packet);
            int kind = row.Int32(3);
            _packets.Text(EventName, kind == (int)TraceEventKind.Pre ? probe.Name : $"{probe.Name} {TraceEventKinds.Names[kind]}");
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
                TraceArgument argument = probe.Arguments[i];
                if (_arguments.IsNull(i))
                {
                    // It could not be read: a query finds NULL where no annotation is.
                    continue;
                }

                int annotation = _packets.Begin(EventAnnotation);
                _packets.Text(AnnotationName, argument.Name);
                if (_arguments.Number(i) is { } number)
                {
                    _packets.Varint(argument.Kind.IsAddress ? AnnotationPointer : AnnotationInt, unchecked((ulong)number));
                }
                else
                {
                    _packets.Text(AnnotationText, _arguments.Text(i)!);
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
            long pid = row.IsNull(5) ? NoTask : row.Int64(5);
            long comm = row.Int64(6);
            if (_cpus.TryGetValue(cpu, out (ulong Track, long Pid, long Comm) now))
            {
                if (now.Pid == pid && now.Comm == comm)
                {
                    return;
                }

                EndSlice(now.Track, row.UInt64(1));
            }
            else
            {
                now.Track = Track(string.Create(CultureInfo.InvariantCulture, $"CPU {cpu}"));
            }

            _cpus[cpu] = (now.Track, pid, comm);
            Event(now.Track, row.UInt64(1), SliceBegin, TaskName(pid, comm), "task");
        }

        private string TaskName(long pid, long comm) => pid == NoTask
            ? "(no task)"
            : string.Create(CultureInfo.InvariantCulture, $"{System.Text.Encoding.UTF8.GetString(_run.Comm(comm))} {pid}");

        /// <summary>A task may change its name; a track has one, and the last one tells most.</summary>
        private void ReadTaskNames()
        {
            using SqliteStatement tasks = _database.Prepare("SELECT pid, comm FROM kt_event WHERE run = ?1 ORDER BY seq");
            _ = tasks.Bind(1, _run.Run);
            while (tasks.Step())
            {
                if (!tasks.IsNull(0))
                {
                    _lastComm[tasks.Int64(0)] = tasks.Int64(1);
                }
            }

            _options.Cancellation.ThrowIfCancellationRequested();
        }

        private void WriteProcess()
        {
            int descriptor = BeginTrack(out int packet);
            int process = _packets.Begin(DescriptorProcess);
            _packets.Varint(ProcessId, (uint)_run.Run);
            _packets.Text(ProcessName, string.Create(CultureInfo.InvariantCulture, $"run {_run.Run}: {_run.Image}"));
            _packets.End(process);
            _packets.End(descriptor);
            _packets.End(packet);
        }

        private ulong TaskTrack(long pid)
        {
            if (!_tasks.TryGetValue(pid, out ulong track))
            {
                // A thread 0 means an idle CPU to readers of traces, so that task is a track like any other.
                string name = TaskName(pid, _lastComm.GetValueOrDefault(pid));
                track = pid > 0 ? ThreadTrack(pid, name) : Track(name);
                _tasks.Add(pid, track);
            }

            return track;
        }

        private ulong ThreadTrack(long pid, string name)
        {
            ulong track = _nextTrack;
            int descriptor = BeginTrack(out int packet);
            int thread = _packets.Begin(DescriptorThread);
            _packets.Varint(ThreadProcess, (uint)_run.Run);
            _packets.Varint(ThreadId, (uint)pid);
            _packets.Text(ThreadName, name[..name.LastIndexOf(' ')]);
            _packets.End(thread);
            _packets.End(descriptor);
            _packets.End(packet);
            return track;
        }

        private ulong Track(string name)
        {
            ulong track = _nextTrack;
            int descriptor = BeginTrack(out int packet);
            _packets.Text(DescriptorName, name);
            _packets.Varint(DescriptorParent, _process);
            _packets.End(descriptor);
            _packets.End(packet);
            return track;
        }

        private int BeginTrack(out int packet)
        {
            packet = _packets.Begin(Packet);
            _packets.Varint(SequenceId, (uint)_run.Run);
            int descriptor = _packets.Begin(TrackDescriptor);
            _packets.Varint(DescriptorUuid, _nextTrack++);
            return descriptor;
        }

        private int Begin(ulong track, ulong time, ulong type, out int packet)
        {
            packet = _packets.Begin(Packet);
            _packets.Varint(Timestamp, time);
            _packets.Varint(SequenceId, (uint)_run.Run);
            int begin = _packets.Begin(TrackEvent);
            _packets.Varint(EventType, type);
            _packets.Varint(EventTrack, track);
            return begin;
        }

        private void Event(ulong track, ulong time, ulong type, string name, string category)
        {
            int begin = Begin(track, time, type, out int packet);
            _packets.Text(EventName, name);
            _packets.Text(EventCategory, category);
            _packets.End(begin);
            _packets.End(packet);
        }

        private void EndSlice(ulong track, ulong time)
        {
            int begin = Begin(track, time, SliceEnd, out int packet);
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
                track = track == 0 ? Track("console") : track;
                Event(track, lines.UInt64(0), Instant, lines.Text(1), "console");
                Flush(FlushBytes);
            }
        }
    }
}
