
namespace KprobeTrace.Cpu;

/// <summary>Numbers of model-specific registers (Intel SDM vol. 4; AMD APM vol. 2 appendix A).</summary>
internal static class Msr
{
    /// <summary>Time-stamp counter.</summary>
    public const uint Tsc = 0x10;

    /// <summary>CS of SYSENTER.</summary>
    public const uint SysenterCs = 0x174;

    /// <summary>Stack pointer of SYSENTER.</summary>
    public const uint SysenterEsp = 0x175;

    /// <summary>Entry point of SYSENTER.</summary>
    public const uint SysenterEip = 0x176;

    /// <summary>Debug control.</summary>
    public const uint DebugControl = 0x1D9;

    /// <summary>Page attribute table.</summary>
    public const uint Pat = 0x277;

    /// <summary>Default memory type, and whether the other memory-type registers hold.</summary>
    public const uint MtrrDefaultType = 0x2FF;

    /// <summary>Extended features.</summary>
    public const uint Efer = 0xC0000080;

    /// <summary>SYSCALL selectors.</summary>
    public const uint Star = 0xC0000081;

    /// <summary>64-bit SYSCALL target.</summary>
    public const uint Lstar = 0xC0000082;

    /// <summary>Compatibility-mode SYSCALL target.</summary>
    public const uint Cstar = 0xC0000083;

    /// <summary>Flags cleared by SYSCALL.</summary>
    public const uint Fmask = 0xC0000084;

    /// <summary>FS base.</summary>
    public const uint FsBase = 0xC0000100;

    /// <summary>GS base.</summary>
    public const uint GsBase = 0xC0000101;

    /// <summary>What SWAPGS exchanges with the GS base.</summary>
    public const uint KernelGsBase = 0xC0000102;

    /// <summary>What RDTSCP returns.</summary>
    public const uint TscAux = 0xC0000103;
}
