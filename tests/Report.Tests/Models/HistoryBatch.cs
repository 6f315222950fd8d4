using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A hundred histories as the runs of one database: what a reader of exports is started for once.</summary>
/// <remarks>
/// The first is an empty one. <c>KPROBETRACE_MODEL_SEED</c> draws others.
/// </remarks>
public sealed class HistoryBatch : IDisposable
{
    private const int Count = 100;

    private readonly Lazy<HistoryDatabase> _database = new(static () => new HistoryDatabase(Plans()));

    /// <summary>The database and its runs.</summary>
    internal HistoryDatabase Database => _database.Value;

    /// <summary>Exports all runs, or the one that is named, and returns the path.</summary>
    internal string Export(string format, string target, params string[] more)
    {
        Xunit.Assert.Equal("", Tool.Good(["export", Database.Source, "--to", format, "-o", Database[target], .. more]));
        return Database[target];
    }

    /// <summary>Fails unless both are the same lines, and says which of them differ.</summary>
    internal static void AssertLines(string where, IEnumerable<string> expected, IEnumerable<string> found)
    {
        string[] wanted = [.. expected];
        string[] lines = [.. found];
        if (!wanted.SequenceEqual(lines))
        {
            string[] lost = [.. wanted.Except(lines).Take(4)];
            string[] more = [.. lines.Except(wanted).Take(4)];
            Xunit.Assert.Fail(
                $"{where}: {wanted.Length} lines expected, {lines.Length} found{(lost.Length + more.Length == 0 ? ", in another order" : "")}; only expected:\n"
                + $"{string.Join('\n', lost)}\nonly found:\n{string.Join('\n', more)}");
        }
    }

    public void Dispose()
    {
        if (_database.IsValueCreated)
        {
            _database.Value.Dispose();
        }
    }

    private static HistoryPlan[] Plans()
    {
        HistoryPlan[] drawn = [.. Enumerable.Range(0, Count).Select(static i => HistoryGen.Plan.Generate(new PCG((uint)i, HistoryCheck.SeedOf("exports")), null, out _))];
        drawn[0] = drawn[0] with { Steps = [] };
        return drawn;
    }
}
