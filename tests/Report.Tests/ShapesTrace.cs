using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report;

/// <summary>
/// A trace with an event of every shape: with and without arguments, task, stack and caller, arguments that could not be
/// read, numbers above 2^63, arrays; notes of a probe and of none; cut off before its footer.
/// </summary>
internal static class ShapesTrace
{
    private const ulong Opens = 0xFFFFFFFF81200000;
    internal const ulong Grab = Opens + 0x10000;

    /// <summary>The value of <c>place</c> in event 1, an address of the kernel's half.</summary>
    internal const ulong Place = 0xFFFF888003042A00;

    internal static string Write(string path)
    {
        using TraceWriter writer = TraceWriter.Create(path, new TraceHeader
        {
            ImageName = "vmlinuz-shapes",
            ImageSha256 = new string('5', 64),
            Kernel = "Linux version 6.1.0-test",
            MemoryBytes = 1 << 20,
            Producer = "test",
        });
        writer.WriteSymbol(new TraceSymbol(Opens, 0x200, "do_sys_openat2", "", 'T'));
        writer.WriteSymbol(new TraceSymbol(Opens + 0x1000, 0x100, "ksys_caller", "", 't'));
        writer.WriteSymbol(new TraceSymbol(Grab, 0x100, "grab", "module", 't'));
        writer.WriteProbe(new TraceProbe
        {
            Id = 0,
            Type = 'p',
            Name = "open",
            Symbol = "do_sys_openat2",
            Address = Opens,
            Arguments = [new("dfd", "s32"), new("name", "ustring"), new("list", "s8[2]"), new("place", "")],
        });
        writer.WriteProbe(new TraceProbe
        {
            Id = 1,
            Type = 'r',
            Name = "open_ret",
            Symbol = "do_sys_openat2",
            Address = Opens,
            Arguments = [new("ret", "s64")],
        });
        writer.WriteProbe(new TraceProbe { Id = 2, Type = 'p', Name = "grab", Symbol = "grab", Module = "module", Address = Grab });
        ulong seq = 0;
        Event(TraceEventKind.Pre, 0, 0, Open(-100, "/etc/passwd", [0x92, 1, 2], Place), Stack: [Opens, Opens + 0x1010]);
        Event(TraceEventKind.Post, 0, 1, []);
        Event(TraceEventKind.Pre, 0, 0, Open(5, null, [0x92, 3, 0xC0], 0x7FFF_0000_1234), Stack: [Opens, 0x1234]);
        Event(TraceEventKind.Fault, 0, 3, []);
        Event(TraceEventKind.Return, 1, 1, [0x91, 0xD0, unchecked((byte)-2)], Ax: unchecked((ulong)-2));
        Event(TraceEventKind.Pre, 0, 0, Open(null, "x", [0xC0], 1UL << 63), Task: false);
        Event(TraceEventKind.Post, 0, 6, [], Task: false);
        Event(TraceEventKind.Return, 1, 6, [0x91, 0xC0], Ax: 3, Task: false);
        Event(TraceEventKind.Pre, 2, 0, []);
        writer.WriteNote(new TraceNote { Kind = TraceNoteKind.Miss, ProbeId = 2, Count = 4, Text = "no free instance", TimeNs = 900 });
        writer.WriteNote(new TraceNote { Kind = TraceNoteKind.Remark, Text = "module module loaded", TimeNs = 901 });
        writer.WriteTextPoke(950, 95, Grab, [0x55], [0xCC], "arm");
        return path;

        void Event(
            TraceEventKind kind, int probe, ulong entry, byte[] arguments, ulong[]? Stack = null, bool Task = true, ulong Ax = 0)
        {
            seq++;
            TraceEvent e = new()
            {
                Kind = kind,
                ProbeId = probe,
                TimeNs = seq * 100,
                Instructions = seq * 10,
                Address = probe == 2 ? Grab : Opens,
                Caller = kind == TraceEventKind.Return ? Opens + 0x1010 : 0,
                Pid = Task ? 42 : 0,
                Comm = Task ? new TraceComm("sh"u8) : default,
                Parts = TraceEventParts.Registers | (Task ? TraceEventParts.Task : 0)
                    | (kind == TraceEventKind.Fault ? TraceEventParts.Handled : 0),
                EntrySeq = entry,
                EntryTimeNs = kind == TraceEventKind.Return ? entry * 100 : 0,
                Vector = kind == TraceEventKind.Fault ? (byte)14 : (byte)0,
                ErrorCode = kind == TraceEventKind.Fault ? 2u : 0,
                Cr2 = kind == TraceEventKind.Fault ? 0xFFFF_8000_0000_0010 : 0,
            };
            e.Registers.Ax = Ax;
            e.Registers.Di = Place;
            e.Registers.Ip = e.Address;
            _ = writer.WriteEvent(in e, arguments, Stack ?? []);
        }
    }

    private static byte[] Open(int? dfd, string? name, byte[] list, ulong place)
    {
        byte[] number = dfd is { } n ? [0xD2, (byte)(n >> 24), (byte)(n >> 16), (byte)(n >> 8), (byte)n] : [0xC0];
        byte[] text = name is null ? [0xC0] : [0xD9, (byte)name.Length, .. Encoding.UTF8.GetBytes(name)];
        byte[] address = [0xCF, .. BitConverter.GetBytes(place).Reverse()];
        return [0x94, .. number, .. text, .. list, .. address];
    }
}
