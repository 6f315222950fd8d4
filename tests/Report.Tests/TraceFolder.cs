using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report;

/// <summary>A folder of its own for a test's traces and databases.</summary>
internal sealed class TraceFolder : IDisposable
{
    internal const ulong Clone = 0xFFFFFFFF81094000;
    internal const ulong Open = 0xFFFFFFFF81200000;

    private readonly string _path = Directory.CreateTempSubdirectory("kprobe-report-").FullName;

    internal string this[string name] => Path.Combine(_path, name);

    /// <summary>Writes the trace of a history and returns its path; <see cref="TraceText"/> has the language.</summary>
    internal string Trace(string history, string name = "t.mpk") => TraceText.Parse(history).Write(this[name]);

    /// <summary>Writes a small trace: nested and recursive calls, a fault, awkward names.</summary>
    internal string Small(
        string name = "small.mpk", Action<List<Entry>>? change = null, string image = "vmlinuz-test", string probe = "fork")
    {
        List<Entry> entries =
        [
            new(TraceEventKind.Pre, 0, 100, 1, "init", Di: 17),
            new(TraceEventKind.Return, 1, 250, 1, "init", EntrySeq: 1, EntryTime: 100, Ax: 42),
            new(TraceEventKind.Pre, 2, 300, 42, "sh", Arguments: Open42("/etc/passwd")),
            new(TraceEventKind.Pre, 2, 340, 42, "sh", Arguments: Open42("a,\"b\"\n<script>'x'")),
            new(TraceEventKind.Return, 3, 380, 42, "sh", EntrySeq: 4, EntryTime: 340, Ax: 3, Arguments: [0x91, 0x03]),
            new(TraceEventKind.Return, 3, 500, 42, "sh", EntrySeq: 3, EntryTime: 300, Ax: 4, Arguments: [0x91, 0x04]),
            new(TraceEventKind.Pre, 0, 600, 42, "e\"v,i'l\n", Di: 17),
            new(TraceEventKind.Fault, 0, 601, 42, "e\"v,i'l\n", Vector: 14, ErrorCode: 2, Cr2: 0x7FFF0000, EntrySeq: 7),
            new(TraceEventKind.Post, 0, 650, 42, "sh", EntrySeq: 7),
        ];
        change?.Invoke(entries);
        return Write(name, entries, image, probe: probe);
    }

    internal string Write(
        string name, IReadOnlyList<Entry> entries, string image = "vmlinuz-test", bool complete = true,
        string commandLine = "console=ttyS0 panic=-1", string probe = "fork", ulong memory = 512 << 20, string initrd = "")
    {
        string path = this[name];
        using TraceWriter writer = TraceWriter.Create(
            path,
            new TraceHeader
            {
                ImageName = image,
                ImageSha256 = new string(image[^1], 64),
                Kernel = "Linux version 6.1.0-test",
                CommandLine = commandLine,
                InitrdSha256 = initrd,
                MemoryBytes = memory,
                Producer = "test",
            },
            new TraceWriterOptions { EventsPerChunk = 256 });
        writer.WriteSymbol(new TraceSymbol(Clone, 0x400, "kernel_clone", "", 'T'));
        writer.WriteSymbol(new TraceSymbol(Open, 0x200, "do_sys_openat2", "", 'T'));
        writer.WriteSymbol(new TraceSymbol(Open + 0x1000, 0x100, "ksys_caller", "", 't'));
        writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = probe, Symbol = "kernel_clone", Address = Clone });
        writer.WriteProbe(new TraceProbe { Id = 1, Type = 'r', Name = "fork_ret", Symbol = "kernel_clone", Address = Clone });
        writer.WriteProbe(new TraceProbe
        {
            Id = 2,
            Type = 'p',
            Name = "open",
            Symbol = "do_sys_openat2",
            Address = Open,
            Definition = "p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring",
            Arguments = [new("dfd", "s32"), new("name", "ustring")],
        });
        writer.WriteProbe(new TraceProbe
        {
            Id = 3,
            Type = 'r',
            Name = "open_ret",
            Symbol = "do_sys_openat2",
            Address = Open,
            Arguments = [new("ret", "s64")],
        });
        writer.WriteProbe(new TraceProbe { Id = 4, Type = 'p', Name = "events", Symbol = "never_called", Address = Open + 0x5000 });
        writer.WriteConsoleLine(50, 50, "Linux version 6.1.0-test"u8);
        writer.WriteTextPoke(10, 10, Clone, [0x55], [0xCC], "arm");
        ulong[] hits = new ulong[5];
        foreach (Entry entry in entries)
        {
            TraceEvent e = new()
            {
                Kind = entry.Kind,
                ProbeId = entry.Probe,
                TimeNs = entry.Time,
                Instructions = entry.Time,
                Address = entry.Probe < 2 ? Clone : Open,
                Caller = entry.Kind == TraceEventKind.Return || entry.Probe == 2 ? Open + 0x1010 : 0,
                Pid = entry.Pid,
                Comm = new TraceComm(Encoding.UTF8.GetBytes(entry.Comm)),
                Parts = TraceEventParts.Registers | TraceEventParts.Task,
                EntrySeq = entry.EntrySeq,
                EntryTimeNs = entry.EntryTime,
                Vector = entry.Vector,
                ErrorCode = entry.ErrorCode,
                Cr2 = entry.Cr2,
            };
            e.Registers.Ax = entry.Ax;
            e.Registers.Di = entry.Di;
            e.Registers.Ip = e.Address;
            e.Registers.Flags = entry.Flags;
            _ = writer.WriteEvent(in e, entry.Arguments ?? [], []);
            hits[entry.Probe]++;
        }

        if (complete)
        {
            writer.Complete(new TraceFooter
            {
                Ended = "poweroff",
                TimeNs = 1000,
                Instructions = 900,
                Probes = [.. hits.Select((h, i) => new TraceProbeCount(i, h, 0, "armed"))],
            });
        }

        return path;
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    internal static byte[] Open42(string name)
    {
        byte[] text = Encoding.UTF8.GetBytes(name);
        return [0x92, 0xD0, unchecked((byte)-100), 0xD9, (byte)text.Length, .. text];
    }

    internal sealed record Entry(
        TraceEventKind Kind, int Probe, ulong Time, int Pid, string Comm, ulong EntrySeq = 0, ulong EntryTime = 0,
        ulong Ax = 0, ulong Di = 0, byte[]? Arguments = null, byte Vector = 0, uint ErrorCode = 0, ulong Cr2 = 0, ulong Flags = 0x246);
}
