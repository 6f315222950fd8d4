using System.Buffers.Binary;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <content>Memory operands: shapes, the places they point to, and what lies there.</content>
internal sealed partial class CaseGenerator
{
    private void SetMemory(ref Instruction instruction, int i, bool narrow)
    {
        instruction.SetOpKind(i, OpKind.Memory);
        SetSegment(ref instruction);
        Register[] registers = narrow ? _bases32 : _bases64;
        int wide = narrow ? 4 : 8;
        int shape = _random.Below(100);
        if (shape < 8)
        {
            instruction.MemoryBase = narrow ? Register.EIP : Register.RIP;
            instruction.MemoryDisplSize = wide;
            instruction.MemoryDisplacement64 = RipTarget();
            return;
        }

        if (shape < 14)
        {
            instruction.MemoryDisplSize = wide;
            instruction.MemoryDisplacement64 = Narrowed(PlaceFor(_form.MemorySize.GetSize()), narrow);
            return;
        }

        bool hasBase = shape >= 20;
        if (hasBase)
        {
            instruction.MemoryBase = _random.Pick<Register>(registers);
        }

        if (!hasBase || _random.Chance(45))
        {
            Register index = _random.Pick<Register>(registers);
            if (index is not Register.RSP and not Register.ESP)
            {
                instruction.MemoryIndex = index;
                instruction.MemoryIndexScale = 1 << _random.Below(4);
            }
        }

        switch (hasBase ? _random.Below(3) : 2)
        {
            case 0:
                break;
            case 1:
                instruction.MemoryDisplSize = 1;
                instruction.MemoryDisplacement64 = Narrowed((ulong)(sbyte)_random.Next(), narrow);
                break;
            default:
                instruction.MemoryDisplSize = wide;
                int displacement = _random.Chance(50) ? (int)_random.Next() : _random.Below(20000) - 10000;
                instruction.MemoryDisplacement64 = Narrowed((ulong)displacement, narrow);
                break;
        }
    }

    private static ulong Narrowed(ulong value, bool narrow) => narrow ? (uint)value : value;

    private void SetOffset(ref Instruction instruction, int i, bool narrow)
    {
        instruction.SetOpKind(i, OpKind.Memory);
        SetSegment(ref instruction);
        instruction.MemoryDisplSize = narrow ? 4 : 8;
        instruction.MemoryDisplacement64 = Narrowed(PlaceFor(_form.MemorySize.GetSize()), narrow);
    }

    private void SetSegment(ref Instruction instruction)
    {
        if (_random.Chance(12))
        {
            instruction.SegmentPrefix = _random.Pick<Register>(
                [Register.FS, Register.GS, Register.FS, Register.GS, Register.ES, Register.CS, Register.SS, Register.DS]);
        }
    }

    /// <summary>The test pages are near enough to the code for RIP-relative operands.</summary>
    private ulong RipTarget() => (uint)PlaceFor(_form.MemorySize.GetSize());

    /// <summary>
    /// A linear address for an access of <paramref name="size"/> bytes: mostly in the data pages, sometimes across each kind
    /// of page border, read-only, unmapped, in the upper half or no address at all.
    /// </summary>
    private ulong PlaceFor(int size)
    {
        size = Math.Max(size, 1);
        const int Data = (int)OracleLayout.DataSize;
        const int Page = (int)OracleLayout.PageSize;
        int choice = _random.Below(100);
        ulong across = (ulong)(size == 1 ? 0 : 1 + _random.Below(size - 1));
        return choice switch
        {
            < 48 => OracleLayout.DataBase + (ulong)(_random.Below((Data - size) / 16) * 16),
            < 70 => OracleLayout.DataBase + (ulong)_random.Below(Data - size),
            < 75 => OracleLayout.DataBase + Page - across,
            < 80 => OracleLayout.DataBase + Data - across,
            < 82 => OracleLayout.DataBase + Data - (ulong)size,
            < 87 => OracleLayout.ReadOnlyBase + (ulong)(_random.Below((Page - size) / 16) * 16),
            < 89 => OracleLayout.DataBase - across,
            < 91 => OracleLayout.ReadOnlyBase - across,
            < 93 => (ulong)(uint)_random.Next() | 0x4000_0000,
            < 94 => (ulong)_random.Below(0x10000),
            < 95 => 0x0000_2000_0000_0000 + (_random.Next() >> 22),
            < 96 => 0x0000_8000_0000_0000 + (_random.Next() >> 20),
            < 97 => 0x1234_0000_0000_0000 + _random.Next(),
            < 98 => 0xffff_9000_0000_0000 + (_random.Next() >> 24),
            _ => OracleLayout.StackBase + (ulong)(_random.Below((Page - size) / 16) * 16),
        };
    }

    /// <summary>A stack pointer: mostly aligned in the middle of its page.</summary>
    private ulong PlaceForStack(int size)
    {
        const int Page = (int)OracleLayout.PageSize;
        int choice = _random.Below(100);
        ulong across = (ulong)(size <= 1 ? 0 : 1 + _random.Below(size - 1));
        return choice switch
        {
            < 70 => OracleLayout.StackBase + 0x400 + (ulong)(_random.Below(0x800) & ~7),
            < 80 => OracleLayout.StackBase + 0x400 + (ulong)_random.Below(0x800),
            < 84 => OracleLayout.StackBase + Page - across,
            < 86 => OracleLayout.StackBase + Page,
            < 88 => OracleLayout.StackBase,
            < 91 => OracleLayout.StackBase - across,
            < 94 => OracleLayout.ReadOnlyBase + 0x400 + (ulong)_random.Below(0x800),
            < 96 => OracleLayout.DataBase + (ulong)_random.Below((int)OracleLayout.DataSize),
            < 98 => 0x0000_8000_0000_0000 + (_random.Next() >> 20),
            _ => _random.Next(),
        };
    }

