using System.Globalization;

namespace KprobeTrace.Files;

/// <summary>Names of processors by their numbers in ELF and PE headers.</summary>
internal static class MachineNames
{
    private static readonly Dictionary<int, string> _elf = new()
    {
        [2] = "SPARC",
        [3] = "32-bit x86",
        [4] = "Motorola 68000",
        [6] = "32-bit x86",
        [8] = "MIPS",
        [15] = "PA-RISC",
        [18] = "SPARC",
        [20] = "PowerPC",
        [21] = "64-bit PowerPC",
        [22] = "IBM S/390",
        [40] = "32-bit ARM",
        [42] = "SuperH",
        [43] = "64-bit SPARC",
        [50] = "Itanium",
        [62] = "x86-64",
        [83] = "AVR",
        [92] = "OpenRISC",
        [93] = "ARC",
        [94] = "Xtensa",
        [106] = "Blackfin",
        [113] = "Nios II",
        [164] = "Hexagon",
        [180] = "Intel L1OM",
        [181] = "Intel K1OM",
        [183] = "64-bit ARM (arm64)",
        [189] = "MicroBlaze",
        [195] = "ARC",
        [224] = "AMD GPUs",
        [243] = "RISC-V",
        [247] = "BPF",
        [252] = "C-SKY",
        [258] = "LoongArch",
        [0x9026] = "Alpha",
    };

    private static readonly Dictionary<int, string> _pe = new()
    {
        [0x014C] = "32-bit x86",
        [0x01C0] = "32-bit ARM",
        [0x01C2] = "32-bit ARM",
        [0x01C4] = "32-bit ARM",
        [0x0200] = "Itanium",
        [0x0EBC] = "EFI byte code",
        [0x5032] = "32-bit RISC-V",
        [0x5064] = "64-bit RISC-V",
        [0x6232] = "32-bit LoongArch",
        [0x6264] = "64-bit LoongArch",
        [0x8664] = "x86-64",
        [0xAA64] = "64-bit ARM (arm64)",
    };

    /// <summary>The processor of an ELF header's e_machine.</summary>
    internal static string OfElf(int machine) => Of(_elf, machine);

    /// <summary>The processor of a PE header's Machine.</summary>
    internal static string OfPe(int machine) => Of(_pe, machine);

    private static string Of(Dictionary<int, string> names, int machine) =>
        names.TryGetValue(machine, out string? name)
            ? name
            : string.Create(CultureInfo.InvariantCulture, $"machine type {machine}");
}
