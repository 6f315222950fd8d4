using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

/// <summary>What a window decides, beside the sentences of <see cref="DiffAlignment"/> worked out by going round until nothing changes.</summary>
public sealed class DiffAlignmentTests
{
    /// <summary>An event of either side, as the test draws it.</summary>
    private sealed record Event(char Letter, int Caller, int Group, int Content, int Time);

    [Theory]
    [InlineData("abcdefgh", "abcdefgh", "12345678", "12345678", true)]
    [InlineData("abcdefgh", "abcdefgh", "1234567.", "1234567.", false)] // seven eighths are decided
    [InlineData("abcdefg", "abcdefg", "1234567", "1234567", false)]
    [InlineData("a", "a", "1", "1", false)]
    [InlineData("abcd", "wxyz", "----", "----", true)]
    [InlineData("abcd", "wxyz", "--..", "--..", false)] // what is old is decided
    [InlineData("abcde", "vwxyz", "---..", "---..", false)]
    [InlineData("abxxxxxx", "abyyyyyy", "12--....", "12--....", false)]
    [InlineData("xxxxxxxa", "a", "-------1", "8", false)] // the pair of what is old is decided with it
    [InlineData("a", "xxxxxxxa", "8", "-------1", false)]
    [InlineData("axb", "ab", "1-2", "13", true)]
    [InlineData("aAbB", "AaBb", "2143", "2143", true)] // each group on its own
    [InlineData("aAbB", "ABab", "3142", "2413", true)]
    [InlineData("", "ab", "", "--", true)]
    [InlineData("ab", "", "--", "", true)]
    [InlineData("", "", "", "", true)]
    public void A_window_decides_pairs_and_what_stands_before_them(string a, string b, string partnersA, string partnersB, bool isLast)
    {
        DiffNames names = new();
        DiffWindow first = Window(names, a);
        DiffWindow second = Window(names, b);
        DiffAlignment alignment = new(first, second, names, sameImage: false);

        Assert.True(alignment.Decide(isLast, mayGrow: false));

        Assert.Equal((partnersA, partnersB), (Partners(first), Partners(second)));
        Assert.Equal(partnersA.Count(char.IsDigit), alignment.Aligned);
    }

