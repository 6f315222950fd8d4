using KprobeTrace.Tests.Guests;

namespace KprobeTrace.Tests.Probes;

/// <summary>The case tables of this folder: one case a line, <c>#</c> starts a comment line.</summary>
internal static class CaseTable
{
    public static IEnumerable<string> Lines(string name) =>
        File.ReadLines(Repository.PathOf($"tests/Core.Tests/Probes/Tables/{name}"))
            .Where(line => line.Length > 0 && line[0] != '#');
}
