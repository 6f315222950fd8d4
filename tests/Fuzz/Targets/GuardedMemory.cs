using System.ComponentModel;
using System.Runtime.InteropServices;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Memory;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Guest RAM, and its table of code pages, between host pages without access: a step outside ends the process.</summary>
internal sealed unsafe partial class GuardedMemory
{
    private const nuint Guard = 64 << 20;
    private const byte Canary = 0xA7;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;

    private readonly byte* _ram;
    private readonly byte* _codePages;

    public GuardedMemory(ulong size)
    {
        Size = size;
        nuint whole = (nuint)size + PhysicalMemory.PageSize;
        byte* region = Map(Guard + whole + Guard);
        _ram = region + Guard;
        Open(_ram, whole);
        byte* table = Map(PhysicalMemory.PageSize * 3);
        Open(table + PhysicalMemory.PageSize, PhysicalMemory.PageSize);

        // Its last byte is the last before the page behind.
        _codePages = table + (2 * PhysicalMemory.PageSize) - (size / PhysicalMemory.PageSize);
    }

    public ulong Size { get; }

    /// <summary>The memory, zeroed; only one at a time.</summary>
    public PhysicalMemory Fresh()
    {
        NativeMemory.Clear(_ram, (nuint)Size);
        new Span<byte>(_ram + Size, PhysicalMemory.PageSize).Fill(Canary);
        NativeMemory.Clear(_codePages, (nuint)(Size / PhysicalMemory.PageSize));
        return new PhysicalMemory(_ram, _codePages, Size);
    }

    /// <summary>Requires that nothing was stored into the padding behind the RAM.</summary>
    public void RequirePadding() => InvariantException.Require(
        !new ReadOnlySpan<byte>(_ram + Size, PhysicalMemory.PageSize).ContainsAnyExcept(Canary), "the guest stored behind its memory");

    private static byte* Map(nuint bytes)
    {
        // SAFETY: an anonymous mapping without access, at an address of the host's choice.
        nint at = MapMemory(0, bytes, 0, PrivateAnonymous, -1, 0);
        return at == -1 ? throw new Win32Exception() : (byte*)at;
    }

    private static void Open(byte* at, nuint bytes)
    {
        if (Protect((nint)at, bytes, ReadWrite) != 0)
        {
            throw new Win32Exception();
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MapMemory(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);
}
