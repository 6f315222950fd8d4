using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The tests of exports, one after the other over one <see cref="HistoryBatch"/>.</summary>
[CollectionDefinition(Name)]
public sealed class HistoryBatchSet : ICollectionFixture<HistoryBatch>
{
    /// <summary>Name of the set.</summary>
    public const string Name = "exports of many histories";
}
