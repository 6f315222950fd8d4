using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <summary>The processors of a machine and what they share: RAM, decoded code, what lies over it, who is told of what happens to it.</summary>
/// <remarks>
/// Look-up, jump cache, TLB and state are each processor's own. One thread of the host runs them in turns, and nothing here is safe for
/// several; <see cref="Running"/> says whose turn it is, for whoever is called meanwhile and is not told by an index.
/// </remarks>
internal sealed unsafe class ProcessorGroup : IDisposable
{
    /// <summary>The index of <see cref="Bootstrap"/>.</summary>
    public const int BootstrapIndex = 0;

    private readonly Processor[] _all;

    /// <summary>Creates processors in their state after reset, with nothing to run yet.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="buses">For each processor, the machine around it.</param>
    /// <param name="engine">Makes what turns guest code into blocks for a processor.</param>
    internal ProcessorGroup(PhysicalMemory memory, ReadOnlySpan<ICpuBus> buses, Func<Processor, IBlockSource> engine)
    {
        ArgumentOutOfRangeException.ThrowIfZero(buses.Length, nameof(buses));
        Memory = memory;
        Code = new BlockCache(memory);
        _all = new Processor[buses.Length];
        for (int i = 0; i < _all.Length; i++)
        {
            _all[i] = new Processor(this, i, buses[i], engine);
        }

        Running = Bootstrap;
    }

    /// <summary>How many there are.</summary>
    public int Count => _all.Length;

    /// <summary>The processor that firmware starts, and which starts the others.</summary>
    public Processor Bootstrap => _all[BootstrapIndex];

    /// <summary>The processor whose turn it is, or was last.</summary>
    public Processor Running { get; private set; }

    /// <summary>A processor by its index, which is its initial APIC id and the number events tell.</summary>
    public Processor this[int index] => _all[index];

    /// <summary>The guest RAM they run in.</summary>
    public PhysicalMemory Memory { get; }

    /// <summary>The decoded code.</summary>
    internal BlockCache Code { get; }

    /// <summary>Instructions retired so far by all of them; exact also while a device is called.</summary>
    public long Retired
    {
        get
        {
            long sum = 0;
            foreach (Processor processor in _all)
            {
                sum += processor.Retired;
            }

            return sum;
        }
    }

    /// <summary>Breakpoints that lie over guest code, or null.</summary>
    public IFetchOverlay? FetchOverlay { get; set; }

    /// <summary>Which instructions the engine itself counts, or null; set it before the guest runs.</summary>
    public IExecutionCounts? ExecutionCounts { get; set; }

    /// <summary>Who is told of the overlay's breakpoints.</summary>
    public IBreakpointHandler? BreakpointHandler { get; set; }

    /// <summary>Called with physical address and length of every write to a page that is watched or has decoded code, when set.</summary>
    public Action<ulong, int>? CodeWritten { get; set; }

    /// <summary>Called with address and bytes of every instruction that raised #UD, when set.</summary>
    public Action<ulong, byte[]>? UndefinedInstruction { get; set; }

    /// <summary>Whether the guest runs at this moment: what is called now is called by a handler, a device's output, or another thread.</summary>
    public bool IsRunning => Memory.IsInUse;

    /// <summary>All of them, in the order of their indices.</summary>
    public ReadOnlySpan<Processor>.Enumerator GetEnumerator() => new ReadOnlySpan<Processor>(_all).GetEnumerator();

    /// <summary>Forgets the decoded code of a physical page, for instance because breakpoints in it changed.</summary>
    public void InvalidateCode(ulong physical)
    {
        Code.InvalidatePage(physical);
        RequestExit();
    }

    /// <summary>Forgets all decoded code.</summary>
    public void InvalidateAllCode()
    {
        Code.Clear();
        RequestExit();
    }

    /// <summary>Has <see cref="CodeWritten"/> told of every write to a physical page, also while none of its code is decoded.</summary>
    public void WatchCode(ulong physical, bool watched) => Code.Watch(physical, watched);

    /// <summary>Writes RAM from outside the guest's own instructions; decoded code in the range is dropped.</summary>
    public bool TryWriteRam(ulong physical, ReadOnlySpan<byte> from)
    {
        if (!Memory.Contains(physical, (ulong)from.Length))
        {
            return false;
        }

        while (!from.IsEmpty)
        {
            int part = (int)Math.Min((ulong)from.Length, PhysicalMemory.PageSize - (physical % PhysicalMemory.PageSize));

            // SAFETY: the range was checked against the mapping.
            from[..part].CopyTo(new Span<byte>(Memory.Base + physical, part));
            NoteWritten(physical, part);
            from = from[part..];
            physical += (ulong)part;
        }

        return true;
    }

    /// <summary>Makes every processor look at the world before its next instruction.</summary>
    public void RequestExit()
    {
        foreach (Processor processor in _all)
        {
            processor.State->ExitRequest = 1;
        }
    }

    /// <summary>Makes every processor's run return at the next instruction boundary, or takes that back; may be called from any thread.</summary>
    public void RequestStop(bool wanted)
    {
        foreach (Processor processor in _all)
        {
            processor.StopRequested = wanted;
        }
    }

    /// <summary>Who watches pages looks at them anew: all of RAM may have changed.</summary>
    public void TellOfWatchedPages()
    {
        for (ulong page = 0; CodeWritten != null && page < Memory.Size / PhysicalMemory.PageSize; page++)
        {
            if (Memory.CodePages[page] != 0)
            {
                CodeWritten(page * PhysicalMemory.PageSize, PhysicalMemory.PageSize);
            }
        }
    }

    /// <summary>Frees all that is unmanaged, but for RAM.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        ThrowIfRunning();
        foreach (Processor processor in _all)
        {
            processor.Dispose();
        }

        Code.Dispose();
    }

    /// <summary>Bytes within one page were written: what was decoded of it is dropped, and who watches is told.</summary>
    internal void NoteWritten(ulong physical, int length)
    {
        if (Memory.CodePages[physical / PhysicalMemory.PageSize] != 0)
        {
            Code.InvalidatePage(physical);
            CodeWritten?.Invoke(physical, length);
        }
    }

    /// <summary>Throws while the guest runs: registers and caches are in the hands of the instruction that called the handler.</summary>
    /// <param name="what">The member that was called.</param>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    internal void ThrowIfRunning([CallerMemberName] string what = "")
    {
        if (IsRunning)
        {
            throw new InvalidOperationException($"{what} cannot be called while the guest runs: return from the handler first, and use one thread at a time");
        }
    }

    /// <summary>Begins a processor's turn.</summary>
    internal RunGuard Enter(Processor processor)
    {
        Running = processor;
        return new RunGuard(Memory);
    }
}
