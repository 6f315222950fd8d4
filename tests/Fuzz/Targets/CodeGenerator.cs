using Iced.Intel;
using KprobeTrace.Fuzz.Engine;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Makes machine code of which most decodes, of every opcode map, with operands that mostly lie in memory that is there.</summary>
internal static class CodeGenerator
{
    private static readonly byte[] _prefixes = [0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x64, 0x65];

    // Forms that matter more often than one in 256: branches, stack, strings, stores, flags, interrupts, returns.
    private static readonly byte[][] _favourites =
    [
        [0xEB], [0x74], [0x75], [0xE2], [0xE8], [0xC3], [0xC7], [0x89], [0x8B], [0x88], [0x01], [0x29], [0x85], [0xFF], [0x50], [0x58],
        [0xA4], [0xA5], [0xAA], [0xAB], [0xA6], [0xAE], [0xAC], [0x9C], [0x9D], [0xFB], [0xFA], [0xFC], [0xFD], [0xCC], [0xCD, 0x80], [0xCF],
        [0x0F, 0x05], [0x0F, 0x0B], [0x0F, 0xA2], [0x0F, 0x31], [0x0F, 0x22], [0x0F, 0x20], [0x0F, 0x01], [0x0F, 0x00], [0x0F, 0xAE], [0x0F, 0xC7],
        [0x0F, 0x30], [0x0F, 0x32], [0xE4], [0xE6], [0xEC], [0xEE], [0x6C], [0x6E], [0xF4], [0x8E], [0x8C], [0xC8], [0xC9], [0xD9], [0xDB], [0xDD], [0xDF],
    ];

    public static byte[] Generate(FuzzRandom random, int bitness)
    {
        List<byte> code = [];
        int wanted = random.Next(4, 300);
        while (code.Count < wanted)
        {
            code.AddRange(random.OneIn(12) ? random.Bytes(random.Next(1, 8)) : Instruction(random, bitness));
        }

        return [.. code];
    }

    private static ReadOnlySpan<byte> Instruction(FuzzRandom random, int bitness)
    {
        byte[] bytes = new byte[15];
        for (int attempt = 0; attempt < 6; attempt++)
        {
            random.Fill(bytes);
            int at = 0;
            while (random.OneIn(4) && at < 4)
            {
                bytes[at++] = random.Pick<byte>(_prefixes);
            }

            if (bitness == 64 && random.OneIn(2))
            {
                bytes[at++] = (byte)(0x40 | random.Next(16));
            }

            at = Opcode(random, bytes, at);
            if (random.OneIn(2))
            {
                // Registers point to memory; displacements stay small.
                bytes[at] = (byte)((bytes[at] & 0x38) | random.Pick(0x00, 0x40, 0x80, 0xC0) | random.Pick(3, 6, 7, 1));
                bytes.AsSpan(at + 2, 3).Clear();
            }

            Decoder decoder = Decoder.Create(bitness, bytes);
            decoder.Decode(out Iced.Intel.Instruction instruction);
            if (!instruction.IsInvalid)
            {
                return bytes.AsSpan(0, instruction.Length);
            }
        }

        return bytes.AsSpan(0, 1);
    }

    private static int Opcode(FuzzRandom random, byte[] bytes, int at)
    {
        if (random.OneIn(3))
        {
            foreach (byte b in random.Pick<byte[]>(_favourites))
            {
                bytes[at++] = b;
            }

            return at;
        }

        switch (random.Next(6))
        {
            case 0 or 1 or 2:
                return at + 1;
            case 3 or 4:
                bytes[at] = 0x0F;
                return at + 2;
            default:
                bytes[at] = 0x0F;
                bytes[at + 1] = random.OneIn(2) ? (byte)0x38 : (byte)0x3A;
                return at + 3;
        }
    }
}
