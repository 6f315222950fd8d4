using KprobeTrace.Devices;

namespace KprobeTrace.Tests.Devices;

/// <summary>Notes what devices ask of the machine.</summary>
internal sealed class RecordingPower : IPowerControl
{
    public List<string> Calls { get; } = [];

    public void PowerOff() => Calls.Add("off");

    public void Reset() => Calls.Add("reset");

    public void ExitWith(uint value) => Calls.Add($"exit {value}");
}
