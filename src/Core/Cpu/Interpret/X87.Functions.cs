using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>Scaling, remainders and transcendental functions.</content>
internal static unsafe partial class X87
{
    /// <summary>FSCALE.</summary>
    public static bool Scale(CpuState* s, Op* op) => Binary(s, op, &X87Float.Scale, target: 0);

    /// <summary>FPATAN.</summary>
    public static bool Arctangent(CpuState* s, Op* op) => Binary(s, op, &ArctangentOf, target: 1);

    /// <summary>FYL2X.</summary>
    public static bool Logarithm(CpuState* s, Op* op) => Binary(s, op, &LogarithmOf, target: 1);

    /// <summary>FYL2XP1.</summary>
    public static bool LogarithmOfOnePlus(CpuState* s, Op* op) => Binary(s, op, &LogarithmOfOnePlusOf, target: 1);

    private static Float80 ArctangentOf(Float80 x, Float80 y, ref FloatStatus status) =>
        X87Float.Arctangent(y, x, ref status);

    private static Float80 LogarithmOf(Float80 x, Float80 y, ref FloatStatus status) =>
        X87Float.Logarithm(y, x, ref status);

    private static Float80 LogarithmOfOnePlusOf(Float80 x, Float80 y, ref FloatStatus status) =>
        X87Float.LogarithmOfOnePlus(y, x, ref status);

    /// <summary>ST(target) = function(ST(0), ST(1)), then pops.</summary>
    private static bool Binary(
        CpuState* s, Op* op, delegate*<Float80, Float80, ref FloatStatus, Float80> function, int target)
    {
        Float80 result = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, 1))
        {
            if (!FpuStack.Fault(s, overflow: false))
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            result = function(FpuStack.Get(s, 0), FpuStack.Get(s, 1), ref status);
            if (!FpuStack.Report(s, status))
            {
                return true;
            }
        }

        FpuStack.Set(s, target, result);
        PopTimes(s, op);
        return true;
    }

    /// <summary>FPREM, or FPREM1 where the quotient is rounded to nearest.</summary>
    /// <remarks>Invalid operands and NaNs leave C0 and C3 alone.</remarks>
    public static bool Remainder<TNearest>(CpuState* s, Op* op)
        where TNearest : struct, IFlag
    {
        Float80 result = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, 1))
        {
            bool masked = FpuStack.Fault(s, overflow: false);
            FpuStack.SetConditions(s, FpuStatus.C2, 0);
            if (!masked)
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            result = X87Float.Remainder(
                FpuStack.Get(s, 0), FpuStack.Get(s, 1), TNearest.Value,
                out ulong quotient, out bool partial, ref status);
            status.RoundedUp = false;
            bool written = FpuStack.Report(s, status);
            FpuStack.SetConditions(s, FpuStatus.C2, partial && written ? FpuStatus.C2 : 0);
            if (!written)
            {
                return true;
            }

            if (!result.IsNaN)
            {
                FpuStack.SetConditions(
                    s,
                    FpuStatus.C0 | FpuStatus.C1 | FpuStatus.C3,
                    ((quotient & 1) != 0 ? FpuStatus.C1 : 0) | ((quotient & 2) != 0 ? FpuStatus.C3 : 0)
                    | ((quotient & 4) != 0 ? FpuStatus.C0 : 0));
            }
        }

        FpuStack.Set(s, 0, result);
        return true;
    }

    /// <summary>FSIN.</summary>
    public static bool Sine(CpuState* s, Op* op) => Trigonometric(s, X87Angle.Sine);

    /// <summary>FCOS.</summary>
    public static bool Cosine(CpuState* s, Op* op) => Trigonometric(s, X87Angle.Cosine);

    /// <summary>FPTAN.</summary>
    public static bool Tangent(CpuState* s, Op* op) => Trigonometric(s, X87Angle.Tangent);

    /// <summary>FSINCOS.</summary>
    public static bool SineAndCosine(CpuState* s, Op* op) => Trigonometric(s, X87Angle.SineAndCosine);

    private static bool Trigonometric(CpuState* s, X87Angle function)
    {
        bool pushes = function is X87Angle.Tangent or X87Angle.SineAndCosine;
        bool overflow = pushes && !FpuStack.IsEmpty(s, 7);
        Float80 result = Float80.DefaultNaN;
        Float80 second = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, 0) || overflow)
        {
            bool masked = FpuStack.Fault(s, overflow && !FpuStack.IsEmpty(s, 0));
            FpuStack.SetConditions(s, FpuStatus.C2, 0);
            if (!masked)
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            result = X87Float.Trigonometric(
                FpuStack.Get(s, 0), function, out bool outOfRange, out second, ref status);
            bool written = FpuStack.Report(s, status);
            FpuStack.SetConditions(s, FpuStatus.C2, outOfRange ? FpuStatus.C2 : 0);
            if (!written || outOfRange)
            {
                return true;
            }

            if (function == X87Angle.Tangent)
            {
                second = result.IsNaN ? result : Float80.One;
            }
        }

        FpuStack.Set(s, 0, result);
        if (pushes)
        {
            FpuStack.Push(s, second);
        }

        return true;
    }

    /// <summary>FXTRACT.</summary>
    public static bool Extract(CpuState* s, Op* op)
    {
        Float80 significand = Float80.DefaultNaN;
        Float80 exponent = Float80.DefaultNaN;
        bool overflow = !FpuStack.IsEmpty(s, 7);
        if (FpuStack.IsEmpty(s, 0) || overflow)
        {
            if (!FpuStack.Fault(s, overflow && !FpuStack.IsEmpty(s, 0)))
            {
                return true;
            }
        }
        else
        {
            FloatStatus status = FpuStack.Status(s);
            significand = X87Float.Extract(FpuStack.Get(s, 0), out exponent, ref status);
            if (!FpuStack.Report(s, status))
            {
                return true;
            }
        }

        FpuStack.Set(s, 0, exponent);
        FpuStack.Push(s, significand);
        return true;
    }
}
