using System.Numerics;

namespace KprobeTrace.Tests.Oracle;

/// <summary>A small generator (SplitMix64) whose sequence is fixed for all time, so that a seed names a case for ever.</summary>
internal sealed class SeededRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9e37_79b9_7f4a_7c15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xbf58_476d_1ce4_e5b9;
        z = (z ^ (z >> 27)) * 0x94d0_49bb_1331_11eb;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="limit"/> - 1.</summary>
    public int Below(int limit) => (int)(((UInt128)Next() * (ulong)limit) >> 64);

    /// <summary>True in <paramref name="percent"/> of 100 calls.</summary>
    public bool Chance(int percent) => Below(100) < percent;

    public T Pick<T>(ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    public void Fill(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)Next();
        }
    }

    /// <summary>A 64-bit pattern of one of the kinds that integer code trips over.</summary>
    public ulong Interesting() => Below(16) switch
    {
        0 or 1 or 2 or 3 => Next(),
        4 => Boundary(),
        5 => Boundary(),
        6 or 7 => (ulong)(long)(Below(65) - 32),
        8 => (ulong)Below(256),
        9 => (uint)Next(),
        10 => (ulong)(int)Next(),
        11 => (ulong)(short)Next(),
        12 => 1ul << Below(64),
        13 => ulong.MaxValue << Below(64),
        14 => BitOperations.RotateLeft(Next() & Next() & Next(), Below(64)),
        _ => Next() | Next() | Next(),
    };

    private ulong Boundary()
    {
        ulong edge = (1ul << Pick<int>([7, 8, 15, 16, 31, 32, 63])) + (ulong)(long)(Below(3) - 1);
        return Chance(30) ? 0 - edge : edge;
    }
}
