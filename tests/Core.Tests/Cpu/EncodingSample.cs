using Iced.Intel;
using KprobeTrace.Cpu.Decode;

namespace KprobeTrace.Tests.Cpu;

/// <summary>An encoding of every kind: four maps of opcodes, every prefix that chooses one, every ModRM, 16-, 32- and 64-bit code.</summary>
internal static class EncodingSample
{
    private static readonly byte[][] _maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];
    private static readonly byte[][] _prefixes = [[], [0x66], [0xF2], [0xF3], [0x67], [0x48], [0x66, 0xF2], [0xF3, 0x48], [0x66, 0x48]];

    /// <summary>Decodes them as the processor does. Those that are no instruction are left out.</summary>
    public static IEnumerable<(Instruction Instruction, int Bits)> All()
    {
        foreach (int bits in (int[])[16, 32, 64])
        {
            byte[] bytes = new byte[16];
            ByteArrayCodeReader reader = new(bytes);
            Decoder decoder = Decoder.Create(bits, reader, BlockDecoder.Encoding);
            foreach (byte[] prefix in _prefixes.Where(prefix => bits == 64 || !prefix.Contains((byte)0x48)))
            {
                foreach (byte[] map in _maps)
                {
                    for (int opcode = 0; opcode < 0x10000; opcode++)
                    {
                        Array.Clear(bytes);
                        prefix.CopyTo(bytes, 0);
                        map.CopyTo(bytes, prefix.Length);
                        bytes[prefix.Length + map.Length] = (byte)(opcode >> 8);
                        bytes[prefix.Length + map.Length + 1] = (byte)opcode;
                        reader.Position = 0;
                        decoder.IP = 0x1000;
                        decoder.Decode(out Instruction instruction);
                        if (!instruction.IsInvalid)
                        {
                            yield return (instruction, bits);
                        }
                    }
                }
            }
        }
    }
}
