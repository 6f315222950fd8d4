namespace KprobeTrace.Devices.Timing;

/// <summary>Converts between virtual nanoseconds and the ticks of an oscillator, exactly and without drift.</summary>
internal readonly struct TickRate(long hertz)
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Whole ticks since time 0.</summary>
    public long ToTicks(long nanoseconds)
    {
        long seconds = nanoseconds / NanosecondsPerSecond;
        return (seconds * hertz) + ((nanoseconds - (seconds * NanosecondsPerSecond)) * hertz / NanosecondsPerSecond);
    }

    /// <summary>The first nanosecond at which <see cref="ToTicks"/> gives <paramref name="ticks"/>.</summary>
    public long ToNanoseconds(long ticks)
    {
        long seconds = ticks / hertz;
        long rest = ticks - (seconds * hertz);
        return (seconds * NanosecondsPerSecond) + (((rest * NanosecondsPerSecond) + hertz - 1) / hertz);
    }
}
