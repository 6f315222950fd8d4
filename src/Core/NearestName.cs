namespace KprobeTrace;

/// <summary>Finds what a misspelt name may have meant.</summary>
internal static class NearestName
{
    private const int MaxSuggestions = 3;

    /// <summary>Shorter names are part of too many others to say anything.</summary>
    private const int ShortestPart = 4;

    /// <summary>Longer names are no misspellings.</summary>
    private const int MaxLength = 255;

    /// <summary>
    /// The candidates nearest to a name, at most three: those with the fewest letters wrong, missing, too many or exchanged, a third
    /// of the name at most; or else the shortest that contain it.
    /// </summary>
    public static IReadOnlyList<string> Find(string name, IEnumerable<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(candidates);
        if (name.Length is 0 or > MaxLength)
        {
            return [];
        }

        int limit = Math.Clamp(name.Length / 3, 1, 3);
        SortedSet<(int Distance, int Length, string Name)> nearest = [];
        SortedSet<(int Distance, int Length, string Name)> containing = [];
        foreach (string candidate in candidates)
        {
            if (candidate == name)
            {
                continue;
            }

            if (Math.Abs(candidate.Length - name.Length) <= limit && Distance(name, candidate, limit) is int distance && distance <= limit)
            {
                Keep(nearest, (distance, candidate.Length, candidate));
            }
            else if (name.Length >= ShortestPart && candidate.Contains(name, StringComparison.OrdinalIgnoreCase))
            {
                Keep(containing, (0, candidate.Length, candidate));
            }
        }

        SortedSet<(int Distance, int Length, string Name)> found = nearest.Count > 0 ? nearest : containing;
        return [.. found.Where(f => f.Distance == found.Min.Distance).Select(f => f.Name)];
    }

    /// <summary>The question to put behind a message, such as <c>; did you mean vfs_read or vfs_write?</c>; empty without a candidate.</summary>
    public static string Ask(string name, IEnumerable<string> candidates)
    {
        IReadOnlyList<string> found = Find(name, candidates);
        return found.Count switch
        {
            0 => "",
            1 => $"; did you mean {found[0]}?",
            _ => $"; did you mean {string.Join(", ", found.Take(found.Count - 1))} or {found[^1]}?",
        };
    }

    private static void Keep(SortedSet<(int, int, string)> set, (int, int, string) candidate)
    {
        set.Add(candidate);
        if (set.Count > MaxSuggestions)
        {
            set.Remove(set.Max);
        }
    }

    /// <summary>
    /// How many letters have to be replaced, inserted, removed or exchanged with their neighbour, each pair once; more than the
    /// limit where it is exceeded.
    /// </summary>
    private static int Distance(string a, string b, int limit)
    {
        Span<int> beforeLast = stackalloc int[b.Length + 1];
        Span<int> last = stackalloc int[b.Length + 1];
        Span<int> row = stackalloc int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++)
        {
            last[j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            int least = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                row[j] = Math.Min(Math.Min(last[j], row[j - 1]) + 1, last[j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
                }

                least = Math.Min(least, row[j]);
            }

            if (least > limit)
            {
                return limit + 1;
            }

            Span<int> free = beforeLast;
            beforeLast = last;
            last = row;
            row = free;
        }

        return last[b.Length];
    }
}
