using KprobeTrace.Devices.Timing;
using Xunit;

namespace KprobeTrace.Tests.Devices.Timing;

public sealed class TickRateTests
{
    [Theory]
    [InlineData(1_193_182)]
    [InlineData(3_579_545)]
    [InlineData(32_768)]
    public void The_time_of_a_tick_is_the_first_that_shows_it(int hertz)
    {
        TickRate rate = new(hertz);

        foreach (long tick in new long[] { 1, 2, 3, 1000, hertz - 1, hertz, hertz + 1, 86_400L * 365 * hertz + 7 })
        {
            long time = rate.ToNanoseconds(tick);
            Assert.Equal(tick, rate.ToTicks(time));
            Assert.Equal(tick - 1, rate.ToTicks(time - 1));
        }
    }
}
