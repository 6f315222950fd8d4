namespace KprobeTrace.Kprobes;

/// <summary>The decoder as registration needs it: how long is the instruction at an address.</summary>
internal interface IInstructionLength
{
    /// <summary>Length in bytes (1 to 15) of the 64-bit instruction that <paramref name="bytes"/> begins with, 0 when it is none.</summary>
    public int InstructionLength(ulong address, ReadOnlySpan<byte> bytes);
}
