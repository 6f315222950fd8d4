using System.Runtime.InteropServices;

namespace KprobeTrace.Memory;

/// <summary>Guest RAM: one unmanaged mapping that starts at guest physical address 0.</summary>
/// <remarks>
/// The mapping is followed by one page of padding so that a 16-byte host access at the last guest byte stays inside it.
/// Pages the guest never touches cost no host memory.
/// </remarks>
internal sealed unsafe class PhysicalMemory : IDisposable
{
    /// <summary>Bytes in a page of guest physical memory.</summary>
    public const int PageSize = 4096;

    private readonly bool _isBorrowed;
    private void* _allocation;

    /// <summary>Allocates zeroed guest RAM.</summary>
    /// <param name="size">Bytes; rounded up to a whole page.</param>
    /// <exception cref="KprobeTraceException">The host has not that much memory.</exception>
    public PhysicalMemory(ulong size)
    {
        Size = (size + PageSize - 1) & ~(ulong)(PageSize - 1);
        try
        {
            _allocation = NativeMemory.AllocZeroed((nuint)Size + (2 * PageSize));
        }
        catch (OutOfMemoryException e)
        {
            throw new KprobeTraceException($"the host cannot provide {Size >> 20} MiB of guest memory; ask for less with --memory", e);
        }

        Base = (byte*)(((nuint)_allocation + PageSize - 1) & ~(nuint)(PageSize - 1));
        CodePages = (byte*)NativeMemory.AllocZeroed((nuint)(Size / PageSize));
    }

    /// <summary>Takes zeroed memory that stays its owner's: so a test can lay pages without access around it.</summary>
    /// <param name="mapping">Page aligned, with <paramref name="size"/> bytes and the page of padding.</param>
    /// <param name="codePages">One byte a page.</param>
    /// <param name="size">Bytes, a whole number of pages.</param>
    internal PhysicalMemory(byte* mapping, byte* codePages, ulong size)
    {
        Size = size;
        Base = mapping;
        CodePages = codePages;
        _isBorrowed = true;
    }

    /// <summary>Frees the mapping of a memory that was never disposed.</summary>
    ~PhysicalMemory() => Free();

    /// <summary>Host address of guest physical address 0, page aligned.</summary>
    public byte* Base { get; }

    /// <summary>Bytes of guest RAM, a whole number of pages.</summary>
    public ulong Size { get; }

    /// <summary>One byte per page: non-zero while stores to the page must be seen: decoded code was taken from it, or it is watched.</summary>
    public byte* CodePages { get; private set; }

    /// <summary>Whether a processor runs in it at this moment.</summary>
    internal bool IsInUse { get; set; }

    /// <summary>Whether <paramref name="length"/> bytes at <paramref name="address"/> are RAM.</summary>
    public bool Contains(ulong address, ulong length) => address <= Size && length <= Size - address;

    /// <summary>Whole pages of RAM, to be looked at or changed while no guest runs in it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all RAM.</exception>
    public Span<byte> Pages(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(((ulong)first + (ulong)count) * PageSize, Size, nameof(count));

        // SAFETY: the range was checked against the mapping.
        return new Span<byte>(Base + ((ulong)first * PageSize), count * PageSize);
    }

    /// <summary>Copies guest bytes out; false when the range is not all RAM.</summary>
    public bool TryRead(ulong address, Span<byte> into)
    {
        if (!Contains(address, (ulong)into.Length))
        {
            return false;
        }

        // SAFETY: the range was checked against the mapping.
        new ReadOnlySpan<byte>(Base + address, into.Length).CopyTo(into);
        return true;
    }

    /// <summary>Copies bytes into guest RAM before the guest runs; false when the range is not all RAM.</summary>
    /// <remarks>Decoded code is not told: a running guest's memory is written through the CPU.</remarks>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> from)
    {
        if (!Contains(address, (ulong)from.Length))
        {
            return false;
        }

        // SAFETY: the range was checked against the mapping.
        from.CopyTo(new Span<byte>(Base + address, from.Length));
        return true;
    }

    /// <summary>Returns the mapping to the host.</summary>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    public void Dispose()
    {
        if (IsInUse)
        {
            throw new InvalidOperationException("guest memory cannot be returned while the guest runs: return from the handler first");
        }

        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (!_isBorrowed)
        {
            NativeMemory.Free(_allocation);
            NativeMemory.Free(CodePages);
        }

        _allocation = null;
        CodePages = null;
    }
}
