using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>The line that tells how far a guest is.</summary>
public sealed class RecordProgressTests
{
    private readonly Clock _clock = new() { Milliseconds = 700 };

    [Theory]
    [InlineData(250, 0, 0, 0, "0.000 s, 0 M instructions, 0 MIPS, 0 events")]
    [InlineData(250, 1_234_567_890, 98_500_000, 1234, "1.235 s, 98 M instructions, 394 MIPS, 1,234 events")]
    [InlineData(500, 1_499_999, 1_499_000_000, 1, "0.001 s, 1,499 M instructions, 2998 MIPS, 1 events")]
    [InlineData(4000, 3_600_000_000_000, 10_000_000_000, 12_345_678, "3600.000 s, 10,000 M instructions, 2500 MIPS, 12,345,678 events")]
    public void It_has_the_guests_time_its_instructions_how_many_a_second_and_events(long after, long nanoseconds, long retired, ulong events, string line)
    {
        using StringWriter error = new();
        RecordProgress progress = new(error, enabled: true, _clock);
        _clock.Milliseconds += after;
        progress.Update(nanoseconds, retired, events);

        Assert.Equal($"\r{line} \e[K", error.ToString());
        progress.Clear();
        Assert.Equal($"\r{line} \e[K\r\e[K", error.ToString());
    }

    [Fact]
    public void It_is_rewritten_four_times_a_second_at_most()
    {
        using StringWriter error = new();
        RecordProgress progress = new(error, enabled: true, _clock);
        List<int> shown = [];
        int at = 0;
        foreach (int step in (int[])[0, 100, 149, 1, 249, 1, 240, 20, 249, 1, 3000, 1])
        {
            at += step;
            _clock.Milliseconds += step;
            int before = error.ToString().Length;
            progress.Update(0, 0, 0);
            if (error.ToString().Length > before)
            {
                shown.Add(at);
            }
        }

        Assert.Equal([250, 500, 760, 1010, 4010], shown);
    }

    [Fact]
    public void It_is_rewritten_no_more_often_when_the_guest_has_run_for_a_month()
    {
        using StringWriter error = new();
        RecordProgress progress = new(error, enabled: true, _clock);
        List<string> shown = [];
        _clock.Milliseconds += 30L * 24 * 60 * 60 * 1000;
        foreach (int step in (int[])[0, 249, 1, 249, 1])
        {
            _clock.Milliseconds += step;
            error.GetStringBuilder().Clear();
            progress.Update(0, 2_592_000_000_000_000, 0);
            shown.Add(error.ToString());
        }

        const string line = "\r0.000 s, 2,592,000,000 M instructions, 1000 MIPS, 0 events \e[K";
        Assert.Equal([line, "", line, "", line], shown);
    }

    [Theory]
    [InlineData(true, 249)]
    [InlineData(false, 9000)]
    public void What_was_not_shown_is_not_removed(bool enabled, long after)
    {
        using StringWriter error = new();
        RecordProgress progress = new(error, enabled, _clock);
        _clock.Milliseconds += after;
        progress.Update(1, 1, 1);
        progress.Clear();

        Assert.Equal("", error.ToString());
    }

    private sealed class Clock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }
}
