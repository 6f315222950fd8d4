namespace KprobeTrace.Tests.Report.Models;

/// <summary>How much of two runs corresponds, by plain longest common subsequences.</summary>
internal static class HistoryAlignment
{
    /// <summary>What an event is for <c>diff</c>: type, symbol and offset of its probe, or its name where it has no symbol.</summary>
    internal static string Key(HistoryProbe probe)
    {
        string place = probe.Definition.Symbol.Length > 0 ? probe.Definition.Symbol : probe.Definition.Name;
        return $"{probe.Definition.Type} {place}{(probe.Definition.Offset > 0 ? $"+0x{probe.Definition.Offset:x}" : "")}";
    }

    /// <summary>The pairs that the longest common subsequences of each group of tasks have.</summary>
    internal static int Pairs(IEnumerable<HistoryRow> a, IEnumerable<HistoryRow> b, Func<HistoryRow, string> same)
    {
        ILookup<string, HistoryRow> inB = b.ToLookup(Group);
        return a.GroupBy(Group).Sum(g => Longest([.. g.Select(same)], [.. inB[g.Key].Select(same)]));
    }

    /// <summary>A task's name, in which digits do not count.</summary>
    private static string Group(HistoryRow row) => System.Text.RegularExpressions.Regex.Replace(row.Comm ?? "", "[0-9]+", "#");

    private static int Longest(string[] a, string[] b)
    {
        int[,] length = new int[a.Length + 1, b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                length[i, j] = a[i - 1] == b[j - 1] ? length[i - 1, j - 1] + 1 : Math.Max(length[i - 1, j], length[i, j - 1]);
            }
        }

        return length[a.Length, b.Length];
    }
}
