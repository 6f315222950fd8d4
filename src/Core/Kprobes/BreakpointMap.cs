namespace KprobeTrace.Kprobes;

/// <summary>The addresses that ever had a breakpoint, and the writes into the fetch view.</summary>
internal sealed class BreakpointMap
{
    private const byte Int3 = 0xCC;
    private readonly IFetchView _overlay;
    private readonly IProbedGuest _guest;
    private readonly Dictionary<ulong, Breakpoint> _byAddress = [];
    private Breakpoint[] _slots = new Breakpoint[64];
    private int _count;
    private bool _unsynchronized;

    public BreakpointMap(IFetchView overlay, IProbedGuest guest)
    {
        _overlay = overlay;
        _guest = guest;
    }

    /// <summary>Is told of every byte written for a probe.</summary>
    public Action<TextPoke>? Poked { get; set; }

    public Breakpoint this[int slot] => _slots[slot];

    public bool Contains(int slot) => (uint)slot < (uint)_count;

    public Breakpoint At(ulong address)
    {
        if (_byAddress.TryGetValue(address, out Breakpoint? breakpoint))
        {
            return breakpoint;
        }

        if (_count == _slots.Length)
        {
            Array.Resize(ref _slots, _count * 2);
        }

        breakpoint = new Breakpoint(address, _count);
        _slots[_count++] = breakpoint;
        _byAddress.Add(address, breakpoint);
        return breakpoint;
    }

    public bool TryFind(ulong address, out Breakpoint? breakpoint) => _byAddress.TryGetValue(address, out breakpoint);

    /// <summary>Writes the int3 of a probe, or takes it back.</summary>
    /// <param name="breakpoint">Where.</param>
    /// <param name="armed">Whether any probe wants the breakpoint.</param>
    /// <param name="shown">Whether any probe does that is not internal.</param>
    /// <param name="reason">Why, for the record.</param>
    public void SetProbe(Breakpoint breakpoint, bool armed, bool shown, string reason)
    {
        breakpoint.IsArmedByProbe = armed;
        if (breakpoint.IsShown != shown)
        {
            breakpoint.IsShown = shown;
            byte original = ReadByte(breakpoint.Address);
            Poked?.Invoke(shown
                ? new TextPoke(breakpoint.Address, original, Int3, reason)
                : new TextPoke(breakpoint.Address, Int3, original, reason));
        }

        Apply(breakpoint);
    }

    /// <summary>Starts or stops waiting for a return to an address.</summary>
    public void SetReturnSite(Breakpoint breakpoint, bool wanted)
    {
        breakpoint.IsReturnSite = wanted;
        Apply(breakpoint);
    }

    /// <summary>The addresses whose execution return probes wait for, by rising address.</summary>
    public IEnumerable<Breakpoint> ReturnSites() => _slots.Take(_count).Where(static b => b.IsReturnSite).OrderBy(static b => b.Address);

    /// <summary>Drops the return sites of a stretch of text.</summary>
    public void ClearReturnSites(ulong start, ulong end)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_slots[i].IsReturnSite && _slots[i].Address >= start && _slots[i].Address < end)
            {
                SetReturnSite(_slots[i], false);
            }
        }
    }

    /// <summary>Makes what changed visible to every CPU.</summary>
    public void Synchronize()
    {
        if (_unsynchronized)
        {
            _unsynchronized = false;
            _overlay.Synchronize();
        }
    }

    private void Apply(Breakpoint breakpoint)
    {
        bool wanted = breakpoint.IsArmedByProbe || breakpoint.IsReturnSite;
        if (wanted == breakpoint.IsInOverlay)
        {
            return;
        }

        breakpoint.IsInOverlay = wanted;
        _unsynchronized = true;
        if (wanted)
        {
            _overlay.Arm(breakpoint.Address, breakpoint.Slot);
        }
        else
        {
            _overlay.Disarm(breakpoint.Address);
        }
    }

    private byte ReadByte(ulong address)
    {
        Span<byte> bytes = stackalloc byte[1];
        return _guest.TryReadKernel(address, bytes) ? bytes[0] : (byte)0;
    }
}
