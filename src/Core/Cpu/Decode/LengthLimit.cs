using Iced.Intel;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Tells what is longer than an instruction may be from an undefined encoding that is just as long as it may be.</summary>
/// <remarks>
/// The decoder library refuses both in the same way, after 15 bytes. A prefix that changes nothing about the length is left out,
/// and the rest is measured. Where there is no such prefix the instruction cannot be longer than 15 bytes.
/// </remarks>
internal sealed unsafe class LengthLimit
{
    private const int MaxLength = 15;

    private readonly ByteReader _reader = new();
    private readonly Decoder[] _decoders;

    public LengthLimit()
    {
        _decoders =
        [
            Decoder.Create(16, _reader, BlockDecoder.Encoding | DecoderOptions.NoInvalidCheck),
            Decoder.Create(32, _reader, BlockDecoder.Encoding | DecoderOptions.NoInvalidCheck),
            Decoder.Create(64, _reader, BlockDecoder.Encoding | DecoderOptions.NoInvalidCheck),
        ];
    }

    /// <summary>Whether the instruction whose first 15 bytes these are goes on behind them.</summary>
    /// <param name="bytes">15 bytes.</param>
    /// <param name="size">Which code they are, see <see cref="BlockMode.SizeMask"/>.</param>
    public bool IsExceeded(byte* bytes, int size)
    {
        int idle = IdlePrefix(bytes, size == BlockMode.Code64);
        if (idle < 0)
        {
            return false;
        }

        byte* rest = stackalloc byte[2 * MaxLength];
        new Span<byte>(rest, 2 * MaxLength).Clear();
        for (int from = 0, to = 0; from < MaxLength; from++)
        {
            if (from != idle)
            {
                rest[to++] = bytes[from];
            }
        }

        _reader.Set(rest, 2 * MaxLength);
        _decoders[size].Decode(out Instruction instruction);
        int length = instruction.IsInvalid ? EndOfOpcode(rest, size == BlockMode.Code64) : instruction.Length;
        return length + 1 > MaxLength;
    }

    /// <summary>Bytes up to the opcode and with it: an undefined one needs no operand to be so.</summary>
    private static int EndOfOpcode(byte* bytes, bool code64)
    {
        int at = 0;
        while (at < MaxLength && IsPrefix(bytes[at], code64))
        {
            at++;
        }

        bool escaped = bytes[at] == 0x0F;
        return at + (!escaped ? 1 : bytes[at + 1] is 0x38 or 0x3A ? 3 : 2);
    }

    /// <summary>The first prefix without which the instruction has the same length but for one byte; -1 when there is none.</summary>
    private static int IdlePrefix(byte* bytes, bool code64)
    {
        for (int i = 0; i < MaxLength; i++)
        {
            byte b = bytes[i];
            bool rex = Prefixes.IsRex(b, code64);
            if (!rex && !Prefixes.IsLegacy(b))
            {
                return -1;
            }

            // REX counts only right before the opcode, every other prefix once.
            bool isIdle = rex ? i + 1 < MaxLength && IsPrefix(bytes[i + 1], code64) : Prefixes.IsSegmentOrLock(b) || Comes(bytes, i + 1, b, code64);
            if (isIdle)
            {
                return i;
            }
        }

        return -1;
    }

    private static bool Comes(byte* bytes, int from, byte prefix, bool code64)
    {
        for (int i = from; i < MaxLength && IsPrefix(bytes[i], code64); i++)
        {
            if (bytes[i] == prefix)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsPrefix(byte b, bool code64) => Prefixes.IsLegacy(b) || Prefixes.IsRex(b, code64);
}
