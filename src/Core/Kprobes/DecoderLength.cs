using KprobeTrace.Cpu.Decode;

namespace KprobeTrace.Kprobes;

/// <summary>Answers instruction lengths with the processor's own decoder.</summary>
internal sealed class DecoderLength : IInstructionLength
{
    private readonly InstructionLengthDecoder _decoder = new();

    /// <inheritdoc/>
    public int InstructionLength(ulong address, ReadOnlySpan<byte> bytes) => _decoder.LengthOf(address, bytes);
}