    /// <summary>Points every base register of the instruction's accesses to a chosen place and puts data there.</summary>
    private void PlanMemory(ref Instruction instruction)
    {
        // The information needs no encoding, only the operands.
        InstructionInfo information = _information.GetInfo(instruction);
        foreach (UsedMemory memory in information.GetUsedMemory())
        {
            PlanAccess(instruction, memory);
        }
    }

    private void PlanAccess(in Instruction instruction, UsedMemory memory)
    {
        int size = memory.MemorySize.GetSize();
        ulong segment = memory.Segment switch
        {
            Register.FS => OracleLayout.FsBase,
            Register.GS => OracleLayout.GsBase,
            _ => 0,
        };
        bool narrow = memory.AddressSize == CodeSize.Code32;
        ulong offset = memory.Displacement + (IndexValue(memory) * (ulong)memory.Scale);
        ulong address;
        if (memory.Base is Register.None or Register.RIP or Register.EIP)
        {
            address = offset;
        }
        else
        {
            int register = memory.Base.GetNumber();
            if (!_pinned[register])
            {
                bool stack = register == 4 && instruction.MemoryBase is not Register.RSP and not Register.ESP;
                ulong place = stack ? PlaceForStack(size) - memory.Displacement : PlaceFor(size) - segment - offset;
                PointTo(memory, register, place, narrow);
                offset = memory.Displacement + (IndexValue(memory) * (ulong)memory.Scale);
                _pinned[register] = true;
            }

            address = _state.Gpr[register] + offset;
        }

        address = Narrowed(address, narrow);
        _unspecified |= segment != 0 && IsCanonical(address) != IsCanonical(segment + address);
        PlaceData(segment + address, memory.MemorySize);
    }

    private static bool IsCanonical(ulong address) => (long)address >> 47 is 0 or -1;

    private ulong IndexValue(UsedMemory memory)
    {
        if (memory.Index == Register.None)
        {
            return 0;
        }

        ulong value = _state.Gpr[memory.Index.GetNumber()];
        return memory.Index == Register.AL ? (byte)value : value;
    }

    /// <summary>Sets a base register; when it is the index too, it counts scale + 1 times and only nearly hits the place.</summary>
    private void PointTo(UsedMemory memory, int register, ulong place, bool narrow)
    {
        if (memory.Index != Register.None && memory.Index != Register.AL && memory.Index.GetNumber() == register)
        {
            place = (place + (_state.Gpr[register] * (ulong)memory.Scale)) / (ulong)(memory.Scale + 1);
        }

        ulong high = narrow ? _state.Gpr[register] & 0xffff_ffff_0000_0000 : 0;
        _state.Gpr[register] = high | Narrowed(place, narrow);
    }

    /// <summary>Lays data fit for the access over the memory it reads.</summary>
    private void PlaceData(ulong address, MemorySize kind)
    {
        int size = kind.GetSize();
        if (size is 0 or > 512)
        {
            return;
        }

        byte[] data = new byte[size];
        FillData(data, kind);
        Patch(address, data);
    }

    private void FillData(Span<byte> data, MemorySize kind)
    {
        switch (kind)
        {
            case MemorySize.Float80:
                FloatPatterns.Extended(_random, data);
                return;
            case MemorySize.Bcd:
                FloatPatterns.Decimal(_random, data);
                return;
            case MemorySize.Fxsave_512Byte or MemorySize.Fxsave64_512Byte:
                FxImages.Fill(_random, data, FxImages.Elements.Mixed, x87: true);
                if (_random.Chance(10))
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(data[FxImages.MxcsrOffset..], FxImages.RefusedMxcsr(_random));
                }

                return;
        }

        int element = Math.Clamp(kind.GetElementSize(), 1, 8);
        if (kind.GetElementType() is MemorySize.Float32 or MemorySize.Float64 && _random.Chance(5))
        {
            element = 1;
        }

        for (int at = 0; at + element <= data.Length; at += element)
        {
            ulong value = kind.GetElementType() switch
            {
                MemorySize.Float32 when element == 4 => FloatPatterns.Single(_random),
                MemorySize.Float64 when element == 8 => FloatPatterns.Double(_random),
                _ => _random.Chance(15) ? _state.Gpr[_random.Below(16)] : _random.Interesting(),
            };
            for (int i = 0; i < element; i++)
            {
                data[at + i] = (byte)(value >> (i * 8));
            }
        }
    }

    private void Patch(ulong address, byte[] data)
    {
        if (OracleLayout.WritableOffset(address, data.Length) is uint offset)
        {
            _patches.Add(new MemoryPatch(offset, data));
        }
    }

    private void Patch(ulong address, ulong value, int size) => Patch(address, BitConverter.GetBytes(value)[..size]);
}
