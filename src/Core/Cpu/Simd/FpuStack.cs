using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>The x87 register stack, its tags and its status word (Intel SDM vol. 1 §8.1).</summary>
// SAFETY: register numbers are masked to 0..7, so every pointer stays inside CpuState.FpuRegisters.
internal static unsafe class FpuStack
{
    /// <summary>Register number of ST(i).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Physical(CpuState* s, int i) => (s->FpuTop + i) & 7;

    /// <summary>Whether ST(i) is empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsEmpty(CpuState* s, int i) => ((s->FpuTags >> Physical(s, i)) & 1) == 0;

    /// <summary>The value of ST(i).</summary>
    public static Float80 Get(CpuState* s, int i)
    {
        ulong* r = s->FpuRegisters + (2 * Physical(s, i));
        return new Float80((ushort)r[1], r[0]);
    }

    /// <summary>Writes ST(i) and tags it as in use.</summary>
    public static void Set(CpuState* s, int i, Float80 value)
    {
        int physical = Physical(s, i);
        ulong* r = s->FpuRegisters + (2 * physical);
        r[0] = value.Mantissa;
        r[1] = value.SignExponent;
        s->FpuTags |= (byte)(1 << physical);
    }

    /// <summary>Makes a value the new ST(0), whatever was there.</summary>
    public static void Push(CpuState* s, Float80 value)
    {
        s->FpuTop = (s->FpuTop - 1) & 7;
        Set(s, 0, value);
    }

    /// <summary>Empties ST(0) and makes ST(1) the new one.</summary>
    public static void Pop(CpuState* s)
    {
        s->FpuTags &= (byte)~(1 << s->FpuTop);
        s->FpuTop = (s->FpuTop + 1) & 7;
    }

    /// <summary>Tags ST(i) as empty.</summary>
    public static void Free(CpuState* s, int i) => s->FpuTags &= (byte)~(1 << Physical(s, i));

    /// <summary>The rounding, precision and masks that the control word asks for.</summary>
    public static FloatStatus Status(CpuState* s) => FloatStatus.FromControlWord(s->FpuControl);

    /// <summary>Sets C1 and clears the other condition bits given.</summary>
    public static void SetConditions(CpuState* s, int affected, int set) =>
        s->FpuStatus = (ushort)((s->FpuStatus & ~affected) | set);

    /// <summary>Recomputes the pending bits after a change of status or masks.</summary>
    public static void UpdateSummary(CpuState* s)
    {
        bool pending = (s->FpuStatus & ~s->FpuControl & (int)FloatFlags.All) != 0;
        s->FpuStatus = (ushort)((s->FpuStatus & ~FpuStatus.Pending) | (pending ? FpuStatus.Pending : 0));
    }

    /// <summary>Records what an operation found and how it rounded (C1).</summary>
    /// <returns>Whether its result is to be written: no exception found before computing is unmasked.</returns>
    public static bool Report(CpuState* s, in FloatStatus status)
    {
        FloatFlags reported = status.Reported;
        bool written = status.Masked(reported & FloatFlags.PreComputation);
        int c1 = written && status.RoundedUp ? FpuStatus.C1 : 0;
        s->FpuStatus = (ushort)((s->FpuStatus & ~FpuStatus.C1) | c1 | (int)reported);
        if (!status.Masked(reported))
        {
            s->FpuStatus |= FpuStatus.Pending;
        }
        return written;
    }

    /// <summary>Records a stack overflow or underflow.</summary>
    /// <returns>Whether it is masked, so that the operation goes on with the indefinite NaN.</returns>
    public static bool Fault(CpuState* s, bool overflow)
    {
        s->FpuStatus = (ushort)((s->FpuStatus & ~FpuStatus.C1) | (overflow ? FpuStatus.C1 : 0)
            | FpuStatus.StackFault | (int)FloatFlags.Invalid);
        if ((s->FpuControl & (int)FloatFlags.Invalid) != 0)
        {
            return true;
        }
        s->FpuStatus |= FpuStatus.Pending;
        return false;
    }

    /// <summary>The status word with TOP.</summary>
    public static ushort StatusWord(CpuState* s) => (ushort)(s->FpuStatus | (s->FpuTop << 11));

    /// <summary>The tag word: two bits a register, 0 valid, 1 zero, 2 special, 3 empty (Intel SDM vol. 1 §8.1.7).</summary>
    public static ushort TagWord(CpuState* s)
    {
        int word = 0;
        for (int i = 0; i < 8; i++)
        {
            int tag = 3;
            if (((s->FpuTags >> i) & 1) != 0)
            {
                Float80 x = new((ushort)s->FpuRegisters[(2 * i) + 1], s->FpuRegisters[2 * i]);
                int field = x.SignExponent & 0x7FFF;
                tag = x.IsZero ? 1 : field is 0 or 0x7FFF || (long)x.Mantissa >= 0 ? 2 : 0;
            }
            word |= tag << (2 * i);
        }
        return (ushort)word;
    }

    /// <summary>Sets the abridged tags from a tag word.</summary>
    public static void SetTagWord(CpuState* s, ushort word)
    {
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            tags |= ((word >> (2 * i)) & 3) != 3 ? 1 << i : 0;
        }
        s->FpuTags = (byte)tags;
    }

    /// <summary>FNINIT.</summary>
    public static void Initialize(CpuState* s)
    {
        s->FpuControl = 0x37F;
        s->FpuStatus = 0;
        s->FpuTop = 0;
        s->FpuTags = 0;
        s->FpuOpcode = 0;
        s->FpuIp = s->FpuDp = 0;
        s->FpuSelectors = 0;
    }
}
