using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>What is looked at before an instruction, as an operation of its own: it goes on to the instruction, or faults in its place.</summary>
internal static unsafe class Guards
{
    /// <summary>CLI, STI: CPL is not above IOPL.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* IoPrivilege(CpuState* s, Op* op) =>
        s->Cpl > s->IoPrivilege ? Flow.Fault(s, op, Vector.GeneralProtection) : op + 1;

    /// <summary>SGDT, SIDT, SLDT, SMSW, STR outside ring 0: CR4.UMIP is clear.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Umip(CpuState* s, Op* op) =>
        (s->Cr4 & Cr4.UMIP) != 0 ? Flow.Fault(s, op, Vector.GeneralProtection) : op + 1;

    /// <summary>RDTSC, RDTSCP outside ring 0: CR4.TSD is clear.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* TimestampDisable(CpuState* s, Op* op) =>
        (s->Cr4 & Cr4.TSD) != 0 ? Flow.Fault(s, op, Vector.GeneralProtection) : op + 1;

    /// <summary>RDFSBASE and its like: CR4.FSGSBASE is set.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SegmentBases(CpuState* s, Op* op) =>
        (s->Cr4 & Cr4.FSGSBASE) == 0 ? SystemOps.Undefined(s, op) : op + 1;

    /// <summary>SYSCALL, SYSRET: EFER.SCE is set.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SystemCalls(CpuState* s, Op* op) =>
        (s->Efer & Efer.SCE) == 0 ? SystemOps.Undefined(s, op) : op + 1;
}
