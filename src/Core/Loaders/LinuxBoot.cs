namespace KprobeTrace.Loaders;

/// <summary>Lays out guest memory for a Linux kernel as a 64-bit boot loader does.</summary>
/// <remarks>
/// The kernel is entered at its 64-bit entry point with RSI holding the zero page's address, flat segments, the first
/// 4 GiB mapped one to one and interrupts off (Linux/x86 boot protocol, "64-bit boot protocol"). An unpacked ELF is
/// entered where the decompressor would have jumped; it has the same contract. Addresses are in <see cref="BootLayout"/>.
/// </remarks>
internal static class LinuxBoot
{
    private const ulong DefaultInitrdMax = 0x7FFF_FFFF;
    private const ulong Code32Start = 0x10_0000;
    private const ulong Entry64Offset = 0x200;
    private const ulong PageSize = 0x1000;

    /// <summary>Adds an unpacked kernel's segments and all boot data to <paramref name="plan"/>.</summary>
    /// <returns>The state to enter it with.</returns>
    public static InitialCpuState EnterElf(
        string image, BootPlan plan, ElfFile elf, BzImageFile? container, ImageLoadOptions options)
    {
        ulong end = 0;
        foreach (ElfProgramHeader segment in elf.Segments)
        {
            plan.Add("kernel", segment.PhysicalAddress, elf.BytesOf(segment), segment.MemorySize);
            end = Math.Max(end, segment.PhysicalAddress + segment.MemorySize);
        }

        AddBootData(plan, new BootPageTables(image), container, options, end);
        return EntryStates.Long(elf.Entry, BootLayout.ZeroPage);
    }

    /// <summary>Adds a bzImage's own protected-mode part, which unpacks or is the kernel, and all boot data.</summary>
    /// <returns>The state to enter it with.</returns>
    public static InitialCpuState EnterRaw(
        string image, BootPlan plan, BzImageFile container, ImageLoadOptions options)
    {
        ulong address = container.HasEntry64 && container.PreferredAddress != 0
            ? container.PreferredAddress
            : Code32Start;
        ulong length = Math.Max(container.InitSize, (ulong)container.ProtectedModePart.Length);
        plan.Add("kernel", address, container.ProtectedModePart, length);
        AddBootData(plan, new BootPageTables(image), container, options, address + length);
        return container.HasEntry64
            ? EntryStates.Long(address + Entry64Offset, BootLayout.ZeroPage)
            : EntryStates.Protected(address, BootLayout.ZeroPage);
    }

    /// <summary>Adds zero page, command line, initrd, descriptor table and page tables.</summary>
    public static void AddBootData(
        BootPlan plan, BootPageTables tables, BzImageFile? container, ImageLoadOptions options, ulong kernelEnd)
    {
        BootParameters parameters = container is null
            ? new BootParameters()
            : new BootParameters(container.SetupHeader.Span);
        parameters.SetMemoryMap(options.MemoryMap ?? E820Entry.ForMemory(options.Memory));
        parameters.SetAcpiRsdp(options.AcpiRsdpAddress);
        plan.AddCommandLine(
            options.Line, container?.CommandLineSize ?? BootLayout.CommandLineCapacity - 1);
        parameters.SetCommandLine(BootLayout.CommandLine);
        if (!options.Initrd.IsEmpty)
        {
            ulong highest = container is { InitrdAddressMax: > 0 } ? container.InitrdAddressMax : DefaultInitrdMax;
            ulong from = (kernelEnd + PageSize - 1) & ~(PageSize - 1);
            parameters.SetInitrd(
                plan.AddInitrd(options.Initrd, highest, from), (ulong)options.Initrd.Length);
        }

        plan.Add("boot parameters", BootLayout.ZeroPage, parameters.Bytes);
        EntryMode mode = container is { HasEntry64: false } ? EntryMode.Protected32 : EntryMode.Long64;
        plan.Add("descriptor table", BootLayout.Gdt, EntryStates.Gdt(mode));
        if (mode == EntryMode.Long64)
        {
            plan.Add("page tables", BootLayout.PageTables, tables.Bytes);
        }
    }
}
