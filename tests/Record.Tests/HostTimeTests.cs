using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What a run has cost the host.</summary>
public sealed class HostTimeTests
{
    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(1_000_000, 2_500_000, 1, 2.5)]
    [InlineData(1_234_499, 400, 1.234, 0)]
    [InlineData(1_234_501, 600, 1.235, 0.001)]
    [InlineData(86_400_000_000, 172_800_123_000, 86_400, 172_800.123)]
    public void It_is_told_in_seconds_to_the_millisecond_and_from_its_beginning(long microseconds, long busy, double seconds, double processorSeconds)
    {
        Clock clock = new() { Microseconds = 5_000_000 };
        TimeSpan used = TimeSpan.FromSeconds(7);
        HostTime time = new(clock, () => used);

        clock.Microseconds += microseconds;
        used += TimeSpan.FromMicroseconds(busy);

        Assert.Equal((seconds, processorSeconds), (time.Seconds, time.ProcessorSeconds));
    }

    private sealed class Clock : TimeProvider
    {
        public long Microseconds { get; set; }

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Microseconds;
    }
}
