using System.Globalization;
using System.Text;
using Iced.Intel;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>A thousand probes on a stock kernel: the guest must not notice, and every execution must be a hit.</summary>
public sealed class StockKernelProbeTests(ITestOutputHelper output)
{
    private const int Probes = 1000;
    private const int Executed = 550;
    private const int OfEachKind = 50;
    private const long TooHot = 3000;

    /// <summary>The first instruction, entry code, and functions that are busy while the kernel rewrites itself.</summary>
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
        (string console, long instructions, List<Place> places) = Boot();
        List<Place> probed = Choose(places);
        AssertCoversTheImage(probed);

        (string probedConsole, long probedInstructions, ulong[] hits, byte[] trace) = Record(probed);

        Assert.Contains("INIT-DONE", console, StringComparison.Ordinal);
        Assert.Equal(console, probedConsole);
        Assert.Equal(instructions, probedInstructions);
        Assert.InRange(probed.Count(p => p.Count > 0), 500, Probes);
        Assert.Equal(probed.Select(p => $"{p.Name} {p.Count}"), probed.Select((p, i) => $"{p.Name} {hits[i]}"));
        Assert.Equal(trace, Record(probed).Trace);
    }

    private static ImageLoadOptions LoadOptions =>
        new() { InitrdPath = StockGuest.Initramfs, CommandLine = "console=ttyS0 panic=-1" };

    /// <summary>Boots without probes and counts every function's entry and every instruction that the kernel rewrote.</summary>
    private static (string Console, long Instructions, List<Place> Places) Boot()
    {
        // What the kernel rewrites is known only after a boot; its counts need a second one.
        Dictionary<ulong, Place> places = [];
        using (GuestSession session = Open(new MemoryStream()))
        {
            GuestTables tables = new(session.Image, session.Symbols, session.Types);
            List<Symbol> functions = [.. session.Symbols.All().Where(s => s.IsText && s.Size > 0).DistinctBy(s => s.Address)];
            Dictionary<ulong, byte[]> before = functions.ToDictionary(f => f.Address, f => Text(session, f));
            HashSet<ulong> probeable = [.. functions.Select(f => f.Address).Where(a => session.Kprobes.CanProbe(a).IsSuccess)];
            session.Machine.Run();
            foreach (Symbol function in functions)
            {
                AddPlaces(function, before[function.Address], session, tables, probeable, places);
            }
        }

        MemoryStream console = new();
        using GuestSession counted = Open(console);
        using FunctionCounts counts = new(counted, places.Values.Select(p => new Symbol(p.Name, p.Address, 1, 't', "")));
        counted.Machine.Run();
        return (
            Encoding.UTF8.GetString(console.ToArray()),
            counted.Machine.Retired,
            [.. counts.Counts().Select(c => places[c.Function.Address] with { Count = c.Count })]);
    }

    private static GuestSession Open(MemoryStream console) =>
        GuestSession.Open(new RecordingOptions { Image = StockGuest.CloudKernel, Load = LoadOptions, AllowBlacklisted = true }, console.WriteByte);

    private static byte[] Text(GuestSession session, Symbol function)
    {
        byte[] bytes = new byte[function.Size];
        return session.TryRead(function.Address, bytes) ? bytes : [];
    }

    /// <summary>A function's entry, and its instructions whose bytes are others after the boot.</summary>
    private static void AddPlaces(
        Symbol function, byte[] before, GuestSession session, GuestTables tables, HashSet<ulong> probeable, Dictionary<ulong, Place> places)
    {
        ulong start = function.Address;
        PlaceKind kind =
            (tables.InitText.Contains(start) ? PlaceKind.Init : 0)
            | (tables.IsBlacklisted(start) ? PlaceKind.Refused : 0);
        if (probeable.Contains(start))
        {
            places.TryAdd(start, new Place(start, function.Name, kind | PlaceKind.Entry));
        }

        byte[] after = Text(session, function);
        if (after.Length == 0 || kind.HasFlag(PlaceKind.Init) || after.AsSpan().SequenceEqual(before))
        {
            return;
        }

        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(64, before, start);
        while (decoder.IP < start + (ulong)before.Length)
        {
            decoder.Decode(out Instruction instruction);
            int offset = (int)(instruction.IP - start);
            bool rewritten = !before.AsSpan(offset, instruction.Length).SequenceEqual(after.AsSpan(offset, instruction.Length));
            if (rewritten && session.Kprobes.CanProbe(instruction.IP).IsSuccess)
            {
                PlaceKind how = tables.FtraceSiteAt(instruction.IP) is not null ? PlaceKind.Ftrace
                    : tables.StaticCallAt(instruction.IP) is not null ? PlaceKind.StaticCall
                    : PlaceKind.Alternative;
                places[instruction.IP] = new Place(instruction.IP, $"{function.Name}+{offset}", kind | how);
            }
        }
    }

    /// <summary>The chosen functions; then, taken evenly across the image, executed places, rewritten ones and idle ones.</summary>
    private static List<Place> Choose(List<Place> places)
    {
        List<Place> probed = places.FindAll(p => _chosen.Contains(p.Name));
        List<Place> others = places.FindAll(p => p.Count < TooHot && !_chosen.Contains(p.Name));
        List<Place> executed = others.FindAll(p => p.Count > 0);
        TakeEvenly(executed.FindAll(p => p.IsOrdinary), Executed - probed.Count);
        TakeEvenly(executed.FindAll(p => p.Kind.HasFlag(PlaceKind.Refused) && !p.IsRewritten), OfEachKind);
        foreach (PlaceKind how in (PlaceKind[])[PlaceKind.Ftrace, PlaceKind.StaticCall, PlaceKind.Alternative])
        {
            TakeEvenly(executed.FindAll(p => p.Kind.HasFlag(how)), OfEachKind);
        }

        TakeEvenly(others.FindAll(p => p.Count == 0), Probes - probed.Count);
        return probed;

        void TakeEvenly(List<Place> from, int count)
        {
            int taken = Math.Min(count, from.Count);
            for (int i = 0; i < taken; i++)
            {
                probed.Add(from[(int)((long)i * from.Count / taken)]);
            }
        }
    }

    private void AssertCoversTheImage(List<Place> probed)
    {
        Assert.Equal(Probes, probed.Select(p => p.Address).Distinct().Count());
        foreach (PlaceKind kind in Enum.GetValues<PlaceKind>())
        {
            int fired = probed.Count(p => p.Kind.HasFlag(kind) && p.Count > 0);
            output.WriteLine($"{kind}: {probed.Count(p => p.Kind.HasFlag(kind))} probes, {fired} fired");
            Assert.True(fired >= 10, $"{kind}: {fired} fired");
        }

        Assert.Equal(1, probed.Single(p => p.Name == "startup_64").Count);
    }

    private static (string Console, long Instructions, ulong[] Hits, byte[] Trace) Record(List<Place> probed)
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
                Probes = [.. probed.Select((p, i) => string.Create(CultureInfo.InvariantCulture, $"p:e{i} 0x{p.Address:x}"))],
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

    /// <summary>What a probed instruction is.</summary>
    [Flags]
    private enum PlaceKind
    {
        /// <summary>The first instruction of a function.</summary>
        Entry = 1,

        /// <summary>In init text, which the kernel frees.</summary>
        Init = 2,

        /// <summary>In entry or noinstr code, or another place where Linux refuses probes.</summary>
        Refused = 4,

        /// <summary>A call to ftrace that the kernel turned into a no-op.</summary>
        Ftrace = 8,

        /// <summary>A static call that the kernel redirected.</summary>
        StaticCall = 16,

        /// <summary>Rewritten for this processor by any other means.</summary>
        Alternative = 32,
    }

    /// <summary>An instruction of the kernel and how often it ran.</summary>
    private sealed record Place(ulong Address, string Name, PlaceKind Kind, long Count = 0)
    {
        public bool IsOrdinary => !IsRewritten && !Kind.HasFlag(PlaceKind.Refused);

        public bool IsRewritten => (Kind & (PlaceKind.Ftrace | PlaceKind.StaticCall | PlaceKind.Alternative)) != 0;
    }
}
