using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>The kinds of operand and operation that the arithmetic handlers are built from.</content>
internal static unsafe partial class X87
{
    /// <summary>A memory operand of an arithmetic or load instruction.</summary>
    internal interface IMemoryOperand
    {
        /// <summary>Reads it; false with a fault pending.</summary>
        public static abstract bool Read(CpuState* s, Op* op, out Float80 value, out bool denormal);
    }

    /// <summary>m32fp.</summary>
    internal readonly struct Single : IMemoryOperand
    {
        public static bool Read(CpuState* s, Op* op, out Float80 value, out bool denormal)
        {
            byte* p = MemoryAccess.Load<uint>(s, op, AnyAddress.Of(s, op));
            value = default;
            denormal = false;
            if (p == null)
            {
                return false;
            }

            value = X87Float.Widen<Binary32>(*(uint*)p, out denormal);
            return true;
        }
    }

    /// <summary>m64fp.</summary>
    internal readonly struct Double : IMemoryOperand
    {
        public static bool Read(CpuState* s, Op* op, out Float80 value, out bool denormal)
        {
            byte* p = MemoryAccess.Load<ulong>(s, op, AnyAddress.Of(s, op));
            value = default;
            denormal = false;
            if (p == null)
            {
                return false;
            }

            value = X87Float.Widen<Binary64>(*(ulong*)p, out denormal);
            return true;
        }
    }

    /// <summary>m16int, m32int, m64int.</summary>
    internal readonly struct Integer<T> : IMemoryOperand
        where T : unmanaged
    {
        public static bool Read(CpuState* s, Op* op, out Float80 value, out bool denormal)
        {
            byte* p = MemoryAccess.Load<T>(s, op, AnyAddress.Of(s, op));
            value = default;
            denormal = false;
            if (p == null)
            {
                return false;
            }

            value = X87Float.FromInteger(LazyFlags.SignExtend<T>(LittleEndian.Get<T>(p)));
            return true;
        }
    }

    /// <summary>FADD.</summary>
    internal readonly struct Add : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Add(destination, source, ref status);
    }

    /// <summary>FSUB.</summary>
    internal readonly struct Subtract : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Subtract(destination, source, ref status);
    }

    /// <summary>FSUBR.</summary>
    internal readonly struct SubtractReversed : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Subtract(source, destination, ref status);
    }

    /// <summary>FMUL.</summary>
    internal readonly struct Multiply : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Multiply(destination, source, ref status);
    }

    /// <summary>FDIV.</summary>
    internal readonly struct Divide : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Divide(destination, source, ref status);
    }

    /// <summary>FDIVR.</summary>
    internal readonly struct DivideReversed : IX87Operation
    {
        public static Float80 Apply(Float80 destination, Float80 source, ref FloatStatus status) =>
            X87Float.Divide(source, destination, ref status);
    }
}
