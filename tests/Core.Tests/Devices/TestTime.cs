using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Tests.Devices;

/// <summary>A clock that a test moves by hand, running what falls due at its exact time.</summary>
internal sealed class TestTime
{
    public EventClock Clock { get; } = new();

    public void AdvanceTo(long time)
    {
        while (Clock.NextDeadline <= time)
        {
            Clock.Now = Math.Max(Clock.Now, Clock.NextDeadline);
            Clock.RunDue(Clock.Now);
        }

        Clock.Now = time;
    }

    public void Advance(long nanoseconds) => AdvanceTo(Clock.Now + nanoseconds);
}
