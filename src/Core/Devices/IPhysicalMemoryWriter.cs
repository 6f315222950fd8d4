namespace KprobeTrace.Devices;

/// <summary>How a device writes guest RAM.</summary>
internal interface IPhysicalMemoryWriter
{
    /// <summary>Writes bytes at a physical address, as the guest's own stores would (decoded code is invalidated).</summary>
    /// <returns>False, with nothing written, when the range is not wholly RAM.</returns>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> data);
}
