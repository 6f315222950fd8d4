using System.Buffers.Binary;
using KprobeTrace.Guest;

namespace KprobeTrace.Tests.Guest;

/// <summary>A pinned stretch of guest memory at one virtual address.</summary>
internal sealed unsafe class GuestRam(ulong start, int size) : IGuestMemory
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>(size, pinned: true);

    /// <summary>Counts the translations asked for.</summary>
    public int Translations { get; private set; }

    /// <summary>Counts the reads asked for.</summary>
    public int Reads { get; private set; }

    public byte* Pointer => (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _bytes[0]);

    public ulong Size => (ulong)_bytes.Length;

    public GuestRam Write(ulong address, ulong value, int width = 8)
    {
        Span<byte> word = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        word[..width].CopyTo(_bytes.AsSpan((int)(address - start)));
        return this;
    }

    public GuestRam Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_bytes.AsSpan((int)(address - start)));
        return this;
    }

    public bool TryRead(ulong virtualAddress, Span<byte> into)
    {
        Reads++;
        ulong at = virtualAddress - start;
        if (at >= Size || Size - at < (ulong)into.Length)
        {
            return false;
        }

        _bytes.AsSpan((int)at, into.Length).CopyTo(into);
        return true;
    }

    public byte* TryGetPointer(ulong virtualAddress)
    {
        Translations++;
        ulong at = virtualAddress - start;
        return at < Size ? Pointer + at : null;
    }
}
