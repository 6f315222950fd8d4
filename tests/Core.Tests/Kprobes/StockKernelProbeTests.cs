using System.Globalization;
using System.Text;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>A thousand probes on a stock kernel: the guest must not notice, and every execution must be a hit.</summary>
public sealed class StockKernelProbeTests
{
    private const int Probes = 1000;
    private const int Executed = 700;
    private const long TooHot = 3000;

    /// <summary>Entry code, code the kernel patches by alternatives, ftrace and static calls, and init code.</summary>
    private static readonly string[] _chosen =
    [
        "startup_64", "start_kernel", "entry_SYSCALL_64", "asm_exc_page_fault", "exc_page_fault", "error_entry",
        "kernel_clone", "__switch_to", "apply_alternatives", "ftrace_init", "jump_label_init", "free_initmem",
        "do_init_module", "x86_64_start_kernel", "setup_arch", "paging_init", "do_exit", "vfs_open",
    ];

    [StockGuestFact]
    [Trait("Category", "Slow")]
    public void A_thousand_probes_leave_the_boot_as_it_is_and_count_every_execution()
    {
        (string console, long instructions, List<(Symbol Function, long Count)> counts) = Boot();
        List<(Symbol Function, long Count)> probed = Choose(counts);

        (string probedConsole, long probedInstructions, ulong[] hits, byte[] trace) = Record(probed);

        Assert.Contains("INIT-DONE", console, StringComparison.Ordinal);
        Assert.Equal(console, probedConsole);
        Assert.Equal(instructions, probedInstructions);
        Assert.InRange(probed.Count(p => p.Count > 0), 500, Probes);
        Assert.Equal(
            probed.Select(p => $"{p.Function.Name} {p.Count}"),
            probed.Select((p, i) => $"{p.Function.Name} {hits[i]}"));
        Assert.Equal(trace, Record(probed).Trace);
    }

    private static ImageLoadOptions LoadOptions =>
        new() { InitrdPath = StockGuest.Initramfs, CommandLine = "console=ttyS0 panic=-1" };

    private static (string Console, long Instructions, List<(Symbol, long)> Counts) Boot()
    {
        MemoryStream console = new();
        RecordingOptions options = new() { Image = StockGuest.CloudKernel, Load = LoadOptions, AllowBlacklisted = true };
        using GuestSession session = GuestSession.Open(options, console.WriteByte);
        ulong last = 0;
        List<Symbol> functions = [];
        foreach (Symbol symbol in session.Symbols.All())
        {
            if (symbol.IsText && symbol.Address != last && session.Kprobes.CanProbe(symbol.Address).IsSuccess)
            {
                functions.Add(symbol);
                last = symbol.Address;
            }
        }

        using FunctionCounts counts = new(session, functions);
        session.Machine.Run();
        return (Encoding.UTF8.GetString(console.ToArray()), session.Machine.Retired, [.. counts.Counts()]);
    }

    /// <summary>The chosen functions, then executed ones and others, taken evenly across the image.</summary>
    private static List<(Symbol Function, long Count)> Choose(List<(Symbol Function, long Count)> counts)
    {
        HashSet<string> names = [.. _chosen];
        List<(Symbol Function, long Count)> probed = counts.FindAll(c => names.Contains(c.Function.Name));
        List<(Symbol Function, long Count)> executed =
            counts.FindAll(c => c.Count is > 0 and < TooHot && !names.Contains(c.Function.Name));
        List<(Symbol Function, long Count)> idle = counts.FindAll(c => c.Count == 0 && !names.Contains(c.Function.Name));
        TakeEvenly(executed, Executed - probed.Count);
        TakeEvenly(idle, Probes - Executed);
        return probed;

        void TakeEvenly(List<(Symbol, long)> from, int count)
        {
            for (int i = 0; i < count; i++)
            {
                probed.Add(from[(int)((long)i * from.Count / count)]);
            }
        }
    }

    private static (string Console, long Instructions, ulong[] Hits, byte[] Trace) Record(
        List<(Symbol Function, long Count)> probed)
    {
        string path = Path.GetTempFileName();
        try
        {
            using MemoryStream console = new();
            RecordingOptions options = new()
            {
                Image = StockGuest.CloudKernel,
                Load = LoadOptions,
                AllowBlacklisted = true,
                Kinds = EventKinds.Pre,
                Output = path,
                Probes = [.. probed.Select((p, i) =>
                    string.Create(CultureInfo.InvariantCulture, $"p:e{i} 0x{p.Function.Address:x}"))],
            };
            using Recorder recorder = Recorder.Open(options, console);
            RunEnd end = recorder.Run();
            ulong[] hits = [.. end.Footer.Probes.Select(p => p.Hits)];
            return (Encoding.UTF8.GetString(console.ToArray()), recorder.Session.Machine.Retired, hits, File.ReadAllBytes(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
