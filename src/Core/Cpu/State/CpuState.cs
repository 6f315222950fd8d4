using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Everything one virtual CPU knows, in unmanaged memory at fixed offsets.</summary>
/// <remarks>
/// But for <see cref="Host"/> it means the same in any process: what the guest can see or what decides how it goes on stands here and
/// nowhere else; the processor keeps what it derives from it, and what lasts no longer than an instruction.
/// Operations address it by pointer. General registers come first, so that a register's byte offset in
/// <see cref="Op"/> is also its offset here; the seventeenth is always zero and stands for "no register".
/// Arithmetic flags are lazy: <see cref="FlagResult"/>, <see cref="FlagCarry"/> and <see cref="FlagAdjust"/> hold what
/// they are computed from (see <see cref="LazyFlags"/>); all other flags live in <see cref="SystemFlags"/>.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CpuState
{
    /// <summary>Byte offset of the register that is always zero.</summary>
    public const ushort ZeroRegister = 16 * 8;

    /// <summary>Value of <see cref="InterruptShadow"/> after MOV SS and POP SS, which hold back debug traps, too.</summary>
    public const int StackSegmentShadow = 2;

    /// <summary>Model-specific registers that no part of the processor acts on.</summary>
    public const int ModelRegisterCount = 81;

    /// <summary>RAX RCX RDX RBX RSP RBP RSI RDI R8 to R15, zero.</summary>
    public fixed ulong R[17];

    /// <summary>Linear address of the next instruction; exact whenever no block is running.</summary>
    public ulong Rip;

    /// <summary>Instructions that may still begin before <see cref="Deadline"/>; those of the running block are already taken off.</summary>
    public long Left;

    /// <summary>Count of retired instructions at which <see cref="Left"/> is zero.</summary>
    public long Deadline;

    /// <summary>Last result, sign-extended: zero flag, sign flag and parity flag come from it.</summary>
    public long FlagResult;

    /// <summary>Carry out of the most significant bit (bit 31) and into it (bit 30).</summary>
    public uint FlagCarry;

    /// <summary>Low byte: operands' exclusive or, for AF. Bit 8 inverts PF, bit 9 inverts SF.</summary>
    public uint FlagAdjust;

    /// <summary>RFLAGS without the six arithmetic flags.</summary>
    public ulong SystemFlags;

    /// <summary>Pointers into the host's memory.</summary>
    public HostLinks Host;

    /// <summary>Set by a slow path when the run loop must look at the world before the next instruction.</summary>
    public int ExitRequest;

    /// <summary>Set while an external interrupt waits for IF.</summary>
    public int InterruptPending;

    /// <summary>Set by STI (1) and MOV SS (<see cref="StackSegmentShadow"/>) for the length of one instruction.</summary>
    public int InterruptShadow;

    /// <summary>Set after HLT until an interrupt arrives.</summary>
    public int Halted;

    /// <summary>Set when the processor waits in HLT and nothing can ever wake it.</summary>
    public byte HaltedForGood;

    /// <summary>Set when the processor met a fault it could not deliver (triple fault) and shut down.</summary>
    public byte ShutDown;

    /// <summary>Set while a non-maskable interrupt waits to be taken.</summary>
    public byte NmiPending;

    /// <summary>Set from the delivery of a non-maskable interrupt to the next IRET.</summary>
    public byte NmiBlocked;

    /// <summary>Current privilege level, 0 to 3.</summary>
    public int Cpl;

    /// <summary>Vector of the fault the last operation ended with, or <see cref="Vector.None"/>.</summary>
    public byte FaultVector;

    /// <summary>Set when a #BP came from the fetch overlay and not from a byte in guest memory.</summary>
    public byte FaultFromOverlay;

    /// <summary>Set when the pending exception, of any vector, was raised by INT n, INT3, INTO or INT1 and so is a completed instruction: 1, or 2 for INT1, which needs no gate of its privilege.</summary>
    public byte FaultIsSoftware;

    /// <summary>Error code of the fault.</summary>
    public uint FaultErrorCode;

    /// <summary>Linear address a page fault was raised for.</summary>
    public ulong FaultAddress;

    /// <summary>16 bytes (and slack) that stand in for memory which cannot be pointed to: MMIO and page-crossing operands.</summary>
    public fixed ulong Bounce[8];

    /// <summary>Linear address the bounce buffer stands for.</summary>
    public ulong BounceAddress;

    /// <summary>Bytes in the bounce buffer that a commit writes.</summary>
    public int BounceSize;

    /// <summary>Which TLB table <see cref="HostLinks.Tlb"/> is: the access mode.</summary>
    public int AccessMode;

    /// <summary>Segment registers in the order ES CS SS DS FS GS.</summary>
    public SegmentFile Segments;

    /// <summary>Global descriptor table: linear base.</summary>
    public ulong GdtBase;

    /// <summary>Interrupt descriptor table: linear base.</summary>
    public ulong IdtBase;

    /// <summary>Global descriptor table: last byte.</summary>
    public uint GdtLimit;

    /// <summary>Interrupt descriptor table: last byte.</summary>
    public uint IdtLimit;

    /// <summary>Local descriptor table register.</summary>
    public Segment Ldtr;

    /// <summary>Task register.</summary>
    public Segment Tr;

    /// <summary>Control register 0, see <see cref="State.Cr0"/>.</summary>
    public ulong Cr0;

    /// <summary>Page-fault address.</summary>
    public ulong Cr2;

    /// <summary>Page-table base.</summary>
    public ulong Cr3;

    /// <summary>Control register 4, see <see cref="State.Cr4"/>.</summary>
    public ulong Cr4;

    /// <summary>IA32_EFER, see <see cref="State.Efer"/>.</summary>
    public ulong Efer;

    /// <summary>IA32_STAR: selectors of SYSCALL and SYSRET.</summary>
    public ulong Star;

    /// <summary>IA32_LSTAR: 64-bit SYSCALL target.</summary>
    public ulong Lstar;

    /// <summary>IA32_CSTAR: compatibility-mode SYSCALL target.</summary>
    public ulong Cstar;

    /// <summary>IA32_FMASK: flags that SYSCALL clears.</summary>
    public ulong Sfmask;

    /// <summary>IA32_KERNEL_GS_BASE, what SWAPGS exchanges.</summary>
    public ulong KernelGsBase;

    /// <summary>IA32_TSC_AUX, what RDTSCP returns in ECX.</summary>
    public ulong TscAux;

    /// <summary>Offset that a write to IA32_TSC put between virtual time and the counter.</summary>
    public long TscOffset;

    /// <summary>Nanoseconds of virtual time that HLT skipped; time is retired instructions plus this.</summary>
    public long IdleTime;

    /// <summary>IA32_PAT: kept, not obeyed.</summary>
    public ulong Pat;

    /// <summary>Debug registers 0 to 7.</summary>
    public fixed ulong Dr[8];

    /// <summary>SSE control and status.</summary>
    public uint Mxcsr;

    /// <summary>x87 control word.</summary>
    public ushort FpuControl;

    /// <summary>x87 status word without TOP, which is <see cref="FpuTop"/>.</summary>
    public ushort FpuStatus;

    /// <summary>x87 stack top, 0 to 7.</summary>
    public int FpuTop;

    /// <summary>x87 tags, one bit a physical register: 1 = in use (the abridged form of FXSAVE).</summary>
    public byte FpuTags;

    /// <summary>x87 last opcode (11 bits).</summary>
    public ushort FpuOpcode;

    /// <summary>x87 last instruction pointer.</summary>
    public ulong FpuIp;

    /// <summary>x87 last operand pointer.</summary>
    public ulong FpuDp;

    /// <summary>x87 last instruction's CS and operand's DS selectors.</summary>
    public uint FpuSelectors;

    /// <summary>x87 physical registers, 16 bytes each: mantissa, then sign and exponent.</summary>
    public fixed ulong FpuRegisters[16];

    /// <summary>XMM0 to XMM15, two halves each.</summary>
    public fixed ulong XmmRegisters[32];

    /// <summary>What debug registers and single steps have met, as DR6 tells it, until the instruction has completed.</summary>
    public ulong PendingDebug;

    /// <summary>What MOV SS touched, while the instruction behind it has yet to run.</summary>
    public ulong HeldDebug;

    /// <summary>Whether the guest gets on.</summary>
    public Progress Progress;

    /// <summary>Repeated instructions that have stopped between elements.</summary>
    public StoppedRepeats StoppedRepeats;

    /// <summary>IA32_SYSENTER_CS, _ESP and _EIP.</summary>
    public fixed ulong Sysenter[3];

    /// <summary>The model-specific registers that no part of the processor acts on, in the order of their table.</summary>
    public fixed ulong ModelRegisters[ModelRegisterCount];

    /// <summary>Instructions retired so far; exact only between blocks.</summary>
    public readonly long Retired => Deadline - Left;

    /// <summary>Whether the processor runs 64-bit code.</summary>
    public readonly bool In64BitCode => (Segments.Cs.Attributes & Segment.Code64) != 0 && (Efer & State.Efer.LMA) != 0;

    /// <summary>I/O privilege level.</summary>
    public readonly int IoPrivilege => (int)(SystemFlags >> 12) & 3;

    /// <summary>Whether IA-32e mode is active, in 64-bit or compatibility code.</summary>
    public readonly bool InLongMode => (Efer & State.Efer.LMA) != 0;
}
