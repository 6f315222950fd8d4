// Runs a kernel with two probes that change what it does:
// a return probe that edits a return value, and a kprobe that skips a function.
//
//     dotnet run --project samples/ProbeHandlers -- guests/demo/demo.elf
using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Session;

const ulong noEntry = unchecked((ulong)-2);
const ulong noPermission = unchecked((ulong)-13);

using Stream console = Console.OpenStandardOutput();
using GuestSession guest = GuestSession.Open(new GuestOptions { Image = args[0] }, console.WriteByte);

// Whoever opens a missing file is told that he may not.
Kretprobe open = new()
{
    Handler = (instance, ref registers) =>
    {
        if (registers.Ax == noEntry)
        {
            registers.Ax = noPermission;
        }

        return 0;
    },
};
open.Kp.SymbolName = "do_sys_open";

// Kernel messages that mention a segfault are never printed: the handler does what the function's RET would do.
int skipped = 0;
Kprobe print = new()
{
    SymbolName = "printk",
    PreHandler = (probe, ref registers) =>
    {
        Span<byte> format = stackalloc byte[64];
        if (!guest.TryRead(registers.Di, format) || !Encoding.ASCII.GetString(format).Contains("segfault", StringComparison.Ordinal))
        {
            return 0;
        }

        Span<byte> caller = stackalloc byte[sizeof(ulong)];
        guest.TryRead(registers.Sp, caller);
        registers.Ip = BitConverter.ToUInt64(caller);
        registers.Sp += sizeof(ulong);
        skipped++;
        return 1;
    },
};

foreach (KprobeResult result in new[] { guest.Kprobes.RegisterKretprobe(open), guest.Kprobes.RegisterKprobe(print) })
{
    if (!result.IsSuccess)
    {
        Console.Error.WriteLine($"not registered: {result.Reason}");
        return 1;
    }
}

guest.Run();
Console.Error.WriteLine($"{open.Returns} returns of do_sys_open seen, {skipped} calls of printk skipped");
return 0;
