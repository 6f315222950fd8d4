using Xunit.Abstractions;
using Xunit.Sdk;

namespace KprobeTrace.Tests.Ordering;

/// <summary>
/// Runs the classes, and the tests of each, in an order that the seed <c>KPROBETRACE_TEST_SEED</c> draws, so that a test which
/// leans on another is found; without a seed in xunit's own order.
/// </summary>
public sealed class ShuffledOrder : Xunit.ITestCollectionOrderer, ITestCaseOrderer
{
    private static readonly string? _seed = Environment.GetEnvironmentVariable("KPROBETRACE_TEST_SEED");
    private readonly DefaultTestCaseOrderer _default = new(new NullMessageSink());

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        _seed is null ? testCollections : testCollections.OrderBy(static collection => Draw(collection.DisplayName));

    /// <inheritdoc/>
    public IEnumerable<TTestCase> OrderTestCases<TTestCase>(IEnumerable<TTestCase> testCases)
        where TTestCase : ITestCase =>
        _seed is null ? _default.OrderTestCases(testCases) : testCases.OrderBy(static test => Draw(test.UniqueID));

    // FNV-1a: string.GetHashCode differs from run to run.
    private static ulong Draw(string name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in _seed + "/" + name)
        {
            hash = (hash ^ c) * 0x100000001B3;
        }

        return hash ^ (hash >> 32);
    }
}
