using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>One decoded operation of a block: what to call and with which operands.</summary>
/// <remarks>
/// A handler executes the operation and either goes on to the next one itself (a tail call) or returns it to the run loop.
/// Returning null ends the block; <see cref="CpuState.Rip"/> and <see cref="CpuState.Left"/> are then exact.
/// Register operands are byte offsets into <see cref="CpuState"/>; offset 1 within the first four registers is AH to BH.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Op
{
    /// <summary>Executes the operation.</summary>
    public delegate*<CpuState*, Op*, Op*> Handler;

    /// <summary>Immediate, sign-extended; for direct branches the target address.</summary>
    public long Immediate;

    /// <summary>Displacement of the memory operand, or its absolute address when RIP-relative.</summary>
    public long Displacement;

    /// <summary>Direct branches: first operation of the target block once known. Other operations: free for their family.</summary>
    public Op* Link;

    /// <summary>Byte offset of the destination register.</summary>
    public ushort Destination;

    /// <summary>Byte offset of the source register.</summary>
    public ushort Source;

    /// <summary>Byte offset of the memory operand's base register.</summary>
    public ushort Base;

    /// <summary>Byte offset of the memory operand's index register.</summary>
    public ushort Index;

    /// <summary>Left shift of the index: 0 to 3.</summary>
    public byte Scale;

    /// <summary>Segment of the memory operand: 0 to 5, or 6 for a base of zero.</summary>
    public byte Segment;

    /// <summary>Instructions from this operation to the end of its block, itself included.</summary>
    public byte Remaining;

    /// <summary>Length of the instruction in bytes.</summary>
    public byte Length;

    /// <summary>Instruction's offset from the block's first byte.</summary>
    public ushort IpOffset;

    /// <summary>Operations before this one in its block.</summary>
    public byte Number;

    /// <summary>Bits of <see cref="OpBits"/> and family-specific small numbers.</summary>
    public byte Bits;

    /// <summary>The block this operation belongs to; its header stands right before the first operation.</summary>
    public static Block* BlockOf(Op* op) => (Block*)(op - op->Number) - 1;

    /// <summary>Linear address of the operation's instruction.</summary>
    public static ulong IpOf(Op* op) => BlockOf(op)->Ip + op->IpOffset;

    /// <summary>Linear address of the instruction after this one.</summary>
    public static ulong NextIpOf(Op* op) => BlockOf(op)->Ip + op->IpOffset + op->Length;
}
