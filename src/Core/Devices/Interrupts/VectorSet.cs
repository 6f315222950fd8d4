using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>The 256 bits of an ISR, TMR or IRR of a local APIC, with the highest one at hand; cleared before its first use.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct VectorSet
{
    private Words _words;

    /// <summary>The highest vector in the set, or -1 when it is empty.</summary>
    private short _highest;

    /// <summary>The highest vector in the set, or -1 when it is empty.</summary>
    public readonly int Highest => _highest;

    /// <summary>Whether <see cref="Highest"/> is what the bits say.</summary>
    public readonly bool IsConsistent => _highest == HighestBelow(4);

    public readonly bool Contains(int vector) => (_words[vector >> 6] & (1UL << vector)) != 0;

    public void Add(int vector)
    {
        _words[vector >> 6] |= 1UL << vector;
        if (vector > _highest)
        {
            _highest = (short)vector;
        }
    }

    public void Remove(int vector)
    {
        _words[vector >> 6] &= ~(1UL << vector);
        if (vector == _highest)
        {
            _highest = (short)HighestBelow((vector >> 6) + 1);
        }
    }

    public void Clear()
    {
        _words = default;
        _highest = -1;
    }

    /// <summary>Returns 32 bits as the register at 16 * <paramref name="index"/> shows them.</summary>
    public readonly uint Word(int index) => (uint)(_words[index >> 1] >> ((index & 1) * 32));

    private readonly int HighestBelow(int word)
    {
        do
        {
            word--;
        }
        while (word >= 0 && _words[word] == 0);

        return word < 0 ? -1 : (word * 64) + BitOperations.Log2(_words[word]);
    }

    /// <summary>64 vectors in each.</summary>
    [InlineArray(4)]
    private struct Words
    {
        private ulong _first;
    }
}
