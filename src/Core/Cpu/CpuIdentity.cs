using System.Text;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <summary>What CPUID says: a processor of level x86-64-v2, declaring exactly what is built (AMD APM vol. 3 appendix E).</summary>
/// <remarks>
/// The vendor is AuthenticAMD, because kernels switch on page-table isolation and every mitigation for vendors they do not know.
/// The hypervisor leaves announce the KVM clock, from which kernels read the frequency of the time-stamp counter.
/// </remarks>
internal static unsafe class CpuIdentity
{
    /// <summary>Family 0x12, model 1, stepping 0: leaf 1 EAX and EDX after reset.</summary>
    /// <remarks>
    /// Of AMD's families one whose registers are all in the table of docs/machine.md, for which kernels know neither a defect
    /// of the silicon nor a weakness to work around.
    /// </remarks>
    public const uint Signature = 0x00300F10;

    private const string Brand = "KprobeTrace virtual x86-64-v2 CPU";
    private const string Vendor = "AuthenticAMD";
    private const string HypervisorVendor = "KVMKVMKVM\0\0\0";
    private const uint AlwaysRunningApicTimer = 1 << 2;

    // Both generations of the clock's MSRs, no delays after port accesses, a stable clock.
    private const uint KvmFeatures = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 24);

    /// <summary>The four registers CPUID returns.</summary>
    /// <param name="Eax">EAX.</param>
    /// <param name="Ebx">EBX.</param>
    /// <param name="Ecx">ECX.</param>
    /// <param name="Edx">EDX.</param>
    public readonly record struct Leaf(uint Eax, uint Ebx, uint Ecx, uint Edx);

    /// <summary>Answers CPUID for a leaf and subleaf; leaves that do not exist are zero.</summary>
    /// <param name="s">The processor's state, of which control registers decide what is declared.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="subleaf">The subleaf.</param>
    /// <param name="index">Which of the machine's processors it is.</param>
    /// <param name="count">How many there are.</param>
    public static Leaf Read(CpuState* s, uint leaf, uint subleaf, int index, int count) => leaf switch
    {
        0 => new Leaf(7, Text(Vendor, 0), Text(Vendor, 8), Text(Vendor, 4)),
        1 => new Leaf(Signature, Place(index, count), Features1Ecx(s), Features1Edx),
        6 => new Leaf(AlwaysRunningApicTimer, 0, 0, 0),
        7 when subleaf == 0 => new Leaf(0, Features7Ebx, Features7Ecx, 0),
        0x40000000 => new Leaf(0x40000001, Text(HypervisorVendor, 0), Text(HypervisorVendor, 4), Text(HypervisorVendor, 8)),
        0x40000001 => new Leaf(KvmFeatures, 0, 0, 0),
        0x80000000 => new Leaf(0x80000008, Text(Vendor, 0), Text(Vendor, 8), Text(Vendor, 4)),
        0x80000001 => new Leaf(Signature, 0, FeaturesExtendedEcx, FeaturesExtendedEdx),
        0x80000002 or 0x80000003 or 0x80000004 => BrandPart((int)(leaf - 0x80000002) * 16),
        0x80000005 => new Leaf(0x01FF01FF, 0x01FF01FF, 0x40020140, 0x40020140),
        0x80000006 => new Leaf(0, 0x42004200, 0x02008140, 0),
        0x80000007 => new Leaf(0, 0, 0, 1 << 8),
        0x80000008 => new Leaf(0x00003028, 0, 0, 0),
        _ => default,
    };

    /// <summary>Leaf 1 EBX: initial APIC id, number of processors, eight times eight bytes for CLFLUSH.</summary>
    private static uint Place(int index, int count) => ((uint)index << 24) | ((uint)count << 16) | (8 << 8);

    /// <summary>Leaf 1 EDX: FPU VME- DE PSE TSC MSR PAE MCE CX8 APIC SEP- MTRR PGE MCA CMOV PAT CLFSH MMX FXSR SSE SSE2.</summary>
    private static uint Features1Edx =>
        Bits(0, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 19, 23, 24, 25, 26);

    /// <summary>Leaf 7 EBX: FSGSBASE SMEP SMAP.</summary>
    private static uint Features7Ebx => Bits(0, 7, 20);

    /// <summary>Leaf 7 ECX: UMIP.</summary>
    private static uint Features7Ecx => Bits(2);

    /// <summary>Leaf 0x80000001 EDX: those of leaf 1, SYSCALL, NX, 1 GiB pages, RDTSCP, long mode.</summary>
    private static uint FeaturesExtendedEdx =>
        (Features1Edx & 0x0183F3FF) | Bits(11, 20, 26, 27, 29);

    /// <summary>Leaf 0x80000001 ECX: LAHF in long mode, MOV CR8.</summary>
    private static uint FeaturesExtendedEcx => Bits(0, 4);

    /// <summary>Leaf 1 ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT TSC-deadline hypervisor.</summary>
    private static uint Features1Ecx(CpuState* s)
    {
        uint osxsave = (s->Cr4 & Cr4.OSXSAVE) != 0 ? 1u << 27 : 0;
        return Bits(0, 9, 13, 19, 20, 23, 24, 31) | osxsave;
    }

    private static uint Bits(params ReadOnlySpan<int> bits)
    {
        uint value = 0;
        foreach (int bit in bits)
        {
            value |= 1u << bit;
        }

        return value;
    }

    private static uint Text(string text, int at) =>
        BitConverter.ToUInt32(Encoding.ASCII.GetBytes(text), at);

    /// <summary>Eight bytes of the brand string.</summary>
    internal static ulong BrandWord(int index) =>
        Text(PaddedBrand, index * 8) | ((ulong)Text(PaddedBrand, (index * 8) + 4) << 32);

    private static string PaddedBrand => Brand.PadRight(48, '\0');

    private static Leaf BrandPart(int at)
    {
        string padded = PaddedBrand;
        return new Leaf(Text(padded, at), Text(padded, at + 4), Text(padded, at + 8), Text(padded, at + 12));
    }
}
