using System.Numerics;

namespace KprobeTrace.Queries;

/// <summary>Finds which elements of two sequences correspond, in order.</summary>
/// <remarks>
/// Myers' O(ND) algorithm in linear space gives a longest common subsequence as long as the difference and the work
/// stay within limits. Beyond, the sequences are parted at windows of elements that occur once on each side and in the
/// same order, and where there are none compared a piece at a time. Memory grows with the length alone.
/// </remarks>
internal sealed partial class SequenceAlignment
{
    /// <summary>Steps that one comparison of two runs may take in all: a few seconds.</summary>
    internal const long MaxSteps = 3_000_000_000;

    private const int MaxDifference = 1200;
    private const int MaxWindowsLog2 = 18;
    private static readonly int[] _windows = [24, 12, 6, 3, 1];

    private readonly int[] _a;
    private readonly int[] _b;
    private readonly int[] _match;
    private long _stepsLeft;

    private SequenceAlignment(int[] a, int[] b, long steps)
    {
        _a = a;
        _b = b;
        _stepsLeft = steps;
        _match = new int[a.Length];
        Array.Fill(_match, -1);
    }

    /// <summary>For each element of <paramref name="a"/> the index of its partner in <paramref name="b"/>, or -1.</summary>
    internal static int[] Align(int[] a, int[] b)
    {
        long steps = MaxSteps;
        return Align(a, b, ref steps);
    }

    /// <summary>The same, taking the work it does from what may be done.</summary>
    internal static int[] Align(int[] a, int[] b, ref long steps)
    {
        SequenceAlignment alignment = new(a, b, steps);
        Stack<(int A0, int A1, int B0, int B1, int Window)> work = new();
        work.Push((0, a.Length, 0, b.Length, 0));
        while (work.TryPop(out (int A0, int A1, int B0, int B1, int Window) part))
        {
            alignment.Step(part.A0, part.A1, part.B0, part.B1, part.Window, work);
        }

        steps = alignment._stepsLeft;
        return alignment._match;
    }

    /// <summary>Aligns what has no partner yet between those that have, by other elements.</summary>
    internal static void AlignGaps(int[] match, int[] a, int[] b, ref long steps)
    {
        int startA = 0;
        int startB = 0;
        for (int i = 0; i <= match.Length; i++)
        {
            if (i < match.Length && match[i] < 0)
            {
                continue;
            }

            int endB = i < match.Length ? match[i] : b.Length;
            if (i > startA && endB > startB)
            {
                int[] inside = Align(a[startA..i], b[startB..endB], ref steps);
                for (int k = 0; k < inside.Length; k++)
                {
                    match[startA + k] = inside[k] >= 0 ? startB + inside[k] : -1;
                }
            }

            startA = i + 1;
            startB = endB + 1;
        }
    }

    private void Step(
        int a0, int a1, int b0, int b1, int window, Stack<(int A0, int A1, int B0, int B1, int Window)> work)
    {
        while (a0 < a1 && b0 < b1 && _a[a0] == _b[b0])
        {
            _match[a0++] = b0++;
        }

        while (a0 < a1 && b0 < b1 && _a[a1 - 1] == _b[b1 - 1])
        {
            _match[--a1] = --b1;
        }

        if (a0 == a1 || b0 == b1)
        {
            return;
        }

        if (FindMiddle(a0, a1, b0, b1, out (int A, int B, int Length) middle))
        {
            for (int i = 0; i < middle.Length; i++)
            {
                _match[middle.A + i] = middle.B + i;
            }

            work.Push((a0, middle.A, b0, middle.B, window));
            work.Push((middle.A + middle.Length, a1, middle.B + middle.Length, b1, window));
            return;
        }

        for (; window < _windows.Length; window++)
        {
            List<(int A, int B)> anchors = Anchors(a0, a1, b0, b1, _windows[window]);
            if (anchors.Count > 0)
            {
                Split(a0, a1, b0, b1, anchors, window, work);
                return;
            }
        }

        Compare(a0, a1, b0, b1);
    }

    /// <summary>Takes the anchored windows as matches and leaves what lies between for later.</summary>
    private void Split(
        int a0, int a1, int b0, int b1, List<(int A, int B)> anchors, int window,
        Stack<(int A0, int A1, int B0, int B1, int Window)> work)
    {
        int a = a0;
        int b = b0;
        foreach ((int anchorA, int anchorB) in anchors)
        {
            if (anchorA < a || anchorB < b)
            {
                // Overlaps what the last anchor was extended over.
                continue;
            }

            int startA = anchorA;
            int startB = anchorB;
            while (startA > a && startB > b && _a[startA - 1] == _b[startB - 1])
            {
                startA--;
                startB--;
            }

            work.Push((a, startA, b, startB, window + 1));
            a = startA;
            b = startB;
            while (a < a1 && b < b1 && _a[a] == _b[b])
            {
                _match[a++] = b++;
            }
        }

        work.Push((a, a1, b, b1, window + 1));
    }