    [Theory]
    [InlineData("abcdefgh", "abcdwxyz", true)] // half of them
    [InlineData("abcdefgh", "abcvwxyz", false)]
    [InlineData("abcdefgh", "abcd", true)] // all of the shorter side
    [InlineData("abcdefghijklmnop", "abcd", false)] // what is old stands far behind the last pair
    [InlineData("a", "abcdefghijklmnop", false)]
    [InlineData("xxxxxxxxabcdefgh", "abcdefgh", true)]
    [InlineData("xxxxxxxxyyyyyyya", "abcdefgh", false)]
    public void A_window_with_few_pairs_decides_nothing_where_it_may_grow(string a, string b, bool decides)
    {
        DiffNames names = new();
        DiffWindow first = Window(names, a);
        DiffWindow second = Window(names, b);
        DiffAlignment alignment = new(first, second, names, sameImage: false);

        Assert.Equal(decides, alignment.Decide(isLast: true, mayGrow: true));

        Assert.Equal(decides, first.Partner[0] != DiffWindow.Undecided);
        Assert.Equal(decides, alignment.Aligned > 0);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void Window_after_window_is_decided_as_the_rules_say(int seed, bool sameImage)
    {
        Random random = new(seed);
        for (int i = 0; i < 150; i++)
        {
            DiffNames names = new();
            (DiffWindow A, DiffWindow B) windows = (new(), new());
            (List<Event> A, List<Event> B) events = ([], []);
            DiffAlignment alignment = new(windows.A, windows.B, names, sameImage);
            long pairs = 0;
            for (int round = 0; round < 3; round++)
            {
                bool isLast = round == 2 || random.Next(4) == 0;
                bool mayGrow = random.Next(3) == 0;
                List<Event> more = [.. Enumerable.Range(0, random.Next(50)).Select(_ => Draw(random))];
                Add(names, windows.A, events.A, more);
                Add(names, windows.B, events.B, random.Next(5) == 0 ? [.. more.Select(_ => Draw(random))] : Changed(random, more));
                (string A, string B)? expected = Expected(windows, events, sameImage, isLast, mayGrow);

                bool decided = alignment.Decide(isLast, mayGrow);

                Assert.Equal(expected is not null, decided);
                if (expected is { } partners)
                {
                    Assert.Equal(partners, (All(windows.A), All(windows.B)));
                    pairs = windows.A.Partner.Take(windows.A.Count).Count(static p => p is not (DiffWindow.Undecided or DiffWindow.Alone));
                }

                Assert.Equal(pairs, alignment.Aligned);
                CheckEqual(windows, events);
            }
        }
    }

    private static Event Draw(Random random) => new((char)('a' + random.Next(4)), random.Next(3), random.Next(3), random.Next(2), random.Next(2));

    /// <summary>Of one image the call is part of what must be equal.</summary>
    private static int ContentOf(Event e) => e.Content + (2 * ((e.Letter * 10) + e.Caller));

    private static List<Event> Changed(Random random, List<Event> events) =>
        [.. events.Where(_ => random.Next(9) > 0).SelectMany(e => random.Next(9) switch
        {
            0 => (Event[])[e, Draw(random)],
            1 => [e with { Caller = random.Next(3) }],
            2 => [e with { Content = 1 - e.Content, Time = 1 - e.Time }],
            _ => [e],
        })];

    private static void Add(DiffNames names, DiffWindow window, List<Event> events, IEnumerable<Event> more)
    {
        foreach (Event e in more)
        {
            int call = names.Call(names.Token($"{e.Letter}", 0), $"{e.Caller}");
            window.Add((uint)events.Count + 1, call, (ushort)names.Group($"{(char)('p' + e.Group)}"), (uint)ContentOf(e), (ulong)e.Time);
            events.Add(e);
        }
    }

    private static void CheckEqual((DiffWindow A, DiffWindow B) windows, (List<Event> A, List<Event> B) events)
    {
        for (int i = 0; i < windows.A.Count; i++)
        {
            if (windows.A.Partner[i] is not (DiffWindow.Undecided or DiffWindow.Alone) and uint partner)
            {
                (Event a, Event b) = (events.A[i], events.B[(int)partner - 1]);
                Assert.Equal((a.Letter, a.Group), (b.Letter, b.Group));
                Assert.Equal(
                    (ContentOf(a) == ContentOf(b), a.Time == b.Time),
                    ((windows.A.Equal[i] & DiffEquality.Content) != 0, (windows.A.Equal[i] & DiffEquality.Time) != 0));
            }
        }
    }

    /// <summary>Both sides' partners after a decision, or null where there is none.</summary>
    private static (string A, string B)? Expected((DiffWindow A, DiffWindow B) windows, (List<Event> A, List<Event> B) events, bool sameImage, bool isLast, bool mayGrow)
    {
        string[] a = [.. windows.A.Partner.Take(windows.A.Count).Select(Partner)];
        string[] b = [.. windows.B.Partner.Take(windows.B.Count).Select(Partner)];
        (int A, int B) undecided = (a.Count(static p => p == "."), b.Count(static p => p == "."));
        int pairs = 0;
        int late = 0;
        for (int group = 0; group < 3; group++)
        {
            int[] inA = [.. Enumerable.Range(0, events.A.Count).Where(i => windows.A.Partner[i] == DiffWindow.Undecided && events.A[i].Group == group)];
            int[] inB = [.. Enumerable.Range(0, events.B.Count).Where(i => windows.B.Partner[i] == DiffWindow.Undecided && events.B[i].Group == group)];
            int[] match = Match([.. inA.Select(i => events.A[i])], [.. inB.Select(i => events.B[i])], sameImage);
            pairs += match.Count(static m => m >= 0);
            int last = Enumerable.Range(0, match.Length).LastOrDefault(i => match[i] >= 0 && i < inA.Length - (inA.Length / 8) && match[i] < inB.Length - (inB.Length / 8), -1);
            (int toA, int toB) = last < 0 ? (0, 0) : (last + 1, match[last] + 1);
            int oldA = inA.Count(i => i * 2 < events.A.Count);
            int oldB = inB.Count(i => i * 2 < events.B.Count);
            late += Math.Max(0, oldA - toA) + Math.Max(0, oldB - toB);
            (toA, toB) = isLast ? (inA.Length, inB.Length) : (Math.Max(toA, oldA), Math.Max(toB, oldB));
            for (bool changed = true; changed;)
            {
                (int A, int B) before = (toA, toB);
                for (int i = 0; i < match.Length; i++)
                {
                    toB = match[i] >= 0 && i < toA ? Math.Max(toB, match[i] + 1) : toB;
                    toA = match[i] >= 0 && match[i] < toB ? Math.Max(toA, i + 1) : toA;
                }

                changed = before != (toA, toB);
            }

            foreach (int i in Enumerable.Range(0, toA))
            {
                a[inA[i]] = match[i] < 0 ? "-" : $"{inB[match[i]] + 1}";
            }

            foreach (int i in Enumerable.Range(0, toB))
            {
                b[inB[i]] = Array.IndexOf(match, i) is >= 0 and int partner ? $"{inA[partner] + 1}" : "-";
            }
        }

        bool isPoor = pairs * 2 < Math.Min(undecided.A, undecided.B) || late * 1024 > undecided.A + undecided.B;
        return mayGrow && isPoor ? null : (string.Join(' ', a), string.Join(' ', b));
    }

    /// <summary>Calls first, what is left between them without callers, of one image then by content.</summary>
    private static int[] Match(Event[] a, Event[] b, bool sameImage)
    {
        (int[] A, int[] B) calls = ([.. a.Select(static e => (e.Letter * 10) + e.Caller)], [.. b.Select(static e => (e.Letter * 10) + e.Caller)]);
        (int[] A, int[] B) tokens = ([.. a.Select(static e => (int)e.Letter)], [.. b.Select(static e => (int)e.Letter)]);
        long steps = SequenceAlignment.MaxSteps;
        int[] match = SequenceAlignment.Align(calls.A, calls.B, ref steps);
        SequenceAlignment.AlignGaps(match, tokens.A, tokens.B, ref steps);
        if (sameImage)
        {
            new DiffRefinement(([.. a.Select(ContentOf)], [.. b.Select(ContentOf)]), calls, tokens).Apply(match, ref steps);
        }

        return match;
    }

    /// <summary>A small letter is an event of one group, a capital one of another.</summary>
    private static DiffWindow Window(DiffNames names, string letters)
    {
        DiffWindow window = new();
        for (int i = 0; i < letters.Length; i++)
        {
            string letter = letters[i..(i + 1)];
            int call = names.Call(names.Token(letter.ToLowerInvariant(), 0), "");
            window.Add((uint)i + 1, call, (ushort)names.Group(char.IsAsciiLetterUpper(letters[i]) ? "upper" : "lower"), 0, 0);
        }

        return window;
    }

    private static string Partners(DiffWindow window) => All(window).Replace(" ", "", StringComparison.Ordinal);

    private static string All(DiffWindow window) => string.Join(' ', window.Partner.Take(window.Count).Select(Partner));

    private static string Partner(uint partner) => partner switch { DiffWindow.Undecided => ".", DiffWindow.Alone => "-", _ => $"{partner}" };
}
