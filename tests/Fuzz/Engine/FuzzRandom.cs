namespace KprobeTrace.Fuzz.Engine;

/// <summary>Random numbers that are the same for the same seed on every host and in every release of the runtime (SplitMix64).</summary>
internal sealed class FuzzRandom(ulong seed)
{
    private static readonly ulong[] _corners =
    [
        0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536, int.MaxValue, 1UL << 31,
        uint.MaxValue, 1UL << 32, (1UL << 47) - 1, 1UL << 47, 0xFFFF_8000_0000_0000, long.MaxValue, 1UL << 63, ulong.MaxValue,
    ];

    private ulong _state = seed;

    /// <summary>The generator of one input: neighbours in seed or index have nothing in common.</summary>
    public static FuzzRandom Of(ulong seed, long index) => new(new FuzzRandom(seed ^ 0xA5A5_5A5A_1234_4321).Next64() + ((ulong)index * 0xD1342543DE82EF95));

    public ulong Next64()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="below"/> - 1; 0 when there is none.</summary>
    public int Next(int below) => below <= 1 ? 0 : (int)(Next64() % (ulong)below);

    public int Next(int from, int below) => from + Next(below - from);

    public bool OneIn(int n) => Next(n) == 0;

    public byte NextByte() => (byte)Next64();

    public T Pick<T>(params ReadOnlySpan<T> from) => from[Next(from.Length)];

    /// <summary>A number near an edge of some width, or any number.</summary>
    public ulong Corner() => Next(4) switch
    {
        0 => Next64(),
        1 => Next64() >> Next(64),
        2 => Pick<ulong>(_corners) + (ulong)(Next(5) - 2),
        _ => Pick<ulong>(_corners),
    };

    public byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    public void Fill(Span<byte> bytes)
    {
        foreach (ref byte b in bytes)
        {
            b = NextByte();
        }
    }
}
