using System.Globalization;
using System.Runtime.Intrinsics.X86;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Where CPUID declares instruction sets (Tables/cpuid.txt), and which of them the interpreter and the host's processor declare.</summary>
internal static unsafe class FeatureBits
{
    private static readonly Dictionary<string, (uint Leaf, uint Subleaf, string Register, int Bit)> _bits = TableFile.Lines("cpuid.txt")
        .ToDictionary(
            fields => fields[0],
            fields => (
                uint.Parse(fields[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                uint.Parse(fields[2], CultureInfo.InvariantCulture),
                fields[3],
                int.Parse(fields[4], CultureInfo.InvariantCulture)));

    /// <summary>Whether an instruction set has a bit of its own.</summary>
    public static bool Has(string feature) => _bits.ContainsKey(feature);

    /// <summary>Whether the interpreter declares an instruction set.</summary>
    public static bool IsDeclared(string feature)
    {
        (uint leaf, uint subleaf, string register, int bit) = _bits[feature];
        CpuState state = default;
        CpuIdentity.Leaf answer = CpuIdentity.Read(&state, leaf, subleaf, index: 0, count: 1);
        return IsSet((answer.Eax, answer.Ebx, answer.Ecx, answer.Edx), register, bit);
    }

    /// <summary>Whether the host's processor declares an instruction set; under a hypervisor, whether that does.</summary>
    public static bool IsDeclaredByHost(string feature)
    {
        (uint leaf, uint subleaf, string register, int bit) = _bits[feature];
        uint last = (uint)X86Base.CpuId(unchecked((int)(leaf & 0x8000_0000)), 0).Eax;
        if (leaf > last)
        {
            return false;
        }

        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)leaf, (int)subleaf);
        return IsSet(((uint)eax, (uint)ebx, (uint)ecx, (uint)edx), register, bit);
    }

    private static bool IsSet((uint Eax, uint Ebx, uint Ecx, uint Edx) answer, string register, int bit)
    {
        uint value = register switch { "eax" => answer.Eax, "ebx" => answer.Ebx, "ecx" => answer.Ecx, _ => answer.Edx };
        return ((value >> bit) & 1) != 0;
    }
}
