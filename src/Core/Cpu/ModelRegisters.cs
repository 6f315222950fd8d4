using System.Buffers.Binary;
using System.Collections.Frozen;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <summary>
/// The model-specific registers of family 0x12 that no part of the processor acts on: what firmware leaves in them and what a
/// write does (AMD APM vol. 2 §7.7, §9.3 and appendix A; BKDG for family 12h). The table stands in docs/machine.md.
/// </summary>
internal static unsafe class ModelRegisters
{
    private const ulong All = ulong.MaxValue;
    private const ulong Address = 0xFF_FFFF_F000;
    private const ulong WriteBack = 0x0606_0606_0606_0606;

    // Everything is write-back, as firmware leaves it, but for the VGA window and the devices from 3 GiB to 4 GiB.
    private const ulong MtrrBase0 = 0xC000_0000;
    private const ulong MtrrMask0 = 0xFF_C000_0800;

    private static readonly Row[] _rows =
    [
        new(0x8B, 0, MsrWrite.Ignored),
        new(0xFE, 0x508, MsrWrite.Refused),
        new(0x179, 0, MsrWrite.Refused),
        new(0x17A, 0, MsrWrite.Kept, 7),
        new(0x1DB, 0, MsrWrite.Ignored, Count: 4),
        new(0x200, MtrrBase0, MsrWrite.KeptWithType, Address | 0xFF),
        new(0x201, MtrrMask0, MsrWrite.KeptAlone, Address | 0x800),
        .. Enumerable.Range(1, 7).Select(i => new Row(0x200 + (2 * (uint)i), 0, MsrWrite.KeptWithType, Address | 0xFF)),
        .. Enumerable.Range(1, 7).Select(i => new Row(0x201 + (2 * (uint)i), 0, MsrWrite.KeptAlone, Address | 0x800)),
        new(0x250, WriteBack, MsrWrite.KeptTypes),
        new(0x258, WriteBack, MsrWrite.KeptTypes),
        new(0x259, 0, MsrWrite.KeptTypes),
        new(0x268, WriteBack, MsrWrite.KeptTypes, Count: 8),
        new(Msr.MtrrDefaultType, 0xC06, MsrWrite.KeptWithType, 0xCFF),
        new(0xC0010000, 0, MsrWrite.Ignored, Count: 8),
        new(0xC0010010, 0, MsrWrite.Kept, 0x7C_0000),
        new(0xC0010015, 1 << 24, MsrWrite.Kept, 0xFEFF_FFFF),
        new(0xC0010016, 0, MsrWrite.Kept, Address | 0x818, Count: 4),
        new(0xC001001A, 0, MsrWrite.Kept, 0xFF_FF80_0000),
        new(0xC001001D, 0, MsrWrite.Kept, 0xFF_FF80_0000),
        new(0xC001001F, 0, MsrWrite.Kept, All),
        .. Enumerable.Range(0, 6).Select(i => new Row(0xC0010030 + (uint)i, CpuIdentity.BrandWord(i), MsrWrite.Ignored)),
        new(0xC0010055, 0, MsrWrite.Ignored),
        new(0xC0010058, 0, MsrWrite.Ignored),
        new(0xC0010061, 0, MsrWrite.Ignored, Count: 8),
        new(0xC0010070, 0, MsrWrite.Ignored, Count: 2),
        new(0xC0010111, 0x30000, MsrWrite.Ignored),
        new(0xC0010112, 0, MsrWrite.Ignored, Count: 2),
        new(0xC0010114, 0x18, MsrWrite.Ignored),
        new(0xC0011020, 0, MsrWrite.Kept, All, Count: 4),
        new(0xC0011029, 2, MsrWrite.Kept, All),
        new(0xC001102A, 0, MsrWrite.Kept, All),
    ];

    private static readonly FrozenDictionary<uint, (Row Row, int Place)> _places = Number();

    /// <summary>Puts into every register what firmware leaves in it.</summary>
    public static void Reset(CpuState* s)
    {
        foreach ((Row row, int place) in _places.Values)
        {
            s->ModelRegisters[place] = row.Reset;
        }
    }

    /// <summary>Whether a register is one of these.</summary>
    public static bool Has(uint msr) => _places.ContainsKey(msr);

    /// <summary>Reads a register; false when it is none of these.</summary>
    public static bool TryRead(CpuState* s, uint msr, out ulong value)
    {
        bool known = _places.TryGetValue(msr, out (Row Row, int Place) register);
        value = known ? s->ModelRegisters[register.Place] : 0;
        return known;
    }

    /// <summary>Writes a register; false when the value is refused or the register is none of these.</summary>
    public static bool TryWrite(CpuState* s, uint msr, ulong value)
    {
        if (!_places.TryGetValue(msr, out (Row Row, int Place) register) || !Accepts(register.Row, value))
        {
            return false;
        }

        if (register.Row.Write != MsrWrite.Ignored)
        {
            ulong mask = register.Row.Mask;
            ref ulong kept = ref s->ModelRegisters[register.Place];
            kept = (value & mask) | (kept & ~mask);
        }

        return true;
    }

    private static FrozenDictionary<uint, (Row Row, int Place)> Number()
    {
        Dictionary<uint, (Row Row, int Place)> places = [];
        foreach (Row row in _rows)
        {
            for (uint i = 0; i < row.Count; i++)
            {
                places.Add(row.First + i, (row, places.Count));
            }
        }

        return places.Count == CpuState.ModelRegisterCount
            ? places.ToFrozenDictionary()
            : throw new InvalidOperationException($"the state has room for {CpuState.ModelRegisterCount} model-specific registers, not {places.Count}");
    }

    private static bool Accepts(Row row, ulong value) => row.Write switch
    {
        MsrWrite.Refused => false,
        MsrWrite.KeptAlone => (value & ~row.Mask) == 0,
        MsrWrite.KeptWithType => (value & ~row.Mask) == 0 && IsMemoryType((byte)value),
        MsrWrite.KeptTypes => AreMemoryTypes(value),
        _ => true,
    };

    private static bool AreMemoryTypes(ulong value)
    {
        Span<byte> types = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(types, value);
        foreach (byte type in types)
        {
            if (!IsMemoryType(type))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsMemoryType(byte type) => type is 0 or 1 or 4 or 5 or 6;

    /// <summary>Registers of consecutive numbers that are alike.</summary>
    private sealed record Row(uint First, ulong Reset, MsrWrite Write, ulong Mask = All, uint Count = 1);
}
