using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>Comparisons and classification.</content>
internal static unsafe partial class X87
{
    internal const int Compared = FpuStatus.C0 | FpuStatus.C2 | FpuStatus.C3;

    /// <summary>FCOM and FUCOM with their popping forms: a quiet NaN is invalid for the former only.</summary>
    public static bool Compare<TSignals>(CpuState* s, Op* op)
        where TSignals : struct, IFlag
    {
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, op->Source))
        {
            FinishUnderflow(s, op);
            return true;
        }

        FloatStatus status = FpuStack.Status(s);
        FloatRelation relation = X87Float.Compare(
            FpuStack.Get(s, 0), FpuStack.Get(s, op->Source), TSignals.Value, ref status);
        FinishCompare(s, op, relation, status);
        return true;
    }

    /// <summary>FCOM and FICOM with a memory operand.</summary>
    public static bool CompareMemory<TOperand>(CpuState* s, Op* op)
        where TOperand : struct, IMemoryOperand
    {
        if (!TOperand.Read(s, op, out Float80 operand, out bool denormal))
        {
            return false;
        }

        if (FpuStack.IsEmpty(s, 0))
        {
            FinishUnderflow(s, op);
            return true;
        }

        FloatStatus status = FpuStack.Status(s);
        FloatRelation relation = X87Float.Compare(FpuStack.Get(s, 0), operand, signals: true, ref status);
        NoteDenormal(denormal && relation != FloatRelation.Unordered, ref status);
        FinishCompare(s, op, relation, status);
        return true;
    }

    /// <summary>FTST.</summary>
    public static bool Test(CpuState* s, Op* op)
    {
        if (FpuStack.IsEmpty(s, 0))
        {
            FinishUnderflow(s, op);
            return true;
        }

        FloatStatus status = FpuStack.Status(s);
        FloatRelation relation = X87Float.Compare(FpuStack.Get(s, 0), default, signals: true, ref status);
        FinishCompare(s, op, relation, status);
        return true;
    }

    private static void FinishUnderflow(CpuState* s, Op* op)
    {
        bool masked = FpuStack.Fault(s, overflow: false);
        FpuStack.SetConditions(s, Compared, Compared);
        if (masked)
        {
            PopTimes(s, op);
        }
    }

    private static void FinishCompare(CpuState* s, Op* op, FloatRelation relation, in FloatStatus status)
    {
        bool written = FpuStack.Report(s, status);
        FpuStack.SetConditions(s, Compared, relation switch
        {
            FloatRelation.Less => FpuStatus.C0,
            FloatRelation.Equal => FpuStatus.C3,
            FloatRelation.Greater => 0,
            _ => Compared,
        });
        if (written)
        {
            PopTimes(s, op);
        }
    }

    /// <summary>FCOMI and FUCOMI: the outcome goes to ZF, PF and CF, and C1 stays but for a stack fault, as AMD has it.</summary>
    public static bool CompareFlags<TSignals>(CpuState* s, Op* op)
        where TSignals : struct, IFlag
    {
        FloatRelation relation = FloatRelation.Unordered;
        bool written;
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, op->Source))
        {
            written = FpuStack.Fault(s, overflow: false);
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            relation = X87Float.Compare(
                FpuStack.Get(s, 0), FpuStack.Get(s, op->Source), TSignals.Value, ref status);
            int c1 = s->FpuStatus & FpuStatus.C1;
            written = FpuStack.Report(s, status);
            FpuStack.SetConditions(s, FpuStatus.C1, c1);
        }

        LazyFlags.SetStatus(s, FlagsOf(relation));
        if (written)
        {
            PopTimes(s, op);
        }

        return true;
    }

    /// <summary>What COMISS and FCOMI make of a comparison; OF, SF and AF are clear.</summary>
    internal static uint FlagsOf(FloatRelation relation) => relation switch
    {
        FloatRelation.Less => Rflags.CF,
        FloatRelation.Equal => Rflags.ZF,
        FloatRelation.Greater => 0,
        _ => Rflags.ZF | Rflags.PF | Rflags.CF,
    };

    /// <summary>FXAM.</summary>
    public static bool Examine(CpuState* s, Op* op)
    {
        Float80 a = FpuStack.Get(s, 0);
        int conditions = a.Negative ? FpuStatus.C1 : 0;
        if (FpuStack.IsEmpty(s, 0))
        {
            conditions |= FpuStatus.C3 | FpuStatus.C0;
        }
        else if (a.IsZero)
        {
            conditions |= FpuStatus.C3;
        }
        else if (a.IsUnsupported)
        {
            // All clear.
        }
        else if (a.IsNaN)
        {
            conditions |= FpuStatus.C0;
        }
        else if (a.IsInfinity)
        {
            conditions |= FpuStatus.C2 | FpuStatus.C0;
        }
        else
        {
            conditions |= a.IsDenormal ? FpuStatus.C3 | FpuStatus.C2 : FpuStatus.C2;
        }

        FpuStack.SetConditions(s, FpuStatus.Conditions, conditions);
        return true;
    }
}
