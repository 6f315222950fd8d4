using KprobeTrace.Devices.Interrupts;

namespace KprobeTrace.Tests.Devices.Interrupts;

/// <summary>Notes what a local APIC tells its processor.</summary>
internal sealed class RecordingProcessor : IProcessorSignals
{
    public bool Pending { get; private set; }

    public List<string> Calls { get; } = [];

    public void SetInterruptPending(bool pending) => Pending = pending;

    public void DeliverNmi() => Calls.Add("nmi");

    public void DeliverSmi() => Calls.Add("smi");

    public void DeliverInit() => Calls.Add("init");

    public void DeliverStartup(byte vector) => Calls.Add($"startup {vector:x2}");
}
