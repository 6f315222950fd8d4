using System.Globalization;
using System.Text.RegularExpressions;

namespace KprobeTrace.Tests.Mutants;

/// <summary>The survivors that an earlier output lists, found again in sources that may have changed since.</summary>
internal static partial class EarlierSurvivors
{
    /// <summary>Reads an output, also one that was broken off: each fault with the line it stood in.</summary>
    public static Dictionary<Fault, int> Read(IEnumerable<string> output)
    {
        Dictionary<Fault, int> found = [];
        foreach (Match match in output.Select(line => Line().Match(line)).Where(match => match.Success))
        {
            Fault fault = new(match.Groups["file"].Value, match.Groups["operator"].Value, match.Groups["before"].Value, match.Groups["after"].Value);
            if (match.Groups["killed"].Success)
            {
                found.Remove(fault); // together with others, later
            }
            else
            {
                found[fault] = int.Parse(match.Groups["line"].Value, CultureInfo.InvariantCulture);
            }
        }

        return found;
    }

    /// <summary>The sites of these faults; where code stands several times in a file, the one nearest to where it was. Says which are gone.</summary>
    public static List<Site> Find(IReadOnlyList<Site> sites, Dictionary<Fault, int> faults, Action<string> report)
    {
        HashSet<string> files = [.. faults.Keys.Select(fault => fault.File)];
        ILookup<Fault, Site> byFault = sites.Where(site => files.Contains(site.File)).ToLookup(site => site.Fault);
        List<Site> found = [];
        foreach ((Fault fault, int line) in faults)
        {
            Site? nearest = byFault[fault].MinBy(site => Math.Abs(site.Line - line));
            if (nearest is null)
            {
                report($"gone: {fault.File}:{line} {fault.Operator}: {fault.Before}");
            }
            else
            {
                found.Add(nearest);
            }
        }

        return found;
    }

    [GeneratedRegex(@"^(?:(?:SURVIVED|so far|(?<killed>killed)) +[\d.]+ s| ) (?<file>src/[^:]+):(?<line>\d+) (?<operator>[^:]+): (?<before>.*)  →  (?<after>.*?)(?:  \[[^\]]*\])?$")]
    private static partial Regex Line();
}
