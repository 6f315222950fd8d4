using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>
/// Boots of the stock cloud kernel that load, use and remove stock modules: twice recorded with probes on them, and once
/// without any probe but with the engine counting at the addresses that were probed.
/// </summary>
public sealed class ModuleBoots : IDisposable
{
    private const string CommandLine = "console=ttyS0 panic=-1 workload=modules";

    private static readonly string[] _probes =
    [
        "-p", "p:submit brd:brd_submit_bio", "-p", "r:submit_ret brd:brd_submit_bio", "-p", "p:inside brd:brd_submit_bio+5",
        "-p", "p:data brd:brd_submit_bio number=@rd_nr:u32 size=@rd_size:u64",
        "-p", "p:init brd:brd_init", "-p", "p:entry brd:init_module", "-p", "r:init_ret brd:init_module ret=$retval:s32",
        "-p", "p:exit brd:cleanup_module", "-p", "r:exit_ret brd:cleanup_module",
        "-p", "p:dummy_init dummy:dummy_init_module", "-p", "p:dummy_setup dummy:dummy_setup", "-p", "p:crc crc7:crc7_be",
        "-p", "p:nosuch brd:nosuch", "-p", "p:nodata brd:brd_submit_bio x=@no_such_data", "-p", "p:never nothere:fn",
        "-p", "r:load do_init_module", "-p", "r:exec bprm_execve stack", "-p", "r:wait do_wait", "-p", "p:initcall do_one_initcall fn=%di stack",
        "-p", "p:mounts mnt_init", "-p", "r:init_thread kernel_init_freeable", "-p", "p:copy _copy_from_user",
    ];

    private readonly Folder _folder = new();
    private readonly Lazy<(StockBoots.Boot Boot, WholeTrace Trace)> _first;
    private readonly Lazy<StockBoots.Boot> _second;
    private readonly Lazy<PlainBoot> _plain;

    public ModuleBoots()
    {
        _first = new(() =>
        {
            StockBoots.Boot boot = Record("first");
            return (boot, boot.Read());
        });
        _second = new(() => Record("second", [.. SavedAt.SelectMany(at => new[] { "--save-at", Number(at), StateOf(at) })]));
        _plain = new(Count);
    }

    /// <summary>A boot with probes on functions of three modules.</summary>
    internal StockBoots.Boot Boot => _first.Value.Boot;

    /// <summary>What it recorded.</summary>
    internal WholeTrace Trace => _first.Value.Trace;

    /// <summary>The same command once more, and the guest saved at <see cref="SavedAt"/> meanwhile.</summary>
    internal StockBoots.Boot Again => _second.Value;

    /// <summary>Counts of retired instructions, drawn for each run from a seed of its own, or from KPROBETRACE_TEST_SEED.</summary>
    internal IReadOnlyList<long> SavedAt { get; } = DrawPoints();

    /// <summary>The same boot without probes.</summary>
    internal PlainBoot Plain => _plain.Value;

    internal string FolderName => _folder.Name;

    internal string StateOf(long at) => _folder[Number(at) + ".state"];

    /// <summary>Goes on from a state in a new process, with the same probes.</summary>
    internal StockBoots.Boot From(long at)
    {
        string trace = _folder[Number(at) + ".mpk"];
        using ToolRun run = ToolRun.Record(_folder.Name, [StockGuest.CloudKernel, .. _probes, "--from", StateOf(at), "-o", trace]);
        return new StockBoots.Boot(run.Exit, run.Output, run.Error, trace);
    }

    internal static RecordingOptions Options => new()
    {
        Image = StockGuest.CloudKernel,
        Load = new ImageLoadOptions { MemorySize = 512 << 20, CommandLine = CommandLine, InitrdPath = StockGuest.Initramfs },
    };

    public void Dispose() => _folder.Dispose();

    /// <summary>Every boot of this kind retires some 1,400 million instructions, and loads its modules in the last hundred.</summary>
    private static long[] DrawPoints()
    {
        int count = int.Parse(Environment.GetEnvironmentVariable("KPROBETRACE_SAVES") ?? "5", CultureInfo.InvariantCulture);
        string seed = Environment.GetEnvironmentVariable("KPROBETRACE_TEST_SEED") ?? Guid.NewGuid().ToString("N");
        Random random = new(BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes(seed))));
        return [.. Enumerable.Range(0, count).Select(i => i % 2 == 0 ? random.NextInt64(1_300_000_000, 1_430_000_000) : random.NextInt64(1_430_000_000)).Order()];
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private StockBoots.Boot Record(string name, params string[] more)
    {
        string trace = _folder[name + ".mpk"];
        using ToolRun run = ToolRun.Record(
            _folder.Name, [StockGuest.CloudKernel, "--initrd", StockGuest.Initramfs, "--append", CommandLine, .. _probes, .. more, "-o", trace]);
        return new StockBoots.Boot(run.Exit, run.Output, run.Error, trace);
    }

    private PlainBoot Count()
    {
        using MemoryStream console = new();
        using GuestSession session = GuestSession.Open(Options, console.WriteByte);
        List<GuestModule> modules = [];
        session.Watch!.ModuleLoaded += modules.Add;
        using FunctionCounts counts = new(
            session, Trace.ProbeRows.Select(p => p.Address).Where(a => a != 0).Distinct().Select(a => new Symbol("", a, 1, 't', "")));
        Assert.Equal(PowerState.PoweredOff, session.Machine.Run());
        return new PlainBoot(
            Encoding.UTF8.GetString(console.ToArray()),
            (ulong)session.Machine.Retired,
            counts.Counts().ToDictionary(c => c.Function.Address, c => (ulong)c.Count),
            modules);
    }

    /// <summary>A boot without probes.</summary>
    internal sealed record PlainBoot(
        string Console, ulong Instructions, IReadOnlyDictionary<ulong, ulong> Counts, IReadOnlyList<GuestModule> Modules);
}
