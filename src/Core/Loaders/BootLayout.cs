namespace KprobeTrace.Loaders;

/// <summary>Where the boot data that this program makes stands in guest physical memory.</summary>
/// <remarks>
/// All of it lies in RAM that Linux treats as free once it has copied the boot parameters. An image that is not
/// Linux finds it there at entry and may overwrite it when it has tables of its own.
/// <code>
/// 0x01000  global descriptor table (4 entries: null, null, code 0x10, data 0x18)
/// 0x02000  stack, growing down from 0x7000
/// 0x07000  zero page (struct boot_params)
/// 0x20000  command line, NUL-terminated
/// 0x30000  page tables, up to 0x90000
/// </code>
/// </remarks>
internal static class BootLayout
{
    /// <summary>Physical address of the global descriptor table.</summary>
    public const ulong Gdt = 0x1000;

    /// <summary>Initial stack pointer; the stack may grow down to 0x2000.</summary>
    public const ulong StackTop = 0x7000;

    /// <summary>Physical address of the zero page.</summary>
    public const ulong ZeroPage = 0x7000;

    /// <summary>Physical address of the command line.</summary>
    public const ulong CommandLine = 0x20000;

    /// <summary>Longest command line in bytes, the terminating NUL included.</summary>
    public const int CommandLineCapacity = 0x1000;

    /// <summary>Physical address of the top page table; the others follow.</summary>
    public const ulong PageTables = 0x30000;

    /// <summary>End of the room for page tables.</summary>
    public const ulong PageTablesEnd = 0x90000;

    /// <summary>Bytes of physical address space that are mapped one to one at entry in 64-bit mode.</summary>
    public const ulong IdentityMapped = 4UL << 30;

    /// <summary>Selector of the flat code segment (the boot protocol's <c>__BOOT_CS</c>).</summary>
    public const ushort CodeSelector = 0x10;

    /// <summary>Selector of the flat data segment (the boot protocol's <c>__BOOT_DS</c>).</summary>
    public const ushort DataSelector = 0x18;
}
