namespace KprobeTrace.Record;

/// <summary>What a run has cost the host since this was made: seconds, of which the last digit is a millisecond.</summary>
/// <param name="clock">The host's time.</param>
/// <param name="processor">How long the process has had a processor.</param>
internal sealed class HostTime(TimeProvider clock, Func<TimeSpan> processor)
{
    private readonly long _start = clock.GetTimestamp();
    private readonly TimeSpan _before = processor();

    /// <summary>Of the clock on the wall.</summary>
    public double Seconds => Rounded(clock.GetElapsedTime(_start));

    /// <summary>Of all processors together.</summary>
    public double ProcessorSeconds => Rounded(processor() - _before);

    private static double Rounded(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
