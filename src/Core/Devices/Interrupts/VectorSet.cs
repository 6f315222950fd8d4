using System.Numerics;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>The 256 bits of an ISR, TMR or IRR of a local APIC, with the highest one at hand.</summary>
internal sealed class VectorSet
{
    private readonly ulong[] _words = new ulong[4];

    /// <summary>The highest vector in the set, or -1 when it is empty.</summary>
    public int Highest { get; private set; } = -1;

    public bool Contains(int vector) => (_words[vector >> 6] & (1UL << vector)) != 0;

    public void Add(int vector)
    {
        _words[vector >> 6] |= 1UL << vector;
        if (vector > Highest)
        {
            Highest = vector;
        }
    }

    public void Remove(int vector)
    {
        _words[vector >> 6] &= ~(1UL << vector);
        if (vector == Highest)
        {
            FindHighest(vector >> 6);
        }
    }

    public void Clear()
    {
        Array.Clear(_words);
        Highest = -1;
    }

    /// <summary>Returns 32 bits as the register at 16 * <paramref name="index"/> shows them.</summary>
    public uint Word(int index) => (uint)(_words[index >> 1] >> ((index & 1) * 32));

    private void FindHighest(int word)
    {
        while (word >= 0 && _words[word] == 0)
        {
            word--;
        }

        Highest = word < 0 ? -1 : (word * 64) + BitOperations.Log2(_words[word]);
    }
}
