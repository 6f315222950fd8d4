namespace KprobeTrace.Devices.Bus;

/// <summary>A device in the physical address space.</summary>
internal interface IMmioDevice
{
    /// <summary>Reads a register.</summary>
    /// <param name="offset">Byte offset into the device's region.</param>
    /// <param name="size">1, 2, 4 or 8 bytes, wholly inside the region.</param>
    /// <returns>The value in the low <paramref name="size"/> bytes.</returns>
    public ulong Read(ulong offset, int size);

    /// <summary>Writes a register.</summary>
    /// <param name="offset">Byte offset into the device's region.</param>
    /// <param name="value">The value in the low <paramref name="size"/> bytes; the rest is zero.</param>
    /// <param name="size">1, 2, 4 or 8 bytes, wholly inside the region.</param>
    public void Write(ulong offset, ulong value, int size);
}
