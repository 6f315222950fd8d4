namespace KprobeTrace.Devices.Bus;

/// <summary>A device in the x86 I/O port space.</summary>
internal interface IPortDevice
{
    /// <summary>Reads a port.</summary>
    /// <param name="port">The port's number in the I/O space, not an offset into the device.</param>
    /// <param name="size">1, 2 or 4 bytes; always 1 for a device registered as byte-wide.</param>
    /// <returns>The value in the low <paramref name="size"/> bytes.</returns>
    public uint Read(ushort port, int size);

    /// <summary>Writes a port.</summary>
    /// <param name="port">The port's number in the I/O space, not an offset into the device.</param>
    /// <param name="value">The value in the low <paramref name="size"/> bytes; the rest is zero.</param>
    /// <param name="size">1, 2 or 4 bytes; always 1 for a device registered as byte-wide.</param>
    public void Write(ushort port, uint value, int size);
}
