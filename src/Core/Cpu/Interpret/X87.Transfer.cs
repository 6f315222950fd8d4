using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>Loads, stores, exchanges and constants.</content>
internal static unsafe partial class X87
{
    /// <summary>FLD m32fp.</summary>
    public static bool LoadSingle(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<uint>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return false;
        }

        FloatStatus status = FpuStack.Status(s);
        Float80 value = X87Float.Load<Binary32>(*(uint*)p, ref status);
        PushConverted(s, value, status);
        return true;
    }

    /// <summary>FLD m64fp.</summary>
    public static bool LoadDouble(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<ulong>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return false;
        }

        FloatStatus status = FpuStack.Status(s);
        Float80 value = X87Float.Load<Binary64>(*(ulong*)p, ref status);
        PushConverted(s, value, status);
        return true;
    }

    /// <summary>FLD m80fp.</summary>
    public static bool LoadExtended(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<Extended10>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return false;
        }

        PushExact(s, new Float80(((Extended10*)p)->High, ((Extended10*)p)->Low));
        return true;
    }

    /// <summary>FBLD.</summary>
    public static bool LoadDecimal(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<Extended10>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return false;
        }

        PushExact(s, X87Float.FromDecimal(((Extended10*)p)->Low, ((Extended10*)p)->High));
        return true;
    }

    /// <summary>FILD.</summary>
    public static bool LoadInteger<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!Integer<T>.Read(s, op, out Float80 value, out _))
        {
            return false;
        }

        PushExact(s, value);
        return true;
    }

    /// <summary>FLD ST(i).</summary>
    public static bool LoadRegister(CpuState* s, Op* op)
    {
        if (FpuStack.IsEmpty(s, op->Source))
        {
            if (FpuStack.Fault(s, overflow: false))
            {
                FpuStack.Push(s, Float80.DefaultNaN);
            }

            return true;
        }

        PushExact(s, FpuStack.Get(s, op->Source));
        return true;
    }

    /// <summary>FLD1, FLDZ, FLDPI, FLDL2E, FLDL2T, FLDLG2, FLDLN2: Source says which.</summary>
    public static bool LoadConstant(CpuState* s, Op* op)
    {
        RoundingMode mode = FpuStack.Status(s).Rounding;
        Float80 value = op->Source switch
        {
            0 => Float80.One,
            1 => Constant(0x4000, 0xD49A784BCD1B8AFE, 0x492BF6FF4DAFDB4C, mode),
            2 => Constant(0x3FFF, 0xB8AA3B295C17F0BB, 0xBE87FED0691D3E88, mode),
            3 => Constant(0x4000, 0xC90FDAA22168C234, 0xC4C6628B80DC1CD1, mode),
            4 => Constant(0x3FFD, 0x9A209A84FBCFF798, 0x8F8959AC0B7C9178, mode),
            5 => Constant(0x3FFE, 0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF, mode),
            _ => default,
        };
        PushExact(s, value);
        return true;
    }

    /// <summary>A constant of 128 bits, rounded by the rounding control but never inexact (Intel SDM vol. 1 §8.3.4).</summary>
    private static Float80 Constant(ushort exponent, ulong high, ulong low, RoundingMode mode) =>
        new(exponent, high + (Rounder.RoundsAway(mode, false, (high & 1) != 0, low) ? 1UL : 0));

    private static void PushExact(CpuState* s, Float80 value)
    {
        if (!FpuStack.IsEmpty(s, 7))
        {
            if (FpuStack.Fault(s, overflow: true))
            {
                FpuStack.Push(s, Float80.DefaultNaN);
            }

            return;
        }

        FpuStack.SetConditions(s, FpuStatus.C1, 0);
        FpuStack.Push(s, value);
    }

    private static void PushConverted(CpuState* s, Float80 value, in FloatStatus status)
    {
        if (!FpuStack.IsEmpty(s, 7))
        {
            PushExact(s, value);
            return;
        }

        // An unmasked denormal operand is loaded all the same; only an invalid one is not.
        FpuStack.Report(s, status);
        if (status.Masked(status.Flags & FloatFlags.Invalid))
        {
            FpuStack.Push(s, value);
        }
    }

    /// <summary>FST and FSTP to ST(i).</summary>
    public static bool StoreRegister(CpuState* s, Op* op)
    {
        Float80 value = Float80.DefaultNaN;
        if (FpuStack.IsEmpty(s, 0))
        {
            if (!FpuStack.Fault(s, overflow: false))
            {
                return true;
            }
        }
        else
        {
            value = FpuStack.Get(s, 0);
            FpuStack.SetConditions(s, FpuStatus.C1, 0);
        }

        FpuStack.Set(s, op->Destination, value);
        PopTimes(s, op);
        return true;
    }

    /// <summary>FSTPNCE: FSTP to ST(i) which takes an empty ST(0) for granted.</summary>
    public static bool StoreRegisterQuietly(CpuState* s, Op* op)
    {
        if (!FpuStack.IsEmpty(s, 0))
        {
            return StoreRegister(s, op);
        }

        FpuStack.SetConditions(s, FpuStatus.C1, 0);
        PopTimes(s, op);
        return true;
    }

    /// <summary>FST and FSTP m32fp.</summary>
    public static bool StoreSingle(CpuState* s, Op* op)
    {
        FloatStatus status = FpuStack.Status(s);
        uint value = (uint)SseFloat<Binary32>.DefaultNaN;
        if (!FpuStack.IsEmpty(s, 0))
        {
            value = (uint)X87Float.Store<Binary32>(FpuStack.Get(s, 0), ref status);
        }

        return FinishStore(s, op, value, status);
    }

    /// <summary>FST and FSTP m64fp.</summary>
    public static bool StoreDouble(CpuState* s, Op* op)
    {
        FloatStatus status = FpuStack.Status(s);
        ulong value = SseFloat<Binary64>.DefaultNaN;
        if (!FpuStack.IsEmpty(s, 0))
        {
            value = X87Float.Store<Binary64>(FpuStack.Get(s, 0), ref status);
        }

        return FinishStore(s, op, value, status);
    }

    /// <summary>FSTP m80fp.</summary>
    public static bool StoreExtended(CpuState* s, Op* op)
    {
        Float80 value = FpuStack.IsEmpty(s, 0) ? Float80.DefaultNaN : FpuStack.Get(s, 0);
        Extended10 bytes = new() { Low = value.Mantissa, High = value.SignExponent };
        return FinishStore(s, op, bytes, FpuStack.Status(s));
    }

    /// <summary>FBSTP.</summary>
    public static bool StoreDecimal(CpuState* s, Op* op)
    {
        FloatStatus status = FpuStack.Status(s);
        Extended10 bytes = new() { Low = 0xC000_0000_0000_0000, High = 0xFFFF };
        if (!FpuStack.IsEmpty(s, 0))
        {
            bytes.Low = X87Float.ToDecimal(FpuStack.Get(s, 0), out bytes.High, ref status);
        }

        return FinishStore(s, op, bytes, status);
    }

    /// <summary>FIST, FISTP and, with <typeparamref name="TTruncate"/>, FISTTP.</summary>
    public static bool StoreInteger<T, TTruncate>(CpuState* s, Op* op)
        where T : unmanaged
        where TTruncate : struct, IFlag
    {
        FloatStatus status = FpuStack.Status(s);
        long value = IntegerRounder.Indefinite(sizeof(T) * 8);
        if (!FpuStack.IsEmpty(s, 0))
        {
            RoundingMode mode = TTruncate.Value ? RoundingMode.Zero : status.Rounding;
            value = X87Float.ToInteger(FpuStack.Get(s, 0), sizeof(T) * 8, mode, ref status);
        }

        return FinishStore(s, op, *(T*)&value, status);
    }

    /// <summary>
    /// Writes a converted ST(0) unless an unmasked exception forbids it, then reports and pops. The operand's faults come
    /// first either way.
    /// </summary>
    private static bool FinishStore<T>(CpuState* s, Op* op, T value, in FloatStatus status)
        where T : unmanaged
    {
        bool empty = FpuStack.IsEmpty(s, 0);
        FloatFlags forbidding = FloatFlags.Invalid | FloatFlags.Overflow | FloatFlags.Underflow;
        bool stored = empty
            ? status.Masked(FloatFlags.Invalid)
            : status.Masked(status.Flags & forbidding);
        if (stored ? !Write(s, op, value) : !Processor.Of(s).ProbeStore(op, AnyAddress.Of(s, op), sizeof(T)))
        {
            return false;
        }

        if (empty)
        {
            FpuStack.Fault(s, overflow: false);
        }
        else
        {
            FpuStack.Report(s, status);
        }

        if (stored)
        {
            PopTimes(s, op);
        }

        return true;
    }

    /// <summary>Stores to the memory operand; false with a fault pending.</summary>
    internal static bool Write<T>(CpuState* s, Op* op, T value)
        where T : unmanaged
    {
        ulong address = AnyAddress.Of(s, op);
        byte* p = MemoryAccess.TryStore<T>(s, address);
        if (p == null)
        {
            return MemoryAccess.SlowStoreBytes(s, op, address, (byte*)&value, sizeof(T));
        }

        *(T*)p = value;
        return true;
    }

    /// <summary>FXCH: an empty register counts as the indefinite NaN when stack faults are masked.</summary>
    public static bool Exchange(CpuState* s, Op* op)
    {
        int i = op->Source;
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, i))
        {
            if (!FpuStack.Fault(s, overflow: false))
            {
                return true;
            }

            Fill(s, 0);
            Fill(s, i);
        }
        else
        {
            FpuStack.SetConditions(s, FpuStatus.C1, 0);
        }

        Float80 top = FpuStack.Get(s, 0);
        FpuStack.Set(s, 0, FpuStack.Get(s, i));
        FpuStack.Set(s, i, top);
        return true;
    }

    private static void Fill(CpuState* s, int i)
    {
        if (FpuStack.IsEmpty(s, i))
        {
            FpuStack.Set(s, i, Float80.DefaultNaN);
        }
    }

    /// <summary>FCMOVcc: bits of Destination choose the condition (1 CF, 2 ZF, 4 PF, 8 negated).</summary>
    public static bool ConditionalMove(CpuState* s, Op* op)
    {
        if (FpuStack.IsEmpty(s, 0) || FpuStack.IsEmpty(s, op->Source))
        {
            if (FpuStack.Fault(s, overflow: false))
            {
                FpuStack.Set(s, 0, Float80.DefaultNaN);
            }

            return true;
        }

        bool holds = ((op->Destination & 1) != 0 && LazyFlags.Carry(s))
            || ((op->Destination & 2) != 0 && LazyFlags.Zero(s))
            || ((op->Destination & 4) != 0 && LazyFlags.Parity(s));
        if (holds != ((op->Destination & 8) != 0))
        {
            FpuStack.Set(s, 0, FpuStack.Get(s, op->Source));
        }

        return true;
    }
}