    /// <summary>Windows that occur exactly once on each side, the longest chain of them that rises on both.</summary>
    private List<(int A, int B)> Anchors(int a0, int a1, int b0, int b1, int length)
    {
        if (a1 - a0 < length || b1 - b0 < length)
        {
            return []; // without looking at the other part, which may be long
        }

        // Of very long parts only a sample of windows is looked at, chosen by their content, so the same on both sides.
        int sample = Math.Max(0, BitOperations.Log2((uint)Math.Max(a1 - a0, b1 - b0)) - MaxWindowsLog2);
        Dictionary<ulong, int> inA = Unique(_a, a0, a1, length, sample);
        Dictionary<ulong, int> inB = Unique(_b, b0, b1, length, sample);
        List<(int A, int B)> pairs = [];
        foreach ((ulong hash, int a) in inA)
        {
            if (a >= 0
                && inB.TryGetValue(hash, out int b)
                && b >= 0
                && _a.AsSpan(a, length).SequenceEqual(_b.AsSpan(b, length)))
            {
                pairs.Add((a, b));
            }
        }

        pairs.Sort();
        return LongestRise(pairs);
    }

    private static Dictionary<ulong, int> Unique(int[] values, int from, int to, int length, int sample)
    {
        const ulong Factor = 0x9E3779B97F4A7C15;
        ulong drop = 1;
        for (int i = 0; i < length; i++)
        {
            drop *= Factor;
        }

        Dictionary<ulong, int> places = [];
        ulong hash = 0;
        for (int i = from; i < to; i++)
        {
            hash = (hash * Factor) + (ulong)(uint)values[i] + 1;
            if (i - from >= length)
            {
                hash -= drop * ((ulong)(uint)values[i - length] + 1);
            }

            if (i - from >= length - 1 && (sample == 0 || (hash * Factor) >> (64 - sample) == 0))
            {
                int start = i - length + 1;
                if (!places.TryAdd(hash, start))
                {
                    places[hash] = -1;
                }
            }
        }

        return places;
    }

    private static List<(int A, int B)> LongestRise(List<(int A, int B)> pairs)
    {
        List<int> tails = [];
        int[] before = new int[pairs.Count];
        for (int i = 0; i < pairs.Count; i++)
        {
            int low = 0;
            int high = tails.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (pairs[tails[middle]].B < pairs[i].B)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            before[i] = low > 0 ? tails[low - 1] : -1;
            if (low == tails.Count)
            {
                tails.Add(i);
            }
            else
            {
                tails[low] = i;
            }
        }

        List<(int A, int B)> chain = [];
        for (int i = tails.Count > 0 ? tails[^1] : -1; i >= 0; i = before[i])
        {
            chain.Add(pairs[i]);
        }

        chain.Reverse();
        return chain;
    }

    /// <summary>Myers' algorithm, restarted from the furthest point where the difference grows too large.</summary>
    private void Compare(int a0, int a1, int b0, int b1)
    {
        while (a0 < a1 && b0 < b1)
        {
            (int a, int b) = Forward(a0, a1, b0, b1);
            a0 = a;
            b0 = b;
        }
    }

    /// <summary>Matches a beginning of the two parts and returns where it ends.</summary>
    private (int A, int B) Forward(int a0, int a1, int b0, int b1)
    {
        int n = a1 - a0;
        int m = b1 - b0;
        int most = Math.Min(n + m, MaxDifference);
        int[] furthest = new int[(2 * most) + 3];
        List<int[]> history = [];
        int bestD = 0;
        int bestK = 0;
        int best = -1;
        for (int d = 0; d <= most; d++)
        {
            for (int k = -d; k <= d; k += 2)
            {
                int at = k + most + 1;
                int x = k == -d || (k != d && furthest[at - 1] < furthest[at + 1])
                    ? furthest[at + 1]
                    : furthest[at - 1] + 1;
                int y = x - k;
                if (x > n || y > m || y < 0)
                {
                    // Outside; the neighbouring diagonals go on.
                    furthest[at] = Math.Min(x, n + 1);
                    continue;
                }

                while (x < n && y < m && _a[a0 + x] == _b[b0 + y])
                {
                    x++;
                    y++;
                }

                furthest[at] = x;
                if (x + y > best)
                {
                    best = x + y;
                    bestD = d;
                    bestK = k;
                }

                if (x == n && y == m)
                {
                    history.Add(furthest.AsSpan(most + 1 - d, (2 * d) + 1).ToArray());
                    Trace(history, d, k, a0, b0);
                    return (a1, b1);
                }
            }

            history.Add(furthest.AsSpan(most + 1 - d, (2 * d) + 1).ToArray());
        }

        int endX = history[bestD][bestK + bestD];
        Trace(history, bestD, bestK, a0, b0);
        int nextA = a0 + endX;
        int nextB = b0 + endX - bestK;

        // With one side used up nothing is left to match.
        return nextA == a0 && nextB == b0 ? (a1, b1) : (nextA, nextB);
    }

    /// <summary>Follows the path back from diagonal <paramref name="k"/> of round <paramref name="d"/>.</summary>
    private void Trace(List<int[]> history, int d, int k, int a0, int b0)
    {
        int x = history[d][k + d];
        while (d > 0)
        {
            int[] previous = history[d - 1];
            int Before(int diagonal) =>
                Math.Abs(diagonal) <= d - 1 ? previous[diagonal + d - 1] : int.MinValue;

            int down = Before(k + 1);
            int right = Before(k - 1);
            bool isDown = k == -d || (k != d && right < down);
            int startX = isDown ? down : right + 1;
            for (int i = startX; i < x; i++)
            {
                _match[a0 + i] = b0 + i - k;
            }

            k += isDown ? 1 : -1;
            x = isDown ? down : right;
            d--;
        }

        for (int i = 0; i < x; i++)
        {
            _match[a0 + i] = b0 + i - k;
        }
    }
}
