using Iced.Intel;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Binding;

/// <summary>Translates Iced's operands into the fields of an <see cref="Op"/>.</summary>
internal static unsafe class OperandBinder
{
    /// <summary>The simplest addressing that a memory operand fits.</summary>
    public enum AddressKind
    {
        /// <summary>Base and displacement.</summary>
        Base,

        /// <summary>Base, index and displacement.</summary>
        Indexed,

        /// <summary>Segment base or wrapping offset.</summary>
        Any,
    }

    /// <summary>Byte offset in <see cref="CpuState"/> of a general register of any width.</summary>
    public static ushort Offset(Register register) => (ushort)(register switch
    {
        Register.None => CpuState.ZeroRegister,
        >= Register.AL and <= Register.BL => (register - Register.AL) * 8,
        >= Register.AH and <= Register.BH => ((register - Register.AH) * 8) + 1,
        >= Register.SPL and <= Register.DIL => (register - Register.SPL + 4) * 8,
        >= Register.R8L and <= Register.R15L => (register - Register.R8L + 8) * 8,
        >= Register.AX and <= Register.R15W => (register - Register.AX) * 8,
        >= Register.EAX and <= Register.R15D => (register - Register.EAX) * 8,
        _ => (register - Register.RAX) * 8,
    });

    /// <summary>Width in bytes of operand <paramref name="n"/>, a register or memory.</summary>
    public static int Size(in Instruction i, int n) =>
        i.GetOpKind(n) == OpKind.Register ? i.GetOpRegister(n).GetSize() : i.MemorySize.GetSize();

    /// <summary>Fills in the memory operand and says how its address can be formed.</summary>
    public static AddressKind SetMemory(in Instruction i, Op* op, int mode)
    {
        Register baseRegister = i.MemoryBase;
        bool long64 = (mode & BlockMode.SizeMask) == BlockMode.Code64;
        op->Displacement = (long)i.MemoryDisplacement64;
        op->Scale = (byte)(i.MemoryIndexScale switch { 2 => 1, 4 => 2, 8 => 3, _ => 0 });
        op->Index = Offset(i.MemoryIndex);
        op->Segment = Segment(i.MemorySegment, long64);
        int width = AddressWidth(i, long64);
        if (baseRegister is Register.RIP or Register.EIP)
        {
            op->Displacement = (long)i.IPRelativeMemoryAddress;
            op->Base = CpuState.ZeroRegister;
            width = baseRegister == Register.RIP ? 8 : 4;
        }
        else
        {
            op->Base = Offset(baseRegister);
        }

        op->Bits |= (byte)((width == 4 ? OpBits.Offset32 : width == 2 ? OpBits.Offset16 : 0) | (long64 ? 0 : OpBits.Linear32));
        if (op->Segment != OpBits.NoSegment || (op->Bits & OpBits.Wraps) != 0)
        {
            return AddressKind.Any;
        }

        return i.MemoryIndex == Register.None ? AddressKind.Base : AddressKind.Indexed;
    }

    /// <summary>Fills in segment and wraps of a string operand, which names no base register.</summary>
    public static void SetString(in Instruction i, Op* op, int mode, int width)
    {
        bool long64 = (mode & BlockMode.SizeMask) == BlockMode.Code64;
        op->Segment = Segment(i.MemorySegment, long64);
        op->Bits |= (byte)((width == 4 ? OpBits.Offset32 : width == 2 ? OpBits.Offset16 : 0) | (long64 ? 0 : OpBits.Linear32));
    }

    /// <summary>Index of a segment register in <see cref="SegmentFile"/>.</summary>
    public static int SegmentIndex(Register register) => register - Register.ES;

    private static byte Segment(Register register, bool long64)
    {
        if (long64)
        {
            return register is Register.FS or Register.GS ? (byte)SegmentIndex(register) : OpBits.NoSegment;
        }

        return (byte)SegmentIndex(register);
    }

    private static int AddressWidth(in Instruction i, bool long64)
    {
        if (i.MemoryBase != Register.None)
        {
            return i.MemoryBase.GetSize();
        }

        if (i.MemoryIndex != Register.None)
        {
            return i.MemoryIndex.GetSize();
        }

        return i.MemoryDisplSize switch { 2 => 2, 4 => 4, 8 => 8, _ => long64 ? 8 : 4 };
    }
}
