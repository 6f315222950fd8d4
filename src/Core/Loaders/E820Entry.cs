namespace KprobeTrace.Loaders;

/// <summary>One entry of the physical memory map a PC's firmware reports (INT 15h, AX=E820h).</summary>
/// <param name="Address">First physical address.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Type">1 usable, 2 reserved, 3 ACPI data, 4 ACPI non-volatile storage.</param>
public readonly record struct E820Entry(ulong Address, ulong Length, uint Type)
{
    /// <summary>Type of RAM the kernel may use.</summary>
    public const uint Usable = 1;

    /// <summary>Type of addresses the kernel must leave alone.</summary>
    public const uint Reserved = 2;

    /// <summary>The map of a PC with <paramref name="memorySize"/> bytes of RAM from address 0.</summary>
    /// <remarks>
    /// The last KiB below 640 KiB (the extended BIOS data area) and the BIOS area from 0xE0000 to 1 MiB, which holds
    /// the ACPI tables, are reserved. Addresses from 0xA0000 to 0xE0000 are left out: display memory and option ROMs.
    /// </remarks>
    public static IReadOnlyList<E820Entry> ForMemory(ulong memorySize)
    {
        const ulong ExtendedBiosData = 0x9FC00;
        const ulong LowEnd = 0xA0000;
        const ulong BiosStart = 0xE0000;
        const ulong HighStart = 0x100000;
        List<E820Entry> map =
        [
            new E820Entry(0, Math.Min(memorySize, ExtendedBiosData), Usable),
            new E820Entry(ExtendedBiosData, LowEnd - ExtendedBiosData, Reserved),
            new E820Entry(BiosStart, HighStart - BiosStart, Reserved),
        ];
        if (memorySize > HighStart)
        {
            map.Add(new E820Entry(HighStart, memorySize - HighStart, Usable));
        }

        return map;
    }
}
