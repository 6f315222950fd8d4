using KprobeTrace.Queries;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What happens at the limits that questions have: one below, at and above.</summary>
public sealed class QueryLimitTests : IDisposable
{
    /// <summary>Seven hits and a post. The opens and their returns have one stack each, the last fork is done in 50 ns.</summary>
    private const string Story = """
        p:fork kernel_clone
        p:open do_sys_openat2
        r:open_ret do_sys_openat2
        100 fork init-1
        300 open sh-42 caller=ksys_open+8
        340 open sh-42 caller=ksys_open+8
        380 open_ret sh-42 caller=ksys_open+8
        500 open_ret sh-42 caller=ksys_open+8
        510 fork init-1
        600 fork sh-42
        650 fork post sh-42
        """;

    private readonly TraceFolder _folder = new();
    private readonly TraceHistory _history;

    public QueryLimitTests() => _history = TraceHistory.Open(_folder.Trace(Story));

    public void Dispose()
    {
        _history.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(6, 0, false)]
    [InlineData(7, 0, true)]
    [InlineData(8, 0, true)]
    [InlineData(3, 3, true)]
    [InlineData(2, 3, false)]
    [InlineData(3, 4, false)]
    public void A_histogram_of_too_many_keys_is_refused_unless_they_are_cut_off(int most, int limit, bool isRead)
    {
        HistogramQuery query = new() { Key = "seq", Limit = limit, MostBuckets = most };

        if (isRead)
        {
            Assert.Equal(limit == 0 ? 7 : limit, query.Read(_history, out long all).Count);
            Assert.Equal(7, all);
        }
        else
        {
            Assert.Contains($"there are more than {most} different keys", Assert.Throws<KprobeTraceException>(() => query.Read(_history, out _)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void Too_many_different_stacks_are_refused(int most, bool isRead)
    {
        // Four opens and returns of them by one task from one caller: of two probes, so two stacks, and a return of another.
        EventFilter filter = new() { Probes = ["open", "open_ret"] };

        if (isRead)
        {
            Assert.Equal(4, StackQuery.Read(_history, filter, most).Count);
        }
        else
        {
            Assert.Contains($"more than {most} different stacks", Assert.Throws<KprobeTraceException>(() => StackQuery.Read(_history, filter, most)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Latencies_are_the_same_where_the_database_sorts_them()
    {
        string trace = _folder.Trace($"""
            p:other/open_ret kernel_clone
            r:fork_ret kernel_clone
            p:open do_sys_openat2
            r:open_ret do_sys_openat2
            {string.Join('\n', Enumerable.Range(0, 400).Select(Call))}
            """, "many.mpk");
        _ = Tool.Good("add", _folder["all.db"], _folder["t.mpk"], trace);
        using TraceHistory history = TraceHistory.OpenDatabase(_folder["all.db"]);
        foreach (string[] patterns in (string[][])[[], ["open*"], ["fork*"]])
        {
            Assert.Equal(LatencyQuery.Read(history, patterns, 0, long.MaxValue), LatencyQuery.Read(history, patterns, 0, inMemory: 0));
            Assert.Equal(LatencyQuery.Read(history, patterns, 2, long.MaxValue), LatencyQuery.Read(history, patterns, 2, inMemory: 0));
        }

        Assert.Contains(LatencyQuery.Read(history, [], 0, inMemory: 0), static r => r is { Between: "pre-post", Count: 1, MinNs: 50, MaxNs: 50 });

        // Calls of two functions, the entry of one of which has the name of the other's return.
        static string Call(int i)
        {
            (string entry, string ret) = i % 3 == 0 ? ("other/open_ret", "fork_ret") : ("open", "kprobes/open_ret");
            return $"{i * 1000} {entry} sh-1\n{(i * 1000) + (i * 7919 % 541)} {ret} sh-1 of=- entered={i * 1000}";
        }
    }

    [Fact]
    public void A_name_is_asked_about_where_the_view_is_named_early_enough_to_be_read()
    {
        string early = Tool.Bad(1, "query", _history.Path, $"SELECT com FROM events -- {new string('x', 1 << 16)}");
        string late = Tool.Bad(1, "query", _history.Path, $"SELECT com /*{new string(' ', 1 << 16)}*/ FROM events");
        string last = Tool.Bad(1, "query", _history.Path, $"SELECT com{new string(' ', (1 << 16) - "SELECT com FROM events".Length + 1)}FROM events");
        string cut = Tool.Bad(1, "query", _history.Path, $"SELECT com{new string(' ', (1 << 16) - "SELECT com FROM events".Length + 2)}FROM events");

        Assert.EndsWith("no such column: com; did you mean comm?", early, StringComparison.Ordinal);
        Assert.EndsWith("no such column: com", late, StringComparison.Ordinal);
        Assert.EndsWith("no such column: com; did you mean comm?", last, StringComparison.Ordinal);
        Assert.EndsWith("no such column: com", cut, StringComparison.Ordinal);
    }
}
