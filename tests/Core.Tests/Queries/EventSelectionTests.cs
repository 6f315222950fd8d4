using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class EventSelectionTests
{
    [Theory]
    [InlineData(1, 0, 0, false)]
    [InlineData(1, 5, 100, false)] // of one probe up to a twentieth of the events come through the index
    [InlineData(1, 6, 100, true)]
    [InlineData(1, 50, 1000, false)]
    [InlineData(1, 51, 1000, true)]
    [InlineData(1, 100, 100, true)]
    [InlineData(2, 0, 100, true)] // of several probes the index has them one probe after the other
    [InlineData(2, 1, 1_000_000, true)]
    [InlineData(0, 0, 100, false)]
    public void Few_events_of_one_probe_come_through_the_index_and_all_others_by_reading(int probes, long matching, long total, bool isScan) =>
        Assert.Equal(isScan, EventSelection.IsScan(probes, matching, total));

    [Theory]
    [InlineData("pre", 0)]
    [InlineData("post", 1)]
    [InlineData("fault", 2)]
    [InlineData("ret", 3)]
    public void Kinds_have_numbers(string kind, int number) => Assert.Equal(number, EventSelection.KindNumber(kind));

    [Theory]
    [InlineData("")]
    [InlineData("Pre")]
    [InlineData("entry")]
    public void No_other_word_is_a_kind(string kind) =>
        Assert.Contains("there are pre, post, fault, ret", Assert.Throws<KprobeTraceException>(() => EventSelection.KindNumber(kind)).Message, StringComparison.Ordinal);
}
