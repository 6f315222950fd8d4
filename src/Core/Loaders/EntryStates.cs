using System.Buffers.Binary;

namespace KprobeTrace.Loaders;

/// <summary>The processor states images are entered in, and the descriptor table that goes with them.</summary>
internal static class EntryStates
{
    private const ulong Cr0ProtectedMode = 0x11;
    private const ulong Cr0Paging = 0x8000_0000;
    private const ulong Cr0Reset = 0x10;
    private const ulong Cr4PhysicalAddressExtension = 0x20;
    private const ulong EferLongMode = 0x500;
    private const ushort Code64Attributes = 0xA09B;
    private const ushort Code32Attributes = 0xC09B;
    private const ushort DataAttributes = 0xC093;
    private const ushort RealModeAttributes = 0x0093;
    private const int GdtSize = 32;

    /// <summary>64-bit mode with paging on, flat segments, interrupts off (boot protocol, "64-bit boot protocol").</summary>
    public static InitialCpuState Long(ulong entry, ulong rsi)
    {
        InitialCpuState state = new()
        {
            Mode = EntryMode.Long64,
            Rip = entry,
            Cr0 = Cr0ProtectedMode | Cr0Paging,
            Cr3 = BootLayout.PageTables,
            Cr4 = Cr4PhysicalAddressExtension,
            Efer = EferLongMode,
            GdtBase = BootLayout.Gdt,
            GdtLimit = GdtSize - 1,
            Cs = new InitialSegment(BootLayout.CodeSelector, 0, uint.MaxValue, Code64Attributes),
            Data = new InitialSegment(BootLayout.DataSelector, 0, uint.MaxValue, DataAttributes),
        };
        state.Registers[4] = BootLayout.StackTop;
        state.Registers[6] = rsi;
        return state;
    }

    /// <summary>Protected mode with flat 4 GiB segments, paging and interrupts off ("32-bit boot protocol").</summary>
    public static InitialCpuState Protected(ulong entry, ulong esi)
    {
        InitialCpuState state = new()
        {
            Mode = EntryMode.Protected32,
            Rip = entry,
            Cr0 = Cr0ProtectedMode,
            GdtBase = BootLayout.Gdt,
            GdtLimit = GdtSize - 1,
            Cs = new InitialSegment(BootLayout.CodeSelector, 0, uint.MaxValue, Code32Attributes),
            Data = new InitialSegment(BootLayout.DataSelector, 0, uint.MaxValue, DataAttributes),
        };
        state.Registers[4] = BootLayout.StackTop;
        state.Registers[6] = esi;
        return state;
    }

    /// <summary>Real mode; an entry below 64 KiB is reached with CS = 0, a higher one with the closest paragraph.</summary>
    public static InitialCpuState Real(ulong entry)
    {
        ushort selector = entry < 0x10000 ? (ushort)0 : (ushort)(entry >> 4);
        InitialCpuState state = new()
        {
            Mode = EntryMode.Real16,
            Rip = entry - ((ulong)selector << 4),
            Cr0 = Cr0Reset,
            IdtLimit = 0x3FF,
            GdtLimit = 0xFFFF,
            Cs = new InitialSegment(selector, (ulong)selector << 4, 0xFFFF, RealModeAttributes | 0x8),
            Data = new InitialSegment(0, 0, 0xFFFF, RealModeAttributes),
        };
        state.Registers[4] = BootLayout.StackTop;
        return state;
    }

    /// <summary>The global descriptor table both protected modes start with.</summary>
    public static byte[] Gdt(EntryMode mode)
    {
        byte[] table = new byte[GdtSize];
        ushort code = mode == EntryMode.Long64 ? Code64Attributes : Code32Attributes;
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(BootLayout.CodeSelector), Flat(code));
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(BootLayout.DataSelector), Flat(DataAttributes));
        return table;
    }

    private static ulong Flat(ushort attributes) => ((ulong)attributes << 40) | (0xFUL << 48) | 0xFFFF;
}
