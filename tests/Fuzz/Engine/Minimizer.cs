using System.Diagnostics;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>Takes away from a failing input whatever is not needed for the same failure.</summary>
internal static class Minimizer
{
    private static readonly TimeSpan _time = TimeSpan.FromSeconds(30);

    /// <summary>The smallest input found in half a minute that still fails as <paramref name="fails"/> tells.</summary>
    public static byte[] Minimize(byte[] input, Predicate<byte[]> fails)
    {
        Stopwatch clock = Stopwatch.StartNew();
        for (int piece = Math.Max(1, input.Length / 2); piece >= 1 && clock.Elapsed < _time; piece /= 2)
        {
            for (int at = 0; at + piece <= input.Length && clock.Elapsed < _time;)
            {
                byte[] shorter = [.. input[..at], .. input[(at + piece)..]];
                if (shorter.Length > 0 && fails(shorter))
                {
                    input = shorter;
                }
                else
                {
                    at += piece;
                }
            }
        }

        return input;
    }
}
