using System.Globalization;
using System.Text;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>
/// Random walks over registration, switches, calls and modules, compared after each step with lists that do what
/// docs/kprobes.md says in the plainest way.
/// </summary>
public sealed class RegistryModelTests : IDisposable
{
    private const int Invalid = -22;
    private const int NoEntry = -2;
    private const int IllegalSequence = -84;

    /// <summary>Where probes are put, and what registration says.</summary>
    private static readonly (string Symbol, uint Offset, int Errno)[] _places =
    [
        ("leaf", 0, 0), ("leaf", 3, 0), ("leaf", 1, IllegalSequence), ("leaf", 2, IllegalSequence), ("frame", 0, 0), ("frame", 1, 0),
        ("frame", 2, IllegalSequence), ("third", 0, 0), ("third", 2, 0), ("opt", 0, 0), ("opt", 4, 0), ("six", 0, 0), ("skey", 0, 0),
        ("skey", 1, Invalid), ("skey", 5, Invalid), ("skey", 6, 0), ("bugf", 0, 0), ("bugf", 1, Invalid), ("bugf", 3, 0),
        ("nokp", 0, Invalid), ("nokp", 15, Invalid), ("nokp.isra.0", 1, Invalid), ("nosuch", 0, NoEntry), ("tmod:tmod_fn", 0, 0), ("tmod:tmod_fn", 3, 0),
        ("tmod:tmod_init", 0, NoEntry), ("init_fn", 0, 0),
    ];

    private static readonly string[] _functions = ["leaf", "frame", "third", "opt", "six", "tmod:tmod_fn"];

    private readonly SyntheticGuest _guest = new();
    private readonly List<Modelled> _probes = [];

    /// <summary>The table: the addresses in the order of registration, the probes of each newest first.</summary>
    private readonly List<Address> _table = [];
    private readonly List<string> _log = [];
    private readonly List<TextPoke> _pokes = [];
    private readonly List<string> _steps = [];
    private bool _on = true;
    private bool _mayOptimize = true;
    private bool _waitsForReturns;
    private int _logged;

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void A_walk_over_the_registry_does_what_lists_do(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 24; i++)
        {
            _probes.Add(Make(i, random));
        }

        for (int step = 0; step < 300; step++)
        {
            Step(random);
            Compare();
        }

