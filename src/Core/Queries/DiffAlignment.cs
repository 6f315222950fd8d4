namespace KprobeTrace.Queries;

/// <summary>Finds which events of two runs correspond, window by window, in memory that does not grow with the runs.</summary>
/// <remarks>
/// A window holds the next events of each side. Each group of tasks is aligned on its own; what stands before the last
/// pair in the window's first seven eighths is decided, the rest is aligned again with the events that come next. A window
/// whose events find few partners grows once: so far apart may two runs be and still be found to correspond again.
/// </remarks>
internal sealed class DiffAlignment
{
    private readonly DiffWindow _a;
    private readonly DiffWindow _b;
    private readonly DiffNames _names;
    private readonly bool _sameImage;
    private long _steps = SequenceAlignment.MaxSteps;

    internal DiffAlignment(DiffWindow a, DiffWindow b, DiffNames names, bool sameImage)
    {
        _a = a;
        _b = b;
        _names = names;
        _sameImage = sameImage;
    }

    /// <summary>Pairs that were decided so far.</summary>
    internal long Aligned { get; private set; }

    /// <summary>
    /// Aligns what is undecided in the windows and decides as much as can be. False where few events found a partner and
    /// <paramref name="mayGrow"/>: nothing was decided then.
    /// </summary>
    internal bool Decide(bool isLast, bool mayGrow)
    {
        int groups = _names.GroupCount;
        int[] startsA = Starts(_a, groups, out int[] placesA);
        int[] startsB = Starts(_b, groups, out int[] placesB);
        List<(int Group, int[] Match)> matches = [];
        long pairs = 0;
        long late = 0;
        for (int group = 0; group < groups; group++)
        {
            ReadOnlySpan<int> inA = placesA.AsSpan(startsA[group]..startsA[group + 1]);
            ReadOnlySpan<int> inB = placesB.AsSpan(startsB[group]..startsB[group + 1]);
            int[] match = Align(inA, inB);
            matches.Add((group, match));
            pairs += match.Count(static m => m >= 0);
            (int toA, int toB) = Settled(match, inA.Length, inB.Length);
            late += Math.Max(0, Old(_a, inA) - toA) + Math.Max(0, Old(_b, inB) - toB);
        }

        bool isPoor = pairs * 2 < Math.Min(placesA.Length, placesB.Length) || late * 1024 > placesA.Length + placesB.Length;
        if (mayGrow && isPoor)
        {
            return false;
        }

        foreach ((int group, int[] match) in matches)
        {
            Commit(
                match, placesA.AsSpan(startsA[group]..startsA[group + 1]), placesB.AsSpan(startsB[group]..startsB[group + 1]), isLast);
        }

        // What is left to do of the work allowed belongs to this window; the next has its own.
        _steps = SequenceAlignment.MaxSteps / 4;
        return true;
    }

    private int[] Align(ReadOnlySpan<int> inA, ReadOnlySpan<int> inB)
    {
        int[] callsA = Pick(_a.Calls, inA);
        int[] callsB = Pick(_b.Calls, inB);
        int[] tokensA = [.. callsA];
        int[] tokensB = [.. callsB];
        _names.ForgetCallers(tokensA);
        _names.ForgetCallers(tokensB);
        int[] match = SequenceAlignment.Align(callsA, callsB, ref _steps);
        SequenceAlignment.AlignGaps(match, tokensA, tokensB, ref _steps);
        if (_sameImage)
        {
            int[] contentsA = Pick(_a.Contents, inA);
            int[] contentsB = Pick(_b.Contents, inB);
            new DiffRefinement((contentsA, contentsB), (callsA, callsB), (tokensA, tokensB)).Apply(match, ref _steps);
        }

        return match;
    }

    /// <summary>Decides the beginning of a group: pairs, and what stands between them without a partner.</summary>
    private void Commit(int[] match, ReadOnlySpan<int> inA, ReadOnlySpan<int> inB, bool isLast)
    {
        (int toA, int toB) = isLast ? (inA.Length, inB.Length) : Settled(match, inA.Length, inB.Length);

        // What is old is decided now, so that the window moves on.
        toA = Math.Max(toA, Old(_a, inA));
        toB = Math.Max(toB, Old(_b, inB));
        for (int i = 0; i < match.Length; i++)
        {
            if (match[i] >= 0 && i < toA)
            {
                toB = Math.Max(toB, match[i] + 1);
            }
            else if (match[i] >= 0 && match[i] < toB)
            {
                toA = i + 1;
            }
        }

        foreach (int place in inB[..toB])
        {
            _b.Partner[place] = DiffWindow.Alone;
        }

        for (int i = 0; i < toA; i++)
        {
            if (match[i] < 0)
            {
                _a.Partner[inA[i]] = DiffWindow.Alone;
                continue;
            }

            Pair(inA[i], inB[match[i]]);
        }
    }

    private void Pair(int a, int b)
    {
        _a.Partner[a] = _b.Seqs[b];
        _b.Partner[b] = _a.Seqs[a];
        _a.Equal[a] = (_a.Contents[a] == _b.Contents[b] ? DiffEquality.Content : DiffEquality.None)
            | (_a.Times[a] == _b.Times[b] ? DiffEquality.Time : DiffEquality.None);
        Aligned++;
    }

    /// <summary>How many events of a group stand up to the last pair that what comes next will hardly change.</summary>
    private static (int A, int B) Settled(int[] match, int lengthA, int lengthB)
    {
        int a = Math.Min(match.Length, lengthA - (lengthA / 8)) - 1;
        while (a >= 0 && (match[a] < 0 || match[a] >= lengthB - (lengthB / 8)))
        {
            a--;
        }

        return a < 0 ? (0, 0) : (a + 1, match[a] + 1);
    }

    /// <summary>How many events of a group stand in the first half of the window.</summary>
    private static int Old(DiffWindow window, ReadOnlySpan<int> places)
    {
        int found = places.BinarySearch((window.Count + 1) / 2);
        return found < 0 ? ~found : found;
    }

    private static int[] Pick(int[] values, ReadOnlySpan<int> places)
    {
        int[] picked = new int[places.Length];
        for (int i = 0; i < picked.Length; i++)
        {
            picked[i] = values[places[i]];
        }

        return picked;
    }

    private static int[] Pick(uint[] values, ReadOnlySpan<int> places)
    {
        int[] picked = new int[places.Length];
        for (int i = 0; i < picked.Length; i++)
        {
            picked[i] = unchecked((int)values[places[i]]);
        }

        return picked;
    }

    /// <summary>Sorts the undecided events by group, in order within each; returns where each group begins.</summary>
    private static int[] Starts(DiffWindow window, int groups, out int[] places)
    {
        int[] starts = new int[groups + 2];
        for (int i = 0; i < window.Count; i++)
        {
            if (window.Partner[i] == DiffWindow.Undecided)
            {
                starts[window.Groups[i] + 2]++;
            }
        }

        for (int i = 2; i < starts.Length; i++)
        {
            starts[i] += starts[i - 1];
        }

        places = new int[starts[^1]];
        for (int i = 0; i < window.Count; i++)
        {
            if (window.Partner[i] == DiffWindow.Undecided)
            {
                places[starts[window.Groups[i] + 1]++] = i;
            }
        }

        return starts;
    }
}
