namespace KprobeTrace.Devices.Bus;

/// <summary>A range of physical addresses that belongs to a device; it can be moved and switched off by the guest.</summary>
internal sealed class MmioRegion
{
    internal MmioRegion(ulong start, ulong length, IMmioDevice device)
    {
        Start = start;
        Length = length;
        Device = device;
    }

    /// <summary>Physical address of the first byte.</summary>
    public ulong Start { get; set; }

    /// <summary>Bytes in the region.</summary>
    public ulong Length { get; }

    /// <summary>The device behind the region.</summary>
    public IMmioDevice Device { get; }

    /// <summary>Whether the device answers; otherwise the range reads as absent.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Whether an access of <paramref name="size"/> bytes lies wholly inside the enabled region.</summary>
    public bool Contains(ulong address, int size)
    {
        ulong offset = address - Start;
        return Enabled && offset < Length && (ulong)size <= Length - offset;
    }
}
