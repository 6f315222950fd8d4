using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Queries;

/// <summary>
/// Pairs events of one image by their content where that leaves fewer of them different: an event more on one side must
/// not shift all pairs behind it.
/// </summary>
internal sealed class DiffRefinement
{
    /// <summary>So many equal pairs in a row part one stretch from the next.</summary>
    private const int Solid = 16;

    /// <summary>A longer stretch, in which nowhere so many are equal, is of runs that have nothing in common.</summary>
    private const int LongestStretch = 1 << 17;

    private readonly (int[] A, int[] B) _contents;
    private readonly (int[] A, int[] B) _calls;
    private readonly (int[] A, int[] B) _tokens;

    internal DiffRefinement((int[] A, int[] B) contents, (int[] A, int[] B) calls, (int[] A, int[] B) tokens)
    {
        _contents = contents;
        _calls = calls;
        _tokens = tokens;
    }

    /// <summary>Improves an alignment of calls, stretch by stretch.</summary>
    internal void Apply(int[] match, ref long steps)
    {
        int startA = 0;
        int startB = 0;
        int solid = 0;
        int nextB = 0;
        for (int i = 0; i < match.Length; i++)
        {
            bool isEqual = match[i] == nextB && _contents.A[i] == _contents.B[nextB];
            solid = isEqual ? solid + 1 : 0;
            nextB = match[i] >= 0 ? match[i] + 1 : nextB;
            if (solid == Solid)
            {
                Refine(match, startA, i + 1 - Solid, startB, nextB - Solid, ref steps);
                startA = i + 1;
                startB = nextB;
                solid = 0;
            }
        }

        Refine(match, startA, match.Length, startB, _contents.B.Length, ref steps);
    }

    private void Refine(int[] match, int a0, int a1, int b0, int b1, ref long steps)
    {
        if (steps <= 0 || Math.Max(a1 - a0, b1 - b0) > LongestStretch)
        {
            return;
        }

        // No pairs cost less than what has no equal on the other side.
        int before = Cost(match.AsSpan(a0..a1), a0, b0, b1, 0);
        if (Math.Max(a1 - a0, b1 - b0) - InCommon(a0, a1, b0, b1) >= before)
        {
            return;
        }

        int[] better = SequenceAlignment.Align(_contents.A[a0..a1], _contents.B[b0..b1], ref steps);
        SequenceAlignment.AlignGaps(better, _calls.A[a0..a1], _calls.B[b0..b1], ref steps);
        SequenceAlignment.AlignGaps(better, _tokens.A[a0..a1], _tokens.B[b0..b1], ref steps);
        if (Cost(better, a0, b0, b1, b0) < before)
        {
            for (int i = 0; i < better.Length; i++)
            {
                match[a0 + i] = better[i] < 0 ? -1 : b0 + better[i];
            }
        }
    }

    /// <summary>How many events of the stretch could find an equal one, if order were no matter.</summary>
    private int InCommon(int a0, int a1, int b0, int b1)
    {
        Dictionary<int, int> left = [];
        foreach (int content in _contents.B.AsSpan(b0..b1))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(left, content, out _)++;
        }

        int common = 0;
        foreach (int content in _contents.A.AsSpan(a0..a1))
        {
            ref int count = ref CollectionsMarshal.GetValueRefOrNullRef(left, content);
            if (!Unsafe.IsNullRef(ref count) && count > 0)
            {
                count--;
                common++;
            }
        }

        return common;
    }

    /// <summary>Pairs that differ, and events without a partner on either side.</summary>
    private int Cost(ReadOnlySpan<int> match, int a0, int b0, int b1, int shift)
    {
        int pairs = 0;
        int cost = 0;
        for (int i = 0; i < match.Length; i++)
        {
            if (match[i] < 0)
            {
                cost++;
                continue;
            }

            pairs++;
            cost += _contents.A[a0 + i] == _contents.B[match[i] + shift] ? 0 : 1;
        }

        return cost + (b1 - b0) - pairs;
    }
}
