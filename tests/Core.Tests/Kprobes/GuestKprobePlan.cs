using System.Buffers.Binary;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Where a stock kernel is to put kprobes of its own and what it is to trace, chosen from its image.</summary>
internal sealed class GuestKprobePlan
{
    /// <summary>A function whose entry and many instructions inside get a kprobe of the guest's.</summary>
    public const string Function = "kernel_clone";

    /// <summary>A function with a return probe, and with one kprobe inside that nothing keeps from becoming a jump.</summary>
    public const string Opener = "do_sys_openat2";

    /// <summary>A function that gets a kprobe only when the guest has reached its initramfs.</summary>
    public const string Late = "vfs_open";

    /// <summary>A function with a return probe that ends in a jump to <see cref="TailCalled"/>.</summary>
    public const string TailCaller = "path_put";

    /// <summary>A function without a kprobe of the guest's.</summary>
    public const string TailCalled = "mntput";

    private const int Inside = 40;

    /// <summary>What the names of the traced functions contain.</summary>
    private static readonly string[] _patterns = ["vfs_", "copy_", "put", "page_range", "_fair"];

    private readonly Dictionary<string, string> _places = [];

    public GuestKprobePlan()
    {
        using GuestSession session = GuestSession.Open(Options(""), _ => { });
        SymbolTable symbols = session.Symbols;
        List<string> events =
        [
            "p:" + Add("entry", symbols, Function, 0),
            $"r:{Add("returns", symbols, Opener, 0)},$retval",
            "r:" + Add("put", symbols, TailCaller, 0),
        ];
        Add("late", symbols, Late, 0);
        foreach (ulong offset in Instructions(session, Function, Inside))
        {
            events.Add("p:" + Add(FormattableString.Invariant($"inside{offset}"), symbols, Function, offset));
        }

        ulong[] jumped = Instructions(session, Opener, 2);
        events.Add("p:" + Add("jumped", symbols, Opener, jumped[0]));
        Assert.True(jumped[1] - jumped[0] < 5, "the jump replaces more than one instruction");
        Covered = symbols.AddressOf(Opener)!.Value + jumped[1];
        Traced = TracedFunctions(session);
        string patterns = string.Join(',', _patterns.Select(p => $"*{p}*"));

        // Naming a tracer has the kernel make its buffer as large as asked for from the beginning.
        CommandLine = $" workload=kprobes traced={patterns} ftrace=nop trace_buf_size=2M kprobe_event={string.Join(';', events)}";
    }

    /// <summary>What tells the guest.</summary>
    public string CommandLine { get; }

    /// <summary>The guest's probes: the names of their events and their addresses.</summary>
    public Dictionary<string, ulong> Sites { get; } = [];

    /// <summary>The second of the instructions that the jump at <c>jumped</c> replaces.</summary>
    public ulong Covered { get; }

    /// <summary>The functions that the guest's tracer follows.</summary>
    public IReadOnlyList<Symbol> Traced { get; }

    /// <summary>Every address that gets a probe of ours.</summary>
    public IEnumerable<ulong> Addresses => [.. Sites.Values, Covered, .. Traced.Select(f => f.Address)];

    public static RecordingOptions Options(string append) => new()
    {
        Image = StockGuest.CloudKernel,
        Load = new ImageLoadOptions { InitrdPath = StockGuest.Initramfs, CommandLine = "console=ttyS0 panic=-1" + append },
    };

    /// <summary>Where a probe of the guest's is, as the kernel writes it.</summary>
    public string PlaceOf(string site) => _places[site];

    /// <summary>Notes a probe of the guest's and gives its name and place as <c>kprobe_event=</c> wants them.</summary>
    private string Add(string name, SymbolTable symbols, string function, ulong offset)
    {
        Sites.Add(name, symbols.AddressOf(function)!.Value + offset);
        _places.Add(name, FormattableString.Invariant($"{function}+0x{offset:x}"));
        return FormattableString.Invariant($"{name},{function}+{offset}");
    }

    /// <summary>Offsets of the first instructions behind a function's entry, which is its call of ftrace.</summary>
    private static ulong[] Instructions(GuestSession session, string function, int count)
    {
        const ulong call = 5;
        Assert.True(session.Symbols.TryFind(function, out Symbol symbol));
        List<ulong> found = [];
        for (ulong offset = call; offset < symbol.Size && found.Count < count; offset++)
        {
            if (session.Kprobes.CanProbe(symbol.Address + offset).IsSuccess)
            {
                found.Add(offset);
            }
        }

        return [.. found];
    }

    /// <summary>The functions with a fitting name that begin with a call of ftrace.</summary>
    private static Symbol[] TracedFunctions(GuestSession session)
    {
        ulong tracer = session.Symbols.AddressOf("__fentry__")!.Value;
        return [.. session.Symbols.All()
            .Where(s => s.IsText && Array.Exists(_patterns, p => s.Name.Contains(p, StringComparison.Ordinal)))
            .DistinctBy(s => s.Address)
            .Where(s => CalledFirst(s.Address) == tracer && session.Kprobes.CanProbe(s.Address).IsSuccess)];

        ulong CalledFirst(ulong address)
        {
            Span<byte> bytes = stackalloc byte[5];
            return session.Image.TryReadLink(address, bytes) && bytes[0] == 0xE8
                ? address + 5 + (ulong)(long)BinaryPrimitives.ReadInt32LittleEndian(bytes[1..])
                : 0;
        }
    }
}
