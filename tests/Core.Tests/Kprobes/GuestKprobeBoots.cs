using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Machine;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>
/// A stock kernel that uses its own kprobes and its own function tracer, booted twice: with probes of ours at the same
/// addresses, and without any while the engine counts what it executes.
/// </summary>
public sealed class GuestKprobeBoots
{
    private readonly StringBuilder _console = new();
    private readonly StringBuilder _line = new();
    private GuestSession _session = null!;
    private uint _addressOffset;

    public GuestKprobeBoots()
    {
        if (StockGuest.Missing is null)
        {
            Plan = new GuestKprobePlan();
            BootWithProbes();
            BootWithout();
        }
    }

    internal GuestKprobePlan Plan { get; } = null!;

    /// <summary>The console of the boot with probes of ours and of the one without.</summary>
    internal (string Probed, string Plain) Console { get; private set; }

    /// <summary>The instructions of either.</summary>
    internal (long Probed, long Plain) Instructions { get; private set; }

    /// <summary>Our probes where the guest has its own, by the guest's name for its event.</summary>
    internal Dictionary<string, GuestKprobeSite> Sites { get; } = [];

    /// <summary>Our probe on an instruction that the guest replaces by the middle of a jump.</summary>
    internal GuestKprobeSite Covered { get; private set; } = null!;

    /// <summary>Our return probes by function.</summary>
    internal Dictionary<string, Kretprobe> Returns { get; } = [];

    /// <summary>What calls of <see cref="GuestKprobePlan.Opener"/> that were entered while the guest's was armed returned.</summary>
    internal List<ulong> ReturnValues { get; } = [];

    /// <summary>Our probes on the functions that the guest traces.</summary>
    internal List<(string Name, Kprobe Probe)> Traced { get; } = [];

    /// <summary>Their hits between the two marks that the guest wrote into its trace.</summary>
    internal Dictionary<string, int> TracedHits { get; } = [];

    /// <summary>Marks written.</summary>
    internal int Marks { get; private set; }

    /// <summary>How often the engine began the instructions with a probe of ours, in the boot without them.</summary>
    internal Dictionary<ulong, long> Counts { get; private set; } = [];

    /// <summary>What our probes showed when the guest told of its own for the first time in a phase.</summary>
    internal Dictionary<string, Dictionary<string, (byte Opcode, int Length, bool IsOff)>> Shown { get; } = [];

    private void BootWithProbes()
    {
        using GuestSession session = GuestSession.Open(GuestKprobePlan.Options(Plan.CommandLine), Take);
        _session = session;
        _addressOffset = session.Types!.OffsetOf("kprobe", "addr")!.Value;
        foreach ((string name, ulong address) in Plan.Sites)
        {
            Sites.Add(name, new GuestKprobeSite(session, address));
        }

        Covered = new GuestKprobeSite(session, Plan.Covered);
        On("enable_kprobe", kprobe => SetArmed(kprobe, armed: true));
        On("disable_kprobe", kprobe => SetArmed(kprobe, armed: false));
        AddReturns(session.Kprobes);
        AddTraced(session.Kprobes);
        Assert.Equal(PowerState.PoweredOff, session.Machine.Run());
        Console = (_console.ToString(), "");
        Instructions = (session.Machine.Retired, 0);
    }

    private void BootWithout()
    {
        StringBuilder console = new();
        using GuestSession session = GuestSession.Open(GuestKprobePlan.Options(Plan.CommandLine), b => console.Append((char)b));
        using FunctionCounts counts = new(session, Plan.Addresses.Distinct().Select(a => new Symbol("", a, 1, 't', "")));
        Assert.Equal(PowerState.PoweredOff, session.Machine.Run());
        Counts = counts.Counts().ToDictionary(c => c.Function.Address, c => c.Count);
        Console = (Console.Probed, console.ToString());
        Instructions = (Instructions.Probed, session.Machine.Retired);
    }

    private void On(string function, Action<ulong> action)
    {
        Kprobe probe = new()
        {
            SymbolName = function,
            PreHandler = (_, ref registers) =>
            {
                action(registers.Di);
                return 0;
            },
        };
        Assert.True(_session.Kprobes.RegisterKprobe(probe).IsSuccess);
    }

    /// <summary>The guest enables or disables one of its probes.</summary>
    private void SetArmed(ulong kprobe, bool armed)
    {
        Span<byte> address = stackalloc byte[8];
        Assert.True(_session.TryRead(kprobe + _addressOffset, address));
        ulong site = BinaryPrimitives.ReadUInt64LittleEndian(address);
        foreach (GuestKprobeSite ours in Sites.Values.Where(s => s.Probe.Addr == site))
        {
            ours.IsGuestArmed = armed;
        }

        if (site == Sites["jumped"].Probe.Addr)
        {
            Covered.IsGuestArmed = armed;
        }
    }

    private void AddReturns(KprobeSubsystem kprobes)
    {
        foreach (string function in new[] { GuestKprobePlan.Opener, GuestKprobePlan.TailCaller, GuestKprobePlan.TailCalled })
        {
            Kretprobe probe = new() { Kp = { SymbolName = function } };
            Returns.Add(function, probe);
            Assert.True(kprobes.RegisterKretprobe(probe).IsSuccess);
        }

        Kretprobe opener = Returns[GuestKprobePlan.Opener];
        opener.EntryHandler = (call, ref _) =>
        {
            call.Token = Sites["returns"].IsGuestArmed ? 1UL : 0;
            return 0;
        };
        opener.Handler = (call, ref registers) =>
        {
            if (call.Token != 0)
            {
                ReturnValues.Add(registers.Ax);
            }

            return 0;
        };
    }

    /// <summary>
    /// Counts between the marks. The function that writes one begins by taking its place in the trace, and nothing else
    /// calls it.
    /// </summary>
    private void AddTraced(KprobeSubsystem kprobes)
    {
        foreach (Symbol function in Plan.Traced)
        {
            string name = function.Name;
            Kprobe probe = new() { Addr = function.Address, PreHandler = (_, ref _) => TracedHit(name) };
            Assert.True(kprobes.RegisterKprobe(probe).IsSuccess);
            Traced.Add((name, probe));
        }

        On("tracing_mark_write", _ => Marks++);
    }

    private int TracedHit(string name)
    {
        if (Marks == 1)
        {
            TracedHits[name] = TracedHits.GetValueOrDefault(name) + 1;
        }

        return 0;
    }

    private void Take(byte character)
    {
        _console.Append((char)character);
        if (character != '\n')
        {
            _line.Append((char)character);
            return;
        }

        const string start = "GUEST-PROBE phase=";
        string line = _line.ToString();
        _line.Clear();
        if (line.StartsWith(start, StringComparison.Ordinal) && !Shown.ContainsKey(line[start.Length..].Split(' ')[0]))
        {
            Shown.Add(line[start.Length..].Split(' ')[0], Show());
        }
    }

    private Dictionary<string, (byte Opcode, int Length, bool IsOff)> Show()
    {
        _session.Kprobes.SettleText();
        return Sites.Append(new("covered", Covered)).ToDictionary(
            s => s.Key, s => (s.Value.Probe.Opcode, s.Value.Probe.CopiedInstruction.Length, s.Value.Probe.IsOffBoundary));
    }
}
