using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>Floating point: results are thrown away when an exception is unmasked.</content>
internal static unsafe partial class Sse
{
    /// <summary>dst = f(dst, src) with exceptions.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Float<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return Compute(s, op, source) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Compute(CpuState* s, Op* op, Xmm* source)
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        Xmm result = *Destination(s, op);
        ((delegate*<Xmm*, Xmm*, ref FloatStatus, void>)op->Link)(&result, source, ref status);
        if (!Report(s, op, status))
        {
            return false;
        }

        *Destination(s, op) = result;
        return true;
    }

    /// <summary>dst = f(dst, src, immediate) with exceptions.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FloatImmediate<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return ComputeImmediate(s, op, source) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ComputeImmediate(CpuState* s, Op* op, Xmm* source)
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        Xmm result = *Destination(s, op);
        ((delegate*<Xmm*, Xmm*, int, ref FloatStatus, void>)op->Link)(
            &result, source, (byte)op->Immediate, ref status);
        if (!Report(s, op, status))
        {
            return false;
        }

        *Destination(s, op) = result;
        return true;
    }

    /// <summary>Merges exceptions into MXCSR; false with #XM (or #UD without CR4.OSXMMEXCPT) pending.</summary>
    internal static bool Report(CpuState* s, Op* op, in FloatStatus status)
    {
        s->Mxcsr |= (uint)status.Reported;
        if (!status.Unmasked)
        {
            return true;
        }

        if ((s->Cr4 & Cr4.OSXMMEXCPT) != 0)
        {
            Flow.Fault(s, op, Vector.SimdError);
        }
        else
        {
            SystemOps.Undefined(s, op);
        }

        return false;
    }

    /// <summary>COMISS, UCOMISS and their double forms.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Compare<TFormat, TSignals, TSource>(CpuState* s, Op* op)
        where TFormat : struct, IFloatFormat
        where TSignals : struct, IFlag
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return Compare<TFormat>(s, op, source, TSignals.Value) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Compare<TFormat>(CpuState* s, Op* op, Xmm* source, bool signals)
        where TFormat : struct, IFloatFormat
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        FloatRelation relation = SseFloat<TFormat>.Compare(
            Element<TFormat>(Destination(s, op)), Element<TFormat>(source), signals, ref status);
        if (!Report(s, op, status))
        {
            return false;
        }

        LazyFlags.SetStatus(s, X87.FlagsOf(relation));
        return true;
    }

    /// <summary>CVTSI2SS and CVTSI2SD.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FromInteger<TFormat, T, TSource>(CpuState* s, Op* op)
        where TFormat : struct, IFloatFormat
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        return FromInteger<TFormat>(s, op, LazyFlags.SignExtend<T>(LittleEndian.Get<T>(p))) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool FromInteger<TFormat>(CpuState* s, Op* op, long value)
        where TFormat : struct, IFloatFormat
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        ulong result = SseFloat<TFormat>.FromInteger(value, ref status);
        if (!Report(s, op, status))
        {
            return false;
        }

        if (TFormat.FractionBits == 23)
        {
            *(uint*)Destination(s, op) = (uint)result;
        }
        else
        {
            Destination(s, op)->Low = result;
        }

        return true;
    }

    /// <summary>CVTSS2SI, CVTTSS2SI and their double forms.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToInteger<TFormat, T, TTruncate, TSource>(CpuState* s, Op* op)
        where TFormat : struct, IFloatFormat
        where T : unmanaged
        where TTruncate : struct, IFlag
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return ToInteger<TFormat, T>(s, op, source, TTruncate.Value) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ToInteger<TFormat, T>(CpuState* s, Op* op, Xmm* source, bool truncate)
        where TFormat : struct, IFloatFormat
        where T : unmanaged
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        long result = SseFloat<TFormat>.ToInteger(
            Element<TFormat>(source), sizeof(T) * 8, truncate ? RoundingMode.Zero : status.Rounding, ref status);
        if (!Report(s, op, status))
        {
            return false;
        }

        Registers.Write<T>(s, op->Destination, (ulong)result);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Element<TFormat>(Xmm* x)
        where TFormat : struct, IFloatFormat => TFormat.FractionBits == 23 ? *(uint*)x : x->Low;
}
