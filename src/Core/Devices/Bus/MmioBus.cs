namespace KprobeTrace.Devices.Bus;

/// <summary>The devices in the physical address space.</summary>
/// <remarks>
/// Addresses without a device read all-ones and swallow writes. An access that only partly lies in a region is taken
/// apart into bytes. A machine has two or three regions, so the lookup is a scan.
/// </remarks>
internal sealed class MmioBus
{
    private readonly List<MmioRegion> _regions = [];

    /// <summary>Puts a device at a range of physical addresses; where ranges overlap the one registered first answers.</summary>
    public MmioRegion Register(ulong start, ulong length, IMmioDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        MmioRegion region = new(start, length, device);
        _regions.Add(region);
        return region;
    }

    /// <summary>Finds the enabled region that holds the whole access, or null.</summary>
    public MmioRegion? Find(ulong address, int size)
    {
        for (int i = 0; i < _regions.Count; i++)
        {
            MmioRegion region = _regions[i];
            if (region.Contains(address, size))
            {
                return region;
            }
        }

        return null;
    }

    /// <summary>Reads 1, 2, 4 or 8 bytes of device registers.</summary>
    public ulong Read(ulong address, int size)
    {
        MmioRegion? region = Find(address, size);
        if (region is not null)
        {
            return region.Device.Read(address - region.Start, size) & Mask(size);
        }

        if (size == 1)
        {
            return 0xFF;
        }

        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= Read(address + (ulong)i, 1) << (i * 8);
        }

        return value;
    }

    /// <summary>Writes 1, 2, 4 or 8 bytes of device registers.</summary>
    public void Write(ulong address, ulong value, int size)
    {
        MmioRegion? region = Find(address, size);
        if (region is not null)
        {
            region.Device.Write(address - region.Start, value & Mask(size), size);
            return;
        }

        for (int i = 0; i < size && size > 1; i++)
        {
            Write(address + (ulong)i, (value >> (i * 8)) & 0xFF, 1);
        }
    }

    private static ulong Mask(int size) => size >= 8 ? ulong.MaxValue : (1UL << (size * 8)) - 1;
}