        Assert.True(_logged > 50, "too few hits to say anything");
    }

    private Modelled Make(int number, Random random)
    {
        Kretprobe? calls = number % 4 == 3 ? new Kretprobe() : null;
        Kprobe probe = calls?.Kp ?? new Kprobe();
        bool post = calls is null && random.Next(3) == 0;
        Modelled made = new(number, probe, calls, post, calls is null && random.Next(6) == 0);
        if (calls is not null)
        {
            calls.EntryHandler = (_, ref _) =>
            {
                _log.Add($"{number}.enter");
                return 0;
            };
            calls.Handler = (_, ref _) =>
            {
                _log.Add($"{number}.return");
                return 0;
            };
            return made;
        }

        probe.PreHandler = (_, ref _) =>
        {
            _log.Add($"{number}.pre");
            return 0;
        };
        if (post)
        {
            probe.PostHandler = (_, ref _, _) => _log.Add($"{number}.post");
        }

        if (made.HasFault)
        {
            probe.FaultHandler = (_, ref _, _) => 0;
        }

        return made;
    }

    private void Step(Random random)
    {
        Modelled one = _probes[random.Next(_probes.Count)];
        switch (random.Next(24))
        {
            case < 6:
                Note($"register {one.Number}");
                Place(one, random);
                Expect(Register(one), one.Calls is null ? Subsystem.RegisterKprobe(one.Probe) : Subsystem.RegisterKretprobe(one.Calls));
                break;
            case < 9:
                Note($"unregister {one.Number}");
                Unregister(one);
                if (one.Calls is null)
                {
                    Subsystem.UnregisterKprobe(one.Probe);
                }
                else
                {
                    Subsystem.UnregisterKretprobe(one.Calls);
                }

                break;
            case < 11:
                Note($"disable {one.Number}");
                Expect(one.At is null ? Invalid : 0, one.Calls is null ? Subsystem.DisableKprobe(one.Probe) : Subsystem.DisableKretprobe(one.Calls));
                if (one.At is not null)
                {
                    Disable(one);
                }

                break;
            case < 13:
                Note($"enable {one.Number}");
                Expect(one.At is null || one.IsGone ? Invalid : 0, one.Calls is null ? Subsystem.EnableKprobe(one.Probe) : Subsystem.EnableKretprobe(one.Calls));
                if (one.At is not null && !one.IsGone)
                {
                    one.IsDisabled = false;
                    one.At.IsDisabled &= !_on;
                    Arm(one.At, "arm");
                }

                break;
            case 13:
                Switch(random);
                break;
            case 14:
                int value = random.Next(-1, 3);
                Note($"optimization {value}");
                Expect(value is 0 or 1 ? 0 : Invalid, Subsystem.SetOptimization(value));
                _mayOptimize = value is 0 or 1 ? value == 1 : _mayOptimize;
                break;
            case 15:
                ModuleComesOrGoes();
                break;
            case 16:
                RegisterSeveral(random);
                break;
            default:
                Array.ForEach(_functions, Call);
                break;
        }
    }

    /// <summary>Fills in where a probe goes, in one of the ways a caller may.</summary>
    private void Place(Modelled one, Random random)
    {
        if (one.At is not null)
        {
            return;
        }

        int place = random.Next(_places.Length);
        while (one.Calls is not null && random.Next(5) > 0 && _places[place].Offset != 0)
        {
            place = random.Next(_places.Length);
        }

        (string symbol, uint offset, int errno) = _places[place];
        one.Probe.Flags = one.IsGone ? KprobeStatus.Gone : KprobeStatus.None;
        one.IsDisabled = random.Next(4) == 0;
        one.Probe.Flags |= one.IsDisabled ? KprobeStatus.Disabled : KprobeStatus.None;
        one.Probe.Flags |= random.Next(4) == 0 ? KprobeStatus.Gone : KprobeStatus.None;
        one.Probe.SymbolName = symbol;
        one.Probe.Addr = 0;
        one.Probe.Offset = offset;
        one.Wanted = 0;
        one.Refusal = errno;
        if (symbol.StartsWith("tmod:", StringComparison.Ordinal) && !_guest.Text.IsModuleLoaded)
        {
            one.Refusal = NoEntry;
        }
        else if (symbol != "nosuch")
        {
            one.Wanted = _guest[symbol] + offset;
        }

        if (one.Calls is not null)
        {
            one.Calls.MaxActive = random.Next(-2, 20);
            one.MaxActive = one.Calls.MaxActive > 0 ? one.Calls.MaxActive : 10;
            if (one.Wanted != 0 && offset != 0)
            {
                one.Refusal = Invalid;
                one.MaxActive = one.Calls.MaxActive;
            }
            else if (one.Wanted == 0)
            {
                one.MaxActive = one.Calls.MaxActive;
            }
        }

        int way = random.Next(8);
        if (one.Wanted != 0 && way == 0)
        {
            // By address: the offset counts as well.
            (one.Probe.SymbolName, one.Probe.Addr, one.Probe.Offset) = (null, one.Wanted - offset, offset);
        }
        else if (way == 1)
        {
            // By both, or by neither.
            bool both = random.Next(2) == 0;
            (one.Probe.SymbolName, one.Probe.Addr) = both ? (symbol, _guest["leaf"]) : (null, 0);
            one.Refusal = Invalid;
            one.Wanted = 0;
            one.MaxActive = one.Calls?.MaxActive ?? 0;
        }
    }

    /// <summary>What registration does in the model; returns the error number.</summary>
    private int Register(Modelled one)
    {
        if (one.At is not null)
        {
            // Its symbol and its address are both filled in now, unless it was registered by address.
            return Invalid;
        }

        if (one.Wanted != 0 && !(one.Calls is not null && one.Probe.Offset != 0))
        {
            // The flags are judged with the place, so also where that is refused.
            one.IsGone = false;
            one.Address = one.Wanted;
            one.Hits = 0;
            one.Returns = 0;
        }
        else if ((one.Probe.Flags & KprobeStatus.Gone) != 0)
        {
            one.IsGone = true;
        }

        if (one.Refusal != 0)
        {
            return one.Refusal;
        }

        Address? at = _table.Find(a => a.Where == one.Wanted);
        if (at is null)
        {
            at = new Address(one.Wanted) { IsDisabled = one.IsDisabled };
            _table.Add(at);
        }
        else if (at.IsGone)
        {
            at.IsGone = false;
            at.IsDisabled = true;
        }

        at.Probes.Insert(0, one);
        one.At = at;
        at.IsDisabled &= one.IsDisabled;
        Arm(at, "arm");
        return 0;
    }

    private void Unregister(Modelled one)
    {
        if (one.At is not Address at)
        {
            one.Address = 0;
            return;
        }

        Disable(one);
        at.Probes.Remove(one);
        one.At = null;
        if (at.Probes.Count == 0)
        {
            Arm(at, "disarm");
            _table.Remove(at);
        }

        _waitsForReturns &= _probes.Exists(p => p.Calls is not null && p.At is not null);
    }

    private void Disable(Modelled one)
    {
        if (one.IsSilent)
        {
            return;
        }

        one.IsDisabled = true;
        one.At!.IsDisabled |= one.At.Probes.TrueForAll(p => p.IsSilent);
        Arm(one.At, "disarm");
    }

    private void Switch(Random random)
    {
        string[] written = ["1", "0", "y", "n", "Y\n", "N\n", "1x", "0x", "", "2", "x", " 1"];
        string text = written[random.Next(written.Length)];
        Note($"switch '{text}'");
        bool? on = text.Length == 0 ? null : text[0] switch { '1' or 'y' or 'Y' => true, '0' or 'n' or 'N' => false, _ => null };
        Assert.Equal(on is null ? Invalid : text.Length, Subsystem.WriteEnabled(text));
        if (on is bool value)
        {
            _on = value;
            foreach (Address at in ByBucket())
            {
                Arm(at, value ? "arm" : "disarm");
            }
        }
    }

    private void ModuleComesOrGoes()
    {
        if (!_guest.Text.IsModuleLoaded)
        {
            Note("module comes");
            _guest.Text.IsModuleLoaded = true;
            return;
        }

        Note("module goes");
        foreach (Address at in ByBucket().Where(a => a.Where is >= SyntheticGuest.ModuleBase and < SyntheticGuest.ModuleBase + 0x1000))
        {
            at.IsGone = true;
            at.Probes.ForEach(p => p.IsGone = true);
            Arm(at, "gone");
        }

        Subsystem.TextGone(SyntheticGuest.ModuleBase, SyntheticGuest.ModuleBase + 0x1000);
        _guest.Text.IsModuleLoaded = false;
    }

    private void RegisterSeveral(Random random)
    {
        Modelled[] several = [.. _probes.Where(p => p.Calls is null && p.At is null).OrderBy(_ => random.Next()).Take(random.Next(4))];
        Note($"register {string.Join(", ", several.Select(p => p.Number))} together");
        int errno = several.Length == 0 ? Invalid : 0;
        for (int i = 0; i < several.Length; i++)
        {
            Place(several[i], random);
        }

        for (int i = 0; i < several.Length && errno == 0; i++)
        {
            errno = Register(several[i]);
            for (int j = 0; j < i && errno != 0; j++)
            {
                Unregister(several[j]);
            }
        }

        Expect(errno, Subsystem.RegisterKprobes([.. several.Select(p => p.Probe)]));
    }

    private void Call(string name)
    {
        if (name.StartsWith("tmod:", StringComparison.Ordinal) && !_guest.Text.IsModuleLoaded)
        {
            return;
        }

        Note($"call {name}");
        ulong start = _guest[name];
        List<string> expected = [];
        List<Modelled> entered = [];
        foreach (Address at in _table.Where(a => a.Where >= start && a.Where < start + 16 && IsArmed(a)).OrderBy(a => a.Where))
        {
            Modelled[] asked = [.. at.Probes.Where(p => !p.IsSilent)];
            foreach (Modelled probe in asked)
            {
                probe.Hits++;
                expected.Add($"{probe.Number}.{(probe.Calls is null ? "pre" : "enter")}");
                entered.AddRange(probe.Calls is null ? [] : [probe]);
            }

            expected.AddRange(asked.Where(p => p.HasPost).Select(p => $"{p.Number}.post"));
        }

        // The oldest first, and each counts its return.
        entered.Reverse();
        expected.AddRange(entered.Select(p => $"{p.Number}.return"));
        entered.ForEach(p => p.Returns++);
        _waitsForReturns |= entered.Count > 0;
        _log.Clear();

        _guest.Call(name, 7, 2, 3, 4, 5, 6);

        Assert.Equal(expected, _log);
        _logged += _log.Count;
    }

    private KprobeSubsystem Subsystem => _guest.Kprobes;

    private bool IsArmed(Address at) => _on && !at.IsDisabled && !at.IsGone && at.Probes.Count > 0;

    private bool IsOptimized(Address at) =>
        _mayOptimize && IsArmed(at) && !at.Probes.Exists(p => !p.IsGone && (p.HasPost || p.HasFault));

    /// <summary>Notes the byte that is written when an address becomes armed or ceases to be.</summary>
    private void Arm(Address at, string reason)
    {
        if (IsArmed(at) == at.WasArmed)
        {
            return;
        }

        at.WasArmed = IsArmed(at);
        byte original = _guest.ReadBytes(at.Where, 1)[0];
        _pokes.Add(at.WasArmed ? new TextPoke(at.Where, original, 0xCC, reason) : new TextPoke(at.Where, 0xCC, original, reason));
    }

    /// <summary>The table as the list shows it: by the top six bits of the product with the golden ratio, newest first.</summary>
    private List<Address> ByBucket()
    {
        List<Address> newestFirst = [.. _table];
        newestFirst.Reverse();
        return [.. newestFirst.OrderBy(a => (ulong)(((UInt128)a.Where * 0x61C8_8646_80B5_83EB) & ulong.MaxValue) / (1UL << 58))];
    }

    private void Compare()
    {
        string steps = string.Join('\n', _steps.TakeLast(12)) + "\n";
        List<Address> order = ByBucket();
        Assert.Equal(steps + List(order), steps + Subsystem.List());
        Assert.Equal(
            steps + string.Concat(List(order).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => new string('0', 16) + Zeroed(l[16..]) + "\n")),
            steps + Subsystem.List(restricted: true));
        Assert.Equal(order.SelectMany(a => a.Probes).Select(p => p.Probe), Subsystem.Probes());
        Assert.Equal(_table.Count, Subsystem.Count);
        Assert.Equal(_on, Subsystem.IsEnabled);
        Assert.Equal(_on ? "1\n" : "0\n", Subsystem.ReadEnabled());
        Assert.Equal(_mayOptimize, Subsystem.IsOptimizationAllowed);
        Assert.Equal(_pokes, _guest.Pokes);
        Assert.Equal(0, Subsystem.OpenCalls);
        foreach (Address at in _table)
        {
            Assert.Equal(steps + IsArmed(at), steps + (_guest.FetchByte(at.Where) == 0xCC));
        }

        foreach ((string symbol, uint offset, int errno) in _places)
        {
            if (errno == 0 && !symbol.StartsWith("tmod:", StringComparison.Ordinal) && !_table.Exists(a => a.Where == _guest[symbol] + offset))
            {
                Assert.NotEqual(0xCC, _guest.FetchByte(_guest[symbol] + offset));
            }
        }

        Assert.Equal(_waitsForReturns, _guest.FetchByte(_guest["callr11"] + 3) == 0xCC);
        foreach (Modelled one in _probes)
        {
            string name = $"{steps}{one.Number}: ";
            Assert.Equal(name + (one.At is not null), name + one.Probe.IsRegistered);
            Assert.Equal(name + (one.At is not null && IsOptimized(one.At)), name + one.Probe.IsOptimized);
            Assert.Equal(name + one.Hits, name + one.Probe.Hits);
            Assert.Equal(0UL, one.Probe.NMissed);
            if (one.At is not null)
            {
                Assert.Equal(name + $"{one.Address:x} {one.IsDisabled} {one.IsGone}", name + $"{one.Probe.Addr:x} "
                    + $"{(one.Probe.Flags & KprobeStatus.Disabled) != 0} {(one.Probe.Flags & KprobeStatus.Gone) != 0}");
                Assert.Equal(_guest.ReadBytes(one.Address, 1)[0], one.Probe.Opcode);
            }

            if (one.Calls is not null)
            {
                Assert.Equal(name + one.Returns, name + one.Calls.Returns);
                Assert.Equal(name + (one.At is null ? one.Calls.MaxActive : one.MaxActive), name + one.Calls.MaxActive);
                Assert.Equal(0, one.Calls.Open);
            }
        }
    }

    /// <summary>A line without its address, where it has no symbol.</summary>
    private static string Zeroed(string line)
    {
        int at = line.IndexOf("  0x", StringComparison.Ordinal);
        return at < 0 ? line : line[..(at + 4)] + "0" + line[line.IndexOf(' ', at + 4)..];
    }

    private string List(List<Address> order)
    {
        StringBuilder text = new();
        foreach (Address at in order)
        {
            string place = $"0x{at.Where:x}";
            foreach ((string symbol, uint offset, _) in _places)
            {
                bool isModules = symbol.StartsWith("tmod:", StringComparison.Ordinal);
                if (symbol != "nosuch" && (!isModules || _guest.Text.IsModuleLoaded) && _guest[symbol] + offset == at.Where)
                {
                    place = $"{symbol[(symbol.IndexOf(':', StringComparison.Ordinal) + 1)..]}+0x{offset:x}  {(isModules ? "tmod" : " ")}";
                }
            }

            foreach (Modelled one in at.Probes)
            {
                text.Append(CultureInfo.InvariantCulture, $"{at.Where:x16}  {(one.Calls is null ? 'k' : 'r')}  {place} ");
                text.Append(one.IsGone ? "[GONE]" : one.IsDisabled ? "[DISABLED]" : "").Append(IsOptimized(at) ? "[OPTIMIZED]" : "").Append('\n');
            }
        }

        return text.ToString();
    }

    private void Note(string step) => _steps.Add(step);

    private void Expect(int errno, KprobeResult result)
    {
        Assert.Equal(_steps[^1] + ": " + errno, _steps[^1] + ": " + result.Errno);
        Assert.Equal(errno == 0, result.IsSuccess);
    }

    private sealed class Address(ulong where)
    {
        public ulong Where { get; } = where;

        public List<Modelled> Probes { get; } = [];

        public bool IsDisabled { get; set; }

        public bool IsGone { get; set; }

        public bool WasArmed { get; set; }
    }

    private sealed class Modelled(int number, Kprobe probe, Kretprobe? calls, bool hasPost, bool hasFault)
    {
        public int Number { get; } = number;

        public Kprobe Probe { get; } = probe;

        public Kretprobe? Calls { get; } = calls;

        public bool HasPost { get; } = hasPost;

        public bool HasFault { get; } = hasFault;

        public Address? At { get; set; }

        public ulong Wanted { get; set; }

        public ulong Address { get; set; }

        public int Refusal { get; set; }

        public bool IsDisabled { get; set; }

        public bool IsGone { get; set; }

        public bool IsSilent => IsDisabled || IsGone;

        public ulong Hits { get; set; }

        public ulong Returns { get; set; }

        public int MaxActive { get; set; }
    }
}
