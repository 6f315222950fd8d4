using Perfolizer.Horology;

namespace KprobeTrace.Bench;

/// <summary>The processor time of this process: other work on the machine says nothing about ours.</summary>
internal sealed class CpuClock : IClock
{
    public string Title => "CPU time";

    public bool IsAvailable => true;

    public Frequency Frequency => new(TimeSpan.TicksPerSecond);

    public long GetTimestamp() => Environment.CpuUsage.TotalTime.Ticks;
}
