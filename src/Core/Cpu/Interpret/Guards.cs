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

    /// <summary>x87, FXSAVE, FXRSTOR: CR0.EM and CR0.TS are clear.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* X87(CpuState* s, Op* op) =>
        (s->Cr0 & (Cr0.EM | Cr0.TS)) != 0 ? Flow.Fault(s, op, Vector.DeviceNotAvailable) : op + 1;

    /// <summary>WAIT: CR0.MP or CR0.TS is clear.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Wait(CpuState* s, Op* op) =>
        (s->Cr0 & (Cr0.MP | Cr0.TS)) == (Cr0.MP | Cr0.TS) ? Flow.Fault(s, op, Vector.DeviceNotAvailable) : op + 1;

    /// <summary>MMX: CR0.EM and CR0.TS are clear.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Mmx(CpuState* s, Op* op) =>
        (s->Cr0 & Cr0.EM) != 0 ? SystemOps.Undefined(s, op)
        : (s->Cr0 & Cr0.TS) != 0 ? Flow.Fault(s, op, Vector.DeviceNotAvailable)
        : op + 1;

    /// <summary>SSE: as <see cref="Mmx"/>, and CR4.OSFXSR is set (Intel SDM vol. 3A table 2-4 and §13.1).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Sse(CpuState* s, Op* op) =>
        (s->Cr4 & Cr4.OSFXSR) == 0 ? SystemOps.Undefined(s, op) : Mmx(s, op);
}
