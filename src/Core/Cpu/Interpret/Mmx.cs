using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>MMX: 64-bit lanes in the x87 registers (Intel SDM vol. 1 chapter 9).</summary>
/// <remarks>
/// Register operands are byte offsets of physical x87 registers. Every instruction but EMMS sets TOP to 0 and tags all
/// registers as in use, and a register written gets all ones in its exponent field.
/// </remarks>
internal static unsafe class Mmx
{
    /// <summary>Whether an x87 exception waits, which MMX instructions raise before anything else.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasError(CpuState* s) => (s->FpuStatus & FpuStatus.ErrorSummary) != 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* RaiseError(CpuState* s, Op* op) => Flow.Fault(s, op, Vector.X87Error);

    private static void Enter(CpuState* s)
    {
        s->FpuTop = 0;
        s->FpuTags = 0xFF;
    }

    private static void Write(CpuState* s, int offset, ulong value)
    {
        ulong* register = (ulong*)((byte*)s + offset);
        register[0] = value;
        register[1] = 0xFFFF;
    }

    /// <summary>EMMS: all registers are empty.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Empty(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        s->FpuTop = 0;
        s->FpuTags = 0;
        return Flow.Next(s, op);
    }

    /// <summary>dst = f(dst, src) with a source of <typeparamref name="T"/> in a register or memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Lanes<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        Apply(s, op, LittleEndian.Get<T>(p));
        return Flow.Next(s, op);
    }

    /// <summary>A shift by the immediate.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Shift(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Apply(s, op, (ulong)op->Immediate);
        return Flow.Next(s, op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Apply(CpuState* s, Op* op, ulong operand)
    {
        Xmm a = new(*(ulong*)((byte*)s + op->Destination), 0);
        Xmm b = new(operand, 0);
        ((delegate*<Xmm*, Xmm*, void>)op->Link)(&a, &b);
        Enter(s);
        Write(s, op->Destination, a.Low);
    }

    /// <summary>dst = f(dst, src, immediate).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LanesImmediate<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        byte* p = TSource.Pointer<ulong>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ApplyImmediate(s, op, *(ulong*)p);
        return Flow.Next(s, op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ApplyImmediate(CpuState* s, Op* op, ulong operand)
    {
        Xmm a = new(*(ulong*)((byte*)s + op->Destination), 0);
        Xmm b = new(operand, 0);
        ((delegate*<Xmm*, Xmm*, int, void>)op->Link)(&a, &b, (byte)op->Immediate);
        Enter(s);
        Write(s, op->Destination, a.Low);
    }

    /// <summary>MOVD and MOVQ from a general register, memory or an MMX register.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Load<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong value = LittleEndian.Get<T>(p);
        Enter(s);
        Write(s, op->Destination, value);
        return Flow.Next(s, op);
    }

    /// <summary>MOVD and MOVQ to a general register; PEXTRW with an element number.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToGeneral<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Enter(s);
        Registers.Write<ulong>(
            s, op->Destination, LittleEndian.Get<T>((byte*)s + op->Source + (op->Immediate * sizeof(T))));
        return Flow.Next(s, op);
    }

    /// <summary>MOVD, MOVQ and MOVNTQ to memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Store<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        if (!StoreLow<T>(s, op))
        {
            return null;
        }

        Enter(s);
        return s->ExitRequest != 0 ? op + 1 : Flow.Next(s, op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool StoreLow<T>(CpuState* s, Op* op)
        where T : unmanaged => X87.Write(s, op, *(T*)((byte*)s + op->Source));

    /// <summary>PINSRW.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* InsertWord<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        byte* p = TSource.Pointer<ushort>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ushort value = *(ushort*)p;
        Enter(s);
        int shift = (int)op->Immediate * 16;
        ulong old = *(ulong*)((byte*)s + op->Destination);
        Write(s, op->Destination, (old & ~(0xFFFFUL << shift)) | ((ulong)value << shift));
        return Flow.Next(s, op);
    }

    /// <summary>PMOVMSKB.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Mask(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Enter(s);
        ulong signs = (*(ulong*)((byte*)s + op->Source) >> 7) & 0x0101_0101_0101_0101;
        Registers.Write<uint>(s, op->Destination, (signs * 0x0102_0408_1020_4080) >> 56);
        return Flow.Next(s, op);
    }

    /// <summary>MASKMOVQ.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* MaskedStore(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        if (!Sse.StoreMasked(s, op, (byte*)s + op->Destination, (byte*)s + op->Source, 8))
        {
            return null;
        }

        Enter(s);
        return op + 1;
    }

    /// <summary>MOVQ2DQ.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToXmm(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Enter(s);
        ulong* target = (ulong*)((byte*)s + op->Destination);
        target[0] = *(ulong*)((byte*)s + op->Source);
        target[1] = 0;
        return Flow.Next(s, op);
    }

    /// <summary>MOVDQ2Q.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FromXmm(CpuState* s, Op* op)
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Enter(s);
        Write(s, op->Destination, *(ulong*)((byte*)s + op->Source));
        return Flow.Next(s, op);
    }

    /// <summary>CVTPI2PS and CVTPI2PD: MMX register or memory to XMM.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ConvertToXmm<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        // A memory operand leaves the x87 state alone; that of CVTPI2PS does so on AMD's processors.
        bool enters = !TSource.CanFault;
        if (enters && HasError(s))
        {
            return RaiseError(s, op);
        }

        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return ConvertToXmm(s, op, source->Low, enters) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ConvertToXmm(CpuState* s, Op* op, ulong operand, bool enters)
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        Xmm source = new(operand, 0);
        Xmm result = *(Xmm*)((byte*)s + op->Destination);
        ((delegate*<Xmm*, Xmm*, ref FloatStatus, void>)op->Link)(&result, &source, ref status);
        if (!Sse.Report(s, op, status))
        {
            return false;
        }

        if (enters)
        {
            Enter(s);
        }

        *(Xmm*)((byte*)s + op->Destination) = result;
        return true;
    }

    /// <summary>CVTPS2PI, CVTPD2PI and their truncating forms: XMM register or memory to MMX.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ConvertFromXmm<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        if (HasError(s))
        {
            return RaiseError(s, op);
        }

        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        return ConvertFromXmm(s, op, source) ? Flow.Next(s, op) : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ConvertFromXmm(CpuState* s, Op* op, Xmm* source)
    {
        FloatStatus status = FloatStatus.FromMxcsr(s->Mxcsr);
        Xmm result = default;
        ((delegate*<Xmm*, Xmm*, ref FloatStatus, void>)op->Link)(&result, source, ref status);
        if (!Sse.Report(s, op, status))
        {
            return false;
        }

        Enter(s);
        Write(s, op->Destination, result.Low);
        return true;
    }
}
