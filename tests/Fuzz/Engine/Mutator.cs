using System.Buffers.Binary;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>Changes bytes the way damage, truncation and malice do.</summary>
internal static class Mutator
{
    /// <summary>One to eight changes of a copy.</summary>
    public static byte[] Mutate(FuzzRandom random, ReadOnlySpan<byte> original)
    {
        byte[] bytes = original.ToArray();
        for (int left = 1 << random.Next(4); left > 0; left--)
        {
            bytes = Change(random, bytes);
        }

        return bytes;
    }

    private static byte[] Change(FuzzRandom random, byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return random.Bytes(random.Next(1, 16));
        }

        int at = random.Next(bytes.Length);
        int length = Math.Min(bytes.Length - at, random.OneIn(4) ? random.Next(1, bytes.Length + 1) : random.Next(1, 17));
        switch (random.Next(10))
        {
            case 0 or 1:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                bytes[at] = random.Pick<byte>(0, 1, 0x7F, 0x80, 0xFF, 0x20, (byte)'0');
                return bytes;
            case 3 or 4:
                return Number(random, bytes, at);
            case 5:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 6:
                return [.. bytes[..at], .. random.Bytes(length), .. bytes[at..]];
            case 7:
                int from = random.Next(bytes.Length - length + 1);
                return [.. bytes[..at], .. bytes.AsSpan(from, length), .. bytes[at..]];
            case 8:
                random.Fill(bytes.AsSpan(at, length));
                return bytes;
            default:
                return random.OneIn(4) ? bytes[..at] : Number(random, bytes, at & ~3);
        }
    }

    private static byte[] Number(FuzzRandom random, byte[] bytes, int at)
    {
        Span<byte> word = stackalloc byte[8];
        ulong value = random.Corner();
        if (random.OneIn(2))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(word, value << 32);
        }

        int width = Math.Min(1 << random.Next(4), bytes.Length - at);
        word[..width].CopyTo(bytes.AsSpan(at));
        return bytes;
    }
}
