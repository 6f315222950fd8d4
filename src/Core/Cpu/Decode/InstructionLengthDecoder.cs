using Iced.Intel;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Measures and prints single 64-bit instructions, without executing or caching anything.</summary>
internal sealed class InstructionLengthDecoder
{
    private const int MaxLength = 15;
    private readonly byte[] _bytes = new byte[MaxLength];
    private readonly ByteArrayCodeReader _reader;
    private readonly Decoder _decoder;
    private readonly NasmFormatter _formatter = new();

    /// <summary>Creates a decoder.</summary>
    public InstructionLengthDecoder()
    {
        _reader = new ByteArrayCodeReader(_bytes);
        _decoder = Decoder.Create(64, _reader, DecoderOptions.AMD);
    }

    /// <summary>Length in bytes of the instruction that <paramref name="bytes"/> begins with, 0 when it is none.</summary>
    public int LengthOf(ulong address, ReadOnlySpan<byte> bytes) =>
        TryDecode(address, bytes, out Instruction instruction) ? instruction.Length : 0;

    /// <summary>The instruction as text in NASM's syntax; null when the bytes begin with none.</summary>
    public string? Format(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (!TryDecode(address, bytes, out Instruction instruction))
        {
            return null;
        }

        StringOutput output = new();
        _formatter.Format(instruction, output);
        return output.ToStringAndReset();
    }

    private bool TryDecode(ulong address, ReadOnlySpan<byte> bytes, out Instruction instruction)
    {
        int available = Math.Min(bytes.Length, MaxLength);
        _bytes.AsSpan().Clear();
        bytes[..available].CopyTo(_bytes);
        _reader.Position = 0;
        _decoder.IP = address;
        _decoder.Decode(out instruction);
        return !instruction.IsInvalid && instruction.Length <= available;
    }
}
