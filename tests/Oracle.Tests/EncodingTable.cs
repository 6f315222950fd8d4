using System.Text.RegularExpressions;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Why an encoding is not compared (Tables/encodings.txt), or what else the interpreter does with it.</summary>
internal static class EncodingTable
{
    private static readonly HashSet<CpuidFeature> _declared = TableFile.Lines("features.txt")
        .Select(fields => Enum.Parse<CpuidFeature>(fields[0]))
        .ToHashSet();

    /// <summary>Feature or pattern of bytes, what the interpreter does (<c>ud</c>, <c>other</c>), the reason, and whether every host needs the row.</summary>
    public static IReadOnlyList<(string Key, Regex Pattern, string Does, string Reason, bool Everywhere)> Rows { get; } = TableFile.Lines("encodings.txt")
        .Select(fields => (fields[0], TableFile.Glob(fields[0]), fields[1], fields[2], fields.Length == 3))
        .ToList();

    /// <summary>Whether this host must need a row: not one that some hosts need, nor one of a feature that its processor does not declare.</summary>
    public static bool IsNeeded(int row) => Rows[row].Everywhere && (!FeatureBits.Has(Rows[row].Key) || FeatureBits.IsDeclaredByHost(Rows[row].Key));

    /// <summary>The row of an encoding; -1 when it is compared.</summary>
    public static int Find(TestCase one)
    {
        string bytes = Convert.ToHexStringLower(one.Bytes);
        string[] undeclared = IsReservedNop(bytes)
            ? []
            : one.Form.CpuidFeatures().Where(feature => !_declared.Contains(feature)).Select(feature => feature.ToString()).ToArray();
        for (int i = 0; i < Rows.Count; i++)
        {
            if (Rows[i].Pattern.IsMatch(bytes) || undeclared.Any(Rows[i].Pattern.IsMatch))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>0F 18 to 0F 1F do nothing where a feature is lacking, so no feature excuses them.</summary>
    private static bool IsReservedNop(string bytes) => Regex.IsMatch(bytes, "^(66|f2|f3|f0)?(48)?0f1[89a-f]");
}
