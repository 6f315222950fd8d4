using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>The x87 instructions (Intel SDM vol. 1 chapter 8).</summary>
/// <remarks>
/// <see cref="Op.Link"/> holds a function that does the work and returns false with a fault pending;
/// <see cref="Op.Destination"/> and <see cref="Op.Source"/> are stack positions. <see cref="Op.Immediate"/> holds the number of
/// pops and, from <see cref="OpcodeShift"/> up, the opcode as the last-opcode register keeps it, and <see cref="OpBits.Family"/> marks a memory operand, for the last-instruction registers.
/// </remarks>
internal static unsafe partial class X87
{
    /// <summary>Where in <see cref="Op.Immediate"/> the opcode begins.</summary>
    public const int OpcodeShift = 8;

    /// <summary>An instruction that waits for pending exceptions and becomes the last x87 instruction.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Waiting(CpuState* s, Op* op)
    {
        if ((s->FpuStatus & FpuStatus.ErrorSummary) != 0)
        {
            return Flow.Fault(s, op, Vector.X87Error);
        }

        if (!((delegate*<CpuState*, Op*, bool>)op->Link)(s, op))
        {
            return null;
        }

        s->FpuOpcode = (ushort)(op->Immediate >> OpcodeShift);
        s->FpuIp = Op.IpOf(op);
        s->FpuSelectors = (s->FpuSelectors & 0xFFFF0000) | s->Segments.Cs.Selector;
        if ((op->Bits & OpBits.Family) != 0)
        {
            s->FpuDp = IndexedAddress.Of(s, op);
            s->FpuSelectors = (ushort)s->FpuSelectors | ((uint)(&s->Segments.Es)[DataSegment(op)].Selector << 16);
        }

        return Go(s, op);
    }

    /// <summary>The segment register of a memory operand, which 64-bit code mostly leaves unsaid: SS for stack and frame.</summary>
    private static int DataSegment(Op* op) =>
        op->Segment <= Segment.Gs ? op->Segment
        : op->Base is Registers.Rsp * 8 or Registers.Rbp * 8 ? Segment.Ss
        : Segment.Ds;

    /// <summary>A control instruction that waits for pending exceptions (FLDCW, FLDENV, FRSTOR, FWAIT).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* WaitingControl(CpuState* s, Op* op)
    {
        if ((s->FpuStatus & FpuStatus.ErrorSummary) != 0)
        {
            return Flow.Fault(s, op, Vector.X87Error);
        }

        return ((delegate*<CpuState*, Op*, bool>)op->Link)(s, op) ? Go(s, op) : null;
    }

    /// <summary>A control instruction that does not wait (FNINIT, FNSTCW and so on).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Control(CpuState* s, Op* op) => ((delegate*<CpuState*, Op*, bool>)op->Link)(s, op) ? Go(s, op) : null;

    /// <summary>Goes on, through the run loop when a store has changed what it must look at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Op* Go(CpuState* s, Op* op) => s->ExitRequest != 0 ? op + 1 : Flow.Next(s, op);

    /// <summary>FWAIT.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Wait(CpuState* s, Op* op) =>
        (s->FpuStatus & FpuStatus.ErrorSummary) != 0 ? Flow.Fault(s, op, Vector.X87Error) : Flow.Next(s, op);

    /// <summary>ST(Destination) = ST(Destination) op ST(Source), then pops.</summary>
    public static bool Arithmetic<TOperation>(CpuState* s, Op* op)
        where TOperation : struct, IX87Operation
    {
        Float80 result = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, op->Destination) || FpuStack.IsEmpty(s, op->Source))
        {
            if (!FpuStack.Fault(s, overflow: false))
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            result = TOperation.Apply(
                FpuStack.Get(s, op->Destination), FpuStack.Get(s, op->Source), ref status);
            if (!FpuStack.Report(s, status))
            {
                return true;
            }
        }

        FpuStack.Set(s, op->Destination, result);
        PopTimes(s, op);
        return true;
    }

    /// <summary>ST(0) = ST(0) op memory.</summary>
    public static bool ArithmeticMemory<TOperation, TOperand>(CpuState* s, Op* op)
        where TOperation : struct, IX87Operation
        where TOperand : struct, IMemoryOperand
    {
        if (!TOperand.Read(s, op, out Float80 operand, out bool denormal))
        {
            return false;
        }

        if (FpuStack.IsEmpty(s, 0))
        {
            if (FpuStack.Fault(s, overflow: false))
            {
                FpuStack.Set(s, 0, Float80.DefaultNaN);
            }

            return true;
        }

        FloatStatus status = FpuStack.Status(s);
        Float80 result = TOperation.Apply(FpuStack.Get(s, 0), operand, ref status);
        NoteDenormal(denormal && !result.IsNaN, ref status);
        if (FpuStack.Report(s, status))
        {
            FpuStack.Set(s, 0, result);
        }

        return true;
    }

    /// <summary>Raises DE for a memory operand, unless an exception of higher rank was found.</summary>
    private static void NoteDenormal(bool denormal, ref FloatStatus status)
    {
        if (denormal && (status.Flags & (FloatFlags.Invalid | FloatFlags.DivideByZero)) == 0)
        {
            status.Raise(FloatFlags.Denormal);
        }
    }

    private static bool Unary(CpuState* s, delegate*<Float80, ref FloatStatus, Float80> function)
    {
        Float80 result = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, 0))
        {
            if (!FpuStack.Fault(s, overflow: false))
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            result = function(FpuStack.Get(s, 0), ref status);
            if (!FpuStack.Report(s, status))
            {
                return true;
            }
        }

        FpuStack.Set(s, 0, result);
        return true;
    }

    /// <summary>FSQRT.</summary>
    public static bool SquareRoot(CpuState* s, Op* op) => Unary(s, &X87Float.SquareRoot);

    /// <summary>FRNDINT.</summary>
    public static bool RoundToIntegral(CpuState* s, Op* op) => Unary(s, &X87Float.RoundToIntegral);

    /// <summary>F2XM1.</summary>
    public static bool PowerOfTwoMinusOne(CpuState* s, Op* op) => Unary(s, &X87Float.PowerOfTwoMinusOne);

    /// <summary>FCHS.</summary>
    public static bool ChangeSign(CpuState* s, Op* op) => Sign(s, 0x8000, 0xFFFF);

    /// <summary>FABS.</summary>
    public static bool Absolute(CpuState* s, Op* op) => Sign(s, 0, 0x7FFF);

    private static bool Sign(CpuState* s, int flip, int keep)
    {
        if (FpuStack.IsEmpty(s, 0))
        {
            if (FpuStack.Fault(s, overflow: false))
            {
                FpuStack.Set(s, 0, Float80.DefaultNaN);
            }

            return true;
        }

        Float80 a = FpuStack.Get(s, 0);
        a.SignExponent = (ushort)((a.SignExponent & keep) ^ flip);
        FpuStack.Set(s, 0, a);
        FpuStack.SetConditions(s, FpuStatus.C1, 0);
        return true;
    }

    private static void PopTimes(CpuState* s, Op* op)
    {
        for (int i = (byte)op->Immediate; i > 0; i--)
        {
            FpuStack.Pop(s);
        }
    }
}
