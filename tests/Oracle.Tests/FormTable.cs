using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Every form in the scope of the comparison, and the documented table of those left out.</summary>
internal static class FormTable
{
    private static readonly HashSet<CpuidFeature> _features = TableFile.Lines("features.txt")
        .Select(fields => Enum.Parse<CpuidFeature>(fields[0]))
        .ToHashSet();

    private static readonly ConcurrentDictionary<(Code Code, bool Enumerated), string?> _refusals = new();

    /// <summary>Name pattern, reason, and whether <see cref="EncodingSpace"/> compares them all the same, in the order of the file.</summary>
    public static IReadOnlyList<(Regex Pattern, string Text, string Reason, bool Enumerated)> Refusals { get; } = TableFile.Lines("refused.txt")
        .Select(fields => (TableFile.Glob(fields[0]), fields[0], fields[1], fields.Length > 2))
        .ToList();

    /// <summary>All forms of the declared instruction sets in 64-bit mode.</summary>
    public static IReadOnlyList<Code> InScope { get; } = Enum.GetValues<Code>().Where(IsInScope).ToList();

    /// <summary>The forms that are compared.</summary>
    public static IReadOnlyList<InstructionForm> Compared { get; } = InScope
        .Where(code => RefusalOf(code) is null)
        .Select(code => new InstructionForm(code))
        .ToList();

    /// <summary>Why a form is not compared, or null when it is.</summary>
    /// <param name="code">The form.</param>
    /// <param name="enumerated">Whether each encoding is compared once, with an AMD processor, and not the form with random operands.</param>
    public static string? RefusalOf(Code code, bool enumerated = false) =>
        _refusals.GetOrAdd((code, enumerated), static form => FindRefusal(form.Code, form.Enumerated));

    private static string? FindRefusal(Code code, bool enumerated)
    {
        string name = code.ToString();
        foreach ((Regex pattern, _, string reason, bool alsoEnumerated) in Refusals)
        {
            if (pattern.IsMatch(name) && !(enumerated && alsoEnumerated))
            {
                return reason;
            }
        }

        return null;
    }

    private static bool IsInScope(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return info.IsInstruction && info.Mode64 && info.Encoding == EncodingKind.Legacy
            && code.CpuidFeatures().All(_features.Contains);
    }
}
