using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Where the explicit memory operand of a case lies.</summary>
internal static class MemoryOperand
{
    /// <summary>Its linear address, or null when the instruction has none.</summary>
    public static ulong? AddressOf(TestCase one)
    {
        Instruction instruction = one.Instruction;
        if (instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None && instruction.MemoryDisplSize == 0)
        {
            return null;
        }

        bool narrow = instruction.MemoryBase.GetSize() == 4 || instruction.MemoryIndex.GetSize() == 4
            || (instruction.MemoryBase == Register.None && instruction.MemoryDisplSize == 4);
        ulong address = instruction.MemoryDisplacement64;
        if (instruction.MemoryBase is not Register.None and not Register.RIP and not Register.EIP)
        {
            address += one.Initial.Gpr[instruction.MemoryBase.GetNumber()];
        }

        if (instruction.MemoryIndex != Register.None)
        {
            ulong index = one.Initial.Gpr[instruction.MemoryIndex.GetNumber()];
            address += (instruction.MemoryIndex == Register.AL ? (byte)index : index) * (ulong)instruction.MemoryIndexScale;
        }

        ulong segment = instruction.MemorySegment switch
        {
            Register.FS => one.Initial.FsBase,
            Register.GS => one.Initial.GsBase,
            _ => 0,
        };
        return segment + (narrow ? (uint)address : address);
    }
}
