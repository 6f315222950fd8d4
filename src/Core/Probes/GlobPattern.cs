namespace KprobeTrace.Probes;

/// <summary>The patterns of <c>~</c>: <c>*</c> any run, <c>?</c> any byte, <c>[a-z]</c> and <c>[!a-z]</c> a class.</summary>
internal static class GlobPattern
{
    /// <summary>Whether a whole text matches a pattern.</summary>
    public static bool IsMatch(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> text)
    {
        int p = 0;
        int t = 0;
        int starPattern = -1;
        int starText = 0;
        while (true)
        {
            if (p < pattern.Length && pattern[p] == (byte)'*')
            {
                starPattern = ++p;
                starText = t;
                continue;
            }

            if (t == text.Length)
            {
                return p == pattern.Length;
            }

            int used = p < pattern.Length ? MatchOne(pattern[p..], text[t]) : 0;
            if (used > 0)
            {
                p += used;
                t++;
            }
            else if (starPattern >= 0)
            {
                p = starPattern;
                t = ++starText;
            }
            else
            {
                return false;
            }
        }
    }

    /// <summary>Matches one byte with the first element of a pattern; returns the element's length, 0 on a mismatch.</summary>
    private static int MatchOne(ReadOnlySpan<byte> pattern, byte c)
    {
        switch ((char)pattern[0])
        {
            case '?':
                return 1;
            case '\\' when pattern.Length > 1:
                return pattern[1] == c ? 2 : 0;
            case '[':
                int length = ClassLength(pattern);
                if (length > 0)
                {
                    return InClass(pattern[1..(length - 1)], c) ? length : 0;
                }

                break;
            default:
                break;
        }

        return pattern[0] == c ? 1 : 0;
    }

    /// <summary>The length of <c>[…]</c>; 0 when it is not closed, and the bracket stands for itself.</summary>
    private static int ClassLength(ReadOnlySpan<byte> pattern)
    {
        int first = pattern.Length > 1 && pattern[1] == (byte)'!' ? 2 : 1;
        for (int i = first + 1; i < pattern.Length; i++)
        {
            if (pattern[i] == (byte)']')
            {
                return i + 1;
            }
        }

        return 0;
    }

    private static bool InClass(ReadOnlySpan<byte> members, byte c)
    {
        bool inverted = members[0] == (byte)'!';
        ReadOnlySpan<byte> rest = inverted ? members[1..] : members;
        bool found = false;
        for (int i = 0; i < rest.Length; i++)
        {
            if (i + 2 < rest.Length && rest[i + 1] == (byte)'-')
            {
                found |= c >= rest[i] && c <= rest[i + 2];
                i += 2;
            }
            else
            {
                found |= c == rest[i];
            }
        }

        return found != inverted;
    }
}
